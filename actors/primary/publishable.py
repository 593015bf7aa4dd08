"""No commit names an object that is being collected, or may have been."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from actors.operations import AppendFiles
from storage.errors import Conflict
from storage.names import begun_lsn
from storage.snapshot.model import Snapshot

__all__ = ["names_of", "refuse_collected"]


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


def names_of(operation: AppendFiles) -> Iterator[str]:
    """The objects that it brings: files and their runs."""
    yield from (file.name for file in operation.files)
    yield from (run.name for runs in operation.runs for run in runs.values())
