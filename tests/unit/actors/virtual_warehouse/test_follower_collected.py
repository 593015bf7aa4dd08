"""A follower that was away for so long that the groups it needs were collected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actors.virtual_warehouse.follower import Follower
from storage.errors import Unavailable
from storage.log.tail import SURE_MS
from storage.objects import CountingStore, MemoryStore
from storage.snapshot.checkpoint import write_checkpoint
from storage.snapshot.model import Snapshot
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.packed import delete_log
from tests.unit.storage.log.reigns import reader_of
from tests.unit.storage.log.test_log_reader import history

NEWEST = 22


class World:
    """A follower that knows LSN 10; 11 to 18 are gone."""

    def __init__(self, store: CountingStore, snapshots: list[Snapshot], poll_ms: int) -> None:
        self.store = store
        self.snapshots = snapshots
        self.clock = FakeClock()
        self.heard: list[int] = []
        self.follower = Follower(
            reader_of(store),
            snapshots[9],
            self.clock,
            poll_ms,
            lambda snapshot: self.heard.append(snapshot.lsn),
        )

    def lists(self) -> int:
        """Of checkpoints."""
        return self.store.requests.count(("list", "checkpoint/"))


def followed(test: Callable[[World], Coroutine[Any, Any, None]], poll_ms: int = 1_000) -> None:
    async def run() -> None:
        inner = MemoryStore()
        snapshots = await history(inner, NEWEST - 2)
        for lsn in (19, 20):
            await write_checkpoint(inner, snapshots[lsn - 1], CountedIds(f"{lsn}"))
        await delete_log(inner, 1, 18)
        await test(World(CountingStore(inner, record=True), snapshots, poll_ms))

    asyncio.run(run())


def test_who_waits_for_a_version_that_was_collected_gets_a_newer_one() -> None:
    async def test(world: World) -> None:
        found = await world.follower.latest(12, 10_000)
        assert found == world.snapshots[-1]
        assert world.follower.reopened == 1
        assert world.heard == [NEWEST]
        assert world.clock.moved_ms < 200  # long before half a minute

    followed(test)


def test_who_waits_for_one_that_is_not_there_asks_for_checkpoints_once() -> None:
    async def test(world: World) -> None:
        await world.follower.advance(surely=True)
        before = world.lists()
        with pytest.raises(Unavailable, match=f"LSN {NEWEST + 1} is not in the log within 5000"):
            await world.follower.latest(NEWEST + 1, 5_000)
        assert world.lists() == before + 1
        assert world.follower.reopened == 1

    followed(test)


def test_a_short_wait_asks_for_none() -> None:
    async def test(world: World) -> None:
        with pytest.raises(Unavailable):
            await world.follower.latest(12, 20)
        assert (world.lists(), world.follower.reopened) == (0, 0)

    followed(test)


@pytest.mark.parametrize("poll_ms", [0, 1_000])
def test_questions_notice_it_after_half_a_minute(poll_ms: int) -> None:
    async def test(world: World) -> None:
        world.clock.moved_ms = SURE_MS - 1
        assert (await world.follower.latest(None, 1_000)).lsn == 10
        world.clock.moved_ms = SURE_MS + poll_ms
        assert (await world.follower.latest(None, 1_000)).lsn == NEWEST
        assert world.follower.reopened == 1
        assert world.follower.last_error is None

    followed(test, poll_ms)
