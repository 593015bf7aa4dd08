"""Following the log: hints, polling, waiting for an LSN, and stopping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from actors.messages import Transaction
from actors.primary.sequencer import Sequencer
from actors.virtual_warehouse.follower import Follower
from storage.clock import SystemClock
from storage.errors import Unavailable
from storage.objects import CountingStore, MemoryStore
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.reigns import NUMBERS, reader_of, reign


class World:
    """A primary and a follower over one store; an hour between polls."""

    def __init__(self) -> None:
        self.store = CountingStore(MemoryStore())

    async def open(self, clock: FakeClock | SystemClock, poll_ms: int = 3_600_000) -> None:
        start = await reign(self.store.inner, "a", FakeClock())
        self.sequencer = Sequencer(start, clock=FakeClock(), ids=CountedIds("s"))
        self.running = asyncio.create_task(self.sequencer.run())
        reader = reader_of(self.store)
        self.follower = Follower(reader, await reader.open(), clock, poll_ms)

    async def commit(self, name: str) -> int:
        made = NUMBERS.__class__(schema="public", name=name, columns=NUMBERS.columns)
        return (await self.sequencer.submit(Transaction(operations=(made,)))).lsn


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until the condition holds."""
    for _ in range(1_000_000):
        if condition():
            return
        await asyncio.sleep(0)


def test_cancellation_that_meets_a_hint_is_not_lost() -> None:
    """`asyncio.wait_for` of Python 3.11 loses it, and closing a virtual warehouse hung."""

    async def run() -> None:
        world = World()
        await world.open(SystemClock())
        following = asyncio.create_task(world.follower.run())
        await asyncio.sleep(0)
        world.follower.hint(99)
        await asyncio.sleep(0)  # the waiter is done, the task has not run yet
        following.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(following, return_exceptions=True)
        assert following.cancelled()
        world.running.cancel()

    asyncio.run(run())


def test_hint_makes_it_look_at_once() -> None:
    async def run() -> None:
        world = World()
        await world.open(SystemClock())
        following = asyncio.create_task(world.follower.run())
        lsn = await world.commit("t")
        assert world.follower.snapshot.lsn < lsn
        world.follower.hint(lsn)
        async with asyncio.timeout(5):
            await until(lambda: world.follower.snapshot.lsn >= lsn)
        following.cancel()
        world.running.cancel()

    asyncio.run(run())


def test_question_after_the_poll_interval_looks_for_itself() -> None:
    async def run() -> None:
        world, clock = World(), FakeClock()
        await world.open(clock, poll_ms=1000)
        lsn = await world.commit("t")
        before = world.store.counts()
        assert (await world.follower.latest(None, 100)).lsn == lsn - 1
        assert (world.store.counts() - before).requests == 0
        clock.moved_ms += 1000
        assert (await world.follower.latest(None, 100)).lsn == lsn
        world.running.cancel()

    asyncio.run(run())


def test_wanted_lsn_is_waited_for_and_then_given_up() -> None:
    async def run() -> None:
        world, clock = World(), FakeClock()
        await world.open(clock)
        lsn = await world.commit("t")
        assert (await world.follower.latest(lsn, 100)).lsn == lsn
        with pytest.raises(Unavailable, match=f"LSN {lsn + 5}"):
            await world.follower.latest(lsn + 5, 500)
        assert clock.moved_ms < 500
        world.running.cancel()

    asyncio.run(run())


class Broken(MemoryStore):
    """A store that can be away."""

    broken = False

    async def get(self, name: str) -> bytes:
        if self.broken:
            raise Unavailable("away")
        return await super().get(name)


def test_error_while_following_is_reported_and_survived() -> None:
    async def run() -> None:
        world = World()
        store = Broken()
        world.store = CountingStore(store)
        await world.open(SystemClock())
        following = asyncio.create_task(world.follower.run())
        lsn = await world.commit("t")
        store.broken = True
        world.follower.hint(lsn)
        async with asyncio.timeout(5):
            await until(lambda: world.follower.last_error is not None)
        assert "away" in str(world.follower.last_error)
        store.broken = False
        world.follower.hint(lsn)
        async with asyncio.timeout(5):
            await until(lambda: world.follower.snapshot.lsn >= lsn)
        following.cancel()
        world.running.cancel()

    asyncio.run(run())


@pytest.mark.parametrize("resting", [False, True])
def test_while_the_store_is_away_what_is_known_is_answered(resting: bool) -> None:
    async def run() -> None:
        world, store, clock = World(), Broken(), FakeClock()
        world.store = CountingStore(store)
        await world.open(clock, poll_ms=1000)
        known = world.follower.snapshot.lsn
        world.follower.rest(resting)
        lsn = await world.commit("t")
        store.broken = True
        clock.moved_ms += 1000
        counts = []
        for _ in range(3):
            before = world.store.counts()
            assert (await world.follower.latest(None, 100)).lsn == known
            counts.append((world.store.counts() - before).requests)
        # Who follows tries again by itself; who rests does so with every question.
        assert counts == ([1, 1, 1] if resting else [1, 0, 0])
        assert "away" in str(world.follower.last_error)
        with pytest.raises(Unavailable, match="away"):
            await world.follower.latest(lsn, 100)
        store.broken = False
        following = asyncio.create_task(world.follower.run())
        world.follower.hint(lsn)
        if not resting:
            async with asyncio.timeout(5):
                await until(lambda: world.follower.last_error is None)
        assert (await world.follower.latest(None, 100)).lsn == lsn
        assert world.follower.last_error is None
        following.cancel()
        world.running.cancel()

    asyncio.run(run())


def test_who_looks_with_every_question_answers_nothing_old() -> None:
    async def run() -> None:
        world, store = World(), Broken()
        world.store = CountingStore(store)
        await world.open(FakeClock(), poll_ms=0)
        store.broken = True
        with pytest.raises(Unavailable, match="away"):
            await world.follower.latest(None, 100)
        world.running.cancel()

    asyncio.run(run())


def test_every_newer_snapshot_is_told_once() -> None:
    async def run() -> None:
        world, told = World(), list[int]()
        await world.open(FakeClock())
        reader = reader_of(world.store)
        follower = Follower(
            reader,
            await reader.open(),
            FakeClock(),
            1000,
            lambda snapshot: told.append(snapshot.lsn),
        )
        lsn = await world.commit("t")
        await follower.advance()
        await follower.advance()
        assert told == [lsn]
        later = await world.commit("u")
        assert (await follower.latest(later, 100)).lsn == later
        assert told == [lsn, later]
        world.running.cancel()

    asyncio.run(run())


def test_while_it_rests_it_looks_only_when_asked() -> None:
    async def run() -> None:
        world = World()
        await world.open(SystemClock())
        following = asyncio.create_task(world.follower.run())
        world.follower.rest(True)
        lsn = await world.commit("t")
        before = world.store.counts()
        world.follower.hint(lsn)
        for _ in range(50):
            await asyncio.sleep(0)
        assert world.follower.snapshot.lsn < lsn
        assert (world.store.counts() - before).requests == 0
        assert (await world.follower.latest(lsn, 1000)).lsn == lsn
        world.follower.rest(False)
        later = await world.commit("u")
        world.follower.hint(later)
        async with asyncio.timeout(5):
            await until(lambda: world.follower.snapshot.lsn >= later)
        following.cancel()
        world.running.cancel()

    asyncio.run(run())
