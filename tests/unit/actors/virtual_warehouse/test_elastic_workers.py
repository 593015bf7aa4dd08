"""Workers of a virtual warehouse: sleeping, waking, draining, warming, other settings, ticks."""

from __future__ import annotations

import asyncio

import pytest

from actors.compute.workers import WorkerLost
from storage.errors import Cancelled, InternalError, Unavailable
from tests.unit.actors.virtual_warehouse.elastic_stage import FakeWorker, Stage, playing, settle

# --- sleeping and waking --------------------------------------------------------------------------


def test_without_auto_resume_a_query_does_not_wake_it() -> None:
    async def test(stage: Stage) -> None:
        with pytest.raises(Unavailable, match="auto_resume is off: ALTER WAREHOUSE bi RESUME"):
            await stage.ask("q")
        assert stage.wishes == []
        stage.workers.resume()
        query = stage.ask("q")
        await settle()
        stage.bring()[0]
        await settle()
        stage.made[0].finish()
        await query

    playing(test, auto_resume=False)


def test_waking_waits_for_the_first_worker() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        awake = asyncio.create_task(stage.workers.awake())
        await settle()
        assert not awake.done()
        stage.bring()
        await awake
        stage.workers.resume()
        assert stage.actions() == ["resume"]

    playing(test)


def test_waking_fails_for_want_of_workers_or_if_it_sleeps_again() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        awake = asyncio.create_task(stage.workers.awake())
        await settle()
        stage.workers.short("there are no nodes")
        with pytest.raises(Unavailable, match="there are no nodes"):
            await awake
        await stage.workers.suspend(force=False)
        stage.workers.resume()
        awake = asyncio.create_task(stage.workers.awake())
        await settle()
        assert not awake.done()
        await stage.workers.suspend(force=False)
        with pytest.raises(Unavailable, match="suspended again"):
            await awake

    playing(test)


def test_suspending_drains_and_holds_what_comes_meanwhile() -> None:
    async def test(stage: Stage) -> None:
        first, second = stage.ask("a"), stage.ask("b")
        await settle()
        (worker,) = stage.bring()
        await settle()
        suspending = asyncio.create_task(stage.workers.suspend(force=False))
        await settle()
        third = stage.ask("c")
        for _ in range(2):
            await settle()
            assert not suspending.done()
            worker.finish()
        await asyncio.gather(first, second, suspending)
        assert stage.given == [worker.id]
        assert worker.forgotten
        await settle()
        assert stage.actions() == ["resume", "suspend", "resume"]  # the third has woken it
        (other,) = stage.bring()
        await settle()
        other.finish()
        assert await third == other.pid

    playing(test)


async def busy(stage: Stage) -> tuple[asyncio.Task[int], FakeWorker]:
    """A query, and the only worker, which runs it."""
    asked = stage.ask("a")
    await settle()
    (worker,) = stage.bring()
    await settle()
    return asked, worker


def test_resuming_while_it_drains_wins() -> None:
    async def test(stage: Stage) -> None:
        first, worker = await busy(stage)
        suspending = [asyncio.create_task(stage.workers.suspend(force=False)) for _ in range(2)]
        await settle()
        second = stage.ask("b")
        await settle()
        stage.workers.resume()
        for waits in suspending:
            with pytest.raises(Unavailable, match="was resumed before it slept"):
                await waits
        for _ in range(2):
            await settle()
            worker.finish()
        assert await first == await second == worker.pid
        assert stage.given == []
        assert stage.actions() == ["resume"]

    playing(test)


def test_two_who_suspend_it_at_a_time_hold_queries_until_both_are_done() -> None:
    async def test(stage: Stage) -> None:
        first, worker = await busy(stage)
        suspending = [asyncio.create_task(stage.workers.suspend(force=False)) for _ in range(2)]
        await settle()
        held = stage.ask("b")
        await settle()
        worker.finish()
        await first
        await asyncio.gather(*suspending)
        await settle()
        assert stage.actions() == ["resume", "suspend", "resume"]
        (other,) = stage.bring()
        await settle()
        other.finish()
        await held

    playing(test)


def test_what_is_held_is_bounded_and_times_out_too() -> None:
    async def test(stage: Stage) -> None:
        first = stage.ask("a")
        await settle()
        (worker,) = stage.bring()
        await settle()
        suspending = asyncio.create_task(stage.workers.suspend(force=False))
        await settle()
        held = stage.ask("b", queue_timeout_ms=1)
        await settle(2)
        with pytest.raises(Unavailable, match="1 queries wait"):
            await stage.ask("c")
        with pytest.raises(Cancelled, match="waited more than 1 ms"):
            await held
        worker.finish()
        await asyncio.gather(first, suspending)

    playing(test, max_queued=1)


