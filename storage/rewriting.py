"""A flush or a compaction as a value: what it needs of a table, picklable, and how it is done.

Whoever plans it need not be who carries it out: on Ray tasks of the cluster do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from storage.compaction import compact
from storage.compaction_plan import RewriteTask
from storage.flush import flush
from storage.ids import Ids
from storage.objects.base import ObjectStore
from storage.rewrite import Rewritten
from storage.snapshot.files import FileSet
from storage.snapshot.model import TableState
from storage.target import IngestTarget

__all__ = ["Rewriting", "rewrite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewriting:
    """A flush of deltas, or a compaction of files.

    Attributes:
        table: with these deltas or files, and their bitmaps, alone.
        target: the table's, with the order of its rows.
        task: of a compaction; None: a flush.
    """

    table: TableState
    target: IngestTarget
    task: RewriteTask | None

    @classmethod
    def flush(cls, table: TableState, target: IngestTarget) -> Rewriting:
        """Of all deltas of a table."""
        chosen = _alone(table, {delta.id for delta in table.deltas})
        return cls(table=chosen, target=target, task=None)

    @classmethod
    def compaction(cls, table: TableState, target: IngestTarget, task: RewriteTask) -> Rewriting:
        """Of the files of a task."""
        return cls(table=_alone(table, set(task.file_ids)), target=target, task=task)

    @property
    def kind(self) -> str:
        """As the log and `mobula.tasks()` name it."""
        return "flush" if self.task is None else "compact"

    @property
    def row_count(self) -> int:
        """That are there."""
        return self.table.row_count

    @property
    def size_bytes(self) -> int:
        """Of the deltas and files, compressed."""
        return self.table.files.size_bytes + sum(len(d.rows) for d in self.table.deltas)


def _alone(table: TableState, ids: set[int]) -> TableState:
    """A table with these files and deltas, and no others."""
    known = np.array(table.files.ids, np.int64)
    files = FileSet(table.files.selected(np.isin(known, list(ids))).table.combine_chunks())
    return dataclasses.replace(
        table,
        deltas=tuple(delta for delta in table.deltas if delta.id in ids),
        files=files,
        bitmaps={number: table.bitmaps[number] for number in ids if number in table.bitmaps},
        index_runs=(),
    )


async def rewrite(
    store: ObjectStore,
    work: Rewriting,
    *,
    ids: Ids,
    scratch: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Rewritten:
    """Carry it out; commits nothing.

    Args:
        scratch: directory for temporary files; None: the system's.
        progress: called with the rows stored so far, in the event loop's thread.
    Raises: what the store raises; CorruptData naming the object that is not what it was.
    """
    if work.task is None:
        return await flush(
            store, work.table, work.target, ids=ids, scratch=scratch, progress=progress
        )
    return await compact(
        store, work.table, work.task, work.target, ids=ids, scratch=scratch, progress=progress
    )
