"""A database on a Ray of our own, and what its fleet and its cluster say of themselves."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import warehouse
from actors.settings import NodeType, RaySettings, Settings
from benchmarks.environment import BENCH_DIRECTORY, say
from benchmarks.keyed_rows import table_files
from warehouse.tpch import generate, schema_sql

__all__ = [
    "FleetView",
    "fresh_directory",
    "load_keyed",
    "load_tpch",
    "pool_is_full",
    "pool_settings",
    "records",
    "spare",
    "used_cpus",
    "wait_until",
]

POLL_S = 0.005
WAIT_S = 120.0
MICROPARTITION_ROWS = 60_000


@contextmanager
def fresh_directory(path: Path, keep: bool) -> Iterator[Path]:
    """An empty directory for a database and its caches, removed afterwards unless it is kept."""
    directory = path.absolute()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)


def load_tpch(root: str, scale: float) -> None:
    """A new database with the eight tables of TPC-H, made in this process, without Ray."""
    say(f"load: TPC-H at scale factor {scale:g}")
    files = generate(BENCH_DIRECTORY / f"tpch-sf{scale:g}", scale)
    database = warehouse.connect(root, engine="local")
    try:
        for statement in schema_sql(micropartition_rows=MICROPARTITION_ROWS):
            database.sql(statement)
        for table, file in files.items():
            database.load(table, str(file))
    finally:
        database.shutdown()  # a primary that only went away would be waited for


def load_keyed(root: str, data: Path, rows: int, seed: int) -> None:
    """A table `t` with the rows of `keyed_rows`, made in this process, without Ray.

    Args: data: directory of the Parquet files.
    """
    say(f"load: {rows:,} rows with a key")
    database = warehouse.connect(root, engine="local")
    try:
        database.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, a BIGINT, b DOUBLE PRECISION, c TEXT)")
        database.load("t", [str(path) for path in table_files(data, rows, seed)])
    finally:
        database.shutdown()


def pool_settings(directory: Path, *, workers: int, coordinators: int) -> Settings:
    """Of a database whose pool has so many started processes of one CPU; 0: no pool."""
    return Settings(
        cache_directory=str(directory / "cache"),
        ray=RaySettings(
            coordinator_floor=coordinators,
            node_types={"default": NodeType(floor=workers, cpus=1.0)},
        ),
    )


class FleetView:
    """What the fleet of a database says; it runs as soon as a virtual warehouse has."""

    def __init__(self, database: warehouse.Database) -> None:
        self._namespace = f"mobula-{database.id}"

    def status(self) -> dict[str, Any]:
        """See `Fleet.status`."""
        import ray

        fleet = ray.get_actor("fleet-main", namespace=self._namespace)
        found: dict[str, Any] = ray.get(fleet.status.remote())
        return found


def pool_is_full(status: Mapping[str, Any], workers: int, coordinators: int) -> bool:
    """Whether the pool has its spare processes, and there are no others.

    Args: status: see `Fleet.status`.
    """
    alone = all(found["state"] == "spare" for found in status["processes"])
    return alone and spare(status) == {"workers": workers, "coordinators": coordinators}


def spare(status: Mapping[str, Any]) -> dict[str, int]:
    """How many processes wait for virtual warehouses. Args: see `pool_is_full`."""
    counts = {"workers": 0, "coordinators": 0}
    for found in status["processes"]:
        if found["state"] == "spare":
            kind = "coordinators" if found["shape"] == "coordinator" else "workers"
            counts[kind] += found["count"]
    return counts


def used_cpus() -> float:
    """Logical CPUs that Ray's processes hold now, on all nodes."""
    import ray

    total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    return total.get("CPU", 0.0) - free.get("CPU", 0.0)


def records(database: warehouse.Database, query: str, parameters: Sequence[Any] = ()) -> Any:
    """The rows of a query on the primary's compute, as dictionaries."""
    return database.sql(query, list(parameters)).polars().to_dicts()


def wait_until(holds: Callable[[], bool], what: str, wait_s: float = WAIT_S) -> float:
    """Look again and again; the monotonic second at which it held. Raises RuntimeError."""
    deadline = time.monotonic() + wait_s
    while not holds():
        if time.monotonic() >= deadline:
            raise RuntimeError(f"waited {wait_s:g} s in vain: {what}")
        time.sleep(POLL_S)
    return time.monotonic()
