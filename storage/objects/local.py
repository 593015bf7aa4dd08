"""Objects as files below one directory: a laptop, a test, or a mounted file server.

    create   write to tmp/, fsync, link to the final name (fails if it exists), fsync the directory
    put      write to tmp/, fsync, rename over the final name, fsync the directory
    list     walk the tree in the byte order of full names, skipping what the prefix rules out

Invariants:
1. A file under its final name is complete and its bytes are on the disk; tmp/ is never listed.
2. A call that returned survives a power loss: after the name was given, the directory and every
   directory above it were fsync'd. Those that nobody removes (the root, the directories directly
   below it, and those above it) once per process, because somebody else may have made them; the
   others every time, because somebody else may have removed and made them anew.
3. An object that somebody else linked may not be durable yet. `create` fsyncs the directory before
   it reports `ObjectExists`, and `get` does so where a write of our own has failed before, so that
   reading back (`settle`) never calls durable what is not.
4. Once a name was given, what fails is `Unavailable`: nobody is told that nothing has happened.

Directories left empty by `delete` go too, except those directly below the root.
Blocking calls run in threads. All that they ask of the operating system is in `disk.py`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path

from storage.errors import InvalidRequest, ObjectExists, ObjectMissing, Unavailable
from storage.ids import Ids, RandomIds
from storage.objects.base import HeldLock, ObjectInfo
from storage.objects.disk import Disk, SystemDisk
from storage.objects.names import STAGING, check_list, check_name, check_range
from storage.objects.os_errors import os_error, os_errors

__all__ = ["LocalStore"]

# How often a directory may be removed under our hands before we give up.
_PUBLISH_ATTEMPTS_MAX = 10
# A directory above the root that cannot be fsync'd for one of these (closed to us, or on a file
# system without fsync) was not made by us.
_NOT_OURS = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP}


class LocalStore:
    """An `ObjectStore` over a directory, which the first write makes."""

    def __init__(
        self,
        root: Path,
        *,
        url: str | None = None,
        ids: Ids | None = None,
        disk: Disk | None = None,
    ) -> None:
        """Args: root: the directory; url: how the user wrote it; ids: names of staged files;
        disk: where it is."""
        self._root = root.absolute()
        self._url = url if url is not None else str(root)
        self._ids = ids if ids is not None else RandomIds()
        self._disk = disk if disk is not None else SystemDisk()
        self._staging = self._root / STAGING
        self._durable: set[Path] = set()  # directories nobody removes, whose names are durable
        self._doubts = _Doubts()

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
        await asyncio.to_thread(self._put, name, lambda staged: self._disk.write(staged, data))

    async def put_file(self, name: str, path: Path) -> None:
        check_name(name)
        await asyncio.to_thread(self._put, name, lambda staged: self._copy(path, staged))

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
        path = self.lock_path(name)
        with os_errors(f"{self._url}: lock {name!r}"):
            self._disk.make_directories(path.parent)
            return self._disk.try_lock(path)

    def lock_path(self, name: str) -> Path:
        """The file that the lock of that name is on."""
        check_name(name)
        return self._staging / "lock" / f"{name.replace('/', '%')}.lock"

    async def abandoned(self, *, before_ms: int) -> Sequence[ObjectInfo]:
        """Files of tmp/ that crashed writers left; see `StagingStore`."""
        return await asyncio.to_thread(self._abandoned, before_ms)

    async def discard(self, name: str) -> None:
        """See `StagingStore`."""
        await asyncio.to_thread(self._discard, name)

    def _path(self, name: str) -> Path:
        return self._root / name

    def _create(self, name: str, data: bytes) -> None:
        target = self._path(name)
        with (
            self._writing("create", name),
            self._staged(lambda staged: self._disk.write(staged, data)) as staged,
        ):
            try:
                self._publish(name, lambda: self._disk.link(staged, target))
            except FileExistsError:
                if self._disk.is_directory(target):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
                self._confirm(name, target.parent)
                raise ObjectExists(f"{self._url}: object {name!r} exists") from None

    def _put(self, name: str, write: Callable[[Path], None]) -> None:
        target = self._path(name)
        with self._writing("put", name), self._staged(write) as staged:
            self._publish(name, lambda: self._disk.replace(staged, target))

    def _copy(self, source: Path, staged: Path) -> None:
        if source.is_dir():
            raise InvalidRequest(f"{source} is a directory; give a file")
        self._disk.copy(source, staged)

    @contextmanager
    def _writing(self, verb: str, name: str) -> Iterator[None]:
        """What fails leaves doubts about the object: it may be there and not be durable."""
        with os_errors(f"{self._url}: {verb} object {name!r}"):
            try:
                yield
            except ObjectExists:
                raise
            except BaseException:
                self._doubts.cast(self._path(name).parent)
                raise

    @contextmanager
    def _staged(self, write: Callable[[Path], None]) -> Iterator[Path]:
        """A file of tmp/ for as long as the block takes, written by `write`."""
        staged = self._staging / self._ids.new()
        try:
            try:
                write(staged)
            except FileNotFoundError:  # tmp/ is not there, or what is to be copied
                self._disk.make_directories(self._staging)
                write(staged)
            yield staged
        finally:
            with suppress(OSError):  # then it is `abandoned`
                self._disk.unlink(staged)

    def _publish(self, name: str, publish: Callable[[], None]) -> None:
        """Give the staged file its final name, durably, making directories as needed."""
        directory = self._path(name).parent
        for _ in range(_PUBLISH_ATTEMPTS_MAX):
            try:
                publish()
            except FileNotFoundError:
                # Not made yet, or a delete elsewhere found the directory empty and removed it.
                known = tuple(self._durable)
                self._durable.difference_update(p for p in known if not self._disk.is_directory(p))
                self._disk.make_directories(directory)
                continue
            self._confirm(name, directory)
            return
        raise Unavailable(f"{self._url}: the directory of object {name!r} keeps vanishing; retry")

    def _confirm(self, name: str, directory: Path) -> None:
        """Make a name that has been given durable."""
        try:
            self._sync(directory)
        except OSError as error:
            what = f"{self._url}: object {name!r} is written, but may not survive a power loss"
            raise Unavailable(f"{os_error(error, what)}; then repeat the call") from error

    def _sync(self, directory: Path) -> None:
        """Make what is in the directory durable, and the way to it.

        Upwards, until a directory whose own name is known to be durable. The directory has an
        object, so that nobody removes it or one of those above meanwhile.
        """
        synced = []
        for path in chain((directory,), directory.parents):
            try:
                self._disk.sync_directory(path)
            except OSError as error:
                if path not in self._root.parents or error.errno not in _NOT_OURS:
                    raise
            if path in self._durable:
                break
            synced.append(path)
        if synced:
            self._durable.update(path for path in synced if self._root in {path, path.parent})

    def _read(self, name: str, start: int, length: int | None) -> bytes:
        path = self._path(name)
        with self._reading(name):
            with self._doubts.resolved(path.parent) as doubtful:
                if doubtful:
                    self._sync(path.parent)
            return self._disk.read(path, start, length)

    def _fetch(self, name: str, path: Path) -> int:
        source = self._path(name)
        with os_errors(f"{self._url}: fetch object {name!r} to {path}"):
            try:
                return self._disk.fetch(source, path)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                with self._reading(name):
                    self._disk.size(source)
                raise  # the object is there, and `path` cannot be

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
        for entry in self._entries(directory):
            full = above + entry
            if entry.endswith("/"):
                if _may_hold(full, prefix, start_after) and full != f"{STAGING}/":
                    yield from self._walk(directory / entry, full, prefix, start_after)
            elif full.startswith(prefix) and full > start_after:
                with suppress(FileNotFoundError):  # deleted since the directory was read
                    yield ObjectInfo(name=full, size_bytes=self._disk.size(directory / entry))

    def _entries(self, directory: Path) -> tuple[str, ...]:
        try:
            return tuple(sorted(self._disk.scan(directory)))
        except FileNotFoundError:
            return ()

    def _delete(self, name: str) -> None:
        path = self._path(name)
        with os_errors(f"{self._url}: delete object {name!r}"):
            try:
                self._disk.unlink(path)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return
        for directory in path.parents:
            if self._root in {directory, directory.parent}:
                return
            try:
                self._disk.remove_directory(directory)
            except OSError:
                return  # not empty, or in use: an empty directory does no harm

    def _abandoned(self, before_ms: int) -> Sequence[ObjectInfo]:
        found = []
        with os_errors(f"{self._url}: list {STAGING}/"):
            for entry in self._entries(self._staging):
                path = self._staging / entry
                with suppress(FileNotFoundError):
                    if not entry.endswith("/") and self._disk.modified_ms(path) < before_ms:
                        size_bytes = self._disk.size(path)
                        found.append(ObjectInfo(name=f"{STAGING}/{entry}", size_bytes=size_bytes))
        return found

    def _discard(self, name: str) -> None:
        with os_errors(f"{self._url}: remove {name}"), suppress(FileNotFoundError):
            self._disk.unlink(self._path(name))


class _Doubts:
    """Directories in which a write of ours has failed since they were last fsync'd."""

    def __init__(self) -> None:
        self._failures: dict[Path, object] = {}  # the newest of each
        self._lock = threading.Lock()

    def cast(self, directory: Path) -> None:
        with self._lock:
            self._failures[directory] = object()

    @contextmanager
    def resolved(self, directory: Path) -> Iterator[bool]:
        """Whether there are doubts. They end with the block, but for those cast meanwhile."""
        failure = self._failures.get(directory)
        yield failure is not None
        with self._lock:
            if failure is not None and self._failures.get(directory) is failure:
                del self._failures[directory]


def _may_hold(full: str, prefix: str, start_after: str) -> bool:
    """Can a name that starts with `full` match? Else the directory need not be read."""
    in_prefix = full.startswith(prefix) or prefix.startswith(full)
    return in_prefix and (full > start_after or start_after.startswith(full))
