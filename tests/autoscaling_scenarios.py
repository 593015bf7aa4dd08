"""What the tests of the autoscaler let happen on its cluster; see `tests/autoscaling_cluster.py`.

Each runs in a process of its own, prints its timeline, and returns what the tests check.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray

import warehouse
from actors import spawn
from actors.fleet.nodes import LEASE_MS
from actors.node_broker import NodeBroker, describe_supply, read_supply
from actors.settings import NodeSettings, NodeType, RaySettings, Settings
from tests.timeline import Timeline

WORKER = {"CPU": 1, "vw": 0.01}
SPOT_WORKER = {"CPU": 1, "vw_spot": 0.01}
SETTINGS = Settings(
    ray=RaySettings(
        primary_resources={"head": 0.01},
        coordinator_resources={"head": 0.01},
        node_types={"default": NodeType(resources={"vw": 0.01})},
    )
)
HOLD_S = 6.0  # longer than a node without use stays


def nodes_with(resource: str) -> int:
    """How many nodes offer a custom resource."""
    return sum(1 for node in ray.nodes() if node["Alive"] and resource in node["Resources"])  # type: ignore[no-untyped-call]


def starting() -> int:
    """Nodes that the autoscaler is adding."""
    return sum(read_supply().starting.values())


def timeline(**more: Any) -> Timeline:
    """Nodes of both kinds, those that are coming, and more columns."""
    return Timeline(
        {
            "vw": lambda: nodes_with("vw"),
            "vw_spot": lambda: nodes_with("vw_spot"),
            "starting": starting,
            **more,
        }
    )


def report(shown: Timeline) -> None:
    """Print the table where the test shows it."""
    sys.stdout.write(f"{shown.table()}\n")


@ray.remote(num_cpus=1, resources={"vw": 0.01})
class Worker:
    """An actor like a worker of a virtual warehouse."""

    def ready(self) -> None:
        """Return once the process is up."""


def demand(rounds: int, workers: int) -> list[dict[str, float]]:
    """Actors that wait bring nodes up; when they have ended, the nodes go. Seconds per round."""
    done: list[dict[str, float]] = []
    alive: list[Any] = []
    with timeline(workers=lambda: len(alive)) as shown:
        for _ in range(rounds):
            shown.mark(f"{workers} actors asked for")
            begun_s = time.monotonic()
            actors = [Worker.remote() for _ in range(workers)]
            for actor in actors:
                ray.get(actor.ready.remote())
                alive.append(actor)
            up_s = time.monotonic() - begun_s
            peak = nodes_with("vw")
            shown.mark("actors ended")
            alive.clear()
            del actor, actors
            down_s = shown.wait("vw", lambda count: count == 0)
            done.append({"nodes": peak, "up_s": up_s, "down_s": down_s})
    report(shown)
    return done


def broker() -> NodeBroker:
    """As the fleet of a database has it."""
    node = NodeSettings(
        root="memory://nodes", store=None, branch="main", database_id="nodes", settings=SETTINGS
    )
    return spawn.node_broker(node)


async def _renewed(client: NodeBroker, bundles: Sequence[dict[str, float]]) -> None:
    while True:
        await client.wish(bundles)
        assert client.last_error is None, client.last_error
        await asyncio.sleep(1)


async def wish(rounds: int) -> list[dict[str, float]]:
    """A wish brings nodes up without any actor, holds them, and is taken back. Seconds."""
    client = broker()
    done: list[dict[str, float]] = []
    with timeline() as shown:
        for _ in range(rounds):
            shown.mark("wish for 3 workers on demand and 1 on spot")
            renewing = asyncio.create_task(_renewed(client, [WORKER] * 3 + [SPOT_WORKER]))
            up_s = await asyncio.to_thread(shown.wait, "vw", lambda count: count == 2)
            await asyncio.to_thread(shown.wait, "vw_spot", lambda count: count == 1)
            await asyncio.to_thread(shown.hold, "vw", lambda count: count == 2, HOLD_S)
            renewing.cancel()
            shown.mark("wish for nothing")
            await client.wish([])
            down_s = await asyncio.to_thread(shown.wait, "vw", lambda count: count == 0)
            await asyncio.to_thread(shown.wait, "vw_spot", lambda count: count == 0)
            done.append({"up_s": up_s, "down_s": down_s})
    report(shown)
    return done


def wishes(rounds: int) -> list[dict[str, float]]:
    """See `wish`."""
    return asyncio.run(wish(rounds))


async def death() -> dict[str, Any]:
    """The broker dies and the holder is silent: the nodes stay, until the wish has lapsed."""
    client = broker()
    with timeline() as shown:
        await client.wish([WORKER])
        await asyncio.to_thread(shown.wait, "vw", lambda count: count == 1)
        first = await spawn.find_node_broker().status.remote()
        os.kill(first["pid"], signal.SIGKILL)
        shown.mark("broker killed, nobody wishes again")
        await asyncio.to_thread(shown.hold, "vw", lambda count: count == 1, HOLD_S)
        second = await spawn.find_node_broker().status.remote()
        down_s = await asyncio.to_thread(shown.wait, "vw", lambda count: count == 0)
    report(shown)
    return {
        "restarted": first["pid"] != second["pid"],
        "inherited": second["bundles"] == first["bundles"],
        "down_s": down_s,
        "lease_s": LEASE_MS / 1000,
    }


def deaths() -> dict[str, Any]:
    """See `death`."""
    return asyncio.run(death())


async def too_large() -> str:
    """A worker larger than any node: what there is to say of it."""
    client = broker()
    bundles = [{"CPU": 64, "vw": 0.01}]
    await client.wish(bundles)
    await asyncio.sleep(3)  # the autoscaler looks once a second
    said = await describe_supply(bundles)
    await client.wish([])
    return said


def shortage() -> str:
    """See `too_large`."""
    return asyncio.run(too_large())


ROWS = 3_000  # of a cross join whose pairs are added up: a second or two of one core
QUERY = f"SELECT sum(a * b % 7) FROM generate_series(1, {ROWS}) a, generate_series(1, {ROWS}) b"
AUTO_SUSPEND_S = 2


def elastic(rounds: int, workers: int, clients: int) -> dict[str, Any]:
    """Queries that queue bring a virtual warehouse nodes and workers; idleness leaves none.

    Each worker fills a node. Clients ask until all workers are there. Returns the largest number of
    workers of each round, how long until all were there and until all nodes were gone, and how
    many different answers there were.
    """
    with tempfile.TemporaryDirectory(prefix="mobula-nodes-") as directory:
        database = warehouse.connect(f"{directory}/db", settings=SETTINGS)
        try:
            return _loaded(database, rounds, workers, clients)
        finally:
            database.shutdown()


def _loaded(
    database: warehouse.Database, rounds: int, workers: int, clients: int
) -> dict[str, Any]:
    peaks: list[int] = []
    seconds: list[dict[str, float]] = []
    answers: set[object] = set()

    def seen(column: str) -> int:
        found = database.sql(f"SELECT {column} FROM mobula.warehouses()").rows()
        return int(found[0][0]) if found else 0

    def ask(enough: threading.Event) -> None:
        bi = database.virtual_warehouse("bi")
        while not enough.is_set():
            answers.add(bi.sql(QUERY).scalar())

    database.create_virtual_warehouse(
        "bi", size=1, worker_cpus=2, max_clusters=workers, auto_suspend_s=AUTO_SUSPEND_S
    )
    columns = {"workers": lambda: seen("workers"), "queued": lambda: seen("queued")}
    with timeline(**columns) as shown, ThreadPoolExecutor(clients) as pool:
        for _ in range(rounds):
            shown.mark(f"{clients} clients ask, again and again")
            begun, enough = len(shown.values("workers")), threading.Event()
            asked = [pool.submit(ask, enough) for _ in range(clients)]
            try:
                up_s = shown.wait("workers", lambda count: count == workers)
            finally:
                enough.set()
            for one in asked:
                one.result()
            shown.mark("all answered")
            peaks.append(max(shown.values("workers")[begun:]))
            down_s = shown.wait("vw", lambda count: count == 0)
            seconds.append({"up_s": up_s, "down_s": down_s})
    report(shown)
    return {"peaks": peaks, "seconds": seconds, "answers": len(answers)}
