"""Opening and making a database: races, other things in the place, stores without conditions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from storage.errors import InvalidRequest
from storage.format import open_or_create, read_format
from storage.names import FORMAT, owner_name
from storage.objects import MemoryStore, ObjectInfo
from tests.fakes import CountedIds, FakeClock


class _Overtaken(MemoryStore):
    """While one looks whether the place is empty, another makes a database and begins to use it."""

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        await open_or_create(_As(self), CountedIds("other"), FakeClock())
        await self.put(owner_name(1), b"{}")
        async for info in super().list(prefix, start_after=start_after, page_size=page_size):
            yield info


class _As(MemoryStore):
    """The same objects, listed as they are."""

    def __init__(self, other: MemoryStore) -> None:
        super().__init__()
        self._objects = other._objects


def test_who_is_overtaken_opens_what_the_other_has_made() -> None:
    async def run() -> None:
        store = _Overtaken()
        found = await open_or_create(store, CountedIds("mine"), FakeClock())
        assert found.database_id == f"{'other':0>16}{1:016x}"
        assert found == await read_format(store)

    asyncio.run(run())


def test_a_place_with_other_things_is_left_alone() -> None:
    async def run() -> None:
        store = MemoryStore()
        await store.put("holiday.jpg", b"")
        with pytest.raises(InvalidRequest, match=r"holds 'holiday\.jpg'"):
            await open_or_create(store, CountedIds(), FakeClock())
        with pytest.raises(InvalidRequest, match="no Mobula database"):
            await read_format(store)
        assert FORMAT not in store._objects

    asyncio.run(run())