def test_a_query_that_loses_its_worker_while_it_drains_is_not_held() -> None:
    async def test(stage: Stage) -> None:
        query = stage.ask("a")
        await settle()
        (worker,) = stage.bring()
        await settle()
        suspending = asyncio.create_task(stage.workers.suspend(force=False))
        await settle()
        worker.die()
        await settle()
        assert not suspending.done()
        (other,) = stage.bring()
        await settle()
        other.finish()
        await asyncio.gather(query, suspending)
        assert stage.actions() == ["resume", "suspend"]

    playing(test)


def test_suspending_by_force_ends_the_queries() -> None:
    async def test(stage: Stage) -> None:
        running, waiting = stage.ask("a"), stage.ask("b")
        await settle()
        (worker,) = stage.bring()
        await settle()
        await stage.workers.suspend(force=True)
        for query in (running, waiting):
            with pytest.raises(Cancelled, match="virtual warehouse bi was suspended"):
                await query
        assert stage.dismissed == [(worker.id, "cancelled")]
        assert stage.wished == 0
        assert stage.rests[-1] is True

    playing(test)


def test_suspending_that_is_given_up_lets_queries_in_again() -> None:
    async def test(stage: Stage) -> None:
        first = stage.ask("a")
        await settle()
        (worker,) = stage.bring()
        await settle()
        suspending = asyncio.create_task(stage.workers.suspend(force=False))
        await settle()
        second = stage.ask("b")
        await settle()
        suspending.cancel()
        for _ in range(2):
            await settle()
            worker.finish()
        await asyncio.gather(first, second)
        assert stage.actions() == ["resume"]

    playing(test)


def test_stopping_refuses_new_queries_and_ends_with_the_last() -> None:
    async def test(stage: Stage) -> None:
        query = stage.ask("a")
        await settle()
        (worker,) = stage.bring()
        await settle()
        stopping = asyncio.create_task(stage.workers.stop(force=False))
        await settle()
        with pytest.raises(Unavailable, match="is being stopped"):
            await stage.ask("b")
        with pytest.raises(Unavailable, match="is being stopped"):
            stage.workers.resume()
        worker.finish()
        await asyncio.gather(query, stopping)
        assert stage.given == [worker.id]
        assert stage.actions() == ["resume", "stop"]

    playing(test)


def test_stopping_that_is_given_up_lets_queries_in_again() -> None:
    async def test(stage: Stage) -> None:
        first = stage.ask("a")
        await settle()
        (worker,) = stage.bring()
        await settle()
        stopping = asyncio.create_task(stage.workers.stop(force=False))
        await settle()
        stopping.cancel()
        await settle()
        second = stage.ask("b")
        for _ in range(2):
            await settle()
            worker.finish()
        await asyncio.gather(first, second)

    playing(test)


def test_what_is_held_while_it_stops_is_refused() -> None:
    async def test(stage: Stage) -> None:
        first = stage.ask("a")
        await settle()
        (worker,) = stage.bring()
        await settle()
        suspending = asyncio.create_task(stage.workers.suspend(force=False))
        await settle()
        held = stage.ask("b")
        await settle()
        stopping = asyncio.create_task(stage.workers.stop(force=False))
        await settle()
        worker.finish()
        await asyncio.gather(first, suspending, stopping)
        with pytest.raises(Unavailable, match="is being stopped"):
            await held

    playing(test)


def test_a_worker_that_comes_too_late_goes_back() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        await stage.workers.suspend(force=False)
        (worker,) = stage.bring(1)
        assert stage.given == [worker.id]
        assert stage.workers.clusters.members == []
        assert stage.workers.clusters.draining == 0

    playing(test)


def test_the_next_coordinator_goes_on_with_the_workers_of_the_last() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.take_over(3)
        stage.bring(3)
        assert stage.workers.clusters.wanted == 2
        assert stage.wished == 4
        assert stage.given == []

    playing(test, size=2, max_clusters=3)


# --- more and fewer -------------------------------------------------------------------------------


