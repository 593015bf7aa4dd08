"""What a database can be asked about itself while it runs: frozen records, one per row.

`mobula.queries()`, `mobula.warehouses()`, `mobula.scaling_events()` and `mobula.tasks()` show them
in SQL, column by field: str is TEXT, int BIGINT, float DOUBLE PRECISION, bool BOOLEAN, and a name
that ends in `_at` is a time in milliseconds since 1970 (UTC), TIMESTAMPTZ. Coordinators, the fleet
and the primary make them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from storage.snapshot.changes import VirtualWarehouse

__all__ = [
    "OBSERVED",
    "Observe",
    "Observed",
    "QueryRecord",
    "ScalingEvent",
    "TaskRecord",
    "WarehouseRecord",
    "nothing_observed",
    "starting_warehouse",
    "warehouse_record",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRecord:
    """A query that runs, waits or is over.

    Attributes:
        warehouse: empty: the primary's own compute.
        state: "planning", "queued", "running", "succeeded", "failed" or "cancelled".
        queued_ms, plan_ms, execute_ms, elapsed_ms: so far, if it is not over.
        worker_seconds: how long workers were taken for it, attempts that failed included.
        requests, bytes_fetched, …: see `messages.QueryStats`; 0 until it is over.
    """

    query_id: str
    warehouse: str
    state: str
    user_name: str
    sql: str
    priority: int
    started_at: int
    ended_at: int | None
    elapsed_ms: float
    queued_ms: float
    plan_ms: float
    execute_ms: float
    cluster: int | None
    worker_pid: int | None
    attempts: int
    worker_seconds: float
    requests: int
    bytes_fetched: int
    cache_hits: int
    files_scanned: int
    rows_scanned: int
    result_rows: int | None
    peak_memory_bytes: int
    spilled_bytes: int
    snapshot_lsn: int | None
    error: str | None
    sqlstate: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseRecord:
    """A virtual warehouse of the catalogue, and what there is of it.

    Attributes:
        state: "stopped" (no process of it runs), "starting" (its coordinator is on its way, or does
            not answer), "suspended", "resuming", "running".
        clusters: that serve; clusters_wanted: that there shall be; clusters_draining: that finish
            their queries and end.
        workers: that serve; workers_wanted: of all clusters wanted; workers_starting.
        busy: workers that run a query; queued: queries that wait.
        requests, read_bytes: to the object store since its coordinator began, by the coordinator
            and its workers; worker_seconds: of all its queries since then.
        shortage: what the cluster could not give, in words.
    """

    name: str
    state: str
    size: int
    worker_cpus: float
    worker_memory_bytes: int | None
    cache_bytes: int
    node_type: str
    min_clusters: int
    max_clusters: int
    scaling_policy: str
    max_concurrency: int | None
    auto_suspend_s: int | None
    auto_resume: bool
    statement_timeout_s: float | None
    queue_timeout_s: float | None
    max_queued: int
    comment: str | None
    clusters: int = 0
    clusters_wanted: int = 0
    clusters_draining: int = 0
    workers: int = 0
    workers_wanted: int = 0
    workers_starting: int = 0
    busy: int = 0
    queued: int = 0
    queries: int = 0
    worker_seconds: float = 0.0
    requests: int = 0
    read_bytes: int = 0
    lsn: int | None = None
    coordinator_pid: int | None = None
    shortage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingEvent:
    """Something about the number of clusters, workers or nodes was decided, or happened.

    Attributes:
        action: "start", "resume", "suspend", "stop", "scale out", "scale in", "worker ready",
            "worker lost", "worker replaced", "coordinator lost", "shortage" or "shortage over".
        clusters, workers: wanted after it.
        reason: in words.
    """

    happened_at: int
    warehouse: str
    action: str
    clusters: int
    workers: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """A task of maintenance that runs, or is over.

    Attributes:
        kind: "flush" or "compact"; table_name: with its schema.
        state: "running", "succeeded" or "failed".
        files, deltas: that it rewrites; read_bytes: theirs, compressed.
        level: of the files that it makes.
        row_count: rows to rewrite, without deleted ones; rows_done: stored so far.
        written_bytes: of files and index runs, once it is over.
    """

    kind: str
    table_name: str
    state: str
    files: int
    deltas: int
    level: int
    row_count: int
    rows_done: int
    read_bytes: int
    written_bytes: int
    started_at: int
    ended_at: int | None
    elapsed_ms: float
    error: str | None


Observed = QueryRecord | WarehouseRecord | ScalingEvent | TaskRecord
OBSERVED: dict[str, type[Observed]] = {
    "queries": QueryRecord,
    "warehouses": WarehouseRecord,
    "scaling_events": ScalingEvent,
    "tasks": TaskRecord,
}
Observe = Callable[[str], Awaitable[Sequence[Observed]]]  # a name of `OBSERVED` -> its records


async def nothing_observed(name: str) -> Sequence[Observed]:
    """An `Observe` where nothing runs that could be seen."""
    return ()


def starting_warehouse(name: str) -> WarehouseRecord:
    """Of one whose coordinator cannot say yet; its settings are to be looked up."""
    unknown = VirtualWarehouse(name=name, size=0, worker_cpus=0.0, cache_bytes=0)
    return WarehouseRecord(state="starting", **msgspec.structs.asdict(unknown))


def warehouse_record(settings: VirtualWarehouse) -> WarehouseRecord:
    """Of one that no process runs for."""
    return WarehouseRecord(state="stopped", **msgspec.structs.asdict(settings))
