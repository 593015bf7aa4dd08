"""The one module that applies `ray.remote`: names, namespaces, resources and restarts of actors.

    mobula-node-broker          named, detached, restarted for ever; one per cluster
    primary-{branch}            named, detached, restarted for ever
    fleet-{branch}              named, detached, restarted for ever
    coordinator-{branch}-{id}   a process of the fleet: named, so that a fleet that was restarted
    worker-{branch}-{id}        finds it; detached, so that it outlives the fleet; not restarted by
                                Ray, but replaced by the fleet
    the primary's own worker    nameless, owned by the primary: it ends with it

All but the broker in the namespace `mobula-{database id}`, so several databases share a cluster.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import cloudpickle
import ray
import ray.util

from actors.fleet.shapes import COORDINATOR, Shape, WorkerShape
from actors.node_broker import NodeBroker, NodeBrokerShell
from actors.planner import Planner
from actors.program import Program
from actors.ray_ingest import IngestTasks
from actors.settings import NodeSettings
from actors.shells.coordinator import CoordinatorShell
from actors.shells.fleet import ClusterCalls, FleetShell
from actors.shells.primary import PrimaryShell, PrimaryTasks
from actors.shells.tasks import load_source, rewrite_rows, write_slice
from actors.shells.worker import WorkerShell
from storage.errors import InvalidRequest
from storage.nearest import nearest
from storage.rewriting import Rewriting
from storage.sources_format import SourceReading
from storage.target import IngestTarget

__all__ = [
    "INGEST_TASKS",
    "find_fleet",
    "find_node_broker",
    "find_primary",
    "namespace",
    "node_broker",
    "owner_id",
    "start_compute_worker",
    "start_fleet",
    "start_load",
    "start_node_broker",
    "start_primary",
    "start_process",
    "start_rewriting",
    "start_slice",
]

CALLS_MAX = 1000  # concurrent calls of one actor; past it calls queue
FOREVER = -1
FLEET_CPUS = 0.01  # actors without CPUs are lost when a cluster shrinks
BROKER_NAME = "mobula-node-broker"
BROKER_NAMESPACE = "mobula"
BROKER_CPUS = 0.01  # more than none: Ray loses actors that take none with their node


def namespace(node: NodeSettings) -> str:
    """Where a database's actors live."""
    return f"mobula-{node.database_id}"


def _find(node: NodeSettings, name: str) -> Any | None:
    try:
        return ray.get_actor(name, namespace=namespace(node))
    except ValueError:
        return None


def find_primary(node: NodeSettings) -> Any | None:
    """The running primary, or None."""
    return _find(node, f"primary-{node.branch}")


def owner_id(primary: Any) -> str:
    """What a primary's actor calls itself when it takes an epoch."""
    return f"ray-{primary._actor_id.hex()}"


def find_fleet(node: NodeSettings) -> Any | None:
    """The running fleet, or None."""
    return _find(node, f"fleet-{node.branch}")


def start_primary(node: NodeSettings, make_planner: Callable[[], Planner]) -> Any:
    """The primary's actor, found or made."""
    settings = node.settings.ray
    return (
        ray.remote(PrimaryShell)
        .options(
            name=f"primary-{node.branch}",
            namespace=namespace(node),
            lifetime="detached",
            get_if_exists=True,
            max_restarts=FOREVER,
            max_concurrency=CALLS_MAX,
            num_cpus=settings.primary_cpus,
            resources=settings.primary_resources,
        )
        .remote(node, make_planner, start_compute_worker, find_fleet, PRIMARY_TASKS)
    )


def start_fleet(node: NodeSettings, make_planner: Callable[[], Planner]) -> Any:
    """The fleet's actor, found or made."""
    calls = ClusterCalls(
        start=partial(start_process, node, make_planner),
        list_processes=partial(_processes, node),
        find_primary=partial(find_primary, node),
        bundle=partial(_bundle, node),
        node_broker=partial(node_broker, node),
    )
    return (
        ray.remote(FleetShell)
        .options(
            name=f"fleet-{node.branch}",
            namespace=namespace(node),
            lifetime="detached",
            get_if_exists=True,
            max_restarts=FOREVER,
            max_concurrency=CALLS_MAX,
            num_cpus=FLEET_CPUS,
            resources=node.settings.ray.coordinator_resources,
        )
        .remote(node, calls)
    )


# --- processes of the fleet -----------------------------------------------------------------------


def start_process(
    node: NodeSettings,
    make_planner: Callable[[], Planner],
    id: str,  # noqa: A002
    shape: Shape,
) -> Any:
    """A process of the fleet; returns before it is there."""
    if isinstance(shape, WorkerShape):
        return (
            ray.remote(WorkerShell)
            .options(
                name=f"worker-{node.branch}-{id}",
                namespace=namespace(node),
                lifetime="detached",
                max_restarts=0,
                max_concurrency=CALLS_MAX,
                **_worker_options(node, shape),
            )
            .remote(*_packed(shape.cpus, node, make_planner, shape))
        )
    settings = node.settings.ray
    return (
        ray.remote(CoordinatorShell)
        .options(
            name=f"coordinator-{node.branch}-{id}",
            namespace=namespace(node),
            lifetime="detached",
            max_restarts=0,
            max_concurrency=CALLS_MAX,
            num_cpus=settings.coordinator_cpus,
            resources=settings.coordinator_resources,
        )
        .remote(node, make_planner, find_fleet, find_primary)
    )