def test_scaling_in_drains_and_no_query_fails() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        stage.bring()
        queries = [stage.ask(f"q{n}") for n in range(4)]
        await settle()
        stage.change(min_clusters=1, max_clusters=1)
        stage.workers.look()
        assert stage.actions()[-1] == "scale in"
        assert stage.workers.clusters.draining == 1
        assert stage.given == []
        more = stage.ask("more")
        await settle()
        assert stage.workers.queued == 1
        for worker in stage.running().values():
            worker.finish()
        await settle()
        assert len(stage.given) == 2
        assert stage.workers.clusters.draining == 0
        stage.running()["more"].finish()
        await asyncio.gather(*queries, more)

    playing(test, size=2, min_clusters=2, max_clusters=2)


def test_a_cluster_that_drains_serves_again_if_it_is_wanted() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        stage.bring()
        queries = [stage.ask(f"q{n}") for n in range(2)]
        await settle()
        stage.change(min_clusters=1, max_clusters=1)
        stage.workers.look()
        waiting = stage.ask("more")
        await settle()
        stage.change(min_clusters=2, max_clusters=2)
        stage.workers.look()
        assert stage.workers.clusters.draining == 0
        assert stage.lacking() == 0
        for _ in range(2):
            for worker in stage.running().values():
                worker.finish()
            await settle()
        await asyncio.gather(*queries, waiting)

    playing(test, min_clusters=2, max_clusters=2)


def test_a_larger_size_brings_workers_and_a_smaller_one_gives_idle_ones_back() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        stage.bring()
        stage.change(size=3)
        stage.workers.look()
        assert stage.lacking() == 2
        stage.bring()
        await settle()
        query = stage.ask("q")
        await settle()
        busy = stage.running()["q"]
        stage.change(size=1)
        stage.workers.look()
        assert stage.wished == 1
        assert busy.id in stage.lent
        assert len(stage.lent) == 1
        busy.finish()
        await query
        assert len(stage.lent) == 1

    playing(test)


def test_of_too_many_workers_those_that_only_warm_up_go_first() -> None:
    async def test(stage: Stage) -> None:
        await read(stage, "f1")
        stage.change(size=2)
        stage.workers.look()
        (warming,) = stage.bring(warming=True)
        await settle()
        stage.change(size=1)
        assert stage.given == [warming.id]

    playing(test)


def test_another_shape_replaces_the_old_workers_without_a_gap() -> None:
    async def test(stage: Stage) -> None:
        await read(stage, *(f"f{n}" for n in range(20)))
        old = list(stage.lent.values())
        query = stage.ask("q")
        await settle()
        busy = stage.running()["q"]
        stage.change(worker_cpus=2)
        stage.workers.look()
        assert stage.lacking() == 2
        first, second = stage.bring(warming=True)
        await settle()
        assert stage.given == []
        assert stage.workers.clusters.ready == 2
        assert first.warming is not None
        first.warming.set()
        await settle()
        assert stage.given == [worker.id for worker in old if worker is not busy]
        assert second.warming is not None
        second.warming.set()
        await settle()
        assert busy.id in stage.lent
        busy.finish()
        await query
        assert sorted(stage.lent) == [first.id, second.id]
        assert stage.workers.clusters.ready == 2

    playing(test, size=2)


def test_the_number_of_queries_at_a_time_is_heeded_and_may_change() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        stage.bring()
        queries = [stage.ask(f"q{n}") for n in range(3)]
        await settle()
        assert len(stage.running()) == 1
        stage.change(max_concurrency=None)
        await settle()
        assert len(stage.running()) == 3
        for worker in stage.running().values():
            worker.finish()
        await asyncio.gather(*queries)

    playing(test, size=3, max_concurrency=1)


def test_a_worker_that_was_sent_twice_is_one() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        (worker,) = stage.bring()
        stage.workers.join(worker.id, worker, worker.shape)
        assert len(stage.workers.clusters.members) == 1

    playing(test)


# --- warming --------------------------------------------------------------------------------------


async def read(stage: Stage, *files: str) -> None:
    """Let its first workers read files, so that these are hot."""
    stage.workers.resume()
    stage.bring()
    query = stage.ask("read", files=files)
    await settle()
    stage.running()["read"].finish()
    await query


