"""Attempts and verdicts: what becomes of a fragment and of its worker, rows at once or streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from actors.compute.supervisor import Supervisor
from actors.compute.workers import WorkerLost
from actors.fragments import Fragment, FragmentResult, QueryStats
from storage.errors import InvalidRequest, OutOfMemory, Unavailable, WorkerExhausted
from tests.fakes import FakeClock

FRAGMENT = Fragment(query_id="q", attempt=1, program=None, inputs=(), memory_bytes=1 << 20)
UNLIMITED = Fragment(query_id="q", attempt=1, program=None, inputs=())
STUCK = object()


class Supply:
    """Every attempt gets a new worker, which plays the next part: an error, rows, or nothing."""

    size = 1

    def __init__(self, *parts: Any) -> None:
        self.parts = list(parts)
        self.clock = FakeClock()
        self.supervisor = Supervisor(self, self.clock)
        self.attempts: list[Fragment] = []
        self.verdicts: list[str] = []
        self.costs: list[QueryStats] = []

    async def take(self, fragment: Fragment) -> Any:
        self.attempts.append(fragment)
        return Worker(self, self.parts.pop(0))

    def give_back(self, worker: Any, fragment: Fragment) -> None:
        assert fragment is self.attempts[-1]
        self.verdicts.append("free")

    def lose(self, worker: Any, fragment: Fragment, why: str) -> None:
        assert fragment is self.attempts[-1]
        self.verdicts.append(why)

    def cost(self, fragment: Fragment, stats: QueryStats) -> None:
        assert fragment is self.attempts[-1]
        self.costs.append(stats)


class Worker:
    """`part`: what happens after the rows: an exception, `STUCK`, or the rows themselves.

    `stops`: whether it gets free when it is closed in the middle.
    """

    pid = 1

    def __init__(self, supply: Supply, part: Any) -> None:
        self.supply = supply
        self.part = part

    async def execute(self, fragment: Fragment) -> FragmentResult:
        self.supply.clock.moved_ms += 1_000
        if isinstance(self.part, Exception):
            raise self.part
        if self.part is STUCK:
            await asyncio.Event().wait()
        return FragmentResult(rows=self.part, stats=QueryStats(requests=3))

    async def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        rows, then, stops = self.part
        ended = False
        try:
            for row in rows:
                yield row
            self.supply.clock.moved_ms += 1_000
            if isinstance(then, Exception):
                raise then
            if then is STUCK:
                await asyncio.Event().wait()
            ended = True
            yield QueryStats(requests=3)
        finally:
            if not ended and not stops:
                await asyncio.sleep(0)
                raise WorkerLost("it does not stop")


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(bounded())


async def listed(rows: AsyncGenerator[Any, None]) -> list[Any]:
    return [row async for row in rows]


def test_a_result_frees_the_worker_and_counts_all_attempts() -> None:
    async def test() -> None:
        supply = Supply(WorkerLost(), "rows")
        result = await supply.supervisor.run(FRAGMENT)
        assert result.rows == "rows"
        stats = result.stats
        assert (stats.requests, stats.attempts, stats.worker_seconds) == (3, 2, 2.0)
        assert supply.verdicts == ["died", "free"]
        assert [attempt.attempt for attempt in supply.attempts] == [1, 2]

    run(test)


def test_an_error_of_the_fragment_frees_the_worker() -> None:
    async def test() -> None:
        supply = Supply(InvalidRequest("bad"))
        with pytest.raises(InvalidRequest):
            await supply.supervisor.run(FRAGMENT)
        assert supply.verdicts == ["free"]

    run(test)


def test_memory_is_tried_once_more_and_only_with_a_budget() -> None:
    async def test() -> None:
        supply = Supply(WorkerExhausted("a"), "rows")
        await supply.supervisor.run(FRAGMENT)
        assert supply.verdicts == ["out of memory", "free"]
        assert [attempt.spill for attempt in supply.attempts] == [False, True]
        supply = Supply(WorkerExhausted("a"), WorkerLost(), WorkerExhausted("b"))
        with pytest.raises(OutOfMemory, match="b"):
            await supply.supervisor.run(FRAGMENT)
        assert supply.verdicts == ["out of memory", "died", "out of memory"]
        assert supply.attempts[2].spill
        supply = Supply(WorkerExhausted("a"))
        with pytest.raises(OutOfMemory, match="a"):
            await supply.supervisor.run(UNLIMITED)

    run(test)


def test_a_refusal_for_memory_leaves_the_worker_and_is_not_tried_again() -> None:
    async def test() -> None:
        supply = Supply(OutOfMemory("one group is too large"))
        with pytest.raises(OutOfMemory, match="one group"):
            await supply.supervisor.run(FRAGMENT)
        assert (supply.verdicts, len(supply.attempts)) == (["free"], 1)

    run(test)


def test_a_caller_that_gives_up_loses_the_worker() -> None:
    async def test() -> None:
        supply = Supply(STUCK)
        running = asyncio.ensure_future(supply.supervisor.run(FRAGMENT))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert supply.verdicts == ["cancelled"]

    run(test)


# --- streams --------------------------------------------------------------------------------------


def test_a_stream_gives_rows_and_tells_what_it_cost() -> None:
    async def test() -> None:
        supply = Supply(((), WorkerLost(), True), ((1, 2), None, True))
        assert await listed(supply.supervisor.stream(FRAGMENT)) == [1, 2]
        assert supply.verdicts == ["died", "free"]
        (cost,) = supply.costs
        assert (cost.requests, cost.attempts, cost.worker_seconds) == (3, 2, 2.0)

    run(test)


def test_a_stream_that_dies_with_rows_under_way_is_not_repeated() -> None:
    async def test() -> None:
        supply = Supply(((1,), WorkerLost(), True))
        with pytest.raises(Unavailable, match="in the middle of the rows"):
            await listed(supply.supervisor.stream(FRAGMENT))
        assert supply.verdicts == ["died"]

    run(test)


def test_a_stream_out_of_memory_is_repeated_before_its_first_rows_only() -> None:
    async def test() -> None:
        supply = Supply(((), WorkerExhausted("a"), True), ((1,), None, True))
        assert await listed(supply.supervisor.stream(FRAGMENT)) == [1]
        assert supply.attempts[1].spill
        supply = Supply(((1,), WorkerExhausted("a"), True))
        with pytest.raises(OutOfMemory):
            await listed(supply.supervisor.stream(FRAGMENT))
        assert supply.verdicts == ["out of memory"]

    run(test)


def test_an_error_in_a_stream_frees_the_worker() -> None:
    async def test() -> None:
        supply = Supply(((1,), InvalidRequest("bad"), True))
        with pytest.raises(InvalidRequest):
            await listed(supply.supervisor.stream(FRAGMENT))
        assert supply.verdicts == ["free"]

    run(test)


@pytest.mark.parametrize(("stops", "verdict"), [(True, "free"), (False, "cancelled")])
def test_closing_between_rows_frees_the_worker_if_it_stops(stops: bool, verdict: str) -> None:
    async def test() -> None:
        supply = Supply(((1, 2), None, stops))
        rows = supply.supervisor.stream(FRAGMENT)
        assert await anext(rows) == 1
        await rows.aclose()
        assert supply.verdicts == [verdict]
        assert supply.costs == []

    run(test)


@pytest.mark.parametrize("stops", [True, False])
@pytest.mark.parametrize("rows", [(), (1,)])
def test_giving_up_while_rows_are_made_ends_the_stream_and_the_worker(
    stops: bool, rows: tuple[int, ...]
) -> None:
    async def test() -> None:
        supply = Supply((rows, STUCK, stops))
        found = supply.supervisor.stream(FRAGMENT)
        for row in rows:
            assert await anext(found) == row
        step = asyncio.ensure_future(anext(found))
        for _ in range(5):
            await asyncio.sleep(0)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        assert supply.verdicts == ["cancelled"]
        assert len(supply.attempts) == 1
        await found.aclose()
        assert supply.verdicts == ["cancelled"]

    run(test)


def test_a_stream_that_nobody_reads_takes_no_worker() -> None:
    async def test() -> None:
        supply = Supply()
        await supply.supervisor.stream(FRAGMENT).aclose()
        assert supply.attempts == []

    run(test)
