"""The newest snapshot, kept: what it costs to look, and what is noticed of a collection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from storage.errors import CorruptData, Unavailable
from storage.log.tail import SURE_MS, Tail
from storage.names import log_name
from storage.objects import CountingStore, MemoryStore
from storage.objects.faulty import Fault, FaultyStore
from storage.snapshot.checkpoint import write_checkpoint
from storage.snapshot.model import Snapshot
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.packed import delete_log
from tests.unit.storage.log.reigns import reader_of
from tests.unit.storage.log.test_log_reader import history

Kept = tuple[Tail, FakeClock, CountingStore, list[Snapshot]]


def tailed(test: Callable[..., Awaitable[None]], known: int) -> None:
    """Run a test with a tail that knows LSN `known` of 22."""

    async def run() -> None:
        store = CountingStore(MemoryStore(), record=True)
        snapshots = await history(store.inner, 20)  # type: ignore[arg-type]
        clock = FakeClock()
        await test(Tail(reader_of(store), snapshots[known - 1], clock), clock, store, snapshots)

    asyncio.run(run())


async def collect(store: CountingStore, snapshots: list[Snapshot], until: int) -> None:
    """The groups up to there go, below two checkpoints that are newer."""
    for lsn in (until + 1, until + 2):
        await write_checkpoint(store.inner, snapshots[lsn - 1], CountedIds(f"{lsn}"))
    await delete_log(store.inner, 1, until)


def test_looking_costs_one_get_and_a_list_after_half_a_minute() -> None:
    async def test(
        tail: Tail, clock: FakeClock, store: CountingStore, snapshots: list[Snapshot]
    ) -> None:
        async def asked(*, surely: bool = False) -> list[str]:
            before = len(store.requests)
            assert await tail.advance(surely=surely) is snapshots[-1]
            return [method for method, _ in store.requests[before:]]

        assert await asked() == ["get"]
        clock.moved_ms = SURE_MS - 1
        assert await asked() == ["get"]
        clock.moved_ms = SURE_MS
        assert await asked() == ["get", "list"]
        assert await asked() == ["get"]
        assert await asked(surely=True) == ["get", "list"]
        clock.moved_ms += SURE_MS - 1
        assert await asked() == ["get"]
        clock.moved_ms += 1
        assert await asked() == ["get", "list"]
        assert tail.reopened == 0

    tailed(test, 22)


@pytest.mark.parametrize("surely", [False, True])
def test_groups_that_were_collected_are_noticed(surely: bool) -> None:
    async def test(
        tail: Tail, clock: FakeClock, store: CountingStore, snapshots: list[Snapshot]
    ) -> None:
        await collect(store, snapshots, 18)
        assert await tail.advance() is snapshots[9]  # the next group is absent: nothing is new
        clock.moved_ms = SURE_MS - 1
        assert await tail.advance() is snapshots[9]
        if not surely:
            clock.moved_ms = SURE_MS
        assert await tail.advance(surely=surely) == snapshots[-1]
        assert tail.snapshot == snapshots[-1]
        assert tail.reopened == 1
        assert await tail.advance(surely=True) == snapshots[-1]
        assert tail.reopened == 1

    tailed(test, 10)


def test_it_follows_what_is_there_and_opens_anew_behind_that() -> None:
    """Some groups are left, then comes a gap."""

    async def test(
        tail: Tail, clock: FakeClock, store: CountingStore, snapshots: list[Snapshot]
    ) -> None:
        await collect(store, snapshots, 18)
        for lsn in range(11, 14):
            await store.inner.put(log_name(lsn), saved[lsn])
        assert await tail.advance() == snapshots[12]
        assert tail.reopened == 0
        assert await tail.advance(surely=True) == snapshots[-1]
        assert tail.reopened == 1

    saved: dict[int, bytes] = {}

    async def kept(
        tail: Tail, clock: FakeClock, store: CountingStore, snapshots: list[Snapshot]
    ) -> None:
        saved.update({lsn: await store.inner.get(log_name(lsn)) for lsn in range(11, 14)})
        await test(tail, clock, store, snapshots)

    tailed(kept, 10)


def test_who_follows_all_along_never_opens_anew() -> None:
    async def test(
        tail: Tail, clock: FakeClock, store: CountingStore, snapshots: list[Snapshot]
    ) -> None:
        assert await tail.advance() == snapshots[-1]
        await collect(store, snapshots, 18)
        clock.moved_ms = 10 * SURE_MS
        assert await tail.advance() == snapshots[-1]
        assert tail.reopened == 0

    tailed(test, 10)


def test_what_is_known_stays_where_looking_fails() -> None:
    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, 20)
        broken = [""]

        def plan(method: str, name: str) -> Fault | None:
            return Fault.BEFORE if method == broken[0] else None

        clock = FakeClock()
        tail = Tail(reader_of(FaultyStore(store, plan)), snapshots[9], clock)
        counted = CountingStore(store)
        await collect(counted, snapshots, 18)
        for method in ("get", "list"):
            broken[0] = method
            with pytest.raises(Unavailable):
                await tail.advance(surely=True)
            assert (tail.snapshot, tail.reopened) == (snapshots[9], 0)
        broken[0] = ""
        clock.moved_ms = SURE_MS  # a look that failed was none
        assert await tail.advance() == snapshots[-1]

    asyncio.run(run())


def test_a_damaged_group_is_told_and_what_is_known_stays() -> None:
    async def test(
        tail: Tail, clock: FakeClock, store: CountingStore, snapshots: list[Snapshot]
    ) -> None:
        await store.inner.put(log_name(12), b"rubbish")
        with pytest.raises(CorruptData, match=log_name(12)):
            await tail.advance()
        assert tail.snapshot is snapshots[9]

    tailed(test, 10)
