"""The names of all objects under a root, in one place (`docs/formats/objects.md`)."""

from __future__ import annotations

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


def owner_name(epoch: int) -> str:
    """Who reigns in an epoch; never deleted."""
    return f"{EPOCH_PREFIX}{epoch:020d}/owner"


def alive_name(epoch: int) -> str:
    """The sign of life that the owner of an epoch refreshes."""
    return f"{EPOCH_PREFIX}{epoch:020d}/{ALIVE}"


def epoch_of(name: str) -> int:
    """The epoch in the name of an object under epoch/. Raises CorruptData."""
    return _number(name, name.removeprefix(EPOCH_PREFIX).partition("/")[0])


def checkpoint_directory(lsn: int, unique_id: str = "") -> str:
    """Where a checkpoint at `lsn` lives; names sort newest first. Without an id: the first name
    that a checkpoint at `lsn` could have."""
    return f"{CHECKPOINT_PREFIX}{_LSN_LIMIT - lsn:020d}-{unique_id}"


def checkpoint_lsn(name: str) -> int:
    """The LSN in the name of an object under checkpoint/. Raises CorruptData."""
    return _LSN_LIMIT - _number(name, name.removeprefix(CHECKPOINT_PREFIX).partition("-")[0])


def data_prefix(branch_id: str, epoch: int) -> str:
    """What the names of a reign's micropartitions start with; a unique id follows."""
    return f"{DATA_PREFIX}{branch_id}-{epoch}-"


def index_prefix(branch_id: str, epoch: int) -> str:
    """What the names of a reign's index runs start with; a unique id follows."""
    return f"{INDEX_PREFIX}{branch_id}-{epoch}-"


def _number(name: str, digits: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise CorruptData(
            f"{name}: not a name that Mobula writes; if somebody else put it there, remove it"
        )
    return int(digits)
