"""What kind of process the fleet starts: for which role, on which nodes, how large."""

from __future__ import annotations

from dataclasses import dataclass

from storage.snapshot.changes import VirtualWarehouse

__all__ = ["COORDINATOR", "Shape", "WorkerShape", "worker_shape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerShape:
    """A worker. `node_type`: a name of `RaySettings.node_types`; `memory_bytes`: of its process."""

    node_type: str
    cpus: float
    memory_bytes: int | None = None


COORDINATOR = "coordinator"
Shape = WorkerShape | str  # a worker of some size, or a coordinator


def worker_shape(warehouse: VirtualWarehouse) -> WorkerShape:
    """Of the workers of a virtual warehouse."""
    return WorkerShape(
        node_type=warehouse.node_type,
        cpus=warehouse.worker_cpus,
        memory_bytes=warehouse.worker_memory_bytes,
    )
