"""Objects as files below one directory: a laptop, a test, or a mounted file server.

    create   write to tmp/, fsync, link to the final name (fails if it exists), fsync the directory
    put      write to tmp/, fsync, rename over the final name, fsync the directory
    list     walk the tree in the byte order of full names, skipping what the prefix rules out

Invariants:
1. A file under its final name is complete and its bytes are on the disk; tmp/ is never listed.
2. A call that returned survives a power loss: the directory and every directory above it, up to the
   root, were fsync'd (once per process and directory, because somebody else may have made it).
3. An object that somebody else linked may not be durable yet. `create` fsyncs the directory before
   it reports `ObjectExists`, and `get` does so where an fsync of our own has failed before, so that
   reading back (`settle`) never calls durable what is not.

Directories left empty by `delete` go too, except those directly below the root.
Blocking calls run in threads.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import filelock

from storage.errors import InvalidRequest, ObjectExists, ObjectMissing, Unavailable
from storage.ids import Ids, RandomIds
from storage.objects.base import HeldLock, ObjectInfo
from storage.objects.names import STAGING, check_list, check_name, check_range
from storage.objects.os_errors import os_errors

__all__ = ["LocalStore"]

# How often a directory may be removed under our hands before we give up.
_PUBLISH_ATTEMPTS_MAX = 10
# Linking fails so on another file system, on one without links, or on somebody else's file.
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES}


class LocalStore:
    """An `ObjectStore` over a directory, which the first write makes."""

    def __init__(self, root: Path, *, url: str | None = None, ids: Ids | None = None) -> None:
        """Args: root: the directory; url: how the user wrote it; ids: names of staged files."""
        self._root = root.absolute()
        self._url = url if url is not None else str(root)
        self._ids = ids if ids is not None else RandomIds()
        self._staging = self._root / STAGING
        self._durable: set[Path] = set()
        self._doubtful: set[Path] = set()

    @property
    def url(self) -> str:
        return self._url

    @property
    def root(self) -> Path:
        """The directory, absolute."""
        return self._root

    async def create(self, name: str, data: bytes) -> None:
        check_name(name)
        await asyncio.to_thread(self._create, name, data)

    async def put(self, name: str, data: bytes) -> None:
        check_name(name)
        await asyncio.to_thread(self._put, name, lambda staged: _write(staged, data))

    async def put_file(self, name: str, path: Path) -> None:
        check_name(name)
        await asyncio.to_thread(self._put, name, lambda staged: _copy(path, staged))

    async def get(self, name: str) -> bytes:
        check_name(name)
        return await asyncio.to_thread(self._read, name, 0, None)

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        check_range(name, start, length)
        return await asyncio.to_thread(self._read, name, start, length)

    async def fetch(self, name: str, path: Path) -> int:
        check_name(name)
        return await asyncio.to_thread(self._fetch, name, path)

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        check_list(prefix, page_size)
        walk = self._walk(self._root, "", prefix, start_after)
        while page := await asyncio.to_thread(self._page, walk, page_size):
            for info in page:
                yield info

    async def delete(self, name: str) -> None:
        check_name(name)
        await asyncio.to_thread(self._delete, name)

    async def close(self) -> None:
        """Nothing to release: no file stays open between calls."""

    def try_lock(self, name: str) -> HeldLock | None:
        """Take the operating system's lock of that name, or None while somebody holds it.

        The lock ends with `release()` or with the process, however it dies. Liveness only.
        """
        check_name(name)
        path = self._staging / "lock" / f"{name.replace('/', '%')}.lock"
        with os_errors(f"{self._url}: lock {name!r}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(path, thread_local=False, fallback_to_soft=False)
            try:
                lock.acquire(blocking=False)
            except filelock.Timeout:
                return None
        return lock

    async def remove_abandoned(self, *, before_ms: int) -> int:
        """Remove what crashed writers left in tmp/; returns how many files.

        Args: before_ms: files last written before this wall time. Keep a day: a file that is
            younger may be a write in progress.
        """
        return await asyncio.to_thread(self._remove_abandoned, before_ms)

    def _path(self, name: str) -> Path:
        return self._root / name

    def _create(self, name: str, data: bytes) -> None:
        target = self._path(name)
        with os_errors(f"{self._url}: create object {name!r}"), self._staged() as staged:
            _write(staged, data)
            try:
                self._publish(name, lambda: os.link(staged, target))
            except FileExistsError:
                if target.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
                self._make_durable(target.parent)
                _sync(target.parent)
                raise ObjectExists(f"{self._url}: object {name!r} exists") from None

    def _put(self, name: str, write: Callable[[Path], None]) -> None:
        target = self._path(name)
        with os_errors(f"{self._url}: put object {name!r}"), self._staged() as staged:
            write(staged)
            self._publish(name, lambda: staged.replace(target))

    @contextmanager
    def _staged(self) -> Iterator[Path]:
        self._make_durable(self._staging)
        staged = self._staging / self._ids.new()
        try:
            yield staged
        finally:
            staged.unlink(missing_ok=True)

    def _publish(self, name: str, publish: Callable[[], object]) -> None:
        """Give the staged file its final name, durably, making directories as needed."""
        directory = self._path(name).parent
        for _ in range(_PUBLISH_ATTEMPTS_MAX):
            self._make_durable(directory)
            try:
                publish()
            except FileNotFoundError:
                # A delete elsewhere found the directory empty and removed it.
                self._durable.discard(directory)
                continue
            try:
                _sync(directory)
            except OSError:
                self._doubtful.add(directory)
                raise
            return
        raise Unavailable(f"{self._url}: the directory of object {name!r} keeps vanishing; retry")

    def _make_durable(self, directory: Path) -> None:
        """Make the directory and see to it that it survives a power loss, once per process."""
        if directory in self._durable:
            return
        existing = next(path for path in (self._root, *self._root.parents) if path.exists())
        directory.mkdir(parents=True, exist_ok=True)
        for path in (directory, *directory.parents):
            if path == existing:
                break
            _sync(path.parent)
        if self._root not in self._durable:
            # Somebody else may have made the root just now; its parent may be closed to us.
            with suppress(PermissionError):
                _sync(self._root.parent)
        self._durable |= {self._root, directory}

    def _read(self, name: str, start: int, length: int | None) -> bytes:
        path = self._path(name)
        with self._reading(name):
            if path.parent in self._doubtful:
                _sync(path.parent)
                self._doubtful.discard(path.parent)
            with path.open("rb") as file:
                if start < 0:
                    start = max(0, os.fstat(file.fileno()).st_size + start)
                file.seek(start)
                return file.read(length)

    def _fetch(self, name: str, path: Path) -> int:
        source = self._path(name)
        with self._reading(name):
            if not source.is_file():
                raise FileNotFoundError(source)
        with os_errors(f"{self._url}: fetch object {name!r} to {path}"):
            try:
                os.link(source, path)
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
                _copy_new(source, path)
            return path.stat().st_size

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        with os_errors(f"{self._url}: read object {name!r}"):
            try:
                yield
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise ObjectMissing(f"{self._url}: no object {name!r}") from None

    def _page(self, walk: Iterator[ObjectInfo], page_size: int) -> tuple[ObjectInfo, ...]:
        with os_errors(f"{self._url}: list objects"):
            return tuple(islice(walk, page_size))

    def _walk(
        self, directory: Path, above: str, prefix: str, start_after: str
    ) -> Iterator[ObjectInfo]:
        """Objects below `directory`, whose names start with `above`, in byte order of full names.

        A directory sorts as its name with '/' appended: that is how every name in it goes on, so
        `a-b` and `a.b` come before `a/b`, and `a0` after.
        """
        for entry in _entries(directory):
            full = above + entry
            if entry.endswith("/"):
                if _may_hold(full, prefix, start_after) and full != f"{STAGING}/":
                    yield from self._walk(directory / entry, full, prefix, start_after)
            elif full.startswith(prefix) and full > start_after:
                with suppress(FileNotFoundError):  # deleted since the directory was read
                    yield ObjectInfo(name=full, size_bytes=(directory / entry).stat().st_size)

    def _delete(self, name: str) -> None:
        path = self._path(name)
        with os_errors(f"{self._url}: delete object {name!r}"):
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return
        for directory in path.parents:
            if self._root in {directory, directory.parent}:
                return
            try:
                directory.rmdir()
            except OSError:
                return  # not empty, or in use: an empty directory does no harm
            self._durable.discard(directory)

    def _remove_abandoned(self, before_ms: int) -> int:
        removed = 0
        with os_errors(f"{self._url}: clear {STAGING}/"):
            for path in self._staging.glob("*"):
                with suppress(FileNotFoundError):
                    if path.is_file() and path.stat().st_mtime_ns < before_ms * 1_000_000:
                        path.unlink()
                        removed += 1
        return removed


def _entries(directory: Path) -> tuple[str, ...]:
    try:
        with os.scandir(directory) as scan:
            return tuple(sorted(f"{e.name}/" if e.is_dir() else e.name for e in scan))
    except FileNotFoundError:
        return ()


def _may_hold(full: str, prefix: str, start_after: str) -> bool:
    """Can a name that starts with `full` match? Else the directory need not be read."""
    in_prefix = full.startswith(prefix) or prefix.startswith(full)
    return in_prefix and (full > start_after or start_after.startswith(full))


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        raise InvalidRequest(f"{source} is a directory; give a file")
    shutil.copyfile(source, target)
    descriptor = os.open(target, os.O_RDONLY)
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


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
