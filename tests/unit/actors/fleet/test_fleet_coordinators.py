"""Coordinators of the fleet: opened, shared, replaced, stopped; and what an earlier fleet left."""

from __future__ import annotations

import asyncio

import pytest

from actors.fleet.floors import REFILL_MS
from actors.fleet.openings import PAUSE_MS_MAX, STEADY_MS
from actors.fleet.port import Wish
from storage.errors import Unavailable, UnknownObject
from tests.unit.actors.fleet.stage import LARGE, SMALL, FakeProcess, Stage, playing, settle

COORDINATOR = "coordinator"


def test_those_who_ask_at_the_same_time_share_one_opening() -> None:
    async def test(stage: Stage) -> None:
        found = await asyncio.gather(*(stage.leader("a") for _ in range(5)))
        assert len(set(found)) == 1
        assert await stage.leader("a") is found[0]
        assert stage.states(COORDINATOR) == {"leading": 1}
        assert stage.fleet.running() == {"a": found[0]}

    playing(test)


def test_a_spare_process_leads_at_once_and_the_next_one_is_started_later() -> None:
    async def test(stage: Stage) -> None:
        (spare,) = stage.host.alive(COORDINATOR)
        stage.host.holding = True
        assert await stage.leader("a") is spare
        assert stage.states(COORDINATOR) == {"leading": 1}
        await stage.move(REFILL_MS)
        assert stage.states(COORDINATOR) == {"leading": 1, "starting": 1}

    playing(test, floors={COORDINATOR: 1})


def test_an_opening_that_fails_leaves_nothing_and_may_be_repeated() -> None:
    async def test(stage: Stage) -> None:
        stage.host.unknown = {"a"}
        found = await asyncio.gather(
            stage.leader("a"), stage.leader("a"), return_exceptions=True
        )  # fmt: skip
        assert [type(error) for error in found] == [UnknownObject, UnknownObject]
        await settle()
        assert stage.host.alive(COORDINATOR) == []
        assert stage.fleet.status()["warehouses"] == []
        stage.host.unknown = set()
        assert (await stage.leader("a")).leads == "a"

    playing(test)


def test_who_gives_up_does_not_end_the_opening_for_others() -> None:
    async def test(stage: Stage) -> None:
        stage.host.holding = True
        first = asyncio.create_task(stage.leader("a"))
        second = asyncio.create_task(stage.leader("a"))
        await settle()
        first.cancel()
        await settle()
        stage.host.alive(COORDINATOR)[0].start()
        assert (await second).leads == "a"

    playing(test)


@pytest.mark.parametrize("floor", [0, 1])
def test_a_coordinator_that_starts_too_late_is_a_spare_or_ends(floor: int) -> None:
    async def test(stage: Stage) -> None:
        await settle()
        before = stage.host.alive(COORDINATOR)
        asking = asyncio.create_task(stage.leader("a"))
        await settle()
        await stage.move(1_000)
        with pytest.raises(Unavailable, match=r"within 1 s; it has 2 CPUs"):
            await asking
        await settle()
        assert len(stage.host.alive(COORDINATOR)) == floor
        for process in stage.host.processes:
            process.start()
        await settle()
        assert stage.states(COORDINATOR) == ({"spare": 1} if floor else {})
        assert len(before) == floor

    def hold(stage: Stage) -> None:
        stage.host.holding = True

    playing(test, hold, floors={COORDINATOR: floor}, start_timeout_ms=1_000.0)


def test_a_coordinator_that_dies_while_it_opens_is_replaced_a_few_times() -> None:
    async def test(stage: Stage) -> None:
        stage.host.dying_leads = 2
        asking = asyncio.create_task(stage.leader("a"))
        await stage.move(3_000)
        assert (await asking).leads == "a"
        stage.host.dying_leads = 3
        asking = asyncio.create_task(stage.leader("b"))
        await stage.move(3_000)
        with pytest.raises(Unavailable, match="died 3 times while it opened"):
            await asking

    playing(test)


