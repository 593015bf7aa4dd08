"""The pool: one fragment per worker, lost workers replaced, fragments repeated within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pyarrow as pa
import pytest

from actors.compute.pool import WorkerPool
from actors.compute.workers import WorkerLost
from actors.fragments import Fragment, FragmentResult, QueryStats
from storage.errors import InvalidRequest, Unavailable
from tests.fakes import FakeClock

FRAGMENT = Fragment(query_id="q", attempt=1, program=None, inputs=())
Behaviour = Callable[[Fragment], Awaitable[None]]


class Stage:
    """Makes workers that behave as told; the n-th made has pid n, from 1."""

    def __init__(self, size: int) -> None:
        self.clock = FakeClock()
        self.behaviours: dict[int, Behaviour] = {}
        self.failing_starts = 0
        self.made: list[Worker] = []
        self.pool = WorkerPool(size, self.start, self.clock)

    async def start(self) -> Worker:
        if self.failing_starts:
            self.failing_starts -= 1
            raise Unavailable("no CPU is free")
        worker = Worker(self, len(self.made) + 1)
        self.made.append(worker)
        return worker

    async def die(self, fragment: Fragment) -> None:
        """Dead before the fragment came."""
        raise WorkerLost

    async def die_running(self, fragment: Fragment) -> None:
        self.clock.moved_ms += 3000
        raise WorkerLost


class Worker:
    def __init__(self, stage: Stage, pid: int) -> None:
        self.stage = stage
        self.pid = pid
        self.attempts: list[int] = []
        self.closed = False
        self.killed = False

    async def execute(self, fragment: Fragment) -> FragmentResult:
        self.attempts.append(fragment.attempt)
        if (behave := self.stage.behaviours.get(self.pid)) is not None:
            await behave(fragment)
        return FragmentResult(rows=pa.table({"pid": [self.pid]}), stats=QueryStats())

    def forget(self) -> None:
        """Nothing is held."""

    def kill(self) -> None:
        self.killed = True

    async def close(self) -> None:
        self.closed = True


def playing(size: int, test: Callable[[Stage], Awaitable[None]]) -> None:
    async def run() -> None:
        stage = Stage(size)
        async with asyncio.timeout(10):
            await test(stage)
            await stage.pool.close()

    asyncio.run(run())


async def answered_by(stage: Stage) -> int:
    result = await stage.pool.run(FRAGMENT)
    return int(result.rows["pid"][0].as_py())


def test_workers_start_when_they_are_needed() -> None:
    async def test(stage: Stage) -> None:
        assert stage.pool.pids == []
        assert await answered_by(stage) == 1
        assert await answered_by(stage) == 1
        assert stage.pool.pids == [1]

    playing(3, test)


def test_one_fragment_at_a_time_per_worker() -> None:
    async def test(stage: Stage) -> None:
        running = most = 0

        async def slowly(fragment: Fragment) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

        stage.behaviours = {1: slowly, 2: slowly}
        await stage.pool.warm()
        await asyncio.gather(*(answered_by(stage) for _ in range(10)))
        assert most == 2
        assert stage.pool.pids == [1, 2]

    playing(2, test)


def test_fragment_of_a_lost_worker_runs_elsewhere_at_once() -> None:
    async def test(stage: Stage) -> None:
        stage.behaviours = {1: stage.die_running}
        await stage.pool.warm()
        assert await answered_by(stage) == 2
        assert stage.made[1].attempts == [2]
        assert await answered_by(stage) in (2, 3)
        assert 1 not in stage.pool.pids

    playing(2, test)


def test_workers_that_were_dead_before_are_not_counted() -> None:
    async def test(stage: Stage) -> None:
        stage.behaviours = dict.fromkeys((1, 2, 3, 4), stage.die)
        await stage.pool.warm()
        assert await answered_by(stage) > 4

    playing(4, test)


def test_fragment_that_kills_three_workers_is_given_up() -> None:
    async def test(stage: Stage) -> None:
        stage.behaviours = dict.fromkeys(range(1, 100), stage.die_running)
        with pytest.raises(Unavailable, match="died again and again"):
            await answered_by(stage)
        stage.behaviours = {}
        assert await answered_by(stage) > 3

    playing(2, test)


def test_early_losses_are_bounded_too() -> None:
    async def test(stage: Stage) -> None:
        stage.behaviours = dict.fromkeys(range(1, 100), stage.die)
        with pytest.raises(Unavailable, match="died again and again"):
            await answered_by(stage)
        assert sum(len(worker.attempts) for worker in stage.made) == 7

    playing(1, test)


def test_replacement_is_tried_until_it_starts() -> None:
    async def test(stage: Stage) -> None:
        await stage.pool.warm()
        stage.behaviours = {1: stage.die_running}
        stage.failing_starts = 5
        assert await answered_by(stage) == 2
        assert stage.failing_starts == 0
        assert len(stage.clock.sleeps_ms) == 5

    playing(1, test)


def test_error_of_the_fragment_is_passed_on_and_the_worker_kept() -> None:
    async def test(stage: Stage) -> None:
        async def refuse(fragment: Fragment) -> None:
            raise InvalidRequest("bad")

        stage.behaviours = {1: refuse}
        with pytest.raises(InvalidRequest, match="bad"):
            await answered_by(stage)
        stage.behaviours = {}
        assert await answered_by(stage) == 1

    playing(1, test)


def test_first_start_that_fails_says_so_and_may_be_repeated() -> None:
    async def test(stage: Stage) -> None:
        stage.failing_starts = 1
        with pytest.raises(Unavailable, match="CPU"):
            await answered_by(stage)
        assert await answered_by(stage) == 1
        stage.failing_starts = 1
        with pytest.raises(Unavailable, match="CPU"):
            await stage.pool.warm()
        await stage.pool.warm()
        assert len(stage.pool.pids) == 2

    playing(2, test)


def test_waiters_for_a_worker_that_does_not_start_try_for_themselves() -> None:
    async def test(stage: Stage) -> None:
        stage.failing_starts = 1
        answers = await asyncio.gather(
            answered_by(stage), answered_by(stage), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [Unavailable, int]

    playing(1, test)


def test_closing_ends_every_worker() -> None:
    async def test(stage: Stage) -> None:
        await stage.pool.warm()
        await stage.pool.close()
        assert all(worker.closed for worker in stage.made)

    playing(3, test)
