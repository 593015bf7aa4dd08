"""Which files of a table are compacted next, as far as maintenance remembers more than the snapshot
says: tables in which nothing was due, and files that cannot be written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set

from storage.clock import Clock
from storage.compaction_plan import RewriteTask, due_tasks
from storage.compaction_policy import CompactionPolicy
from storage.errors import CorruptData, MobulaError, OutOfMemory
from storage.snapshot.model import Snapshot, TableState
from storage.table_options import compaction_policy, is_maintained

__all__ = ["LOOK_MS", "PARTS_MAX", "Choice"]

PARTS_MAX = 1_000  # files and bitmaps of a table that are looked at in a few milliseconds
LOOK_MS = 1_000


class Choice:
    """Of one maintainer."""

    def __init__(
        self,
        database: CompactionPolicy,
        *,
        rows_max: Callable[[TableState], int],
        clock: Clock,
        look_later: Callable[[float], None],
    ) -> None:
        """Args:
        database: for tables without options of their own.
        rows_max: of a file of a table.
        look_later: called with the seconds after which a table is to be looked at again.
        """
        self._database = database
        self._rows_max = rows_max
        self._clock = clock
        self._look_later = look_later
        # by table and file: why it cannot be written anew
        self._avoided: dict[tuple[int, int], MobulaError] = {}
        self._tidy: dict[int, TableState] = {}  # by id, in which nothing was due
        self._looked_ms: dict[int, float] = {}  # by table, when its files were looked at

    @property
    def error(self) -> MobulaError | None:
        """Why a file cannot be written anew; None: all can."""
        return next(iter(self._avoided.values()), None)

    def policy(self, table: TableState) -> CompactionPolicy:
        """Of a table."""
        return compaction_policy(self._database, table.options)

    def forget(self, snapshot: Snapshot) -> None:
        """Forget tables and files that are not there any more."""
        tables = snapshot.tables
        self._avoided = {
            (table_id, file_id): error
            for (table_id, file_id), error in self._avoided.items()
            if table_id in tables and file_id in tables[table_id].files.ids
        }
        self._tidy = {i: table for i, table in self._tidy.items() if i in tables}
        self._looked_ms = {i: when for i, when in self._looked_ms.items() if i in tables}

    def tasks(self, table: TableState, busy: Set[int]) -> Iterator[RewriteTask]:
        """What is due, first things first; one task of each partition that is not busy.

        A table in which nothing was due is not looked at before it has changed; one of many files
        not with every commit, but once a while.
        """
        if self._tidy.get(table.id) is table or not is_maintained(table.options):
            return
        if len(table.files) + len(table.bitmaps) > PARTS_MAX:
            now_ms = self._clock.monotonic_ms()
            if now_ms - self._looked_ms.get(table.id, -LOOK_MS) < LOOK_MS:
                self._look_later(LOOK_MS / 1_000)
                return
            self._looked_ms[table.id] = now_ms
        avoid = {file_id for table_id, file_id in self._avoided if table_id == table.id}
        policy, rows_max = self.policy(table), self._rows_max(table)
        tidy = not busy
        for task in due_tasks(policy, table, rows_max, avoid=avoid, busy=busy):
            tidy = False
            yield task
        if tidy:
            self._tidy[table.id] = table

    def failed(self, table: TableState, task: RewriteTask, error: MobulaError) -> bool:
        """Remember which files cannot be written anew: those that were to be when memory was short,
        for it would be again, or those that are damaged. Returns whether it is that."""
        if isinstance(error, OutOfMemory):
            bad = set(task.file_ids)
        elif isinstance(error, CorruptData):
            files = table.files.table.select(["file_id", "name"]).to_pylist()
            bad = {f["file_id"] for f in files if f["name"] in str(error)} & set(task.file_ids)
        else:
            return False
        self._avoided |= {(table.id, file_id): error for file_id in bad}
        return bool(bad)