def test_a_coordinator_that_dies_again_and_again_is_replaced_more_and_more_slowly() -> None:
    async def test(stage: Stage) -> None:
        await stage.served("a", 1)
        started = []
        for _ in range(8):
            (leader,) = stage.host.alive(COORDINATOR)
            leader.die()
            since_ms = stage.clock.monotonic_ms()
            while not stage.host.alive(COORDINATOR):
                stage.clock.move(50)
                await settle(10)
            started.append(stage.clock.monotonic_ms() - since_ms)
            await settle()
        assert started[0] <= 50
        assert started == sorted(started)
        assert PAUSE_MS_MAX <= started[-1] <= PAUSE_MS_MAX + 100
        await stage.move(STEADY_MS)
        (leader,) = stage.host.alive(COORDINATOR)
        leader.die()
        await settle()
        assert len(stage.host.alive(COORDINATOR)) == 1

    playing(test)


@pytest.mark.parametrize("turns", range(8))
def test_a_coordinator_that_dies_unheard_is_not_taken_for_one_that_leads(turns: int) -> None:
    async def test(stage: Stage) -> None:
        stage.host.holding = True
        asking = asyncio.create_task(stage.leader("a"))
        await settle()
        (first,) = stage.host.alive(COORDINATOR)
        stage.host.holding = False
        first.start()
        await settle(turns)
        first.die()
        await settle()
        await stage.move(1_000)
        await asking
        await settle()
        assert (await stage.leader("a")).alive
        assert stage.states(COORDINATOR) == {"leading": 1}

    playing(test)


def test_a_coordinator_whose_death_is_heard_before_its_last_answer_does_not_lead() -> None:
    async def test(stage: Stage) -> None:
        stage.host.dying_unheard = 1
        assert (await stage.leader("a")).alive
        assert stage.states(COORDINATOR) == {"leading": 1}

    playing(test)


def test_the_next_coordinator_gets_the_workers_that_are_idle() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 4)
        busy, gone, *idle = a.workers.values()
        busy.busy = True
        stage.host.leading.clear()
        a.die()
        await settle()
        gone.die()
        stage.host.leading.set()
        await settle()
        after = await stage.leader("a")
        assert after is not a
        assert list(after.workers.values()) == idle
        assert after.taken_over == [2]
        assert busy.killed
        assert stage.states(SMALL) == {"lent": 2}
        assert "coordinator lost" in stage.actions()

    playing(test)


def test_a_coordinator_without_idle_workers_is_followed_by_one_that_sleeps() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 1)
        next(iter(a.workers.values())).busy = True
        a.die()
        await settle()
        after = await stage.leader("a")
        assert (after.taken_over, after.workers) == ([], {})
        assert stage.states(SMALL) == {}

    playing(test)


@pytest.mark.parametrize("turns", range(0, 40, 3))
def test_a_worker_that_dies_while_it_is_handed_over_is_not_kept(turns: int) -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 2)
        stage.host.pauses = lambda: 3
        dead, other = a.workers.values()
        a.die()
        await settle(turns)
        dead.die()
        await settle(200)
        after = await stage.leader("a")
        assert list(after.workers.values()) == [other]

    playing(test)


def test_a_replaced_coordinator_is_not_heard() -> None:
    async def test(stage: Stage) -> None:
        old = await stage.served("a", 1)
        worker = next(iter(old.workers.values()))
        old.die()
        await settle()
        new = await stage.leader("a")
        assert list(new.workers.values()) == [worker]
        old.leads = "a"
        stage.wish(old, 5)
        stage.fleet.give_back(old.id, [worker.id])
        stage.fleet.dismiss(old.id, worker.id, "cancelled")
        await settle()
        assert worker.alive
        assert stage.states(SMALL) == {"lent": 1}
        assert list(new.workers.values()) == [worker]

    playing(test)


def test_a_virtual_warehouse_that_was_dropped_is_not_opened_again() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 1)
        stage.host.unknown = {"a"}
        a.die()
        await settle()
        assert stage.fleet.status()["warehouses"] == []
        assert stage.host.alive(SMALL) == []

    playing(test)


def test_one_that_finds_itself_dropped_drains_and_ends() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 1)
        stage.fleet.dropped("nobody")
        stage.fleet.dropped(a.id)
        await settle()
        assert a.alive
        stage.host.drained.set()
        await settle()
        assert a.closed == [False]
        assert stage.fleet.status()["warehouses"] == []

    playing(test)


