"""A fleet tells its wishes to the node broker, and goes on without it where that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import ray.exceptions

from actors.node_broker import NodeBroker
from storage.errors import Unavailable

WORKER = {"CPU": 1.0, "vw": 0.01}


class FakeActor:
    """An actor with one method; `fail` is what its calls raise."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, list[dict[str, float]]]] = []
        self.fail: Exception | None = None
        self.wish = self  # `actor.wish.remote(…)`

    def remote(self, holder: str, bundles: list[dict[str, float]]) -> FakeActor:
        self.heard.append((holder, bundles))
        return self

    def future(self) -> Future[None]:
        done: Future[None] = Future()
        if self.fail is None:
            done.set_result(None)
        else:
            done.set_exception(self.fail)
        return done


class Cluster:
    """Finds and starts the one actor, and counts that."""

    def __init__(self, *, running: bool) -> None:
        self.actor = FakeActor()
        self.running = running
        self.calls: list[str] = []

    def find(self) -> Any | None:
        self.calls.append("find")
        return self.actor if self.running else None

    def start(self) -> Any:
        self.calls.append("start")
        self.running = True
        return self.actor

    def client(self) -> NodeBroker:
        return NodeBroker("fleet", find=self.find, start=self.start)


def run(work: Callable[[], Any]) -> None:
    asyncio.run(work())


def test_the_first_wish_starts_the_broker_and_later_ones_reach_it() -> None:
    cluster = Cluster(running=False)
    client = cluster.client()

    async def work() -> None:
        await client.wish([WORKER])
        await client.wish([WORKER, WORKER])

    run(work)
    assert cluster.calls == ["start"]
    assert cluster.actor.heard == [("fleet", [WORKER]), ("fleet", [WORKER, WORKER])]
    assert client.last_error is None


def test_who_wants_nothing_starts_no_broker() -> None:
    cluster = Cluster(running=False)
    run(lambda: cluster.client().wish([]))
    assert cluster.calls == ["find"]
    assert cluster.actor.heard == []


def test_who_wants_nothing_any_more_says_so_to_the_broker_there_is() -> None:
    cluster = Cluster(running=True)
    run(lambda: cluster.client().wish([]))
    assert cluster.actor.heard == [("fleet", [])]


def test_a_broker_that_died_is_looked_for_again() -> None:
    cluster = Cluster(running=False)
    client = cluster.client()

    async def work() -> None:
        cluster.actor.fail = ray.exceptions.ActorDiedError()
        await client.wish([WORKER])
        assert client.last_error is not None
        cluster.actor.fail = None
        await client.wish([WORKER])

    run(work)
    assert cluster.calls == ["start", "start"]
    assert client.last_error is None


def test_a_wish_that_is_refused_is_remembered_and_the_broker_kept() -> None:
    cluster = Cluster(running=True)
    client = cluster.client()
    refusal = Unavailable("too many workers")

    async def work() -> None:
        cluster.actor.fail = ray.exceptions.RayTaskError("wish", "trace", refusal)
        await client.wish([WORKER])
        assert client.last_error == "too many workers"
        await client.wish([WORKER])

    run(work)
    assert cluster.calls == ["start"]


def test_wishes_arrive_in_the_order_in_which_they_were_made() -> None:
    cluster = Cluster(running=False)
    client = cluster.client()

    async def work() -> None:
        await asyncio.gather(client.wish([WORKER]), client.wish([WORKER] * 2), client.wish([]))

    run(work)
    assert [len(bundles) for _, bundles in cluster.actor.heard] == [1, 2, 0]
    assert cluster.calls == ["start"]
