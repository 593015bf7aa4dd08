"""The names of all objects under a root, in one place (`docs/formats/objects.md`).

What lies there under other names is somebody else's: whoever lists passes over it.
"""

from __future__ import annotations

from collections.abc import Callable

from storage.errors import CorruptData

__all__ = [
    "ALIVE",
    "CHECKPOINT_PREFIX",
    "DATA_PREFIX",
    "EPOCH_PREFIX",
    "FORMAT",
    "INDEX_PREFIX",
    "LOG_PREFIX",
    "alive_name",
    "checkpoint_directory",
    "checkpoint_lsn",
    "data_prefix",
    "epoch_of",
    "index_prefix",
    "is_checkpoint_directory",
    "is_log_name",
    "is_owner_name",
    "log_lsn",
    "log_name",
    "owner_name",
]

FORMAT = "format"
LOG_PREFIX = "log/"
EPOCH_PREFIX = "epoch/"
CHECKPOINT_PREFIX = "checkpoint/"
DATA_PREFIX = "data/"
INDEX_PREFIX = "index/"
ALIVE = "alive"

_LSN_LIMIT = 2**63


def log_name(lsn: int) -> str:
    """The object of the group at `lsn`."""
    return f"{LOG_PREFIX}{lsn:020d}"


def log_lsn(name: str) -> int:
    """The LSN in a log object's name. Raises CorruptData."""
    return _number(name, name.removeprefix(LOG_PREFIX))


def is_log_name(name: str) -> bool:
    """Whether a log object may have that name."""
    return _is(name, log_lsn, log_name)


def owner_name(epoch: int) -> str:
    """Who reigns in an epoch; never deleted."""
    return f"{EPOCH_PREFIX}{epoch:020d}/owner"


def alive_name(epoch: int) -> str:
    """The sign of life that the owner of an epoch refreshes."""
    return f"{EPOCH_PREFIX}{epoch:020d}/{ALIVE}"


def epoch_of(name: str) -> int:
    """The epoch in the name of an object under epoch/. Raises CorruptData."""
    return _number(name, name.removeprefix(EPOCH_PREFIX).partition("/")[0])


def is_owner_name(name: str) -> bool:
    """Whether an epoch's owner may have that name."""
    return _is(name, epoch_of, owner_name)


def checkpoint_directory(lsn: int, unique_id: str = "") -> str:
    """Where a checkpoint at `lsn` lives; names sort newest first. Without an id: the first name
    that a checkpoint at `lsn` could have."""
    return f"{CHECKPOINT_PREFIX}{_LSN_LIMIT - lsn:020d}-{unique_id}"


def checkpoint_lsn(name: str) -> int:
    """The LSN in the name of an object under checkpoint/. Raises CorruptData."""
    return _LSN_LIMIT - _number(name, name.removeprefix(CHECKPOINT_PREFIX).partition("-")[0])


def is_checkpoint_directory(name: str) -> bool:
    """Whether a checkpoint may live there; `name` without a slash at its end."""
    unique_id = name.partition("-")[2]
    return _is(name, checkpoint_lsn, lambda lsn: checkpoint_directory(lsn, unique_id))


def data_prefix(branch_id: str, epoch: int) -> str:
    """What the names of a reign's micropartitions start with; a unique id follows."""
    return f"{DATA_PREFIX}{branch_id}-{epoch}-"


def index_prefix(branch_id: str, epoch: int) -> str:
    """What the names of a reign's index runs start with; a unique id follows."""
    return f"{INDEX_PREFIX}{branch_id}-{epoch}-"


def _is(name: str, number_of: Callable[[str], int], name_of: Callable[[int], str]) -> bool:
    try:
        number = number_of(name)
    except CorruptData:
        return False
    return 0 < number < _LSN_LIMIT and name_of(number) == name


def _number(name: str, digits: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise CorruptData(f"{name}: not a name that Mobula writes")
    return int(digits)
