"""Queries of a virtual warehouse: order, bounds, timeouts, cancellation, lost workers, memory."""

from __future__ import annotations

import asyncio

import pytest

from actors.fragments import QueryStats
from storage.errors import Cancelled, InvalidRequest, OutOfMemory, Unavailable, WorkerExhausted
from tests.unit.actors.virtual_warehouse.elastic_stage import Stage, fragment_of, playing, settle


def test_the_first_query_wakes_it_and_runs_when_a_worker_has_come() -> None:
    async def test(stage: Stage) -> None:
        assert stage.workers.state == "suspended"
        query = stage.ask("q")
        await settle()
        assert stage.workers.state == "resuming"
        assert (stage.wished, stage.actions(), stage.rests) == (1, ["resume"], [False])
        (worker,) = stage.bring()
        await settle()
        assert stage.workers.state == "running"
        worker.finish()
        assert await query == worker.pid

    playing(test)


def test_the_greatest_priority_is_next_and_of_equal_ones_the_oldest() -> None:
    async def test(stage: Stage) -> None:
        asked = {
            name: stage.ask(name, priority=priority)
            for name, priority in [("a", 0), ("b", 0), ("c", 5), ("d", -1), ("e", 5)]
        }
        await settle()
        (worker,) = stage.bring()
        for name in ("c", "e", "a", "b", "d"):
            await settle()
            assert list(stage.running()) == [name]
            worker.finish()
            await asked[name]
        assert worker.ran == ["c", "e", "a", "b", "d"]

    playing(test)


def test_only_so_many_queries_may_wait() -> None:
    async def test(stage: Stage) -> None:
        waiting = [stage.ask(f"q{n}") for n in range(2)]
        await settle()
        with pytest.raises(
            Unavailable, match="2 queries wait for a worker, and max_queued is 2"
        ) as e:
            await stage.ask("more")
        assert e.value.sqlstate == "53300"
        (worker,) = stage.bring()
        await settle()
        third = stage.ask("q2")  # one has begun meanwhile
        for _ in range(3):
            await settle()
            worker.finish()
        assert await asyncio.gather(*waiting, third) == [1, 1, 1]

    playing(test, max_queued=2)


def test_where_none_may_wait_an_idle_worker_is_enough() -> None:
    async def test(stage: Stage) -> None:
        with pytest.raises(Unavailable, match="max_queued is 0"):
            await stage.ask("q")
        assert stage.wished == 1  # so that the next one finds a worker
        (worker,) = stage.bring()
        first, second = stage.ask("a"), stage.ask("b")
        with pytest.raises(Unavailable, match="max_queued is 0"):
            await second
        worker.finish()
        await first

    playing(test, max_queued=0)


def test_workers_of_a_draining_cluster_do_not_count_as_busy_for_the_bound() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        stage.bring()
        first, second = stage.ask("a"), stage.ask("b")
        await settle()
        stage.change(min_clusters=1, max_clusters=1)
        stage.workers.look()
        assert stage.workers.clusters.draining == 1
        stage.running()["a"].finish()
        await first
        third = stage.ask("c")
        await settle()
        for worker in stage.running().values():
            worker.finish()
        await asyncio.gather(second, third)

    playing(test, max_queued=0, min_clusters=2, max_clusters=2)


def test_a_slot_that_is_not_there_is_no_idle_worker() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        stage.bring()
        first = stage.ask("a")
        await settle()
        with pytest.raises(Unavailable, match="max_queued is 0"):
            await stage.ask("b")
        stage.running()["a"].finish()
        await first

    playing(test, size=2, max_concurrency=1, max_queued=0)


def test_a_query_waits_no_longer_than_it_may() -> None:
    async def test(stage: Stage) -> None:
        with pytest.raises(Cancelled, match="query q waited more than 1 ms for a worker"):
            await stage.ask("q", queue_timeout_ms=1)
        assert stage.workers.queued == 0
        stage.change(queue_timeout_s=0.001)
        with pytest.raises(Cancelled, match="waited more than 1 ms"):
            await stage.ask("q")

    playing(test)


def test_a_timeout_of_nothing_takes_a_worker_that_is_idle() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        (worker,) = stage.bring()
        query = stage.ask("q", queue_timeout_ms=0)
        await settle()
        worker.finish()
        assert await query == 1

    playing(test)


def test_one_that_gives_up_while_it_waits_leaves_the_queue() -> None:
    async def test(stage: Stage) -> None:
        first, second = stage.ask("a"), stage.ask("b")
        await settle()
        first.cancel()
        await settle()
        assert stage.workers.queued == 1
        (worker,) = stage.bring()
        await settle()
        worker.finish()
        await second
        assert worker.ran == ["b"]

    playing(test)


def test_one_that_gives_up_when_its_turn_comes_leaves_the_worker_to_the_next() -> None:
    async def test(stage: Stage) -> None:
        first, second = stage.ask("a"), stage.ask("b")
        await settle()
        (worker,) = stage.bring()
        first.cancel()  # it has its worker, but has not run since
        await settle()
        assert worker.ran == ["b"]
        worker.finish()
        await second
        assert stage.dismissed == []

    playing(test)


def test_a_query_that_is_ended_while_it_runs_takes_its_worker_with_it() -> None:
    async def test(stage: Stage) -> None:
        query = stage.ask("q")
        await settle()
        (worker,) = stage.bring()
        await settle()
        assert stage.queries.cancel("q", "somebody wished so")
        with pytest.raises(Cancelled, match="query q was ended: somebody wished so"):
            await query
        assert worker.killed
        assert stage.dismissed == [(worker.id, "cancelled")]
        assert stage.lacking() == 1

    playing(test)


