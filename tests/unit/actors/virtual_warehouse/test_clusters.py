"""Clusters: where workers join and queries go, what drains and what is too much; and the queue."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.fleet.shapes import WorkerShape
from actors.virtual_warehouse.admission import Waiting, WaitingQueries
from actors.virtual_warehouse.clusters import Clusters, Member
from storage.errors import Unavailable
from tests.unit.actors.virtual_warehouse.elastic_stage import fragment_of

SMALL = WorkerShape(node_type="default", cpus=1)
LARGE = WorkerShape(node_type="default", cpus=2)
NOBODY: Any = None


def serving(clusters: Clusters, *ids: str, shape: WorkerShape = SMALL) -> list[Member]:
    members = [clusters.join(id_, NOBODY, shape) for id_ in ids]
    for member in members:
        clusters.serve(member)
    return members


def made(count: int, size: int = 2, policy: str = "standard", slots: int = 9) -> Clusters:
    """So many clusters with all their workers, w0, w1, …"""
    clusters = Clusters(SMALL, size, slots, policy)
    clusters.arrange(count)
    serving(clusters, *(f"w{n}" for n in range(count * size)))
    return clusters


def test_workers_join_the_cluster_that_lacks_most() -> None:
    clusters = made(3)
    assert [member.cluster for member in clusters.members] == [1, 1, 2, 2, 3, 3]
    for id_ in ("w1", "w4", "w2"):  # both of the second, one of the third
        clusters.remove(id_)
    found = [clusters.join(id_, NOBODY, SMALL).cluster for id_ in ("x", "y", "z")]
    assert found == [2, 2, 3]


def test_a_worker_takes_no_queries_before_it_serves() -> None:
    clusters = Clusters(SMALL, 1, 1, "standard")
    clusters.arrange(1)
    member = clusters.join("w", NOBODY, SMALL)
    assert (clusters.take({}), clusters.ready, clusters.serving, clusters.free) == (None, 0, 0, 0)
    assert clusters.warming == [member]
    clusters.serve(member)
    assert (clusters.ready, clusters.serving, clusters.free) == (1, 1, 1)
    assert clusters.take({}) is member
    clusters.serve(member)  # said twice
    assert member.state == "busy"


def test_standard_spreads_queries_over_clusters() -> None:
    clusters = made(2)
    found = [clusters.take({}) for _ in range(4)]
    assert [member.cluster for member in found if member is not None] == [1, 2, 1, 2]
    assert clusters.take({}) is None
    assert clusters.busy == 4


def test_economy_fills_one_cluster_after_the_other() -> None:
    clusters = made(2, policy="economy")
    found = [clusters.take({}) for _ in range(4)]
    assert [member.cluster for member in found if member is not None] == [1, 1, 2, 2]


def test_a_cluster_runs_no_more_queries_than_its_slots() -> None:
    clusters = made(2, slots=1)
    assert clusters.free == 2
    found = [clusters.take({}) for _ in range(2)]
    assert [member.cluster for member in found if member is not None] == [1, 2]
    assert clusters.take({}) is None
    assert clusters.free == 0
    clusters.reshape(SMALL, 2, 2, "standard")
    assert clusters.free == 2


def test_the_worker_that_has_the_most_bytes_is_taken_if_it_is_idle() -> None:
    clusters = made(1, size=3)
    first = clusters.take({"f": 100})
    assert first is not None
    clusters.release(first)
    assert clusters.take({"f": 100, "g": 1}) is first
    other = clusters.take({"f": 100})
    assert other is not None
    assert other is not first


def test_the_least_busy_and_then_the_newest_clusters_go() -> None:
    clusters = made(3, size=1)
    clusters.take({})
    clusters.take({})
    clusters.take({})
    clusters.release(clusters.members[0])
    clusters.arrange(2)
    assert [member.id for member in clusters.surplus()] == ["w0"]
    clusters.arrange(1)
    assert clusters.draining == 2
    assert [member.id for member in clusters.surplus()] == ["w0"]
    assert [m.id for m in clusters.members if m.cluster == 2] == ["w1"]
    clusters.remove("w0")
    assert clusters.draining == 1


def test_a_cluster_without_workers_need_not_drain() -> None:
    clusters = Clusters(SMALL, 2, 2, "standard")
    clusters.arrange(3)
    clusters.arrange(0)
    assert (clusters.wanted, clusters.draining) == (0, 0)


def test_a_cluster_that_drains_takes_no_queries_until_it_is_wanted_again() -> None:
    clusters = made(1)
    clusters.take({})
    clusters.arrange(0)
    assert clusters.take({}) is None
    assert (clusters.ready, clusters.serving, clusters.busy) == (0, 0, 1)
    clusters.arrange(1)
    assert clusters.draining == 0
    assert clusters.take({}) is not None


def test_a_worker_that_nobody_wants_is_surplus() -> None:
    clusters = Clusters(SMALL, 1, 1, "standard")
    member = clusters.join("w", NOBODY, SMALL)
    assert clusters.surplus() == [member]
    clusters.remove("w")
    assert clusters.draining == 0
    assert clusters.remove("w") is None


def test_workers_of_another_shape_stay_until_they_are_replaced() -> None:
    clusters = made(1)
    clusters.reshape(LARGE, 2, 2, "standard")
    busy = clusters.take({})
    new = [clusters.join(id_, NOBODY, LARGE) for id_ in ("n0", "n1")]
    assert clusters.surplus() == []
    clusters.serve(new[0])
    assert [member.id for member in clusters.surplus()] == ["w1"]
    clusters.serve(new[1])
    assert [member.id for member in clusters.surplus()] == ["w1"]
    assert busy is not None
    clusters.release(busy)
    assert [member.id for member in clusters.surplus()] == ["w0", "w1"]


def test_a_worker_of_an_old_shape_that_comes_late_helps_out() -> None:
    clusters = Clusters(LARGE, 2, 2, "standard")
    clusters.arrange(1)
    serving(clusters, "old", shape=SMALL)
    assert clusters.surplus() == []
    assert clusters.workers_wanted == 2
    serving(clusters, "n0", "n1", shape=LARGE)
    assert [member.id for member in clusters.surplus()] == ["old"]


def test_of_too_many_those_go_that_would_be_missed_least() -> None:
    clusters = made(1, size=3)
    clusters.take({})
    warming = clusters.join("x", NOBODY, SMALL)
    assert clusters.surplus() == [warming]
    clusters.reshape(SMALL, 1, 1, "standard")
    assert {member.state for member in clusters.surplus()} == {"warming", "idle"}
    assert len(clusters.surplus()) == 3


def test_a_worker_that_has_left_its_cluster_is_in_no_placement() -> None:
    clusters = made(1)
    member = clusters.members[0]
    assert clusters.placement(member).workers == ("w0", "w1")
    clusters.remove(member.id)
    clusters.serve(member)
    clusters.release(member)
    assert clusters.placement(clusters.members[0]).workers == ("w1",)
    assert clusters.find("w0") is None


# --- the queue ------------------------------------------------------------------------------------


def waiting(name: str, priority: int = 0) -> Waiting:
    return Waiting(fragment=fragment_of(name, priority=priority), files={}, since_ms=0.0)


def names(queue: WaitingQueries) -> list[str]:
    found = []
    while (one := queue.next()) is not None:
        one.turn.cancel()
        queue.left()
        found.append(one.fragment.query_id)
    assert len(queue) == 0
    return found


def test_queries_wait_by_priority_and_then_in_the_order_they_came() -> None:
    async def test() -> None:
        queue = WaitingQueries()
        for name, priority in [("a", 0), ("b", 1), ("c", 0), ("d", -1), ("e", 1)]:
            queue.add(waiting(name, priority))
        assert len(queue) == 5
        assert queue.next() is queue.next()
        assert names(queue) == ["b", "e", "a", "c", "d"]

    asyncio.run(test())


def test_those_who_have_given_up_are_passed_over() -> None:
    async def test() -> None:
        queue = WaitingQueries()
        first, second, third = waiting("a"), waiting("b"), waiting("c")
        for one in (first, second, third):
            queue.add(one)
        for one in (second, first):
            one.turn.cancel()
            queue.left()
        assert len(queue) == 1
        assert names(queue) == ["c"]

    asyncio.run(test())


def test_all_of_them_may_fail() -> None:
    async def test() -> None:
        queue = WaitingQueries()
        found = [waiting("a"), waiting("b")]
        for one in found:
            queue.add(one)
        found[0].turn.cancel()
        assert queue.fail(Unavailable("no workers")) == 1
        assert queue.next() is None
        with pytest.raises(Unavailable):
            await found[1].turn

    asyncio.run(test())
