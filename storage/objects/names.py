"""What an object may be called, and which ranges and pages may be asked: the same on every store.

A store that accepted more than another would make databases that cannot be moved, so the limits are
the tightest of all: S3 keys end at 1,024 bytes (the root's prefix included), directory entries at
255 bytes. `tmp` as the first part belongs to `LocalStore`, which stages its writes there.
"""

from __future__ import annotations

from storage.errors import InvalidRequest

__all__ = [
    "NAME_BYTES_MAX",
    "PAGE_SIZE_MAX",
    "PART_BYTES_MAX",
    "STAGING",
    "check_list",
    "check_name",
    "check_range",
]

NAME_BYTES_MAX = 800
PART_BYTES_MAX = 255
PAGE_SIZE_MAX = 1000
STAGING = "tmp"


def check_name(name: str) -> None:
    """Refuse a name that some store could not hold. Raises InvalidRequest, saying why."""
    reason = _fault(name)
    if reason is not None:
        raise InvalidRequest(
            f"object name {name!r} {reason}; names are '/'-separated parts relative to the root"
        )


def _fault(name: str) -> str | None:
    parts = name.split("/")
    if not name:
        return "is empty"
    if name.startswith("/"):
        return "is absolute"
    if "" in parts:
        return "has an empty part"
    if "." in parts or ".." in parts:
        return "has a '.' or '..' part"
    if not name.isprintable() or "\\" in name:
        return "has a control character or a backslash"
    if parts[0] == STAGING:
        return f"starts with {STAGING!r}, where directory stores stage their writes"
    if len(name.encode()) > NAME_BYTES_MAX:
        return f"is longer than {NAME_BYTES_MAX} bytes"
    if max(len(part.encode()) for part in parts) > PART_BYTES_MAX:
        return f"has a part longer than {PART_BYTES_MAX} bytes"
    return None


def check_range(name: str, start: int, length: int) -> None:
    """Refuse a range that `get_range` does not define. Raises InvalidRequest."""
    check_name(name)
    if length < 0:
        raise InvalidRequest(f"range of {name!r}: expected length >= 0, found {length}")
    if start < 0 and length > -start:
        raise InvalidRequest(
            f"range of {name!r}: from {start} the object has at most {-start} bytes, "
            f"found length {length}"
        )


def check_list(prefix: str, page_size: int) -> None:
    """Refuse a prefix no name can have, and pages no store serves. Raises InvalidRequest."""
    parts = prefix.split("/")[:-1]
    if any(part in {"", ".", ".."} for part in parts):
        raise InvalidRequest(
            f"list prefix {prefix!r} is absolute or has an empty, '.' or '..' part"
        )
    if not 1 <= page_size <= PAGE_SIZE_MAX:
        raise InvalidRequest(f"page_size: expected 1..{PAGE_SIZE_MAX}, found {page_size}")
