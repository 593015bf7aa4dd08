"""What the collector commits: a horizon, names that are about to be deleted, and that they are."""

from __future__ import annotations

from actors.operations import Collect
from actors.primary.resolved import Resolved
from storage.snapshot import changes as c
from storage.snapshot.model import Snapshot

__all__ = ["collect"]


def collect(operation: Collect, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`."""
    changes: list[c.CatalogueChange] = []
    if operation.horizon is not None:
        changes.append(c.MoveHorizon(lsn=operation.horizon))
    if operation.planned or operation.upload_floor is not None:
        floor = operation.upload_floor or 0
        changes.append(c.PlanCollection(names=operation.planned, upload_floor=floor))
    if operation.ended:
        changes.append(c.EndCollection(names=operation.ended))
    return Resolved(kind="collect", catalogue=tuple(changes))