def test_a_worker_fetches_hot_files_before_it_takes_queries() -> None:
    async def test(stage: Stage) -> None:
        files = [f"f{n}" for n in range(40)]
        await read(stage, *files)
        assert stage.made[0].warmed is None  # nobody served then
        stage.change(size=2)
        stage.workers.look()
        (worker,) = stage.bring(warming=True)
        await settle()
        assert worker.warmed is not None
        assert 0 < len(worker.warmed) < len(files)
        assert stage.workers.clusters.ready == 1
        assert worker.warming is not None
        worker.warming.set()
        await settle()
        assert stage.workers.clusters.ready == 2
        assert stage.workers.warm_requests == len(worker.warmed)
        assert stage.workers.warm_bytes == 10 * len(worker.warmed)

    playing(test)


def test_fetching_that_hangs_is_given_up() -> None:
    async def test(stage: Stage) -> None:
        await read(stage, *(f"f{n}" for n in range(20)))
        stage.change(size=2)
        stage.workers.look()
        stage.bring(warming=True)
        await settle()
        stage.clock.move(9_999)
        await settle()
        assert stage.workers.clusters.ready == 1
        stage.clock.move(1)
        await settle()
        assert stage.workers.clusters.ready == 2

    playing(test)


@pytest.mark.parametrize("error", [WorkerLost(), InternalError("a process failed")])
def test_fetching_that_fails_is_left_to_the_queries(error: Exception) -> None:
    async def test(stage: Stage) -> None:
        await read(stage, *(f"f{n}" for n in range(20)))
        stage.change(size=2)
        stage.workers.look()
        (worker,) = stage.bring(warming=True)
        worker.warm_error = error
        assert worker.warming is not None
        worker.warming.set()
        await settle()
        assert stage.workers.clusters.ready == 2

    playing(test)


def test_a_worker_that_dies_while_it_warms_up_is_forgotten() -> None:
    async def test(stage: Stage) -> None:
        await read(stage, *(f"f{n}" for n in range(20)))
        stage.change(size=2)
        stage.workers.look()
        (worker,) = stage.bring(warming=True)
        await settle()
        worker.die()
        assert worker.warming is not None
        worker.warming.set()
        await settle()
        assert len(stage.workers.clusters.members) == 1

    playing(test)


@pytest.mark.parametrize("busy", [False, True])
def test_when_the_last_that_serves_is_lost_those_that_warm_up_serve_at_once(busy: bool) -> None:
    async def test(stage: Stage) -> None:
        await read(stage, *(f"f{n}" for n in range(20)))
        stage.change(size=2)
        stage.workers.look()
        (worker,) = stage.bring(warming=True)
        query = stage.ask("q") if busy else None
        await settle()
        stage.made[0].die()
        query = query or stage.ask("q")
        await settle()
        assert list(stage.running().values()) == [worker]
        worker.finish()
        await query

    playing(test)


def test_an_idle_worker_that_dies_is_forgotten() -> None:
    async def test(stage: Stage) -> None:
        stage.workers.resume()
        (worker,) = stage.bring()
        worker.die()
        stage.workers.left("nobody")
        assert stage.workers.clusters.members == []
        assert stage.dismissed == []

    playing(test)


# --- ticks ----------------------------------------------------------------------------------------


def test_it_looks_four_times_a_second_and_repeats_its_wish() -> None:
    async def test(stage: Stage) -> None:
        scaling = asyncio.create_task(stage.workers.run_scaling())
        stage.workers.resume()
        stage.bring()
        await settle()
        queries = [stage.ask(f"q{n}") for n in range(3)]
        await settle()
        assert stage.actions() == ["resume"]
        for _ in range(2):
            stage.clock.move(250)
            await settle()
        assert stage.actions() == ["resume", "scale out"]
        assert stage.wished == 3
        stage.bring()
        await settle()
        for worker in stage.running().values():
            worker.finish()
        await asyncio.gather(*queries)
        told = len(stage.wishes)
        for _ in range(20):
            stage.clock.move(250)
            await settle()
        assert len(stage.wishes) == told + 1
        scaling.cancel()

    playing(test, max_clusters=4)


def test_it_falls_asleep_when_it_is_idle_and_says_so_now_and_then() -> None:
    async def test(stage: Stage) -> None:
        scaling = asyncio.create_task(stage.workers.run_scaling())
        stage.workers.resume()
        (worker,) = stage.bring()
        await settle()
        for _ in range(11 * 4):
            stage.clock.move(250)
            await settle()
        assert stage.actions() == ["resume", "suspend"]
        assert stage.given == [worker.id]
        told = len(stage.wishes)
        stage.clock.move(5_000)
        await settle()
        assert [wish.workers for wish in stage.wishes[told:]] == [0]
        scaling.cancel()

    playing(test, auto_suspend_s=10)
