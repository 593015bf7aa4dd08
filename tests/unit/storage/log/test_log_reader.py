"""Opening and following: the same snapshot by every way, at the promised number of requests."""

from __future__ import annotations

import asyncio

import pytest

from actors.messages import Transaction
from actors.primary.sequencer import Sequencer
from storage.errors import CorruptData, InvalidRequest
from storage.names import log_name
from storage.objects import CountingStore, MemoryStore
from storage.snapshot.checkpoint import write_checkpoint
from storage.snapshot.model import Snapshot
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.reigns import NUMBERS, appending, reader_of, reign


async def history(store: MemoryStore, commits: int) -> list[Snapshot]:
    """Snapshots at LSN 1 (fence), 2 (CREATE TABLE), 3 … of a primary, one second apart."""
    clock = FakeClock()
    snapshots: list[Snapshot] = []
    start = await reign(store, "a", clock)
    sequencer = Sequencer(
        start,
        clock=clock,
        ids=CountedIds("seq"),
        on_commit=lambda snapshot, group: snapshots.append(snapshot),
    )
    running = asyncio.create_task(sequencer.run())
    await sequencer.submit(Transaction(operations=(NUMBERS,)))
    for number in range(commits):
        clock.moved_ms += 1000
        await sequencer.submit(appending(sequencer.snapshot, number))
    running.cancel()
    return [start.snapshot, *snapshots]


def test_replay_equals_what_the_primary_had_at_every_lsn() -> None:
    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, 40)
        for expected in snapshots:
            assert await reader_of(store).open(at_lsn=expected.lsn) == expected
        assert await reader_of(store).open() == snapshots[-1]
        assert await reader_of(store).follow(snapshots[3]) == snapshots[-1]

    asyncio.run(run())


@pytest.mark.parametrize(
    "name",
    [
        "log/1",
        "log/.DS_Store",
        f"{log_name(99)}.bak",
        f"{log_name(0)}",
        "epoch/x/owner",
        "epoch/99/owner",
        "checkpoint/x/root",
        "checkpoint/9-x/root",
    ],
)
def test_names_of_somebody_else_are_passed_over(name: str) -> None:
    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, 10)
        await write_checkpoint(store, snapshots[5], CountedIds("c"))
        await store.put(name, b"x")
        assert await reader_of(store).open() == snapshots[-1]
        assert await reader_of(store).open(at_lsn=3) == snapshots[2]
        successor = await reign(store, "b", FakeClock())
        assert (successor.epoch, successor.checkpoint_lsn) == (2, snapshots[5].lsn)

    asyncio.run(run())


def test_checkpoint_and_tail_equal_the_whole_log() -> None:
    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, 40)
        await write_checkpoint(store, snapshots[20], CountedIds("c"))
        for expected in (snapshots[5], snapshots[20], snapshots[30], snapshots[-1]):
            assert await reader_of(store).open(at_lsn=expected.lsn) == expected

    asyncio.run(run())


def test_cold_open_is_two_lists_the_checkpoint_and_the_tail() -> None:
    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, 40)
        await write_checkpoint(store, snapshots[30], CountedIds("c"))
        counting = CountingStore(store)
        opened = await reader_of(counting).open()
        counts = counting.counts()
        tail = opened.lsn - snapshots[30].lsn
        root_and_parts = 2
        assert (counts.list, counts.get) == (2, root_and_parts + tail)
        assert counts.requests == counts.list + counts.get

    asyncio.run(run())


def test_tail_is_fetched_in_parallel() -> None:
    async def run() -> None:
        store = MemoryStore()
        await history(store, 20)

        class Watching(MemoryStore):
            now = most = 0

            async def get(self, name: str) -> bytes:
                Watching.now += 1
                Watching.most = max(Watching.most, Watching.now)
                await asyncio.sleep(0)
                Watching.now -= 1
                return await store.get(name)

            def list(self, *args, **kwargs):  # type: ignore[no-untyped-def]
                return store.list(*args, **kwargs)

        await reader_of(Watching()).open()
        assert Watching.most == 22

    asyncio.run(run())


def test_following_costs_one_get_when_nothing_is_new() -> None:
    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, 3)
        counting = CountingStore(store)
        assert await reader_of(counting).follow(snapshots[-1]) == snapshots[-1]
        assert counting.counts().requests == counting.counts().get == 1

    asyncio.run(run())


def test_bad_checkpoint_is_passed_over() -> None:
    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, 10)
        await write_checkpoint(store, snapshots[4], CountedIds("c"))
        bad = await write_checkpoint(store, snapshots[8], CountedIds("d"))
        await store.put(bad.name, b"rubbish")
        assert await reader_of(store).open() == snapshots[-1]

    asyncio.run(run())


def test_gap_in_the_log_is_named() -> None:
    async def run() -> None:
        store = MemoryStore()
        await history(store, 10)
        await store.delete(log_name(5))
        with pytest.raises(CorruptData, match=log_name(5)):
            await reader_of(store).open()

    asyncio.run(run())


def test_damaged_group_is_named() -> None:
    async def run() -> None:
        store = MemoryStore()
        await history(store, 10)
        await store.put(log_name(5), (await store.get(log_name(5)))[:-1])
        with pytest.raises(CorruptData, match=log_name(5)):
            await reader_of(store).open()

    asyncio.run(run())


def test_exchanged_groups_break_the_chain() -> None:
    async def run() -> None:
        store, other = MemoryStore(), MemoryStore()
        await history(store, 10)
        await history(other, 4)
        await store.put(log_name(6), await other.get(log_name(6)))
        await store.put(log_name(5), await store.get(log_name(6)))
        with pytest.raises(CorruptData, match=log_name(5)):
            await reader_of(store).open()

    asyncio.run(run())


@pytest.mark.parametrize("lsn", [-1, 99])
def test_lsn_outside_the_log_is_refused(lsn: int) -> None:
    async def run() -> None:
        store = MemoryStore()
        await history(store, 3)
        with pytest.raises(InvalidRequest, match=str(lsn)):
            await reader_of(store).open(at_lsn=lsn)

    asyncio.run(run())


def test_timestamp_finds_the_greatest_version_not_above_it() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore())
        snapshots = await history(store.inner, 40)  # type: ignore[arg-type]
        reader = reader_of(store)
        for second in (0, 1, 17, 39, 40):
            found = await reader.lsn_at(second * 1000, snapshots[-1])
            assert found == 2 + second
            assert await reader.lsn_at(second * 1000 + 999, snapshots[-1]) == found
        assert await reader.lsn_at(10**9, snapshots[-1]) == snapshots[-1].lsn
        before = store.counts()
        await reader.lsn_at(17_000, snapshots[-1])
        assert (store.counts() - before).get_range <= 6

    asyncio.run(run())


def test_headers_come_in_order() -> None:
    async def run() -> None:
        store = MemoryStore()
        await history(store, 50)
        found = [header.lsn async for header in reader_of(store).headers(3, 52)]
        assert found == list(range(3, 53))

    asyncio.run(run())


def test_unreadable_checkpoint_without_the_log_before_it_is_named() -> None:
    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, 6)
        bad = await write_checkpoint(store, snapshots[4], CountedIds("c"))
        await store.put(bad.name, b"rubbish")
        for lsn in range(1, snapshots[-1].lsn + 1):
            await store.delete(log_name(lsn))
        with pytest.raises(CorruptData, match=bad.name):
            await reader_of(store).open()

    asyncio.run(run())