def test_a_query_whose_worker_died_runs_on_another() -> None:
    async def test(stage: Stage) -> None:
        query = stage.ask("q")
        await settle()
        (worker,) = stage.bring()
        await settle()
        worker.die()
        await settle()
        assert stage.dismissed == [(worker.id, "died")]
        (other,) = stage.bring()
        await settle()
        assert other.fragment is not None
        assert other.fragment.attempt == 2
        other.finish()
        assert await query == other.pid

    playing(test)


def test_a_query_whose_worker_died_is_let_in_again_whatever_the_bounds_say() -> None:
    async def test(stage: Stage) -> None:
        first = stage.ask("a")
        await settle()
        (worker,) = stage.bring()
        await settle()
        second = stage.ask("b")
        await settle()
        stopping = asyncio.create_task(stage.workers.stop(force=False))
        await settle()
        worker.die()
        await settle()
        (other,) = stage.bring()
        for _ in range(2):
            await settle()
            other.finish()
        await asyncio.gather(first, second, stopping)

    playing(test, max_queued=1)


def test_a_worker_whose_process_ended_with_its_query_takes_no_other() -> None:
    async def test(stage: Stage) -> None:
        query = stage.ask("q")
        await settle()
        (worker,) = stage.bring()
        await settle()
        worker.finish()
        stage.workers.left(worker.id)  # heard before the answer
        stage.lent.pop(worker.id)
        await query
        assert stage.workers.clusters.members == []

    playing(test)


def test_what_runs_out_of_memory_is_tried_again_spilling() -> None:
    async def test(stage: Stage) -> None:
        query = stage.ask("q", memory_bytes=1 << 20)
        await settle()
        (worker,) = stage.bring()
        await settle()
        worker.fail(WorkerExhausted("too much"))
        await settle()
        (other,) = stage.bring()
        await settle()
        assert other.fragment is not None
        assert other.fragment.spill
        other.fail(WorkerExhausted("still too much"))
        with pytest.raises(OutOfMemory, match="still"):
            await query
        assert [why for _, why in stage.dismissed] == ["out of memory", "out of memory"]

    playing(test)


def test_without_a_budget_running_out_of_memory_is_final() -> None:
    async def test(stage: Stage) -> None:
        query = stage.ask("q")
        await settle()
        stage.bring()[0]
        await settle()
        stage.made[0].fail(WorkerExhausted("too much"))
        with pytest.raises(OutOfMemory):
            await query

    playing(test)


def test_an_error_of_the_query_leaves_the_worker() -> None:
    async def test(stage: Stage) -> None:
        query = stage.ask("q")
        await settle()
        (worker,) = stage.bring()
        await settle()
        worker.fail(InvalidRequest("division by zero"))
        with pytest.raises(InvalidRequest):
            await query
        assert stage.workers.clusters.free == 1

    playing(test)


def test_a_query_goes_to_the_worker_that_has_its_files() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        stage.bring()
        homes: dict[str, set[int]] = {}
        for _ in range(3):
            for name in ("f1", "f2", "f3", "f4", "f5", "f6"):
                query = stage.ask(name, files=[name])
                await settle()
                stage.running()[name].finish()
                homes.setdefault(name, set()).add(await query)
        assert all(len(pids) == 1 for pids in homes.values())
        assert len(set.union(*homes.values())) > 1

    playing(test, size=4)


def test_a_stream_tells_what_it_has_cost() -> None:
    async def test(stage: Stage) -> None:
        told: list[QueryStats] = []
        stage.queries.cost = lambda fragment, stats: told.append(stats)  # type: ignore[method-assign]
        stage.workers.resume()
        (worker,) = stage.bring()
        rows = stage.workers.stream(fragment_of("q"))
        first = asyncio.ensure_future(anext(rows))
        await settle()
        stage.clock.move(2_000)
        worker.finish()
        assert (await first).num_rows == 1
        assert [batch async for batch in rows] == []
        assert [(s.requests, s.attempts, s.worker_seconds) for s in told] == [(7, 1, 2.0)]

    playing(test)


# --- a cluster that gives nothing -----------------------------------------------------------------


def test_a_shortage_ends_those_who_wait_if_there_is_no_worker() -> None:
    async def test(stage: Stage) -> None:
        query = stage.ask("q")
        await settle()
        stage.workers.short("there are no nodes")
        with pytest.raises(Unavailable, match="there are no nodes"):
            await query
        with pytest.raises(Unavailable, match="there are no nodes"):
            await stage.ask("again")
        (worker,) = stage.bring()
        later = stage.ask("later")
        await settle()
        worker.finish()
        await later
        assert stage.workers.shortage is None

    playing(test)


def test_with_a_worker_those_who_wait_go_on_waiting() -> None:
    async def test(stage: Stage) -> None:
        first, second = stage.ask("a"), stage.ask("b")
        await settle()
        (worker,) = stage.bring(1)
        await settle()
        stage.workers.short("there is no second node")
        third = stage.ask("c")
        for _ in range(3):
            await settle()
            worker.finish()
        await asyncio.gather(first, second, third)
        assert stage.workers.shortage == "there is no second node"
        stage.workers.short(None)
        assert stage.workers.shortage is None

    playing(test, min_clusters=2, max_clusters=2)