# --- stopping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("force", [False, True])
def test_stopping_ends_all_processes_of_a_virtual_warehouse(force: bool) -> None:
    async def test(stage: Stage) -> None:
        a, b = await stage.served("a", 2), await stage.served("b", 1)
        stopping = asyncio.create_task(stage.fleet.stop("a", force=force))
        await settle()
        assert stopping.done() is force
        assert a.alive is not force
        stage.host.drained.set()
        await stopping
        await settle()
        assert a.closed == [force]
        assert not a.alive
        assert stage.host.alive(SMALL) == list(b.workers.values())
        await stage.fleet.stop("a", force=force)  # none runs
        assert (await stage.leader("a")) is not a

    playing(test)


def test_what_is_opening_is_stopped_once_it_is_open() -> None:
    async def test(stage: Stage) -> None:
        stage.host.holding = True
        asking = asyncio.create_task(stage.leader("a"))
        await settle()
        stopping = asyncio.create_task(stage.fleet.stop("a", force=True))
        await settle()
        stage.host.alive(COORDINATOR)[0].start()
        await stopping
        await asking
        await settle()
        assert stage.host.alive(COORDINATOR) == []

    playing(test)


def test_stopping_one_whose_opening_fails_is_no_error() -> None:
    async def test(stage: Stage) -> None:
        stage.host.unknown = {"a"}
        asking = asyncio.create_task(stage.leader("a"))
        await asyncio.sleep(0)
        await stage.fleet.stop("a", force=True)
        with pytest.raises(UnknownObject):
            await asking

    playing(test)


def test_a_drain_may_be_forced_meanwhile() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 1)
        draining = asyncio.create_task(stage.fleet.stop("a", force=False))
        await settle()
        await stage.fleet.stop("a", force=True)
        await draining
        assert a.closed == [False, True]
        again = await stage.served("a", 1)
        await settle()
        assert again.alive
        assert stage.states(SMALL) == {"lent": 1}

    playing(test)


def test_a_coordinator_that_dies_while_it_drains_is_not_replaced() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 1)
        stopping = asyncio.create_task(stage.fleet.stop("a", force=False))
        await settle()
        a.die()
        await stopping
        await settle()
        assert len([p for p in stage.host.processes if p.shape == COORDINATOR]) == 1
        assert stage.host.alive(COORDINATOR) == []
        assert stage.host.alive(SMALL) == []
        assert stage.fleet.status()["warehouses"] == []

    playing(test)


def test_who_asks_for_one_that_is_being_stopped_is_told_so() -> None:
    async def test(stage: Stage) -> None:
        stage.host.slow_close = True
        a = await stage.served("a", 1)
        stopping = asyncio.create_task(stage.fleet.stop("a", force=False))
        await settle()
        a.die()
        await settle(10)
        assert not stopping.done()
        stage.host.leading.clear()
        asking = asyncio.create_task(stage.leader("a"))
        await stopping
        stage.host.leading.set()
        with pytest.raises(Unavailable, match="was stopped; ask again"):
            await asking
        await settle()
        assert stage.host.alive(COORDINATOR) == []

    playing(test)


def test_a_drain_that_nobody_waits_for_is_given_up() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 1)
        stopping = asyncio.create_task(stage.fleet.stop("a", force=False))
        await settle()
        stopping.cancel()
        await settle()
        assert (await stage.leader("a")) is a
        a.die()
        await settle()
        assert (await stage.leader("a")).alive

    playing(test)


def test_closing_fails_those_who_still_wait_for_a_coordinator() -> None:
    async def test(stage: Stage) -> None:
        stage.host.holding = True
        asking = asyncio.create_task(stage.leader("a"))
        await settle()
        await stage.fleet.close()
        with pytest.raises(Unavailable, match="are being ended"):
            await asking
        with pytest.raises(Unavailable, match="are being ended"):
            await stage.leader("b")

    playing(test)


def test_closing_does_not_wait_for_ever_for_a_coordinator_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.fleet.fleet.CLOSE_S", 0.001)

    async def test(stage: Stage) -> None:
        asking = asyncio.create_task(stage.leader("b"))
        stage.host.leading.clear()
        await settle()
        await stage.fleet.close()
        with pytest.raises(asyncio.CancelledError):
            await asking

    playing(test)


# --- what an earlier fleet has left ---------------------------------------------------------------


