"""Pins: claims on a version, listed with what they cost."""

from __future__ import annotations

import asyncio

import msgspec

from storage.collection.pins import ListedPin, Pin, list_pins, write_pin
from storage.objects import CountingStore, MemoryStore

PIN = Pin(lsn=7, expires_ms=1_000, holder="a reader")


def test_a_pin_is_read_as_it_was_written() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore())
        await write_pin(store, "pin/a", PIN)
        assert store.counts().requests == store.counts().put == 1
        size = len(await store.inner.get("pin/a"))
        assert await list_pins(store) == [ListedPin(name="pin/a", size_bytes=size, pin=PIN)]
        assert (store.counts().list, store.counts().get, store.counts().requests) == (1, 1, 3)

    asyncio.run(run())


def test_it_is_renewed_under_its_name() -> None:
    async def run() -> None:
        store = MemoryStore()
        await write_pin(store, "pin/a", PIN)
        later = msgspec.structs.replace(PIN, lsn=9, expires_ms=2_000)
        await write_pin(store, "pin/a", later)
        (found,) = await list_pins(store)
        assert (found.pin, found.lsn) == (later, 9)

    asyncio.run(run())


def test_it_is_over_after_its_end() -> None:
    found = ListedPin(name="pin/a", size_bytes=1, pin=PIN)
    assert not found.is_over(1_000)
    assert found.is_over(1_001)


def test_one_that_does_not_decode_holds_everything() -> None:
    async def run() -> None:
        for data in (b"", b"{}", b'{"lsn": 1}', b"\xff", b'{"lsn":"7","expires_ms":1,"holder":""}'):
            store = MemoryStore()
            await store.put("pin/a", data)
            (found,) = await list_pins(store)
            assert (found.pin, found.lsn) == (None, 0)
            assert not found.is_over(1 << 62)

    asyncio.run(run())


def test_one_that_goes_while_they_are_listed_is_left_out() -> None:
    class Leaving(MemoryStore):
        async def get(self, name: str) -> bytes:
            if name == "pin/b":
                await self.delete(name)
            return await super().get(name)

    async def run() -> None:
        store = Leaving()
        for name in ("pin/a", "pin/b", "pin/c"):
            await write_pin(store, name, PIN)
        await store.put("pins/d", b"of somebody else")
        assert [found.name for found in await list_pins(store)] == ["pin/a", "pin/c"]

    asyncio.run(run())
