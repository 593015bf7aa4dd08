"""Errors of the operating system, translated into the tree of `storage.errors`.

What time may mend is `Unavailable`, and callers try again: a full disk, on which others free space,
a device that coughs, too many open files. What somebody has to mend is `InvalidRequest`, and is
told at once: permissions, a file system that is read-only or cannot do what is needed, paths that
cannot exist. The log writer would else repeat for half a minute what cannot succeed. Neither says
that nothing has happened; who wrote finds out by reading back (`settle.py`).

The SQLSTATEs of errors of the disk are PostgreSQL's (`errcode_for_file_access` in its `elog.c`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import InvalidRequest, MobulaError, Unavailable

__all__ = ["os_error", "os_errors"]

_CLOSED = "42501"  # insufficient_privilege
_DISK_FULL = "53100"
_FILES = "53000"  # insufficient_resources
_IO = "58030"  # io_error

# What is wrong, and the next step: by number, with a SQLSTATE where it is finer than the class's.
_INVALID = {
    errno.EACCES: ("permission denied: give this user read and write access", _CLOSED),
    errno.EPERM: ("not permitted: give this user read and write access", _CLOSED),
    errno.EROFS: (
        "the file system is read-only: mount it writable (look into the system's log if it was) "
        "or use another root",
        _CLOSED,
    ),
    errno.ENOENT: ("there is no such file or directory: check the path", None),
    errno.ENAMETOOLONG: ("the path is too long for this file system: use a shorter root", None),
    errno.ENOTDIR: ("a part of the path is an object and not a directory: use another name", None),
    errno.EISDIR: ("there is a directory of that name: other objects lie below it", None),
    errno.EEXIST: ("there is a file or directory of that name already: use another", None),
    errno.ELOOP: ("too many symbolic links in the path: use one with fewer", None),
    errno.EFBIG: (
        "the file is too large for the file system or for this process: raise its limit "
        "(ulimit -f) or use another file system",
        None,
    ),
    **dict.fromkeys(
        (errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS),
        (
            "the file system cannot do it: use one with hard links, and let all directories of "
            "the root be on the same",
            None,
        ),
    ),
}
_PASSING = {
    errno.ENOSPC: ("no space left on the disk: free some (or inodes) and retry", _DISK_FULL),
    errno.EDQUOT: (
        "no space left for this user: free some or raise the quota, and retry",
        _DISK_FULL,
    ),
    errno.EIO: ("the device failed: check the disk and retry", _IO),
    **dict.fromkeys(
        (errno.EMFILE, errno.ENFILE),
        ("too many open files: raise the limit (ulimit -n) and retry", _FILES),
    ),
}


def os_error(error: OSError, what: str) -> MobulaError:
    """The error of the tree for `error`, met while doing `what` (which names the object)."""
    number = error.errno if error.errno is not None else 0
    if number in _INVALID:
        told, sqlstate = _INVALID[number]
        return InvalidRequest(f"{what}: {told} ({error})", sqlstate)
    if number in _PASSING:
        told, sqlstate = _PASSING[number]
        return Unavailable(f"{what}: {told} ({error})", sqlstate)
    return Unavailable(f"{what}: the operating system reports {error}: check the disk and retry")


@contextmanager
def os_errors(what: str) -> Iterator[None]:
    """Raise OSErrors of the block as errors of the tree."""
    try:
        yield
    except OSError as error:
        raise os_error(error, what) from error
