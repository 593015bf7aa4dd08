"""What may go of the objects under data/ and index/, by a snapshot alone; and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from storage.names import INDEX_PREFIX, begun_lsn
from storage.objects import ObjectInfo
from storage.snapshot.model import Snapshot

__all__ = ["Doomed", "Why", "due_graves", "lost_uploads"]


class Why(Enum):
    """Why an object goes; the value is for people."""

    UNREAD = "no version within the retention reads it"
    MERGED = "an index run that others have replaced"
    PLANNED = "an earlier collection has logged that it goes, and did not end"
    UPLOAD = "an upload that was not committed in time"
    LOG = "a part of the log before the oldest version that can be read"
    PACKED = "a log object that a pack has"
    CHECKPOINT = "a checkpoint that others beside it make needless"
    STAGED = "a writer that died has left it"
    PIN = "the claim of a reader that has not renewed it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """An object that goes. `size_bytes` None: not known."""

    name: str
    size_bytes: int | None
    why: Why


def due_graves(snapshot: Snapshot, *, until: int, runs_until: int) -> Iterator[Doomed]:
    """What left the tables and may go.

    Args:
        until: no version before this LSN is read any more.
        runs_until: nobody writes by an index of before this LSN; readers of versions need none.
    """
    for grave in snapshot.graveyard:
        for one in grave.objects:
            is_run = one.name.startswith(INDEX_PREFIX)
            if grave.lsn_removed <= (runs_until if is_run else until):
                why = Why.MERGED if is_run else Why.UNREAD
                yield Doomed(name=one.name, size_bytes=one.size_bytes, why=why)


def lost_uploads(
    listed: Iterable[ObjectInfo], snapshot: Snapshot, upload_floor: int
) -> Iterator[Doomed]:
    """Objects that no version has and none can have any more: their uploads began before the floor.

    Args:
        listed: before `snapshot` was the newest: what is committed meanwhile is in it.
        upload_floor: that is in force in `snapshot`, or would be.
    """
    known = {name for table in snapshot.tables.values() for name in table.files.names}
    known.update(run.name for table in snapshot.tables.values() for run in table.index_runs)
    known.update(one.name for grave in snapshot.graveyard for one in grave.objects)
    known |= snapshot.planned
    for entry in listed:
        begun = begun_lsn(entry.name, snapshot.branch_id)
        if begun is not None and begun < upload_floor and entry.name not in known:
            yield Doomed(name=entry.name, size_bytes=entry.size_bytes, why=Why.UPLOAD)
