"""The pin of a virtual warehouse: written, renewed, moved and taken away as its queries need it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from actors.virtual_warehouse.claim import LASTS_MS, LOOK_MS, RENEW_MS, Claim
from storage.collection.pins import Pin
from storage.errors import InvalidRequest, MobulaError, Unavailable
from storage.objects import CountingStore, MemoryStore
from tests.fakes import CountedIds, StillClock


class Away(MemoryStore):
    """Writing to it fails, where that is wanted."""

    error: MobulaError | None = None

    async def put(self, name: str, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        await super().put(name, data)


class Stage:
    """A claim whose queries are said by the test."""

    def __init__(self) -> None:
        self.inner = Away()
        self.store = CountingStore(self.inner, record=True)
        self.clock = StillClock()
        self.clock.move(5_000)
        self.oldest: int | None = None
        self.asked_ms: list[float] = []
        self.claim = Claim(
            self.store, clock=self.clock, ids=CountedIds(), holder="bi", oldest=self._oldest
        )

    def _oldest(self, running_ms: float) -> int | None:
        self.asked_ms.append(running_ms)
        return self.oldest

    async def pin(self) -> Pin | None:
        names = [entry.name async for entry in self.inner.list("pin/")]
        if not names:
            return None
        (name,) = names
        return msgspec.json.decode(await self.inner.get(name), type=Pin)

    async def looked(self, oldest: int | None) -> list[str]:
        """The requests of one look."""
        self.oldest = oldest
        before = len(self.store.requests)
        await self.claim.look()
        return [method for method, _ in self.store.requests[before:]]


def staged(test: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test(Stage()))


def test_queries_that_are_soon_over_cost_nothing() -> None:
    async def test(stage: Stage) -> None:
        for _ in range(3):
            assert await stage.looked(None) == []
        assert stage.asked_ms == [LOOK_MS] * 3
        assert await stage.pin() is None

    staged(test)


def test_a_longer_one_is_pinned_and_the_pin_goes_with_it() -> None:
    async def test(stage: Stage) -> None:
        assert await stage.looked(7) == ["put"]
        found = await stage.pin()
        assert found is not None
        assert (found.lsn, found.expires_ms) == (7, 5_000 + LASTS_MS)
        assert found.holder == "bi"
        assert await stage.looked(7) == []
        assert await stage.looked(None) == ["delete"]
        assert await stage.pin() is None
        assert await stage.looked(None) == []

    staged(test)


def test_it_moves_with_the_oldest_query_under_one_name() -> None:
    async def test(stage: Stage) -> None:
        for lsn in (7, 9, 8):
            assert await stage.looked(lsn) == ["put"]
            found = await stage.pin()
            assert found is not None
            assert found.lsn == lsn
        assert len({name for _, name in stage.store.requests}) == 1

    staged(test)


def test_it_is_renewed_long_before_it_ends() -> None:
    async def test(stage: Stage) -> None:
        await stage.looked(7)
        stage.clock.move(RENEW_MS - 1)
        assert await stage.looked(7) == []
        stage.clock.move(1)
        assert await stage.looked(7) == ["put"]
        found = await stage.pin()
        assert found is not None
        assert found.expires_ms == 5_000 + RENEW_MS + LASTS_MS
        assert LASTS_MS > 3 * RENEW_MS

    staged(test)


def test_after_it_was_taken_away_the_next_query_has_a_new_one() -> None:
    async def test(stage: Stage) -> None:
        await stage.looked(7)
        await stage.claim.release()
        await stage.claim.release()
        assert [m for m, _ in stage.store.requests] == ["put", "delete"]
        assert await stage.looked(7) == ["put"]
        assert await stage.pin() is not None

    staged(test)


async def turn(stage: Stage) -> None:
    stage.clock.move(LOOK_MS)
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_store_that_is_away_is_tried_again() -> None:
    async def test(stage: Stage) -> None:
        running = asyncio.ensure_future(stage.claim.run())
        await turn(stage)
        stage.oldest, stage.inner.error = 7, Unavailable("away")
        await turn(stage)
        await turn(stage)
        assert stage.claim.last_error is stage.inner.error
        assert len(stage.store.requests) == 2
        stage.inner.error = None
        await turn(stage)
        assert await stage.pin() is not None
        await turn(stage)
        assert len(stage.store.requests) == 3
        assert not stage.claim.last_error
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    staged(test)


def test_who_may_not_write_reads_without_a_pin() -> None:
    async def test(stage: Stage) -> None:
        running = asyncio.ensure_future(stage.claim.run())
        await asyncio.sleep(0)
        stage.oldest, stage.inner.error = 7, InvalidRequest("403")
        await turn(stage)
        await asyncio.wait_for(running, 10)  # it has ended
        assert stage.claim.last_error is stage.inner.error
        assert len(stage.store.requests) == 1

    staged(test)
