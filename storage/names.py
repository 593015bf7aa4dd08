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
    "PACK_PREFIX",
    "PIN_PREFIX",
    "alive_name",
    "begun_lsn",
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
    "pack_lsns",
    "pack_name",
    "pin_name",
]

FORMAT = "format"
LOG_PREFIX = "log/"
PACK_PREFIX = "logpack/"
EPOCH_PREFIX = "epoch/"
CHECKPOINT_PREFIX = "checkpoint/"
DATA_PREFIX = "data/"
INDEX_PREFIX = "index/"
PIN_PREFIX = "pin/"
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


def data_prefix(branch_id: str, epoch: int, lsn: int) -> str:
    """What the names of a reign's micropartitions start with; a unique id follows.

    Args: lsn: the newest one when the upload begins, or before; see `begun_lsn`.
    """
    return f"{DATA_PREFIX}{branch_id}-{epoch}-{lsn}-"


def index_prefix(branch_id: str, epoch: int, lsn: int) -> str:
    """The same of index runs."""
    return f"{INDEX_PREFIX}{branch_id}-{epoch}-{lsn}-"


def begun_lsn(name: str, branch_id: str) -> int | None:
    """The LSN in the name of an object under data/ or index/ of that branch: its upload did not
    begin before. 0 in a name without one, as earlier versions wrote them; None: it is no name of
    such an object."""
    kind, _, rest = name.partition("/")
    own = f"{branch_id}-"
    if f"{kind}/" not in (DATA_PREFIX, INDEX_PREFIX) or not rest.startswith(own):
        return None
    epoch, _, rest = rest.removeprefix(own).partition("-")
    lsn, dash, unique_id = rest.partition("-")
    if not (_is_number(epoch) and rest):
        return None
    return int(lsn) if dash and unique_id and _is_number(lsn) else 0


def pack_name(first_lsn: int, last_lsn: int) -> str:
    """The object of the groups of [first_lsn, last_lsn]. Names sort by the last one: the first name
    behind that of an earlier LSN is the pack that has it."""
    return f"{PACK_PREFIX}{last_lsn:020d}-{first_lsn:020d}"


def pack_lsns(name: str) -> tuple[int, int] | None:
    """The first and last LSN in the name of a pack; None: it is none."""
    last, _, first = name.removeprefix(PACK_PREFIX).partition("-")
    if not (_is_number(first) and _is_number(last)):
        return None
    found = int(first), int(last)
    return found if pack_name(*found) == name and 0 < found[0] <= found[1] else None


def pin_name(unique_id: str) -> str:
    """A reader's claim on a version."""
    return f"{PIN_PREFIX}{unique_id}"


def _is(name: str, number_of: Callable[[str], int], name_of: Callable[[int], str]) -> bool:
    try:
        number = number_of(name)
    except CorruptData:
        return False
    return 0 < number < _LSN_LIMIT and name_of(number) == name


def _number(name: str, digits: str) -> int:
    if not _is_number(digits):
        raise CorruptData(f"{name}: not a name that Mobula writes")
    return int(digits)


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdigit()
