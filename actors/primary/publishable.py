"""No commit names an object that is being collected, or may have been."""

from __future__ import annotations

from collections.abc import Iterable

from storage.errors import Conflict
from storage.names import begun_lsn
from storage.snapshot.model import Snapshot

__all__ = ["refuse_collected"]


def refuse_collected(names: Iterable[str], snapshot: Snapshot) -> None:
    """Raises Conflict if one of these objects under data/ or index/ may have been deleted."""
    for name in names:
        if name in snapshot.planned or name in snapshot.collected:
            raise Conflict(f"{name} is about to be collected; load it again")
        if (begun_lsn(name, snapshot.branch_id) or 0) < snapshot.upload_floor:
            raise Conflict(
                f"{name}: its upload began before LSN {snapshot.upload_floor}, longer ago than "
                "uploads may take; load it again"
            )
