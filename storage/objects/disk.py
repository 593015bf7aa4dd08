"""What `LocalStore` asks of the operating system: few calls, each with its errors as `OSError`.

`SystemDisk` is the real thing. A simulation puts another in its place, which loses at a power
loss what nobody has fsync'd, so that it runs the code of `LocalStore` and not a model of it.

What is durable when:
1. The bytes of a file, when `write` or `copy` has returned: both fsync them.
2. A name in a directory, given or taken away, when `sync_directory` of that directory has returned
   after it. That goes for the names of directories too.

Paths are absolute and below the store's root; those of the caller's own files (`copy` from,
`fetch` to) are on this machine's disk, wherever the store is.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Protocol

import filelock

from storage.objects.base import HeldLock

__all__ = ["Disk", "SystemDisk"]

# Linking fails so on another file system, on one without links, or on somebody else's file.
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES}


class Disk(Protocol):
    """A file system, as one process sees it. Every call may raise OSError."""

    def write(self, path: Path, data: bytes) -> None:
        """Make a new file and fsync its bytes, not its name. Raises FileExistsError."""
        ...

    def copy(self, source: Path, path: Path) -> None:
        """The same with the bytes of a file of the caller's. There must be none at `path`."""
        ...

    def fetch(self, path: Path, target: Path) -> int:
        """Bring the file to a new one of the caller's, nothing fsync'd; returns its size in bytes.

        It may be a link: nobody writes into it. What fails leaves no file. Raises FileExistsError.
        """
        ...

    def link(self, path: Path, new: Path) -> None:
        """A second name for the file. Raises FileExistsError."""
        ...

    def replace(self, path: Path, new: Path) -> None:
        """Another name for the file, at once instead of whatever file had it."""
        ...

    def unlink(self, path: Path) -> None:
        """Take the name away. Raises FileNotFoundError."""
        ...

    def make_directories(self, path: Path) -> None:
        """The directory and all above it; those that exist are fine."""
        ...

    def remove_directory(self, path: Path) -> None:
        """Take an empty directory away."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Make all names in the directory, and that others are not there, survive a power loss."""
        ...

    def scan(self, path: Path) -> list[str]:
        """Names in the directory, in no order, those of directories with '/' appended."""
        ...

    def is_directory(self, path: Path) -> bool:
        """Whether there is a directory of that name."""
        ...

    def size(self, path: Path) -> int:
        """Bytes of the file. Raises IsADirectoryError."""
        ...

    def modified_ms(self, path: Path) -> int:
        """Wall time of the last write to the file."""
        ...

    def read(self, path: Path, start: int, length: int | None) -> bytes:
        """Bytes [start, start + length), fewer where the file ends before; None: all of them.

        A negative `start` counts from the end, or from the first byte where the file is shorter.
        """
        ...

    def try_lock(self, path: Path) -> HeldLock | None:
        """Lock that file, which is made if absent; None while somebody holds it.

        The lock ends with its release or with the process, however it dies.
        """
        ...


class SystemDisk:
    """The file systems of this machine."""

    __slots__ = ()

    def write(self, path: Path, data: bytes) -> None:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def copy(self, source: Path, path: Path) -> None:
        shutil.copyfile(source, path)
        _sync(path, os.O_RDONLY)

    def fetch(self, path: Path, target: Path) -> int:
        try:
            os.link(path, target)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            _copy_new(path, target)
        return target.stat().st_size

    def link(self, path: Path, new: Path) -> None:
        os.link(path, new)

    def replace(self, path: Path, new: Path) -> None:
        path.replace(new)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def make_directories(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def remove_directory(self, path: Path) -> None:
        path.rmdir()

    def sync_directory(self, path: Path) -> None:
        _sync(path, os.O_RDONLY | os.O_DIRECTORY)

    def scan(self, path: Path) -> list[str]:
        with os.scandir(path) as entries:
            return [f"{one.name}/" if one.is_dir() else one.name for one in entries]

    def is_directory(self, path: Path) -> bool:
        return path.is_dir()

    def size(self, path: Path) -> int:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return found.st_size

    def modified_ms(self, path: Path) -> int:
        return path.stat().st_mtime_ns // 1_000_000

    def read(self, path: Path, start: int, length: int | None) -> bytes:
        with path.open("rb") as file:
            if start < 0:
                start = max(0, os.fstat(file.fileno()).st_size + start)
            file.seek(start)
            return file.read(length)

    def try_lock(self, path: Path) -> HeldLock | None:
        lock = filelock.FileLock(path, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            return None
        return lock


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_new(source: Path, path: Path) -> None:
    with source.open("rb") as reader, path.open("xb") as writer:
        try:
            shutil.copyfileobj(reader, writer, 1 << 20)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
