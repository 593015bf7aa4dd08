"""One task of maintenance, carried out and committed: rows are written anew, or runs merged.

Which task is due is decided elsewhere (`maintainer.py`). Commits go through the sequencer like all
others and wait for nobody.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import msgspec

from actors.messages import TableInfo, Transaction
from actors.operations import ExchangeRows, ExchangeRuns
from actors.primary.indexes import TOGETHER_MIN, Indexes
from actors.primary.rewriter import Rewriter
from actors.primary.sequencer import Sequencer
from actors.primary.task_log import TaskLog
from storage.compaction_plan import RewriteTask
from storage.errors import Conflict, ObjectMissing
from storage.primary_key import LiveRows, PlacedRun, TableIndex
from storage.rewrite import Rewritten
from storage.rewriting import Rewriting
from storage.snapshot.model import Snapshot, TableState
from storage.windows import windows

__all__ = ["Upkeep"]


class Upkeep:
    """Of one primary. Whoever calls it has the lane of the table (`lanes.py`)."""

    def __init__(
        self,
        sequencer: Sequencer,
        indexes: Indexes,
        *,
        rewriter: Rewriter,
        log: TaskLog,
        table_info: Callable[[TableState], TableInfo],
    ) -> None:
        self._sequencer = sequencer
        self._indexes = indexes
        self.rewriter = rewriter
        self._log = log
        self._info = table_info
        self._calm: dict[int, tuple[TableIndex, TableState]] = {}  # in which nothing was due

    def rows_max(self, table: TableState) -> int:
        """Of a file of the table."""
        return self._info(table).target.rows_max

    async def flush(self, table: TableState, snapshot: Snapshot) -> None:
        """Flush the deltas of a table as of a durable snapshot. Raises Conflict: they are gone."""
        await self._rewrite(Rewriting.flush(table, self._info(table).target), snapshot)

    async def compact(self, table: TableState, task: RewriteTask, snapshot: Snapshot) -> None:
        """Write files of a table anew, as of a durable snapshot. Raises Conflict: they are gone."""
        await self._rewrite(Rewriting.compaction(table, self._info(table).target, task), snapshot)

    async def _rewrite(self, work: Rewriting, snapshot: Snapshot) -> None:
        table = work.table
        name = f"{snapshot.schemas[table.schema_id]}.{table.name}"
        with self._log.running(work, name) as task:
            try:
                task.result = await self.rewriter.rewrite(work, task.progress)
            except ObjectMissing as error:
                if self._is_there(work.table):
                    raise
                raise Conflict(f"files of {name} were removed and collected meanwhile") from error
            await self._exchange(work.kind, table, task.result, snapshot)

    def _is_there(self, table: TableState) -> bool:
        """Whether all these files of a table still are."""
        now = self._sequencer.snapshot.tables.get(table.id)
        return now is not None and set(table.files.ids) <= set(now.files.ids)

    async def _exchange(
        self, kind: str, table: TableState, rewritten: Rewritten, snapshot: Snapshot
    ) -> None:
        """Commit what a task has written. Raises Conflict: what it read is gone."""
        opened = await self._indexes.open_runs(
            msgspec.structs.replace(run, first_file_id=position)
            for position, file in enumerate(rewritten.files)
            for run in file.runs.values()
        )
        runs = await self._indexes.together(opened)
        operation = ExchangeRows(
            kind=kind,
            table_id=table.id,
            read_lsn=snapshot.lsn,
            rewritten=rewritten,
            runs={key_id: tuple(found) for key_id, found in runs.items()},
        )
        await self._sequencer.submit(Transaction(operations=(operation,)))

    # --- indexes ----------------------------------------------------------------------------------

    def runs_due(self, table_id: int) -> bool:
        """Are there runs of the table's indexes to be published, removed or merged?"""
        state = self._sequencer.state
        index, table = state.indexes.get(table_id), state.snapshot.tables.get(table_id)
        if index is None or table is None:
            return False
        if table_id in self._indexes.rebuilt:
            return True
        calm = self._calm.get(table_id)
        if calm is not None and calm[0] is index and calm[1] is table:
            return False  # as it was
        due = any(any(_due(index, table, key.id)) for key in table.keys)
        if not due:
            self._calm[table_id] = (index, table)
        return due

    def forget(self, snapshot: Snapshot) -> None:
        """Forget tables that are not there any more."""
        self._calm = {i: found for i, found in self._calm.items() if i in snapshot.tables}

    async def merge_runs(self, table: TableState) -> None:
        """Those of a durable table that are due, once. Raises Conflict: it was dropped."""
        await self._publish_rebuilt(table)
        for key in table.keys:
            await self.merge(table.id, key.id)

    async def merge(self, table_id: int, key_id: int) -> bool:
        """Merge runs of a key's index that are due. Returns whether there were any.

        Raises Conflict: the table was dropped meanwhile.
        """
        state = self._sequencer.state
        if (index := state.indexes.get(table_id)) is None:
            raise Conflict(f"the table of id {table_id} was dropped meanwhile")
        table = state.snapshot.tables[table_id]
        # Of one state: a run of a load that is not durable yet has keys of rows that were left out.
        rows = LiveRows(index.live, table.bitmaps)
        dead, due = _due(index, table, key_id)
        if dead:
            operation = ExchangeRuns(table_id=table_id, key_id=key_id, gone=dead, made=None)
            await self._sequencer.submit(Transaction(operations=(operation,)))
            return True
        # Few are there as soon as each is merged; many come together, and are searched so.
        for groups in [due] if len(due) >= TOGETHER_MIN else windows(due, 1):
            merged = [await self._indexes.merged(key_id, group, rows) for group in groups]
            made = (await self._indexes.together({key_id: merged}))[key_id]
            operations = [
                ExchangeRuns(
                    table_id=table_id,
                    key_id=key_id,
                    gone=tuple(placed.run.name for placed in group),
                    made=one,
                )
                for group, one in zip(groups, made, strict=True)
            ]
            await self._sequencer.submit(Transaction(operations=tuple(operations)))
        return bool(due)

    async def _publish_rebuilt(self, table: TableState) -> None:
        """Runs that were made anew when the index was opened take the place of the lost ones."""
        left = self._indexes.rebuilt.get(table.id, {})
        for (key_id, partition), (gone, made) in list(left.items()):
            operation = ExchangeRuns(table_id=table.id, key_id=key_id, gone=gone, made=made)
            with contextlib.suppress(Conflict):  # it was truncated, repaired, or this is done
                await self._sequencer.submit(Transaction(operations=(operation,)))
            left.pop((key_id, partition), None)
        self._indexes.rebuilt.pop(table.id, None)


def _due(
    index: TableIndex, table: TableState, key_id: int
) -> tuple[tuple[str, ...], list[tuple[PlacedRun, ...]]]:
    """Runs of a key whose files are all gone, and groups to be merged."""
    known = {run.name for run in table.index_runs}  # others wait to be published
    key = index.keys[key_id]
    dead = tuple(name for name in key.dead_runs(index.live) if name in known)
    groups = [
        group for group in key.due_merges() if known.issuperset(one.run.name for one in group)
    ]
    return dead, groups
