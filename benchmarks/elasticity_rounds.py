"""One round of each measurement of elasticity: how long what a user waits for takes, in ms.

`life_cycle`: a virtual warehouse is made and answers a small query; is suspended until nothing of
it is held; is woken by the query; is dropped.

`under_load`: clients saturate a virtual warehouse of one cluster, until it has all it may have.
When queries began to wait, when it was decided and when the new clusters ran their first queries is
read from `mobula.queries()` and `mobula.scaling_events()`.

With nodes that are launched, the moments at which Ray has them are looked for meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import warehouse
from benchmarks.clients import Clients, Steps
from benchmarks.elasticity_report import scale_out
from benchmarks.running import FleetView, records, used_cpus, wait_until

__all__ = ["SMALL_QUERY", "NodeWatch", "Site", "life_cycle", "under_load"]

SMALL_QUERY = "SELECT count(*) FROM orders WHERE o_orderdate = DATE '1995-03-15'"
CPU_TOLERANCE = 0.001
RAY_HEARS_S = 2.0  # what ended processes held is counted for a moment
NODE_POLL_S = 0.02
QUERIES = """
    SELECT started_at, plan_ms, queued_ms, cluster FROM mobula.queries()
    WHERE warehouse = $1 AND sql <> $2 AND state = 'succeeded'
