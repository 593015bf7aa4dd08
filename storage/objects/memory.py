"""Objects in the memory of this process: for tests, simulation and throw-away databases.

`memory://name` opened twice in one process is one database: the stores share the dictionary that
`MemoryStore.named` keeps per name. Nothing survives the process.
"""

from __future__ import annotations

import asyncio
import threading
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator
from pathlib import Path

from storage.errors import ObjectExists, ObjectMissing
from storage.objects.base import ObjectInfo
from storage.objects.names import check_list, check_name, check_range
from storage.objects.os_errors import os_errors

__all__ = ["MemoryStore"]


class MemoryStore:
    """An `ObjectStore` over a dictionary, usable from any thread and event loop."""

    _by_name: dict[str, MemoryStore] = {}  # noqa: RUF012 - the registry is the point
    _by_name_lock = threading.Lock()

    def __init__(self, url: str = "memory://") -> None:
        """An empty store. `url` only names it in messages; see `named` for shared ones."""
        self._url = url
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @classmethod
    def named(cls, name: str) -> MemoryStore:
        """The store that everybody in this process gets for `memory://name`."""
        with cls._by_name_lock:
            return cls._by_name.setdefault(name, cls(f"memory://{name}"))

    @classmethod
    def forget(cls, name: str) -> None:
        """Drop the shared store of that name; absent is fine."""
        with cls._by_name_lock:
            cls._by_name.pop(name, None)

    @property
    def url(self) -> str:
        return self._url

    async def create(self, name: str, data: bytes) -> None:
        check_name(name)
        with self._lock:
            if name in self._objects:
                raise ObjectExists(f"{self._url}: object {name!r} exists")
            self._objects[name] = bytes(data)

    async def put(self, name: str, data: bytes) -> None:
        check_name(name)
        with self._lock:
            self._objects[name] = bytes(data)

    async def get(self, name: str) -> bytes:
        check_name(name)
        with self._lock:
            data = self._objects.get(name)
        if data is None:
            raise ObjectMissing(f"{self._url}: no object {name!r}")
        return data

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        check_range(name, start, length)
        data = await self.get(name)
        first = max(0, len(data) + start) if start < 0 else start
        return data[first : first + length]

    async def put_file(self, name: str, path: Path) -> None:
        with os_errors(f"{self._url}: read {path} for object {name!r}"):
            data = await asyncio.to_thread(path.read_bytes)
        await self.put(name, data)

    async def fetch(self, name: str, path: Path) -> int:
        data = await self.get(name)
        with os_errors(f"{self._url}: write object {name!r} to {path}"):
            await asyncio.to_thread(_write_new, path, data)
        return len(data)

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        check_list(prefix, page_size)
        last, page = start_after, self._page(prefix, start_after, page_size)
        while page:
            for info in page:
                yield info
            last = page[-1].name
            page = self._page(prefix, last, page_size)

    def _page(self, prefix: str, start_after: str, page_size: int) -> tuple[ObjectInfo, ...]:
        # str compares by code point, which is the byte order of UTF-8.
        with self._lock:
            names = sorted(name for name in self._objects if name.startswith(prefix))
            first = max(bisect_left(names, prefix), bisect_right(names, start_after))
            return tuple(
                ObjectInfo(name=name, size_bytes=len(self._objects[name]))
                for name in names[first : first + page_size]
            )

    async def delete(self, name: str) -> None:
        check_name(name)
        with self._lock:
            self._objects.pop(name, None)

    async def close(self) -> None:
        """Nothing to release: a shared store lives as long as the process."""


def _write_new(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