def test_what_an_earlier_fleet_left_goes_on() -> None:
    found: dict[str, FakeProcess] = {}

    def before(stage: Stage) -> None:
        found["leader"] = stage.host.earlier("c1", COORDINATOR, "a")
        found["other"] = stage.host.earlier("c2", COORDINATOR, "a")
        found["lent"] = stage.host.earlier("w1", SMALL, "a")
        found["orphan"] = stage.host.earlier("w2", SMALL, "b")
        found["spare"] = stage.host.earlier("w3", SMALL)
        found["more"] = stage.host.earlier("w4", SMALL)

    async def test(stage: Stage) -> None:
        assert await stage.leader("a") is found["leader"]
        assert not found["other"].alive
        assert found["leader"].workers == {"w1": found["lent"]}
        b = await stage.leader("b")
        assert b.workers == {"w2": found["orphan"]}
        assert b.taken_over == [1]
        assert found["spare"].alive
        assert not found["more"].alive
        assert "worker ready" not in stage.actions()
        stage.wish(found["leader"], 2)
        await settle()
        assert found["leader"].workers == {"w1": found["lent"], "w3": found["spare"]}
        found["lent"].die()
        await settle()
        assert "w1" not in found["leader"].workers

    playing(test, before, floors={SMALL: 1})


def test_a_worker_whose_virtual_warehouse_is_gone_ends() -> None:
    def before(stage: Stage) -> None:
        stage.host.unknown = {"b"}
        stage.host.earlier("w1", LARGE, "b")

    async def test(stage: Stage) -> None:
        assert stage.host.alive(LARGE) == []
        assert stage.host.alive(COORDINATOR) == []

    playing(test, before)


# --- to be looked at ------------------------------------------------------------------------------


def test_queries_are_seen_and_ended_wherever_they_run() -> None:
    async def test(stage: Stage) -> None:
        await stage.leader("a")
        b = await stage.leader("b")
        queries = await stage.fleet.observe("queries")
        assert [q.query_id for q in queries] == ["of the primary", "of a", "of b"]  # type: ignore[union-attr]
        assert [w.name for w in await stage.fleet.observe("warehouses")] == ["a", "b"]  # type: ignore[union-attr]
        assert await stage.fleet.cancel("of b")
        assert not await stage.fleet.cancel("of c")
        b.die()
        assert not await stage.fleet.cancel("of b")
        warehouses = await stage.fleet.observe("warehouses")
        assert {w.name: w.state for w in warehouses}["b"] == "starting"  # type: ignore[union-attr]

    playing(test)


def test_the_status_counts_processes_by_shape_and_state() -> None:
    async def test(stage: Stage) -> None:
        await stage.served("a", 2)
        status = stage.fleet.status()
        assert status["processes"] == [
            {"shape": "1 CPUs on nodes of type default", "state": "lent", "count": 2},
            {"shape": "coordinator", "state": "leading", "count": 1},
        ]
        assert len(status["pids"]) == 3
        assert status["warehouses"] == ["a"]

    playing(test)


def test_workers_of_a_new_warehouse_start_beside_its_coordinator() -> None:
    async def test(stage: Stage) -> None:
        stage.host.holding = True
        first = Wish(warehouse="a", leader="", serial=0, shape=SMALL, clusters=1, workers=2)
        opening = asyncio.create_task(stage.fleet.coordinator("a", first))
        await settle()
        assert stage.states(SMALL) == {"starting": 2}
        for process in stage.host.alive(SMALL):
            process.start()
        await settle()
        assert stage.states(SMALL) == {"spare": 2}  # nobody can have them yet
        stage.host.alive(COORDINATOR)[0].start()
        leader = await opening
        await settle()
        assert leader.taken_over == [0]  # it begins awake
        assert stage.states(SMALL) == {"lent": 2}
        stage.fleet.wish(
            Wish(warehouse="a", leader=leader.id, serial=1, shape=SMALL, clusters=0, workers=0), ()
        )
        stage.fleet.give_back(leader.id, list(leader.workers))
        await settle()
        assert stage.host.alive(SMALL) == []

    playing(test)


def test_what_a_new_warehouse_would_have_wished_ends_with_a_failed_opening() -> None:
    async def test(stage: Stage) -> None:
        stage.host.unknown = {"a"}
        first = Wish(warehouse="a", leader="", serial=0, shape=SMALL, clusters=1, workers=2)
        with pytest.raises(UnknownObject):
            await stage.fleet.coordinator("a", first)
        await settle()
        assert stage.host.alive(SMALL) == []

    playing(test)
