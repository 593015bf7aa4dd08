"""Workers of the fleet: lent, given back, kept ready, started again, replaced."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from actors.fleet.books import FORGOTTEN_MS
from actors.fleet.floors import REFILL_MS
from actors.fleet.port import Wish
from tests.unit.actors.fleet.stage import LARGE, SMALL, Stage, playing, settle


def test_a_wish_takes_spare_processes_before_it_starts_others() -> None:
    async def test(stage: Stage) -> None:
        spare = stage.host.alive(SMALL)
        assert len(spare) == 2
        leader = await stage.leader("a")
        stage.host.holding = True
        stage.wish(leader, 3)
        await settle()
        assert list(leader.workers.values()) == spare
        assert [worker.lent_to for worker in spare] == ["a", "a"]
        assert stage.states(SMALL) == {"lent": 2, "starting": 1}  # the one that lacks
        await stage.move(REFILL_MS)
        assert stage.states(SMALL) == {"lent": 2, "starting": 3}  # and the floor again

    playing(test, floors={SMALL: 2})


def test_floors_are_kept_while_nothing_runs() -> None:
    async def test(stage: Stage) -> None:
        assert stage.states(SMALL) == {"spare": 2}
        assert stage.states("coordinator") == {"spare": 1}
        first = stage.host.alive(SMALL)[0]
        first.die()
        await settle()
        assert stage.states(SMALL) == {"spare": 2}
        assert stage.host.told_nodes == []

    playing(test, floors={SMALL: 2, "coordinator": 1})


def test_whichever_process_is_ready_first_goes_to_who_has_waited_longest() -> None:
    async def test(stage: Stage) -> None:
        a, b = await stage.leader("a"), await stage.leader("b")
        stage.host.holding = True
        stage.wish(b, 1)
        stage.clock.move(1)
        stage.wish(a, 1)
        first, second = stage.host.alive(SMALL)
        second.start()
        await settle()
        assert list(b.workers.values()) == [second]
        assert not a.workers
        first.start()
        await settle()
        assert list(a.workers.values()) == [first]

    playing(test)


def test_who_lost_a_worker_waits_from_then_on() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 1)
        b = await stage.leader("b")
        stage.clock.move(10)
        stage.host.holding = True
        stage.wish(b, 1)
        stage.clock.move(10)
        next(iter(a.workers.values())).die()
        await settle()
        stage.host.alive(SMALL)[0].start()
        await settle()
        assert len(b.workers) == 1
        assert not a.workers

    playing(test)


def test_what_is_given_back_serves_another_virtual_warehouse() -> None:
    async def test(stage: Stage) -> None:
        a, b = await stage.served("a", 2), await stage.leader("b")
        workers = list(a.workers.values())
        stage.host.holding = True
        stage.wish(b, 1)
        stage.wish(a, 1)
        stage.give_back(a, workers[0])
        await settle()
        assert list(b.workers.values()) == [workers[0]]
        assert workers[0].lent_to == "b"
        assert stage.host.alive(SMALL) == workers

    playing(test)


def test_a_worker_whose_return_was_lost_is_missed() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 2)
        lost, kept = a.workers.values()
        del a.workers[lost.id]  # it was given back, and nobody heard
        stage.wish(a, 1)
        await settle()
        assert lost.alive  # this wish may have been said before it had joined
        await stage.move(FORGOTTEN_MS)
        stage.wish(a, 1)
        await settle()
        assert stage.host.alive(SMALL) == [kept]
        assert "worker replaced" in stage.actions()
        assert a.workers == {kept.id: kept}

    playing(test)


def test_workers_of_a_dead_coordinator_are_not_missed_by_the_next_one() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 2)
        workers = stage.host.alive(SMALL)
        await stage.move(FORGOTTEN_MS)
        stage.host.taking_over = lambda leader: stage.wish(leader, 2)  # before it has them
        a.die()
        await stage.move(1_000)
        leader = await stage.leader("a")
        assert list(leader.workers.values()) == workers == stage.host.alive(SMALL)

    playing(test)


def test_a_worker_on_its_way_is_not_missed() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.leader("a")
        stage.host.holding = True
        stage.wish(a, 1)
        await stage.move(FORGOTTEN_MS)
        stage.wish(a, 1)
        await settle()
        (worker,) = stage.host.alive(SMALL)
        worker.start()
        await settle()
        stage.wish(a, 1)
        await settle()
        assert stage.host.alive(SMALL) == [worker] == list(a.workers.values())

    playing(test)


def test_of_what_is_given_back_the_floor_is_kept_and_the_rest_ends() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 3)
        await stage.move(REFILL_MS)
        assert stage.states(SMALL) == {"lent": 3, "spare": 1}
        workers = list(a.workers.values())
        stage.wish(a, 0)
        stage.give_back(a, *workers)
        await settle()
        assert stage.states(SMALL) == {"spare": 1}
        assert len(stage.host.alive(SMALL)) == 1

    playing(test, floors={SMALL: 1})


def test_shapes_do_not_stand_in_for_each_other() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.leader("a")
        stage.wish(a, 1, LARGE)
        await settle()
        assert [worker.shape for worker in a.workers.values()] == [LARGE]
        assert stage.states(SMALL) == {"spare": 1}

    playing(test, floors={SMALL: 1})


def test_a_wish_that_shrinks_ends_what_still_starts() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.leader("a")
        stage.host.holding = True
        stage.wish(a, 3)
        assert len(stage.host.alive(SMALL)) == 3
        stage.wish(a, 1)
        first = stage.host.alive(SMALL)
        assert len(first) == 1
        first[0].start()
        await settle()
        assert len(a.workers) == 1
        assert stage.states(SMALL) == {"lent": 1}

    playing(test)


def test_a_start_that_fails_is_repeated_after_growing_pauses() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.leader("a")
        stage.host.failing = 9
        stage.wish(a, 1)
        starts = []
        for _ in range(400):
            await settle(5)
            starts.append(len(stage.host.processes))
            stage.clock.move(50)
        begun = [starts.index(count) * 50 for count in sorted(set(starts))]
        pauses = [after - before for before, after in itertools.pairwise(begun)]
        assert pauses == [100, 200, 400, 800, 1600, 3200, 5000, 5000]
        await stage.move(5_000)
        assert len(a.workers) == 1
        stage.host.failing = 1
        stage.wish(a, 2)
        await settle()
        stage.clock.move(100)  # short again
        await settle()
        assert len(a.workers) == 2

    playing(test)


def test_starts_that_fail_together_are_one_failure() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.leader("a")
        stage.host.failing = 20
        stage.wish(a, 20)
        await settle()
        stage.clock.move(99)
        await settle()
        assert not stage.host.alive(SMALL)
        stage.host.failing = 20
        stage.clock.move(1)
        await settle()
        stage.clock.move(199)
        await settle()
        assert not stage.host.alive(SMALL)
        stage.clock.move(1)
        await settle()
        assert len(a.workers) == 20

    playing(test)


def test_a_shape_that_the_host_refuses_is_tried_again_too() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.leader("a")
        stage.host.refusing = {LARGE}
        stage.wish(a, 1, LARGE)
        await stage.move(3_000)
        assert not a.workers
        stage.host.refusing = set()
        await stage.move(6_000)
        assert len(a.workers) == 1

    playing(test)


def test_a_worker_that_dies_is_replaced_and_its_coordinator_hears_of_it() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 2)
        dead = next(iter(a.workers.values()))
        dead.die()
        await settle()
        assert dead.id not in a.workers
        assert len(a.workers) == 2
        assert stage.actions().count("worker lost") == 1

    playing(test)


@pytest.mark.parametrize("seed", range(40))
def test_a_worker_that_dies_while_it_joins_is_not_left_with_its_coordinator(seed: int) -> None:
    async def test(stage: Stage) -> None:
        chance = random.Random(seed)
        stage.host.pauses = lambda: chance.randrange(9)
        a = await stage.leader("a")
        stage.host.holding = True
        stage.wish(a, 1)
        (worker,) = stage.host.alive(SMALL)
        worker.start()
        await settle(seed // 2)
        worker.die()
        await settle()
        assert not a.workers
        stage.clock.move(100)
        await settle()
        stage.host.alive(SMALL)[0].start()
        await settle()
        assert len(a.workers) == 1

    playing(test)


@pytest.mark.parametrize(
    ("why", "action"), [("died", "worker lost"), ("cancelled", "worker replaced")]
)
def test_a_worker_that_is_dismissed_ends_and_is_replaced(why: str, action: str) -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 1)
        worker = a.workers.popitem()[1]
        stage.fleet.dismiss(a.id, worker.id, why)
        await settle()
        assert worker.killed
        assert len(a.workers) == 1
        assert stage.actions().count(action) == 1
        assert "worker lost" not in stage.actions() or why == "died"

    playing(test)


def test_a_wish_that_was_overtaken_by_a_later_one_is_forgotten() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.leader("a")

        def wish(workers: int, serial: int) -> None:
            stage.fleet.wish(
                Wish(
                    warehouse="a",
                    leader=a.id,
                    shape=SMALL,
                    clusters=1,
                    workers=workers,
                    serial=serial,
                ),
                (),
            )

        wish(1, serial=2)
        wish(5, serial=1)
        await settle()
        assert len(a.workers) == 1

    playing(test)


def test_a_worker_given_back_while_it_joins_is_nobodys_twice() -> None:
    """Its first coordinator has died, the next one gives it back at once, another one gets it."""

    async def test(stage: Stage) -> None:
        a, b = await stage.leader("a"), await stage.leader("b")
        stage.host.slow_lends = [asyncio.Event()]
        (lent,) = stage.host.slow_lends
        stage.wish(a, 1)
        await settle()
        a.die()
        await settle()
        after = await stage.leader("a")
        (worker,) = after.workers.values()
        stage.wish(b, 1)
        stage.give_back(after, worker)
        await settle()
        assert list(b.workers.values()) == [worker]
        lent.set()
        await settle()
        assert not after.workers

    playing(test)


def test_what_still_starts_ends_before_what_is_ready() -> None:
    async def test(stage: Stage) -> None:
        stage.host.holding = True
        a = await stage.served("a", 1)
        await stage.move(REFILL_MS)
        (starting,) = (p for p in stage.host.alive(SMALL) if not p.started.done())
        (worker,) = a.workers.values()
        stage.wish(a, 0)
        stage.give_back(a, worker)
        await settle()
        assert worker.alive
        assert not starting.alive

    playing(test, floors={SMALL: 1, "coordinator": 1})
