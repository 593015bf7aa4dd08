"""One tree of settings: built where a process starts, passed down, never read from globals."""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.primary.limits import CheckpointPolicy, KeyedLimits, SequencerLimits
from storage.collection.policy import RetentionPolicy
from storage.objects import StoreOptions

__all__ = ["NodeSettings", "NodeType", "RaySettings", "Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeType:
    """A kind of node that workers of virtual warehouses run on.

    Attributes:
        resources: custom resources of Ray that pin a worker to such nodes; empty runs anywhere.
        floor: started workers that are kept ready, also while nothing runs.
        cpus, memory_bytes: of each of those; virtual warehouses of that size take from them.
    """

    resources: dict[str, float] = field(default_factory=dict)
    floor: int = 0
    cpus: float = 1.0
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaySettings:
    """How much of Ray the actors ask for.

    Attributes:
        primary_cpus, compute_cpus, coordinator_cpus: logical CPUs of the primary, of its own query
            worker, and of each virtual warehouse's coordinator (workers have their own setting).
        ingest_cpus: of each task that loads a source file, or writes a slice of a large frame.
        ingest_bytes_min: rows of so many bytes in memory are written by tasks; fewer by whoever
            has them.
        ingest_slices_max: slices of one frame that are in the object store at a time.
        maintenance_cpus, maintenance_memory_bytes: of each task that flushes or compacts; the
            memory is Ray's to place tasks by, and one file or a few are in it at a time.
        maintenance_start_s: how long such a task may wait for a node before the primary does it,
            and all others of the next minutes.
        maintenance_tasks_max: flushes that run as such tasks at a time, and as many compactions;
            fewer where both would take more than half of the cluster's CPUs.
        maintenance_bytes_min: of deltas and files, compressed; the primary itself rewrites fewer.
        primary_resources: custom resources that pin the primary to a node type, as `cluster.yaml`
            defines them; empty runs anywhere.
        coordinator_resources: the same for coordinators, the fleet and the node broker.
        coordinator_floor: started processes that are kept ready to become coordinators.
        node_types: by name, for the workers of virtual warehouses.
        start_timeout_s: how long to wait for an actor before saying what is missing.
    """

    primary_cpus: float = 0.5
    compute_cpus: float = 0.5
    coordinator_cpus: float = 0.1
    ingest_cpus: float = 0.5
    ingest_bytes_min: int = 64 << 20
    ingest_slices_max: int = 8
    maintenance_cpus: float = 0.5
    maintenance_memory_bytes: int = 1 << 30
    maintenance_start_s: float = 10.0
    maintenance_tasks_max: int = 8
    maintenance_bytes_min: int = 8 << 20
    primary_resources: dict[str, float] = field(default_factory=dict)
    coordinator_resources: dict[str, float] = field(default_factory=dict)
    coordinator_floor: int = 0
    node_types: dict[str, NodeType] = field(default_factory=lambda: {"default": NodeType()})
    start_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything tunable of one connection and of the processes it starts.

    Attributes:
        lease_ms: the primary's lease; a successor waits that long for a silent one.
        poll_ms: how often a virtual warehouse looks at the log when nothing pushes.
        cache_bytes: local file cache of each worker of the primary's own compute.
        rows_inline_bytes_max: an append whose encoded rows are smaller goes into the log itself,
            a larger one becomes micropartitions.
        cache_directory: where caches and temporary files live; None is the system's temporary
            directory.
    """

    lease_ms: int = 10_000
    poll_ms: int = 1_000
    cache_bytes: int = 4 << 30
    rows_inline_bytes_max: int = 1 << 20
    cache_directory: str | None = None
    sequencer: SequencerLimits = field(default_factory=SequencerLimits)
    checkpoints: CheckpointPolicy = field(default_factory=CheckpointPolicy)
    keyed: KeyedLimits = field(default_factory=KeyedLimits)
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    ray: RaySettings = field(default_factory=RaySettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What every process of one database needs to find it: picklable, holds credentials."""

    root: str
    store: StoreOptions | None
    branch: str
    database_id: str
    settings: Settings
