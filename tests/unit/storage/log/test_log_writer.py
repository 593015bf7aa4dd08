"""What a writer makes of a store that refuses."""

from __future__ import annotations

import asyncio

import pytest

from storage.errors import CorruptData, InvalidRequest, Unavailable
from storage.log.record import Group
from storage.log.writer import LogWriter
from storage.objects import CountingStore, MemoryStore
from storage.snapshot.apply import apply
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


@pytest.mark.parametrize("within_one_call", [True, False])
def test_a_log_whose_beginning_is_gone_after_trouble_is_not_continued(
    within_one_call: bool,
) -> None:
    """The bucket was deleted and made anew: whoever hears of a commit there could never read it."""

    async def run() -> None:
        store, writer, group = await writing()
        store.errors = [Unavailable("no such bucket")] * (1 if within_one_call else 100)
        if not within_one_call:
            with pytest.raises(Unavailable):
                await writer.append(group)
            store.errors = []
        for name in [entry.name async for entry in store.list("")]:
            await store.delete(name)
        with pytest.raises(CorruptData, match=r"log/0+1 is gone.*stopped writing.*restore"):
            await writer.append(group)

    asyncio.run(run())


def test_after_trouble_the_group_before_is_looked_for_once() -> None:
    async def run() -> None:
        store, writer, group = await writing()
        store.errors = [Unavailable("away")] * 3
        counted = CountingStore(store)
        writer._store = counted
        written = await writer.append(group)
        counts = counted.counts()
        assert (counts.create, counts.get, counts.get_range) == (4, 3, 1)  # the group before
        before = counted.counts()
        await writer.append(empty_group(apply((await reader_of(store).open(1)), written), "a"))
        assert (counted.counts() - before).requests == 1

    asyncio.run(run())
