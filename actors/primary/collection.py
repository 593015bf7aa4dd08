"""What the collector commits: a horizon, names that are about to be deleted, and that they are; and
how long the past is kept."""

from __future__ import annotations

from actors.operations import ChangeSetting, Collect
from actors.primary.resolved import Resolved
from storage.collection.policy import RETENTION
from storage.errors import InvalidRequest
from storage.snapshot import changes as c
from storage.snapshot.model import Snapshot

__all__ = ["change_setting", "collect"]


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


def change_setting(operation: ChangeSetting, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`. Raises InvalidRequest: what is no setting, or not its value."""
    if operation.name != RETENTION or not (operation.value or "0").isdecimal():
        raise InvalidRequest(f"{operation.name} = {operation.value} is no setting of a database")
    change = c.ChangeSetting(name=operation.name, value=operation.value)
    return Resolved(kind="alter system", catalogue=(change,))
