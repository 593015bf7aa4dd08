"""What a writer makes of a store that refuses."""

from __future__ import annotations

import asyncio

import pytest

from storage.errors import InvalidRequest, Unavailable
from storage.log.record import Group
from storage.log.writer import LogWriter
from storage.objects import MemoryStore
from tests.fakes import FakeClock
from tests.unit.storage.log.reigns import empty_group, reader_of, reign


class Refusing(MemoryStore):
    """`create` raises what comes next, then it works."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[Exception] = []
        self.reads = True

    async def create(self, name: str, data: bytes) -> None:
        if self.errors:
            raise self.errors.pop(0)
        await super().create(name, data)

    async def get(self, name: str) -> bytes:
        if not self.reads:
            raise Unavailable("away")
        return await super().get(name)


async def writing() -> tuple[Refusing, LogWriter, Group]:
    store = Refusing()
    first = await reign(store, "a", FakeClock())
    return store, first.writer, empty_group(first.snapshot, "a")


def test_a_refusal_at_the_first_call_is_final() -> None:
    async def run() -> None:
        store, writer, group = await writing()
        store.errors = [InvalidRequest("read-only")]
        with pytest.raises(InvalidRequest, match="read-only"):
            await writer.append(group)

    asyncio.run(run())


def test_a_refusal_after_an_unknown_outcome_is_not() -> None:
    """The first attempt may still arrive: nobody may hear that nothing has happened."""

    async def run() -> None:
        store, writer, group = await writing()
        store.errors, store.reads = [Unavailable("away")] * 100, False
        with pytest.raises(Unavailable):
            await writer.append(group)
        store.errors, store.reads = [InvalidRequest("credentials expired")], True
        with pytest.raises(Unavailable, match="outcome is unknown: credentials expired"):
            await writer.append(group)
        await writer.append(group)
        assert (await reader_of(store).open()).lsn == 2

    asyncio.run(run())
