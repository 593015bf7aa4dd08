"""Becoming the primary: waiting, racing, fencing; and what a replaced primary may still do."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from actors.primary.sequencer import Sequencer
from storage.errors import Fenced, Unavailable
from storage.log.epoch import Lease, claim, newest_epoch, read_alive
from storage.log.takeover import next_tso
from storage.names import log_name, owner_name
from storage.objects import CountingStore, MemoryStore
from storage.snapshot.checkpoint import write_checkpoint
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.reigns import (
    HookedStore,
    empty_group,
    owner,
    reader_of,
    reign,
)


def test_first_primary_fences_an_empty_log() -> None:
    async def run() -> None:
        store = MemoryStore()
        first = await reign(store, "a", FakeClock())
        assert (first.epoch, first.snapshot.lsn) == (1, 1)
        header = await reader_of(store).header(1)
        assert (header.transactions, header.epoch, header.writer_id) == ((), 1, "a")
        assert (await reader_of(store).open()) == first.snapshot

    asyncio.run(run())


def test_opening_costs_what_the_protocol_says() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore(), record=True)
        await reign(store, "a", FakeClock())
        assert store.requests == [
            ("list", "epoch/"),
            ("create", owner_name(1)),
            ("put", f"epoch/{1:020d}/alive"),
            ("list", "checkpoint/"),
            ("list", "log/"),
            ("create", log_name(1)),
            ("list", "epoch/"),
            ("list", "checkpoint/"),
        ]

    asyncio.run(run())


def test_live_primary_is_left_alone_and_named() -> None:
    async def run() -> None:
        store, clock = MemoryStore(), FakeClock()
        first = await reign(store, "a", clock)

        async def beats() -> None:
            while True:
                await clock.sleep_ms(first.lease.interval_ms)
                await first.lease.beat()

        beating = asyncio.create_task(beats())
        with pytest.raises(Unavailable, match="a at host of a"):
            await reign(store, "b", clock)
        beating.cancel()
        assert await newest_epoch(store) == 1

    asyncio.run(run())


def test_silent_primary_is_replaced_after_one_lease() -> None:
    async def run() -> None:
        store, clock = MemoryStore(), FakeClock()
        await reign(store, "a", clock)
        before_ms = clock.monotonic_ms()
        second = await reign(store, "b", clock)
        assert second.epoch == 2
        assert 10_000 <= clock.monotonic_ms() - before_ms <= 12_000

    asyncio.run(run())


@pytest.mark.parametrize("why", ["released", "itself", "dead"])
def test_no_waiting_when_the_predecessor_is_known_to_be_gone(why: str) -> None:
    async def run() -> None:
        store, clock = MemoryStore(), FakeClock()
        first = await reign(store, "a", clock)
        if why == "released":
            await first.lease.release()
            alive = await read_alive(store, 1)
            assert alive is not None
            assert alive.released
        before_ms = clock.monotonic_ms()
        second = await reign(
            store, "a" if why == "itself" else "b", clock, CountedIds("2"), dead=why == "dead"
        )
        assert second.epoch == 2
        assert clock.monotonic_ms() == before_ms

    asyncio.run(run())


def test_replaced_primary_cannot_write() -> None:
    async def run() -> None:
        store, clock = MemoryStore(), FakeClock()
        old = await reign(store, "a", clock)
        new = await reign(store, "b", clock, dead=True)
        with pytest.raises(Fenced, match="b in epoch 2"):
            await old.writer.append(empty_group(old.snapshot, "a"))
        assert (await reader_of(store).open()) == new.snapshot

    asyncio.run(run())


def test_opener_replays_what_the_old_primary_still_commits() -> None:
    """Its snapshot ends at LSN 1, but slot 2 is taken before its fence: it replays and moves on."""

    async def run() -> None:
        store, clock = HookedStore(), FakeClock()
        old = await reign(store, "a", clock)
        late = empty_group(old.snapshot, "a")
        store.before[log_name(2)] = lambda: old.writer.append(late)
        # The hook's own create goes through the same store: it must not be hooked again.
        second = await reign(store, "b", clock, dead=True)
        assert second.snapshot.lsn == 3
        assert (await reader_of(store).header(2)).nonce == "late"
        assert (await reader_of(store).header(3)).epoch == 2

    asyncio.run(run())


class _BeatingClock(FakeClock):
    """While somebody sleeps, another primary shows that it is alive."""

    def __init__(self, lease: Lease) -> None:
        super().__init__()
        self._lease = lease

    async def sleep_ms(self, duration_ms: float) -> None:
        await super().sleep_ms(duration_ms)
        await self._lease.beat()


def test_loser_of_the_race_for_an_epoch_watches_the_winner() -> None:
    async def run() -> None:
        store = HookedStore()
        clock = _BeatingClock(Lease(store, 1, owner("b")))
        store.before[owner_name(1)] = lambda: claim(store, 1, owner("b"), clock)
        with pytest.raises(Unavailable, match="has a primary: b at host of b"):
            await reign(store, "a", clock)
        assert await newest_epoch(store) == 1

    asyncio.run(run())


def test_loser_of_the_race_for_an_epoch_follows_a_winner_that_died() -> None:
    async def run() -> None:
        store, clock = HookedStore(), FakeClock()
        store.before[owner_name(1)] = lambda: claim(store, 1, owner("b"), clock)
        opened = await reign(store, "a", clock, dead=True)  # of another than the winner
        assert opened.epoch == 2
        assert clock.moved_ms >= owner("b").lease_ms

    asyncio.run(run())


def test_who_finds_the_next_slot_empty_reigns() -> None:
    async def run() -> None:
        store, clock = MemoryStore(), FakeClock()
        first = await reign(store, "a", clock)
        await first.writer.confirm()
        await first.writer.append(empty_group(first.snapshot, "a"))
        await first.writer.confirm()
        assert await first.lease.successor() is None
        await reign(store, "b", clock, dead=True)
        with pytest.raises(Fenced, match="written by b in epoch 2"):
            await first.writer.confirm()
        found = await first.lease.successor()
        assert found is not None
        assert found.id == "b"

    asyncio.run(run())


def test_higher_epoch_in_the_log_stops_the_opener() -> None:
    async def run() -> None:
        store, clock = MemoryStore(), FakeClock()
        await reign(store, "a", clock)
        await reign(store, "b", clock, dead=True)
        for epoch in (1, 2):
            await store.delete(owner_name(epoch))  # as if this opener's listing were stale
        with pytest.raises(Fenced, match="epoch 2 reigns"):
            await reign(store, "c", clock, dead=True)

    asyncio.run(run())


def test_checkpoint_past_our_fence_stops_the_opener() -> None:
    async def run() -> None:
        store, clock = HookedStore(), FakeClock()
        first = await reign(store, "a", clock)
        future = dataclasses.replace(first.snapshot, lsn=50)
        store.before[log_name(2)] = lambda: write_checkpoint(store, future, CountedIds("x"))
        with pytest.raises(Fenced, match="not below our fence"):
            await reign(store, "b", clock, dead=True)

    asyncio.run(run())


def test_higher_epoch_that_appears_meanwhile_stops_the_opener() -> None:
    async def run() -> None:
        store, clock = HookedStore(), FakeClock()
        store.before[log_name(1)] = lambda: claim(store, 2, owner("b"), clock)
        with pytest.raises(Fenced, match="epoch 2 reigns"):
            await reign(store, "a", clock)

    asyncio.run(run())


def test_tso_goes_on_when_the_clock_went_back() -> None:
    assert next_tso(1000, 5) == 1000 << 18
    assert next_tso(1000, 2000 << 18) == (2000 << 18) + 1

    async def run() -> None:
        store, clock = MemoryStore(), FakeClock()
        clock.moved_ms = 3_600_000
        first = await reign(store, "a", clock)
        clock.moved_ms = 0
        second = await reign(store, "b", clock, dead=True)
        assert second.snapshot.tso > first.snapshot.tso
        assert isinstance(Sequencer(second, clock=clock, ids=CountedIds()), Sequencer)

    asyncio.run(run())
