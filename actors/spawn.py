"""The one module that applies `ray.remote`: names, namespaces, resources and restarts of actors.

    primary-{branch}        named, detached, restarted for ever
    vw-{branch}-{name}      named, detached, restarted for ever
    workers                 nameless, owned by the coordinator (or primary) that started them: they
                            end with it, and it replaces those that die

All in the namespace `mobula-{database id}`, so several databases share a cluster.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ray

from actors.planner import Planner
from actors.ray_ingest import IngestTasks
from actors.settings import NodeSettings
from actors.shells import CoordinatorShell, PrimaryShell, WorkerShell, load_source, write_slice
from storage.snapshot.changes import VirtualWarehouse
from storage.sources_format import SourceReading
from storage.target import IngestTarget

__all__ = [
    "INGEST_TASKS",
    "find_primary",
    "find_warehouse",
    "namespace",
    "start_compute_worker",
    "start_load",
    "start_primary",
    "start_slice",
    "start_warehouse",
    "start_worker",
]

CALLS_MAX = 1000  # concurrent calls of one actor; past it calls queue
FOREVER = -1


def namespace(node: NodeSettings) -> str:
    """Where a database's actors live."""
    return f"mobula-{node.database_id}"


def _primary_name(node: NodeSettings) -> str:
    return f"primary-{node.branch}"


def _warehouse_name(node: NodeSettings, name: str) -> str:
    return f"vw-{node.branch}-{name}"


def _find(node: NodeSettings, name: str) -> Any | None:
    try:
        return ray.get_actor(name, namespace=namespace(node))
    except ValueError:
        return None


def find_primary(node: NodeSettings) -> Any | None:
    """The running primary, or None."""
    return _find(node, _primary_name(node))


def find_warehouse(node: NodeSettings, name: str) -> Any | None:
    """The running coordinator of a virtual warehouse, or None."""
    return _find(node, _warehouse_name(node, name))


def start_primary(node: NodeSettings, make_planner: Callable[[], Planner]) -> Any:
    """The primary's actor, found or made."""
    settings = node.settings.ray
    return (
        ray.remote(PrimaryShell)
        .options(
            name=_primary_name(node),
            namespace=namespace(node),
            lifetime="detached",
            get_if_exists=True,
            max_restarts=FOREVER,
            max_concurrency=CALLS_MAX,
            num_cpus=settings.primary_cpus,
            resources=settings.primary_resources,
        )
        .remote(node, make_planner, start_compute_worker, find_warehouse, INGEST_TASKS)
    )


def start_warehouse(node: NodeSettings, make_planner: Callable[[], Planner], name: str) -> Any:
    """The coordinator's actor of a virtual warehouse, found or made."""
    settings = node.settings.ray
    return (
        ray.remote(CoordinatorShell)
        .options(
            name=_warehouse_name(node, name),
            namespace=namespace(node),
            lifetime="detached",
            get_if_exists=True,
            max_restarts=FOREVER,
            max_concurrency=CALLS_MAX,
            num_cpus=settings.coordinator_cpus,
            resources=settings.coordinator_resources,
        )
        .remote(node, make_planner, name, start_worker)
    )


def start_worker(node: NodeSettings, warehouse: VirtualWarehouse) -> Any:
    """A worker of a virtual warehouse."""
    return _worker(
        node,
        warehouse.worker_cpus,
        warehouse.cache_bytes,
        node.settings.ray.node_types[warehouse.node_type].resources,
    )


def start_compute_worker(node: NodeSettings) -> Any:
    """The worker of the primary's own compute."""
    settings = node.settings
    return _worker(
        node, settings.ray.compute_cpus, settings.cache_bytes, settings.ray.primary_resources
    )


def _worker(node: NodeSettings, cpus: float, cache_bytes: int, resources: dict[str, float]) -> Any:
    threads = max(1, math.ceil(cpus))
    return (
        ray.remote(WorkerShell)
        .options(
            num_cpus=cpus,
            resources=resources,
            max_restarts=0,
            runtime_env={"env_vars": {"POLARS_MAX_THREADS": str(threads)}},
        )
        .remote(node, cache_bytes)
    )


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


INGEST_TASKS = IngestTasks(load=start_load, slice=start_slice)
