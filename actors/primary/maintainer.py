"""The primary's own maintenance, in the background: deltas are flushed, runs of indexes are merged,
files of which many rows are gone are written anew.

One task at a time, those that are asked for (`flush_now`, `compact_now`) too. Its commits go
through the sequencer like all others and wait for nobody; a writer waits for it only when deltas
have grown to a multiple of what a flush is due at.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable

import msgspec
from polars.exceptions import PanicException

from actors.messages import TableInfo, Transaction
from actors.operations import ExchangeRows, ExchangeRuns
from actors.primary.indexes import Indexes
from actors.primary.rewriter import Rewriter
from actors.primary.sequencer import Sequencer
from actors.primary.task_log import TaskLog
from storage.clock import Clock
from storage.compaction_plan import RewriteTask, files_due, holes_task, next_task, tidy_task
from storage.compaction_policy import CompactionPolicy
from storage.errors import (
    Conflict,
    CorruptData,
    InternalError,
    MobulaError,
    OutOfMemory,
    Unavailable,
)
from storage.flush import flush_is_due
from storage.flush_policy import FlushPolicy
from storage.primary_key import LiveRows
from storage.rewrite import Rewritten
from storage.rewriting import Rewriting
from storage.snapshot.model import Snapshot, TableState

__all__ = ["Maintainer"]

RETRY_MS = 1_000
PARTS_MAX = 1_000  # files and bitmaps of a table that are looked at in a few milliseconds
LOOK_MS = 1_000
ALL_HOLES = CompactionPolicy(holes_max=0.0)
MERGE_ROWS_MAX = 64 << 20  # of a task that is asked for


class Maintainer:
    """Give it a sequencer, run `run` in a task, and `wake` it after commits."""

    def __init__(
        self,
        sequencer: Sequencer,
        indexes: Indexes,
        *,
        rewriter: Rewriter,
        log: TaskLog,
        clock: Clock,
        policy: FlushPolicy,
        compaction: CompactionPolicy,
        table_info: Callable[[TableState], TableInfo],
    ) -> None:
        self._sequencer = sequencer
        self._indexes = indexes
        self.rewriter = rewriter
        self._log = log
        self._clock = clock
        self._policy = policy
        self._compaction = compaction
        self._info = table_info
        self._due = asyncio.Event()
        self._progress = asyncio.Condition()
        self._busy = asyncio.Lock()
        self._held: set[int] = set()  # tables whose runs somebody else exchanges
        # by table and file: why it cannot be written anew
        self._avoided: dict[tuple[int, int], MobulaError] = {}
        self._tidy: dict[int, TableState] = {}  # by id, in which nothing was due
        self._looked_ms: dict[int, float] = {}  # by table, when its files were looked at
        self.last_error: MobulaError | None = None

    def wake(self) -> None:
        """Something was committed."""
        self._due.set()

    async def run(self) -> None:
        """Until cancelled. What fails is tried again; nothing but memory suffers meanwhile."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                while await self._one_step():
                    pass
                self.last_error = next(iter(self._avoided.values()), None)
                await self._tell()
            except (Exception, PanicException) as error:  # no mistake may end maintenance for good
                self.last_error = (
                    error
                    if isinstance(error, MobulaError)
                    else InternalError(f"maintenance failed: {type(error).__name__}: {error}")
                )
                await self._clock.sleep_ms(RETRY_MS)
                self._due.set()

    async def room(self, table_ids: set[int], timeout_ms: float) -> None:
        """Wait until the deltas of these tables are few enough to take more.

        Raises Unavailable: the flush does not keep up.
        """
        if not any(self._is_full(table_id) for table_id in table_ids):
            return
        self.wake()
        try:
            async with asyncio.timeout(timeout_ms / 1000), self._progress:
                await self._progress.wait_for(
                    lambda: not any(self._is_full(table_id) for table_id in table_ids)
                )
        except TimeoutError:
            reason = f": {self.last_error}" if self.last_error else ""
            raise Unavailable(
                "writes come faster than deltas are flushed, which now hold too much memory"
                f"{reason}; nothing was written, retry later or in larger batches"
            ) from None

    async def flush_now(self, table_id: int | None = None) -> int:
        """Flush what is durable now, due or not. Returns how many tables had deltas.

        Args: table_id: of one table; None: all.
        """
        async with self.until_stopped():
            return await self._flush_now(table_id)

    async def _flush_now(self, table_id: int | None) -> int:
        count = 0
        for wanted in self._tables(table_id):
            async with self._busy:
                snapshot = self._sequencer.snapshot
                table = snapshot.tables.get(wanted)
                if table is None or not table.deltas:
                    continue
                with contextlib.suppress(Conflict):  # it was dropped or truncated meanwhile
                    await self.flush(table, snapshot)
                    count += 1
        return count

    async def flush(self, table: TableState, snapshot: Snapshot) -> None:
        """Flush the deltas of a table as of a durable snapshot."""
        await self._rewrite(Rewriting.flush(table, self._info(table).target), snapshot)
        await self._tell()

    async def compact_now(self, table_id: int | None = None) -> int:
        """Write anew every file of which rows are gone, many or few. Returns how many files.

        Args: table_id: of one table; None: all.
        """
        async with self.until_stopped():
            return await self._compact_now(table_id)

    async def _compact_now(self, table_id: int | None) -> int:
        count = 0
        for wanted in self._tables(table_id):
            async with self._busy:  # what is under way may leave files with holes
                known = self._sequencer.snapshot.tables.get(wanted)
            left = set() if known is None else set(files_due(ALL_HOLES, known))
            while left:
                async with self._busy:
                    snapshot = self._sequencer.snapshot
                    table = snapshot.tables.get(wanted)
                    due = () if table is None else files_due(ALL_HOLES, table)
                    left &= set(due)  # what has holes since waits for the next call
                    some = [i for i in due if i in left]
                    if table is None or not some:
                        break
                    task = holes_task(table, some, self._compaction.task_files_max)
                    with contextlib.suppress(Conflict):  # it was dropped or truncated meanwhile
                        await self.compact(table, task, snapshot)
                        count += len(task.file_ids)
                    left -= set(task.file_ids)
        return count

    async def recluster_now(self, table_id: int | None = None) -> int:
        """Sort files together until none overlap. Returns how many files were rewritten.

        Args: table_id: of one table; None: all.
        """
        policy = dataclasses.replace(self._compaction, merge_rows_max=MERGE_ROWS_MAX)
        count = 0
        async with self.until_stopped():
            for wanted in self._tables(table_id):
                while found := await self._recluster_step(wanted, policy):
                    count += found
        return count

    async def _recluster_step(self, table_id: int, policy: CompactionPolicy) -> int:
        async with self._busy:
            snapshot = self._sequencer.snapshot
            if (table := snapshot.tables.get(table_id)) is None:
                return 0
            if (task := tidy_task(policy, table, self._info(table).target.rows_max)) is None:
                return 0
            with contextlib.suppress(Conflict):  # it was dropped or truncated meanwhile
                await self.compact(table, task, snapshot)
            return len(task.file_ids)

    def _tables(self, table_id: int | None) -> list[int]:
        return list(self._sequencer.snapshot.tables) if table_id is None else [table_id]

    async def compact(self, table: TableState, task: RewriteTask, snapshot: Snapshot) -> None:
        """Write files of a table anew, as of a durable snapshot."""
        await self._rewrite(Rewriting.compaction(table, self._info(table).target, task), snapshot)

    async def _rewrite(self, work: Rewriting, snapshot: Snapshot) -> None:
        table = work.table
        name = f"{snapshot.schemas[table.schema_id]}.{table.name}"
        with self._log.running(work, name) as task:
            task.result = await self.rewriter.rewrite(work, task.progress)
            await self._exchange(work.kind, table, task.result, snapshot)

    async def _exchange(
        self, kind: str, table: TableState, rewritten: Rewritten, snapshot: Snapshot
    ) -> None:
        """Commit what a task has written. Raises Conflict: what it read is gone."""
        runs = await self._indexes.open_runs(
            msgspec.structs.replace(run, first_file_id=position)
            for position, file in enumerate(rewritten.files)
            for run in file.runs.values()
        )
        operation = ExchangeRows(
            kind=kind,
            table_id=table.id,
            read_lsn=snapshot.lsn,
            rewritten=rewritten,
            runs={key_id: tuple(found) for key_id, found in runs.items()},
        )
        await self._sequencer.submit(Transaction(operations=(operation,)))

    async def merge(self, table_id: int, key_id: int) -> bool:
        """Merge runs of a key's index that are due. Returns whether there were any.

        Raises Conflict: the table was dropped meanwhile.
        """
        state = self._sequencer.state
        if (index := state.indexes.get(table_id)) is None:
            raise Conflict(f"the table of id {table_id} was dropped meanwhile")
        table = state.snapshot.tables[table_id]
        known = {run.name for run in table.index_runs}  # others wait to be published
        # Of one state: a run of a load that is not durable yet has keys of rows that were left out.
        rows = LiveRows(index.live, table.bitmaps)
        dead = tuple(n for n in index.keys[key_id].dead_runs(index.live) if n in known)
        if dead:
            operation = ExchangeRuns(table_id=table_id, key_id=key_id, gone=dead, made=None)
            await self._sequencer.submit(Transaction(operations=(operation,)))
            return True
        due = [
            group
            for group in index.keys[key_id].due_merges()
            if known.issuperset(placed.run.name for placed in group)
        ]
        for group in due:
            made = await self._indexes.merged(key_id, group, rows)
            operation = ExchangeRuns(
                table_id=table_id,
                key_id=key_id,
                gone=tuple(placed.run.name for placed in group),
                made=made,
            )
            await self._sequencer.submit(Transaction(operations=(operation,)))
        return bool(due)

    @contextlib.asynccontextmanager
    async def until_stopped(self) -> AsyncIterator[None]:
        """Whatever goes wrong once the primary has stopped: the caller hears that it has."""
        try:
            yield
        except MobulaError as error:
            if (stopped := self._sequencer.stopped) is not None:
                raise stopped from error
            raise

    @contextlib.asynccontextmanager
    async def without_merges(self, table_id: int) -> AsyncIterator[None]:
        """No runs of the table are merged or published meanwhile; deltas are flushed as ever."""
        async with self._busy:  # what is under way is done
            self._held.add(table_id)
        try:
            yield
        finally:
            self._held.discard(table_id)
            self.wake()

    async def _one_step(self) -> bool:
        async with self._busy:
            return await self._step()

    async def _step(self) -> bool:
        """One task, if one is due."""
        self._sequencer.refuse_away()  # what it would upload could not be committed
        snapshot = self._sequencer.snapshot
        try:
            for table in snapshot.tables.values():
                if table.deltas and flush_is_due(self._policy, table):
                    await self.flush(table, snapshot)
                    return True
            return await self._merge_step(snapshot) or await self._compaction_step(snapshot)
        except Conflict:  # the table was dropped or truncated meanwhile
            if self._sequencer.snapshot.lsn == snapshot.lsn:
                raise  # what stands in the way is not there yet: look again later
            return True

    async def _merge_step(self, snapshot: Snapshot) -> bool:
        for table_id in list(self._sequencer.state.indexes):
            table = snapshot.tables.get(table_id)
            if table is None or table_id in self._held:
                continue
            await self._publish_rebuilt(table)
            for key in table.keys:
                if await self.merge(table_id, key.id):
                    return True
        return False

    async def _compaction_step(self, snapshot: Snapshot) -> bool:
        self._avoided = {
            (table_id, file_id): error
            for (table_id, file_id), error in self._avoided.items()
            if table_id in snapshot.tables and file_id in snapshot.tables[table_id].files.ids
        }
        self._tidy = {i: table for i, table in self._tidy.items() if i in snapshot.tables}
        for table in snapshot.tables.values():
            if (task := self._due_task(table)) is not None:
                await self._compacted(table, task, snapshot)
                return True
        return False

    def _due_task(self, table: TableState) -> RewriteTask | None:
        """A table in which nothing was due is not looked at before it has changed; one of many
        files not with every commit, but once a while."""
        if self._tidy.get(table.id) is table:
            return None
        if len(table.files) + len(table.bitmaps) > PARTS_MAX:
            now_ms = self._clock.monotonic_ms()
            if now_ms - self._looked_ms.get(table.id, -LOOK_MS) < LOOK_MS:
                asyncio.get_running_loop().call_later(LOOK_MS / 1_000, self._due.set)
                return None
            self._looked_ms[table.id] = now_ms
        avoid = {file_id for table_id, file_id in self._avoided if table_id == table.id}
        task = next_task(self._compaction, table, self._info(table).target.rows_max, avoid)
        if task is None:
            self._tidy[table.id] = table
        return task

    async def _compacted(self, table: TableState, task: RewriteTask, snapshot: Snapshot) -> None:
        """A file that is damaged stays as it is, and is told of; the others go on without it."""
        try:
            await self.compact(table, task, snapshot)
        except OutOfMemory as error:  # it would be so again
            self._avoided |= {(table.id, file_id): error for file_id in task.file_ids}
        except CorruptData as error:
            files = table.files.table.select(["file_id", "name"]).to_pylist()
            damaged = [f["file_id"] for f in files if f["name"] in str(error)]
            if not set(damaged) & set(task.file_ids):
                raise
            self._avoided |= {(table.id, file_id): error for file_id in damaged}

    async def _publish_rebuilt(self, table: TableState) -> None:
        """Runs that were made anew when the index was opened take the place of the lost ones."""
        left = self._indexes.rebuilt.get(table.id, {})
        for (key_id, partition), (gone, made) in list(left.items()):
            operation = ExchangeRuns(table_id=table.id, key_id=key_id, gone=gone, made=made)
            with contextlib.suppress(Conflict):  # it was truncated, repaired, or this is done
                await self._sequencer.submit(Transaction(operations=(operation,)))
            left.pop((key_id, partition), None)
        self._indexes.rebuilt.pop(table.id, None)

    async def _tell(self) -> None:
        """There may be room: a flush is done, or a table was truncated or dropped."""
        async with self._progress:
            self._progress.notify_all()

    def _is_full(self, table_id: int) -> bool:
        table = self._sequencer.working.tables.get(table_id)
        return table is not None and flush_is_due(self._policy, table, self._policy.full)
