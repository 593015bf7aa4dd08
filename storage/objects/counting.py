"""Counts what is asked of a store: statistics of a query in production, exact assertions in tests.

Calls are counted when they start, so failed ones count. A list counts one request per page. Put it
inside a `RetryingStore` to count requests, around it to count calls. A multipart `put_file` is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from pathlib import Path

from storage.objects.base import ObjectInfo, ObjectStore

__all__ = ["CountingStore", "RequestCounts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCounts:
    """Requests by method, and payload bytes; `after - before` is what happened between."""

    create: int = 0
    put: int = 0
    get: int = 0
    get_range: int = 0
    put_file: int = 0
    fetch: int = 0
    list: int = 0
    delete: int = 0
    read_bytes: int = 0
    written_bytes: int = 0

    @property
    def requests(self) -> int:
        """All requests, whatever the method."""
        return sum(getattr(self, method) for method in _METHODS)

    def __sub__(self, earlier: RequestCounts) -> RequestCounts:
        return RequestCounts(
            **{
                field.name: getattr(self, field.name) - getattr(earlier, field.name)
                for field in fields(RequestCounts)
            }
        )


_METHODS = ("create", "put", "get", "get_range", "put_file", "fetch", "list", "delete")


class CountingStore:
    """An `ObjectStore` that counts and passes on. One event loop."""

    def __init__(self, inner: ObjectStore, *, record: bool = False) -> None:
        """Args: record: also keep (method, name) of each request in `requests`, without bound."""
        self._inner = inner
        self._counts = dict.fromkeys((field.name for field in fields(RequestCounts)), 0)
        self._record = record
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return self._inner.url

    @property
    def inner(self) -> ObjectStore:
        """The store that is counted."""
        return self._inner

    def counts(self) -> RequestCounts:
        """What was asked so far."""
        return RequestCounts(**self._counts)

    async def create(self, name: str, data: bytes) -> None:
        self._count("create", name)
        await self._inner.create(name, data)
        self._counts["written_bytes"] += len(data)

    async def put(self, name: str, data: bytes) -> None:
        self._count("put", name)
        await self._inner.put(name, data)
        self._counts["written_bytes"] += len(data)

    async def get(self, name: str) -> bytes:
        self._count("get", name)
        data = await self._inner.get(name)
        self._counts["read_bytes"] += len(data)
        return data

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        self._count("get_range", name)
        data = await self._inner.get_range(name, start, length)
        self._counts["read_bytes"] += len(data)
        return data

    async def put_file(self, name: str, path: Path) -> None:
        self._count("put_file", name)
        await self._inner.put_file(name, path)
        self._counts["written_bytes"] += (await asyncio.to_thread(path.stat)).st_size

    async def fetch(self, name: str, path: Path) -> int:
        self._count("fetch", name)
        size_bytes = await self._inner.fetch(name, path)
        self._counts["read_bytes"] += size_bytes
        return size_bytes

    async def delete(self, name: str) -> None:
        self._count("delete", name)
        await self._inner.delete(name)

    async def close(self) -> None:
        await self._inner.close()

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        self._count("list", prefix)
        found = 0
        pages = self._inner.list(prefix, start_after=start_after, page_size=page_size)
        async for info in pages:
            if found and found % page_size == 0:
                self._count("list", prefix)
            found += 1
            yield info

    def _count(self, method: str, name: str) -> None:
        self._counts[method] += 1
        if self._record:
            self.requests.append((method, name))