def find_node_broker() -> Any | None:
    """The cluster's node broker if it runs, or None."""
    try:
        return ray.get_actor(BROKER_NAME, namespace=BROKER_NAMESPACE)
    except ValueError:
        return None


def start_node_broker(node: NodeSettings) -> Any:
    """The cluster's node broker, found or made."""
    return (
        ray.remote(NodeBrokerShell)
        .options(
            name=BROKER_NAME,
            namespace=BROKER_NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=FOREVER,
            max_concurrency=CALLS_MAX,
            num_cpus=BROKER_CPUS,
            resources=node.settings.ray.coordinator_resources,
        )
        .remote()
    )


def node_broker(node: NodeSettings) -> NodeBroker:
    """The broker as the fleet of this database and branch tells it its wishes."""
    return NodeBroker(
        f"{namespace(node)}-{node.branch}",
        find=find_node_broker,
        start=lambda: start_node_broker(node),
    )


def _worker_options(node: NodeSettings, shape: WorkerShape) -> dict[str, Any]:
    types = node.settings.ray.node_types
    if shape.node_type not in types:
        raise InvalidRequest(
            f"node type {shape.node_type} is not one of RaySettings.node_types"
            f"{nearest(shape.node_type, types)}",
            "22023",
        )
    memory = {} if shape.memory_bytes is None else {"memory": shape.memory_bytes}
    return {
        "num_cpus": shape.cpus,
        "resources": types[shape.node_type].resources,
        **memory,
    }


def _packed(
    cpus: float, node: NodeSettings, make_planner: Callable[[], Planner], *more: Any
) -> tuple[int, bytes]:
    """The arguments of a `WorkerShell`. It gets a plan to rehearse and no planner, which would take
    as long to load as all that it runs plans with."""
    arguments = (node, node.settings.cache_bytes, _rehearsal(make_planner), *more)
    return max(1, math.ceil(cpus)), cloudpickle.dumps(arguments)


@lru_cache(maxsize=4)
def _rehearsal(make_planner: Callable[[], Planner]) -> Program:
    return make_planner().rehearsal().program


def _bundle(node: NodeSettings, shape: Shape) -> Mapping[str, float]:
    settings = node.settings.ray
    if not isinstance(shape, WorkerShape):
        return {"CPU": settings.coordinator_cpus, **settings.coordinator_resources}
    kind = settings.node_types.get(shape.node_type)
    memory = {} if shape.memory_bytes is None else {"memory": float(shape.memory_bytes)}
    return {"CPU": shape.cpus, **memory, **(kind.resources if kind is not None else {})}


def _processes(node: NodeSettings) -> list[tuple[str, Any]]:
    """(id, actor) of the processes that a fleet of this branch has started."""
    prefixes = tuple(f"{role}-{node.branch}-" for role in (COORDINATOR, "worker"))
    found = []
    for entry in ray.util.list_named_actors(all_namespaces=True):
        name = entry["name"]
        if entry["namespace"] == namespace(node) and name.startswith(prefixes):
            actor = _find(node, name)
            if actor is not None:
                found.append((name.rpartition("-")[2], actor))
    return found


def start_compute_worker(node: NodeSettings, make_planner: Callable[[], Planner]) -> Any:
    """The worker of the primary's own compute."""
    settings = node.settings
    return (
        ray.remote(WorkerShell)
        .options(
            num_cpus=settings.ray.compute_cpus,
            resources=settings.ray.primary_resources,
            max_restarts=0,
        )
        .remote(*_packed(settings.ray.compute_cpus, node, make_planner))
    )


# --- tasks ----------------------------------------------------------------------------------------


def start_load(node: NodeSettings, info: Any, url: str, reading: SourceReading) -> Any:
    """A task that loads one source file; an `ObjectRefGenerator` of `load_source`'s steps."""
    return (
        ray.remote(load_source)
        .options(
            num_cpus=node.settings.ray.ingest_cpus,
            num_returns="streaming",
            max_retries=2,
        )
        .remote(node, info, url, reading)
    )


def start_slice(node: NodeSettings, target: IngestTarget, rows: Any) -> Any:
    """A task that writes one slice of a frame; a reference to what `write_slice` returns.

    Args: rows: a reference to the slice.
    """
    return (
        ray.remote(write_slice)
        .options(num_cpus=node.settings.ray.ingest_cpus, max_retries=2)
        .remote(node, target, rows)
    )


def start_rewriting(node: NodeSettings, work: Rewriting) -> Any:
    """A task of maintenance; an `ObjectRefGenerator` of `rewrite_rows`' steps. Not repeated by Ray:
    the primary plans anew."""
    settings = node.settings.ray
    return (
        ray.remote(rewrite_rows)
        .options(
            num_cpus=settings.maintenance_cpus,
            memory=settings.maintenance_memory_bytes,
            num_returns="streaming",
            max_retries=0,
        )
        .remote(node, work)
    )


def cluster_cpus() -> float:
    """All CPUs of the cluster at this moment, taken or not."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return resources.get("CPU", 0.0)


INGEST_TASKS = IngestTasks(load=start_load, slice=start_slice)
PRIMARY_TASKS = PrimaryTasks(
    ingest=INGEST_TASKS, rewriting=start_rewriting, cluster_cpus=cluster_cpus
)
