"""A bounded local copy of immutable objects: whole files, fetched once, verified, evicted by age.

1. `open` takes a lease on the entry, before anything is awaited, so nothing leased is ever evicted.
2. Absent: the size is reserved, older files make room, ONE task fetches and verifies the file;
   everybody who asks meanwhile waits for that task, and a waiter who is cancelled does not end it.
3. `release` gives the lease up; the least recently opened files without a lease go as soon as the
   budget is exceeded. If everything is leased the cache is over budget until a lease ends.

Accounting: `used_bytes` is the sum of the sizes of all entries, those being fetched included.
A directory has one owner, and a new owner starts empty: what an earlier process left is unverified.
One event loop. Nothing here must survive.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import xxhash

from storage.errors import CorruptData, InternalError, Unavailable
from storage.objects.base import ObjectStore
from storage.objects.os_errors import os_errors

__all__ = ["FileCache", "Lease", "own_directory", "remove_stale"]

_SUFFIX = ".cached"
_HASH_BLOCK_BYTES = 1 << 20
_OWNED = re.compile(r"cache-(\d+)(-.*)?")


@dataclass(slots=True, kw_only=True)
class _Entry:
    name: str
    checksum: str
    size_bytes: int
    path: Path
    leases: int = 0
    task: asyncio.Task[None] | None = field(default=None)


class Lease:
    """The right to read one cached file at `path` until `release`. Also a context manager.

    Attributes: path: the file, not to be written into; hit: it was here, or on its way, already.
    """

    __slots__ = ("_cache", "_entry", "hit", "path")

    def __init__(self, cache: FileCache, entry: _Entry, *, hit: bool) -> None:
        self._cache = cache
        self._entry: _Entry | None = entry
        self.path = entry.path
        self.hit = hit

    def release(self) -> None:
        """Let the file be evicted; again is fine."""
        entry, self._entry = self._entry, None
        if entry is not None:
            self._cache._release(entry)

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class FileCache:
    """Files of one store in one directory, within a budget of bytes."""

    def __init__(self, directory: Path, budget_bytes: int, store: ObjectStore) -> None:
        """Makes the directory and removes cached files that an earlier process left in it.

        Raises: InvalidRequest, Unavailable: the directory cannot be used.
        """
        self._directory = directory
        self._budget_bytes = budget_bytes
        self._store = store
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._used_bytes = 0
        self._serial = 0
        with os_errors(f"cache directory {directory}"):
            directory.mkdir(parents=True, exist_ok=True)
            for path in directory.glob(f"*{_SUFFIX}"):
                path.unlink(missing_ok=True)

    @property
    def used_bytes(self) -> int:
        """Sizes of all files here, and of those on their way."""
        return self._used_bytes

    @property
    def budget_bytes(self) -> int:
        return self._budget_bytes

    def resize(self, budget_bytes: int) -> None:
        """Another budget, from now on."""
        self._budget_bytes = budget_bytes
        self._shrink()

    async def open(self, name: str, checksum: str, size_bytes: int) -> Lease:
        """A local file with the object's bytes, fetched unless it is here.

        Args: checksum: XXH3-128 of the bytes, 32 hexadecimal digits; size_bytes: of the object.
        Raises:
            CorruptData: size or checksum differ; nothing is kept.
            ObjectMissing, Unavailable: from the store.
        """
        entry = self._entries.get(name)
        hit = entry is not None
        if entry is None:
            entry = self._add(name, checksum, size_bytes)
        elif (entry.checksum, entry.size_bytes) != (checksum, size_bytes):
            raise CorruptData(
                f"object {name!r}: expected {size_bytes} bytes with checksum {checksum}, found "
                f"cached {entry.size_bytes} bytes with {entry.checksum}; names are never reused"
            )
        entry.leases += 1
        self._entries.move_to_end(name)
        try:
            if entry.task is not None:
                await self._fetched(entry.task, name)
        except BaseException:
            self._release(entry)
            raise
        return Lease(self, entry, hit=hit)

    async def close(self) -> None:
        """End fetches under way and remove every file. Paths of open leases become invalid."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for entry in tuple(self._entries.values()):
            self._remove(entry)

    def _add(self, name: str, checksum: str, size_bytes: int) -> _Entry:
        self._serial += 1
        path = self._directory / f"{self._serial:012d}{_SUFFIX}"
        entry = _Entry(name=name, checksum=checksum, size_bytes=size_bytes, path=path)
        self._entries[name] = entry
        self._used_bytes += size_bytes
        entry.task = asyncio.create_task(self._fetch(entry))
        entry.task.add_done_callback(_retrieve)
        self._shrink()
        return entry

    async def _fetched(self, task: asyncio.Task[None], name: str) -> None:
        # A waiter may be cancelled; the fetch goes on for the others.
        await asyncio.wait({task})
        if task.cancelled():
            raise Unavailable(f"object {name!r}: its cache {self._directory} was closed; ask again")
        task.result()

    async def _fetch(self, entry: _Entry) -> None:
        try:
            found_bytes = await self._store.fetch(entry.name, entry.path)
            if found_bytes != entry.size_bytes:
                raise CorruptData(
                    f"object {entry.name!r}: expected {entry.size_bytes} bytes, found {found_bytes}"
                )
            found = await asyncio.to_thread(_checksum, entry.path)
            if found != entry.checksum:
                raise CorruptData(
                    f"object {entry.name!r}: expected checksum {entry.checksum}, found {found}"
                )
        except BaseException:
            self._remove(entry)
            raise
        entry.task = None
        self._shrink()

    def _release(self, entry: _Entry) -> None:
        if entry.leases < 1:
            raise InternalError(f"cached object {entry.name!r}: released more often than leased")
        entry.leases -= 1
        self._shrink()

    def _shrink(self) -> None:
        """Remove what was opened longest ago and is not in use, until the budget holds."""
        if self._used_bytes <= self._budget_bytes:
            return
        for entry in tuple(self._entries.values()):
            if entry.leases == 0 and entry.task is None:
                self._remove(entry)
                if self._used_bytes <= self._budget_bytes:
                    return

    def _remove(self, entry: _Entry) -> None:
        if self._entries.get(entry.name) is entry:
            del self._entries[entry.name]
            self._used_bytes -= entry.size_bytes
        entry.path.unlink(missing_ok=True)


def own_directory(root: Path) -> Path:
    """Where this process may keep its cache below `root`; `remove_stale` reads the owner there."""
    return root / f"cache-{os.getpid()}"


def remove_stale(root: Path) -> int:
    """Remove cache directories below `root` whose process is gone; returns how many.

    `root` belongs to one machine (one space of process ids): elsewhere a living process would look
    gone. A directory is named `cache-{pid}`, or `cache-{pid}-{label}`.
    """
    removed = 0
    for path in root.glob("cache-*"):
        match = _OWNED.fullmatch(path.name)
        if match is not None and path.is_dir() and not _is_alive(int(match[1])):
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
    return removed


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # somebody else's process
    return pid > 0


def _retrieve(task: asyncio.Task[None]) -> None:
    """Look at the error, so that asyncio does not complain where every waiter was cancelled."""
    if not task.cancelled():
        task.exception()


def _checksum(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
