"""Errors of the operating system, translated into the tree of `storage.errors`.

Full disks and failing devices pass (`Unavailable`); permissions, read-only mounts and paths that
cannot exist do not pass by themselves (`InvalidRequest`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import InvalidRequest, MobulaError, Unavailable

__all__ = ["os_error", "os_errors"]

_INVALID = {
    errno.EACCES: "permission denied: give this user read and write access",
    errno.EPERM: "not permitted: give this user read and write access",
    errno.EROFS: "the file system is read-only: mount it writable or use another root",
    errno.ENOENT: "there is no such file or directory",
    errno.ENAMETOOLONG: "the path is too long for this file system: use a shorter root",
    errno.ENOTDIR: "a part of the path is an object and not a directory",
    errno.EISDIR: "there is a directory of that name, because other objects lie below it",
    errno.EEXIST: "there is a file or directory of that name already",
    errno.ELOOP: "too many symbolic links in the path",
}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def os_error(error: OSError, what: str) -> MobulaError:
    """The error of the tree for `error`, met while doing `what` (which names the object)."""
    if error.errno in _INVALID:
        return InvalidRequest(f"{what}: {_INVALID[error.errno]} ({error})")
    if error.errno in _FULL:
        return Unavailable(f"{what}: no space left on the disk: free some and retry ({error})")
    return Unavailable(f"{what}: the operating system reports {error}: check the disk and retry")


@contextmanager
def os_errors(what: str) -> Iterator[None]:
    """Raise OSErrors of the block as errors of the tree."""
    try:
        yield
    except OSError as error:
        raise os_error(error, what) from error
