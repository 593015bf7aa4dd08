"""Opening and making a database: races, other things in the place, stores without conditions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from storage.errors import CorruptData, InvalidRequest
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


def test_a_flipped_bit_never_gives_another_database() -> None:
    """Whoever believed it would begin a log with an id that nobody else knows."""

    async def run() -> None:
        store = MemoryStore()
        mine = await open_or_create(store, CountedIds("a"), FakeClock())
        data = await store.get(FORMAT)
        for bit in range(8 * len(data)):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            await store.put(FORMAT, bytes(flipped))
            try:
                found = await read_format(store)
            except CorruptData:
                continue
            except InvalidRequest:  # the version
                assert b'"mobula":1,' not in flipped
                continue
            assert found == mine, flipped  # white space, or the like
        for length in range(len(data)):
            await store.put(FORMAT, data[:length])
            with pytest.raises(CorruptData):
                await read_format(store)

    asyncio.run(run())


def test_a_database_from_before_there_was_a_checksum_is_opened() -> None:
    async def run() -> None:
        store = MemoryStore()
        await store.put(FORMAT, b'{"mobula":1,"database_id":"0123"}')
        assert (await read_format(store)).database_id == "0123"
        await store.put(FORMAT, b'{"mobula":1,"database_id":"0123","checksum":""}')
        with pytest.raises(CorruptData, match="checksum"):
            await read_format(store)
        await store.put(FORMAT, b'{"mobula":2,"database_id":"0123","checksum":"of its own"}')
        with pytest.raises(InvalidRequest, match="upgrade"):
            await read_format(store)

    asyncio.run(run())
