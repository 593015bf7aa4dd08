"""What is measured of a database's virtual warehouses while they run, for Prometheus.

1. `METRICS` are the definitions, as data: what each means, its kind and its tags. The document
   docs/monitoring.md and the dashboard docs/grafana/mobula.json show each of them.
2. Whoever runs warehouses tells a `Meter` what happened, in the records of `actors.observed`. The
   meter turns totals into increments and knows which gauges a warehouse has left behind.
3. `Metrics` takes single values. On Ray it is `actors.ray_metrics.RayMetrics`, else `NoMetrics`.

Values of tags are few: nothing is tagged with a query, a text of SQL or a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from actors.observed import QueryRecord, ScalingEvent, WarehouseRecord

__all__ = ["METRICS", "PRIMARY", "Meter", "Metric", "Metrics", "NoMetrics"]

PRIMARY = "(primary)"  # the tag `warehouse` of the primary's own compute: no name of a warehouse

_WAREHOUSE = ("database", "warehouse")
_SECONDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0),
    *(600.0, 1800.0, 3600.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A definition.

    Attributes:
        kind: what a value means: what there is now (gauge), so many more (counter), or one
            observation (histogram).
        tags: names of the tags that each value has.
        boundaries: of a histogram's buckets: upper bounds, ascending.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    description: str
    tags: tuple[str, ...] = _WAREHOUSE
    boundaries: tuple[float, ...] = ()


QUERIES = Metric(
    name="mobula_queries_total",
    kind="counter",
    description="Queries that are over, by how they ended: succeeded, failed, cancelled.",
    tags=(*_WAREHOUSE, "state"),
)
QUERY_SECONDS = Metric(
    name="mobula_query_seconds",
    kind="histogram",
    description="How long queries that succeeded took in all, waiting included.",
    boundaries=_SECONDS,
)
QUEUE_SECONDS = Metric(
    name="mobula_queue_seconds",
    kind="histogram",
    description="How long queries that are over waited for a worker.",
    boundaries=_SECONDS,
)
QUEUED = Metric(
    name="mobula_queued", kind="gauge", description="Queries that wait for a worker now."
)
RUNNING = Metric(name="mobula_running", kind="gauge", description="Workers that run a query now.")
CLUSTERS = Metric(name="mobula_clusters", kind="gauge", description="Clusters that serve.")
CLUSTERS_WANTED = Metric(
    name="mobula_clusters_wanted", kind="gauge", description="Clusters that there shall be."
)
WORKERS = Metric(name="mobula_workers", kind="gauge", description="Workers that serve.")
WORKERS_WANTED = Metric(
    name="mobula_workers_wanted",
    kind="gauge",
    description="Workers of all clusters that there shall be.",
)
WORKER_SECONDS = Metric(
    name="mobula_worker_seconds_total",
    kind="counter",
    description="How long queries held workers, attempts that failed included.",
)
STORE_REQUESTS = Metric(
    name="mobula_store_requests_total",
    kind="counter",
    description="Requests to the object store, by the coordinator and its workers.",
)
READ_BYTES = Metric(
    name="mobula_read_bytes_total",
    kind="counter",
    description="Bytes read from the object store, by the coordinator and its workers.",
)
CACHE_HITS = Metric(
    name="mobula_cache_hits_total",
    kind="counter",
    description="Files that queries read and the cache of their worker had.",
)
CACHE_MISSES = Metric(
    name="mobula_cache_misses_total",
    kind="counter",
    description="Files that queries read and the cache of their worker did not have.",
)
SPILLED_BYTES = Metric(
    name="mobula_spilled_bytes_total",
    kind="counter",
    description="Bytes that queries moved to disk because their memory was full.",
)
WORKER_LOSSES = Metric(
    name="mobula_worker_losses_total",
    kind="counter",
    description="Workers that died, by why.",
    tags=(*_WAREHOUSE, "why"),
)
SCALING_EVENTS = Metric(
    name="mobula_scaling_events_total",
    kind="counter",
    description="Decisions about clusters, workers and nodes, and what became of them, by action.",
    tags=(*_WAREHOUSE, "action"),
)
POOL_PROCESSES = Metric(
    name="mobula_pool_processes",
    kind="gauge",
    description="Worker processes for all warehouses of the database, by type of node and state.",
    tags=("database", "node_type", "state"),
)
WRITTEN_BYTES = Metric(
    name="mobula_written_bytes_total",
    kind="counter",
    description="Bytes written to the object store, for clients and by maintenance.",
    tags=("database", "by"),
)
READ_AMPLIFICATION = Metric(
    name="mobula_read_amplification",
    kind="gauge",
    description="Rows in files and deltas for each that is there.",
    tags=("database",),
)
SPACE_AMPLIFICATION = Metric(
    name="mobula_space_amplification",
    kind="gauge",
    description="Bytes of files, deltas and indexes for each byte of rows that are there.",
    tags=("database",),
)
PAST_BYTES = Metric(
    name="mobula_past_bytes",
    kind="gauge",
    description="Bytes of files and indexes that only earlier versions read.",
    tags=("database",),
)
PINS = Metric(
    name="mobula_pins",
    kind="gauge",
    description="Readers that hold versions, when a collection looked last.",
    tags=("database",),
)
COLLECTED_BYTES = Metric(
    name="mobula_collected_bytes_total",
    kind="counter",
    description="Bytes that garbage collection deleted, of objects whose size is known.",
    tags=("database",),
)
METRICS = (
    QUERIES,
    QUERY_SECONDS,
    QUEUE_SECONDS,
    QUEUED,
    RUNNING,
    CLUSTERS,
    CLUSTERS_WANTED,
    WORKERS,
    WORKERS_WANTED,
    WORKER_SECONDS,
    STORE_REQUESTS,
    READ_BYTES,
    CACHE_HITS,
    CACHE_MISSES,
    SPILLED_BYTES,
    WORKER_LOSSES,
    SCALING_EVENTS,
    POOL_PROCESSES,
    WRITTEN_BYTES,
    READ_AMPLIFICATION,
    SPACE_AMPLIFICATION,
    PAST_BYTES,
    PINS,
    COLLECTED_BYTES,
)

_GAUGES = {
    "queued": QUEUED,
    "busy": RUNNING,
    "clusters": CLUSTERS,
    "clusters_wanted": CLUSTERS_WANTED,
    "workers": WORKERS,
    "workers_wanted": WORKERS_WANTED,
}
_TOTALS = {
    "worker_seconds": WORKER_SECONDS,
    "requests": STORE_REQUESTS,
    "read_bytes": READ_BYTES,
}


class Metrics(Protocol):
    """Takes values of metrics. Must return at once, and never fails for what is measured."""

    def record(self, metric: Metric, value: float, tags: Mapping[str, str]) -> None:
        """Take one value.

        Args:
            value: see `Metric.kind`; of a counter it is above 0.
            tags: a value for each of the metric's tags.
        """
        ...


class NoMetrics:
    """`Metrics` that nobody reads."""

    def record(self, metric: Metric, value: float, tags: Mapping[str, str]) -> None:
        """Forget it."""


class Meter:
    """Tells `Metrics` what happens in one database.

    Several processes may have one, if each tells different things: of a warehouse one alone calls
    `publish`, and of the pool one alone calls `pool`.
    """

    def __init__(self, metrics: Metrics, database: str) -> None:
        """Args: database: the tag, by which people know the database: its root."""
        self._metrics = metrics
        self._database = database
        self._totals: dict[tuple[str, str], float] = {}
        self._pool: set[tuple[str, str]] = set()
        self._written: dict[str, int] = {}
        self._collected = 0

    def publish(self, record: WarehouseRecord) -> None:
        """What there is of a warehouse now; to be called again and again, say every second.

        Totals that are lower than before are those of a coordinator that began anew.
        """
        for field, metric in _GAUGES.items():
            self._record(metric, record.name, getattr(record, field))
        for field, metric in _TOTALS.items():
            total = float(getattr(record, field))
            before = self._totals.get((record.name, field), 0.0)
            self._count(metric, record.name, _more(total, before))
            self._totals[record.name, field] = total

    def dropped(self, warehouse: str) -> None:
        """Nothing is left of a warehouse: its gauges are 0 from now on."""
        for metric in _GAUGES.values():
            self._record(metric, warehouse, 0)
        for field in _TOTALS:
            self._totals.pop((warehouse, field), None)

    def query_ended(self, record: QueryRecord) -> None:
        """A query is over; to be called once for each."""
        warehouse = record.warehouse or PRIMARY
        self._count(QUERIES, warehouse, 1, state=record.state)
        if record.state == "succeeded":
            self._record(QUERY_SECONDS, warehouse, record.elapsed_ms / 1000)
        self._record(QUEUE_SECONDS, warehouse, record.queued_ms / 1000)
        self._count(CACHE_HITS, warehouse, record.cache_hits)
        self._count(CACHE_MISSES, warehouse, record.files_scanned - record.cache_hits)
        self._count(SPILLED_BYTES, warehouse, record.spilled_bytes)

    def scaled(self, event: ScalingEvent) -> None:
        """Something was decided, or happened."""
        self._count(SCALING_EVENTS, event.warehouse, 1, action=event.action)

    def worker_lost(self, warehouse: str, why: str) -> None:
        """A worker died. Args: why: in one or two words, of a few that there are."""
        self._count(WORKER_LOSSES, warehouse or PRIMARY, 1, why=why)

    def written(self, by: Mapping[str, int], *, read: float, space: float) -> None:
        """What a primary has written, and how its tables lie.

        Args:
            by: bytes for "clients" and by "maintenance" since it began; fewer than before are those
                of another one.
            read, space: amplification.
        """
        for name, total in by.items():
            if (more := _more(total, self._written.get(name, 0))) > 0:
                tags = {"database": self._database, "by": name}
                self._metrics.record(WRITTEN_BYTES, more, tags)
        self._written = dict(by)
        self._of_database(READ_AMPLIFICATION, read)
        self._of_database(SPACE_AMPLIFICATION, space)

    def past(self, *, kept_bytes: int, pins: int, collected_bytes: int) -> None:
        """What a primary keeps of earlier versions, and has deleted since it began."""
        self._of_database(PAST_BYTES, kept_bytes)
        self._of_database(PINS, pins)
        if (more := _more(collected_bytes, self._collected)) > 0:
            self._of_database(COLLECTED_BYTES, more)
        self._collected = collected_bytes

    def pool(self, processes: Mapping[tuple[str, str], int]) -> None:
        """Processes by (type of node, state): all that there are now."""
        for node_type, state in self._pool | processes.keys():
            tags = {"database": self._database, "node_type": node_type, "state": state}
            self._metrics.record(POOL_PROCESSES, processes.get((node_type, state), 0), tags)
        self._pool |= processes.keys()

    def _of_database(self, metric: Metric, value: float) -> None:
        self._metrics.record(metric, value, {"database": self._database})

    def _count(self, metric: Metric, warehouse: str, more: float, **tags: str) -> None:
        if more > 0:
            self._record(metric, warehouse, more, **tags)

    def _record(self, metric: Metric, warehouse: str, value: float, **tags: str) -> None:
        own = {"database": self._database, "warehouse": warehouse, **tags}
        self._metrics.record(metric, value, own)


def _more(total: float, before: float) -> float:
    """By how much a total has grown; a lower one is that of a process that began anew."""
    return total - before if total >= before else total
