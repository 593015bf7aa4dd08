"""The primary's own maintenance, in the background: deltas are flushed, runs of indexes are merged,
files of which many rows are gone, or that lie above too many others, are written anew.

1. Whenever something was committed, a pass over all tables begins what is due in lanes that are
   free (`lanes.py`): a flush, merges of runs and compactions of a table's partitions run side by
   side, and so do tasks of different tables, as many of each kind as the rewriter does at a time.
   So a flush never waits for a compaction, and a large table not for a larger one.
2. What ends begins the next pass. What fails is tried again, after a second, and holds nobody up.
3. What is asked for (`flush_now`, `compact_now`, `recluster_now`) waits for its lane.

A writer waits for maintenance only when deltas have grown to a multiple of what a flush is due at.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial

from polars.exceptions import PanicException

from actors.messages import TableInfo
from actors.primary.choice import Choice
from actors.primary.indexes import Indexes
from actors.primary.lanes import Lane, Lanes
from actors.primary.limits import KeyedLimits
from actors.primary.rewriter import Rewriter
from actors.primary.sequencer import Sequencer
from actors.primary.task_log import TaskLog
from actors.primary.upkeep import Upkeep
from actors.primary.waiting import Waiting
from storage.clock import Clock
from storage.compaction_plan import RewriteTask, files_due, holes_task, tidy_task
from storage.compaction_policy import CompactionPolicy
from storage.errors import Conflict, InternalError, MobulaError, Unavailable
from storage.snapshot.model import Snapshot, TableState
from storage.windows import windows

__all__ = ["Maintainer"]

RETRY_MS = 1_000
ALL_HOLES = CompactionPolicy(holes_max=0.0)
MERGE_ROWS_MAX = 64 << 20  # of a task that is asked for

Job = Callable[[], Awaitable[None]]  # begun only by a task that runs: a cancelled one may never


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
        limits: KeyedLimits,
        table_info: Callable[[TableState], TableInfo],
    ) -> None:
        self._sequencer = sequencer
        self.rewriter = rewriter
        self.upkeep = Upkeep(sequencer, indexes, rewriter=rewriter, log=log, table_info=table_info)
        self._clock = clock
        self._due = asyncio.Event()
        self._progress = asyncio.Condition()
        self._lanes = Lanes(
            lambda work: limits.tasks_max if work == "index" else rewriter.side_by_side
        )
        self._choice = Choice(
            limits.compaction,
            rows_max=self.upkeep.rows_max,
            clock=clock,
            look_later=self._look_later,
        )
        self._waiting = Waiting(limits.flush, clock, self._look_later)
        self._timer: asyncio.TimerHandle | None = None
        self._begun: dict[int, int] = {}  # by table, which compaction of all was begun last
        self._resting: dict[Lane, MobulaError] = {}  # that failed, and are tried again later
        self._broken: MobulaError | None = None  # why no pass is made

    @property
    def last_error(self) -> MobulaError | None:
        """What stands in the way of maintenance at this moment."""
        return self._broken or next(iter(self._resting.values()), None) or self._choice.error

    def wake(self) -> None:
        """Something was committed."""
        self._due.set()

    def _look_later(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._timer is not None:
            if loop.time() < self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = loop.call_at(when, self._due.set)

    # --- by itself --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled. What fails is tried again; nothing but memory suffers meanwhile."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._due.wait()
                self._due.clear()
                try:
                    await self._tell()  # there may be room: something was flushed, or is gone
                    for lane, job in self._pass():
                        self._lanes.begin(lane)
                        group.create_task(self._done(lane, job))
                    self._broken = None
                except (Exception, PanicException) as error:  # no mistake ends maintenance for good
                    self._broken = _told(error)
                    await self._clock.sleep_ms(RETRY_MS)
                    self._due.set()

    def _pass(self) -> Iterator[tuple[Lane, Job]]:
        """What is due in lanes that are free; who asks takes a lane before asking for the next."""
        self._sequencer.refuse_away()  # what it would upload could not be committed
        snapshot = self._sequencer.snapshot
        self._choice.forget(snapshot)
        self.upkeep.forget(snapshot)
        self._resting = {k: v for k, v in self._resting.items() if k.table_id in snapshot.tables}
        tables = list(snapshot.tables.values())
        for table in self._waiting.due(snapshot):
            if self._may_begin(lane := Lane("flush", table.id)):
                yield lane, partial(self.upkeep.flush, table, snapshot)
        for table in tables:
            lane = Lane("index", table.id)
            if self._may_begin(lane) and self.upkeep.runs_due(table.id):
                yield lane, partial(self.upkeep.merge_runs, table)
        self._begun = {i: n for i, n in self._begun.items() if i in snapshot.tables}
        waiting = sorted(tables, key=lambda table: self._begun.get(table.id, 0))
        due = deque(
            (table, self._choice.tasks(table, self._compacting(table))) for table in waiting
        )
        while due and self._lanes.has_room("compact"):  # the tables take turns
            table, tasks = due.popleft()
            if (task := next(tasks, None)) is not None:
                due.append((table, tasks))
                self._begun[table.id] = 1 + max(self._begun.values(), default=0)
                job = partial(self._compacted, table, task, snapshot)
                yield Lane("compact", table.id, task.partition), job

    def _compacting(self, table: TableState) -> set[int]:
        """Partitions whose files are rewritten now, or must not be."""
        lanes = [*self._lanes.busy(), *self._resting]
        return {n.partition for n in lanes if (n.work, n.table_id) == ("compact", table.id)}

    def _may_begin(self, lane: Lane) -> bool:
        return lane not in self._resting and self._lanes.is_free(lane)

    async def _done(self, lane: Lane, job: Job) -> None:
        """Carry out what was begun in a lane."""
        lsn = self._sequencer.snapshot.lsn
        error: MobulaError | None = None
        try:
            await job()
        except Conflict as found:  # the table was dropped or truncated meanwhile
            if self._sequencer.snapshot.lsn == lsn:
                error = found  # what stands in the way is not there yet
        except (Exception, PanicException) as found:
            error = _told(found)
        finally:
            self._lanes.end(lane)
            self._due.set()
        if error is not None:
            self._resting[lane] = error
            await self._clock.sleep_ms(RETRY_MS)
            self._resting.pop(lane, None)
            self._due.set()

    async def _compacted(self, table: TableState, task: RewriteTask, snapshot: Snapshot) -> None:
        """A file that is damaged stays as it is, and is told of; the others go on without it."""
        try:
            await self.upkeep.compact(table, task, snapshot)
        except MobulaError as error:
            if not self._choice.failed(table, task, error):
                raise

    # --- for writers ------------------------------------------------------------------------------

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

    # --- asked for --------------------------------------------------------------------------------

    async def flush_now(self, table_id: int | None = None) -> int:
        """Flush what is durable now, due or not. Returns how many tables had deltas.

        Args: table_id: of one table; None: all.
        """
        async with self._sequencer.until_stopped():
            return await self._flush_now(table_id)

    async def _flush_now(self, table_id: int | None) -> int:
        count = 0
        for wanted in self._tables(table_id):
            async with self._held(Lane("flush", wanted)):
                snapshot = self._sequencer.snapshot
                table = snapshot.tables.get(wanted)
                if table is None or not table.deltas:
                    continue
                with contextlib.suppress(Conflict):  # it was dropped or truncated meanwhile
                    await self.upkeep.flush(table, snapshot)
                    count += 1
        return count

    async def compact_now(self, table_id: int | None = None) -> int:
        """Write anew every file of which rows are gone, many or few. Returns how many files.

        Args: table_id: of one table; None: all.
        """
        async with self._sequencer.until_stopped():
            return await self._compact_now(table_id)

    async def _compact_now(self, table_id: int | None) -> int:
        count = 0
        for wanted in self._tables(table_id):
            async with self._held(Lane("flush", wanted)):
                pass  # what is flushed now may leave holes; later flushes are not kept waiting
            count += await self._in_all(wanted, self._fill_holes)
            await self._tidy_index(wanted)
        return count

    async def _fill_holes(self, table_id: int, partition: int) -> int:
        compacted = Lane("compact", table_id, partition)
        async with self._held(compacted):  # what is compacted now may leave holes, too
            known = self._sequencer.snapshot.tables.get(table_id)
        left = set() if known is None else set(files_due(ALL_HOLES, known, partition))
        count = 0
        while left:
            async with self._held(compacted):
                snapshot = self._sequencer.snapshot
                table = snapshot.tables.get(table_id)
                due = () if table is None else files_due(ALL_HOLES, table, partition)
                left &= set(due)  # what has holes since waits for the next call
                some = [i for i in due if i in left]
                if table is None or not some:
                    break
                task = holes_task(table, some, self._choice.policy(table).task_files_max)
                with contextlib.suppress(Conflict):  # it was dropped or truncated meanwhile
                    await self.upkeep.compact(table, task, snapshot)
                    count += len(task.file_ids)
                left -= set(task.file_ids)
        return count

    async def recluster_now(self, table_id: int | None = None) -> int:
        """Sort files together until none overlap. Returns how many files were rewritten.

        Args: table_id: of one table; None: all.
        """
        async with self._sequencer.until_stopped():
            count = 0
            for wanted in self._tables(table_id):
                count += await self._in_all(wanted, self._recluster)
                await self._tidy_index(wanted)
            return count

    async def _tidy_index(self, table_id: int) -> None:
        """Runs of the table's indexes whose files are gone go, too."""
        async with self._held(Lane("index", table_id)):
            table = self._sequencer.snapshot.tables.get(table_id)
            if table is not None and self.upkeep.runs_due(table_id):
                with contextlib.suppress(Conflict):  # it was dropped or truncated meanwhile
                    await self.upkeep.merge_runs(table)

    async def _recluster(self, table_id: int, partition: int) -> int:
        count = 0
        while found := await self._recluster_step(Lane("compact", table_id, partition)):
            count += found
        return count

    async def _recluster_step(self, lane: Lane) -> int:
        async with self._held(lane):
            snapshot = self._sequencer.snapshot
            if (table := snapshot.tables.get(lane.table_id)) is None:
                return 0
            policy = dataclasses.replace(self._choice.policy(table), merge_rows_max=MERGE_ROWS_MAX)
            rows_max = self.upkeep.rows_max(table)
            if (task := tidy_task(policy, table, rows_max, lane.partition)) is None:
                return 0
            with contextlib.suppress(Conflict):  # it was dropped or truncated meanwhile
                await self.upkeep.compact(table, task, snapshot)
            return len(task.file_ids)

    async def _in_all(self, table_id: int, work: Callable[[int, int], Awaitable[int]]) -> int:
        """Do it in all partitions of a table that have files, several at a time; what came of it
        in all. Raises what one of them does, once all that were begun with it are over."""
        table = self._sequencer.snapshot.tables.get(table_id)
        partitions = [] if table is None else table.files.by_partition()
        count = 0
        for some in windows(partitions, self.rewriter.side_by_side):
            begun = (work(table_id, partition) for partition in some)
            for result in await asyncio.gather(*begun, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
                count += result
        return count

    def _tables(self, table_id: int | None) -> list[int]:
        return list(self._sequencer.snapshot.tables) if table_id is None else [table_id]

    def without_merges(self, table_id: int) -> contextlib.AbstractAsyncContextManager[None]:
        """No runs of the table are merged or published meanwhile; deltas are flushed as ever."""
        return self._held(Lane("index", table_id))

    @contextlib.asynccontextmanager
    async def _held(self, lane: Lane) -> AsyncIterator[None]:
        try:
            async with self._lanes.held(lane):
                yield
        finally:
            self.wake()  # what was due there meanwhile

    async def _tell(self) -> None:
        async with self._progress:
            self._progress.notify_all()

    def _is_full(self, table_id: int) -> bool:
        table = self._sequencer.working.tables.get(table_id)
        return table is not None and self._waiting.is_full(table)


def _told(error: BaseException) -> MobulaError:
    if isinstance(error, MobulaError):
        return error
    return InternalError(f"maintenance failed: {type(error).__name__}: {error}")