"""
EVENTS = "SELECT happened_at, action FROM mobula.scaling_events() WHERE warehouse = $1"


class NodeWatch:
    """A block that knows when Ray had so many nodes with a resource for the first time."""

    def __init__(self, resource: str) -> None:
        self.reached: dict[int, float] = {}  # count of nodes -> seconds of the monotonic clock
        self._resource = resource
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> NodeWatch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(NODE_POLL_S):
            count = nodes_with(self._resource)
            now = time.monotonic()
            for number in range(1, count + 1):
                self.reached.setdefault(number, now)


def nodes_with(resource: str) -> int:
    """Nodes of the cluster that offer a custom resource."""
    import ray

    found = ray.nodes()  # type: ignore[no-untyped-call]
    return sum(node["Alive"] and resource in node["Resources"] for node in found)


@dataclass(slots=True, kw_only=True)
class Site:
    """Where rounds take place.

    Attributes:
        warehouse: settings of the virtual warehouses.
        coordinator_cpus: that a suspended one holds.
        restored: is everything as it should be before a round: the pool full, no node left?
        resting_cpus: what Ray's processes hold then.
        refilled: has the pool its floors, beside what is lent?
        node_resource: of the nodes that are launched; None: there are none.
    """

    database: warehouse.Database
    warehouse: Mapping[str, Any]
    coordinator_cpus: float
    restored: Callable[[], bool]
    refilled: Callable[[], bool] = lambda: True
    node_resource: str | None = None
    fleet: FleetView = field(init=False)
    resting_cpus: float = field(init=False)

    def __post_init__(self) -> None:
        self.fleet = FleetView(self.database)

    def start(self) -> None:
        """Start the primary, its compute and the fleet, which stay."""
        self.database.create_virtual_warehouse("first", **self.warehouse).sql(SMALL_QUERY)
        self.database.drop_virtual_warehouse("first")
        self.database.sql(SMALL_QUERY)
        wait_until(self.restored, "the pool is full, no node is left")
        time.sleep(RAY_HEARS_S)
        self.resting_cpus = used_cpus()

    def wait(self) -> None:
        """Until everything is as it was before the first round, and Ray knows it."""
        wait_until(self.restored, "everything is as before, the pool full and no node left")
        limit = self.resting_cpus + CPU_TOLERANCE
        wait_until(lambda: used_cpus() <= limit, "no process holds CPUs that did not before")

    def none_lent(self) -> bool:
        """Whether no worker belongs to a virtual warehouse."""
        return all(found["state"] != "lent" for found in self.fleet.status()["processes"])


def life_cycle(site: Site, name: str) -> dict[str, float]:
    """See the module."""
    suspended = site.resting_cpus + site.coordinator_cpus + CPU_TOLERANCE
    begun = time.monotonic()
    with NodeWatch(site.node_resource or "") as nodes:
        vw = site.database.create_virtual_warehouse(name, **site.warehouse)
        created = time.monotonic()
        vw.sql(SMALL_QUERY)
        first = time.monotonic()
    found = {"create": created - begun, "create to first row": first - begun}
    found |= _launch(site, nodes, begun, first)
    wait_until(lambda: vw.status()["workers"] == site.warehouse["size"], "all its workers")
    wait_until(site.refilled, "the pool is full again")  # so that it has to shrink
    wait_until(lambda: used_cpus() > suspended, "Ray knows what they hold")

    begun = time.monotonic()
    vw.suspend()
    found["suspend to all given back"] = wait_until(site.none_lent, "no worker is lent") - begun
    freed = wait_until(lambda: used_cpus() <= suspended, "all CPUs are free")
    found["suspend to all freed"] = freed - begun
    if site.node_resource is not None:
        resource = site.node_resource
        gone = wait_until(lambda: not nodes_with(resource), "all nodes are gone")
        found["suspend to all nodes gone"] = gone - begun

    begun = time.monotonic()
    vw.sql(SMALL_QUERY)
    found["resume to first row"] = time.monotonic() - begun
    begun = time.monotonic()
    site.database.drop_virtual_warehouse(name)
    found["drop"] = time.monotonic() - begun
    return {measure: seconds * 1000 for measure, seconds in found.items()}


def _launch(site: Site, nodes: NodeWatch, begun: float, first: float) -> dict[str, float]:
    if site.node_resource is None:
        return {}
    there = nodes.reached[1]
    return {"create to node there": there - begun, "node there to first row": first - there}


def under_load(
    site: Site, name: str, *, clusters: int, clients: int, steps: Callable[[Any], Steps]
) -> dict[str, float]:
    """See the module.

    Args: steps: of the clients, given the virtual warehouse.
    """
    settings = {**site.warehouse, "max_clusters": clusters}
    vw = site.database.create_virtual_warehouse(name, **settings)
    vw.sql(SMALL_QUERY)
    workers = clusters * site.warehouse["size"]
    with NodeWatch(site.node_resource or "") as nodes, Clients(clients, steps(vw)) as load:
        wait_until(lambda: load.failed or vw.status()["workers"] == workers, "all clusters serve")
        wait_until(lambda: load.failed or _ran(site, name) == clusters, "all clusters work")
    offset_ms = _wall_minus_monotonic_ms()
    queries = [_in_ms(row) for row in records(site.database, QUERIES, [name, SMALL_QUERY])]
    events = [_in_ms(row) for row in records(site.database, EVENTS, [name])]
    found = scale_out(queries, events, clusters)
    if site.node_resource is not None:
        decided = min(e["happened_at"] for e in events if e["action"] == "scale out")
        # A node has one worker, and the first cluster has its nodes already.
        first_new = site.warehouse["size"] + 1
        there_ms = nodes.reached[first_new] * 1000 + offset_ms
        found["decision to node there"] = there_ms - decided
        served = found["decision to first query served"]
        found["node there to first query served"] = served - found["decision to node there"]
    site.database.drop_virtual_warehouse(name, force=True)
    return found


def _ran(site: Site, name: str) -> int:
    """Clusters that have run a query of the load."""
    time.sleep(0.1)  # so that asking takes little from the load
    rows = records(site.database, QUERIES, [name, SMALL_QUERY])
    return len({row["cluster"] for row in rows if row["cluster"] is not None})


def _in_ms(row: Mapping[str, Any]) -> dict[str, Any]:
    """A record, its times in ms since 1970."""
    return {k: v.timestamp() * 1000 if k.endswith("_at") else v for k, v in row.items()}


def _wall_minus_monotonic_ms() -> float:
    """What turns this machine's monotonic clock into the time that records have."""
    from storage.clock import SystemClock

    return SystemClock().now_ms() - time.monotonic() * 1000
