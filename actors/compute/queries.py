"""The queries of one coordinator or primary: those that run, with a way to end each, and past ones.

A query is planned, waits for a worker, runs on it (perhaps on several, one after the other), and
ends. Whoever moves it on says so here; `records` is what `mobula.queries()` shows. Past queries are
kept in memory, the newest `PAST_MAX`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa

from actors.compute.streams import BatchStream
from actors.compute.workers import WorkerHandle
from actors.fragments import Fragment, QueryStats
from actors.messages import Lookup, QueryReply, Statement
from actors.observed import Observe, Observed, QueryRecord
from storage.clock import Clock
from storage.errors import Cancelled, MobulaError
from storage.ids import Ids

__all__ = ["Asked", "QueryLog"]

PAST_MAX = 10_000
TEXT_CHARACTERS_MAX = 10_000
GAVE_UP = "the caller gave up"
READ_ENOUGH = "the client has read enough"
FOREVER_MS = 1 << 40

Asked = Statement | Lookup
A = TypeVar("A", Statement, Lookup)


@dataclass(slots=True, kw_only=True)
class _Query:
    """One that is not over. Times in ms of the monotonic clock."""

    asked: Asked
    query_id: str
    started_at: int
    started_ms: float
    task: asyncio.Task[object] | None
    state: str = "planning"
    plan_ms: float = 0.0
    waits_ms: float | None = None  # since when it waits
    queued_ms: float = 0.0
    runs_ms: float | None = None  # since when a worker has it
    worker_ms: float = 0.0
    worker: WorkerHandle | None = None
    cluster: int | None = None
    attempts: int = 0
    snapshot_lsn: int | None = None
    reads_lsn: int | None = None  # the oldest version that it reads
    ended_by: str | None = None
    stream: BatchStream | None = None  # that it reads from, if its rows come batch by batch
    over: bool = False
    stats: QueryStats = field(default_factory=QueryStats)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """How a query ended, or in which state it is."""

    state: str
    rows: int | None = None
    error: str | None = None
    sqlstate: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> _Outcome:
        """Of one that ended so."""
        if isinstance(error, asyncio.CancelledError | Cancelled):
            return cls(state="cancelled", error=str(error) or GAVE_UP, sqlstate="57014")
        if isinstance(error, MobulaError):
            return cls(state="failed", error=error.message, sqlstate=error.sqlstate)
        return cls(state="failed", error=repr(error), sqlstate="XX000")


class QueryLog:
    """One event loop."""

    def __init__(
        self,
        warehouse: str,
        clock: Clock,
        ids: Ids,
        ended: Callable[[QueryRecord], None] = lambda record: None,
    ) -> None:
        """Args:
        warehouse: of all its queries; empty: the primary's.
        ended: hears of every query that is over.
        """
        self._warehouse = warehouse
        self._clock = clock
        self._ids = ids
        self._ended = ended
        self._running: dict[str, _Query] = {}
        self._past: deque[QueryRecord] = deque(maxlen=PAST_MAX)
        self._closing: set[asyncio.Task[None]] = set()
        self.total = 0
        self.worker_seconds = 0.0
        self.requests = 0
        self.read_bytes = 0

    def __len__(self) -> int:
        """Those that are not over."""
        return len(self._running)

    # --- a query from its begin to its end --------------------------------------------------------

    async def answered(self, asked: A, answer: Callable[[A], Awaitable[QueryReply]]) -> QueryReply:
        """What `answer` gives for the statement, which has an id there.

        Raises Cancelled if `cancel` ended it, or what `answer` raises.
        """
        asked = self._named(asked)
        query = self._begin(asked, asyncio.current_task())
        try:
            reply = await answer(asked)
        except BaseException as error:
            raise self._failed(query, error) from error.__cause__
        query.stats = reply.stats
        rows = getattr(reply.rows, "num_rows", None)  # on Ray it may be a reference
        self._end(query, _Outcome(state="succeeded", rows=rows))
        return reply

    async def streamed(
        self, asked: A, open_stream: Callable[[A], Awaitable[BatchStream]]
    ) -> BatchStream:
        """The same for a query whose rows come batch by batch: it is over when they are."""
        asked = self._named(asked)
        query = self._begin(asked, asyncio.current_task())
        try:
            query.stream = stream = await open_stream(asked)
        except BaseException as error:
            raise self._failed(query, error) from error.__cause__
        query.task = None
        return _Told(stream.schema, self._batches(query, stream), lambda: self._read(query))

    async def _batches(self, query: _Query, stream: BatchStream) -> AsyncGenerator[object, None]:
        rows = 0
        try:
            while True:
                query.task = asyncio.current_task()
                batch = await stream.next()
                if query.ended_by is not None:
                    raise _ended(query)
                query.task = None
                if batch is None:
                    break
                rows += getattr(batch, "num_rows", 0)
                yield batch
        except GeneratorExit:
            raise  # `_read` says so
        except BaseException as error:
            await self._close(stream)
            raise self._failed(query, error) from error.__cause__
        await self._close(stream)  # what it cost is known now
        self._end(query, _Outcome(state="succeeded", rows=rows))

    async def _read(self, query: _Query) -> None:
        """Nobody reads its rows any more."""
        try:
            if query.stream is not None:
                await self._close(query.stream)
        finally:
            self._end(query, _Outcome(state="cancelled", error=READ_ENOUGH, sqlstate="57014"))

    async def _close(self, stream: BatchStream) -> None:
        with contextlib.suppress(Exception):  # the query is over, whatever this says
            await stream.close()

    def _failed(self, query: _Query, error: BaseException) -> BaseException:
        """The query is over; what its caller hears."""
        if isinstance(error, asyncio.CancelledError) and query.ended_by is not None:
            cancelled = query.task is not None and query.task.uncancel() > 0
            error = error if cancelled else _ended(query)  # else its caller has given up as well
        self._end(query, _Outcome.of(error))
        return error

    def planned(self, query_id: str, snapshot_lsn: int) -> None:
        """Its plan is made, against this snapshot."""
        if (query := self._running.get(query_id)) is not None:
            query.plan_ms = self._clock.monotonic_ms() - query.started_ms
            query.snapshot_lsn = snapshot_lsn

    def reads(self, query_id: str, oldest_lsn: int) -> None:
        """The oldest version that it reads."""
        if (query := self._running.get(query_id)) is not None:
            query.reads_lsn = oldest_lsn

    def oldest_lsn(self, running_ms: float = 0.0) -> int | None:
        """The oldest version that queries read which have run for so long; None: there is none."""
        since_ms = self._clock.monotonic_ms() - running_ms
        return min(
            (
                query.reads_lsn
                for query in self._running.values()
                if query.reads_lsn is not None and query.started_ms <= since_ms
            ),
            default=None,
        )

    def waits(self, fragment: Fragment) -> None:
        """It waits for a worker."""
        if (query := self._running.get(fragment.query_id)) is not None:
            query.state, query.waits_ms = "queued", self._clock.monotonic_ms()

    def runs(self, fragment: Fragment, worker: WorkerHandle, cluster: int | None = None) -> None:
        """A worker has it."""
        if (query := self._running.get(fragment.query_id)) is not None:
            now_ms = self._clock.monotonic_ms()
            query.queued_ms += now_ms - (query.waits_ms if query.waits_ms is not None else now_ms)
            query.state, query.waits_ms, query.runs_ms = "running", None, now_ms
            query.worker, query.cluster = worker, cluster
            query.attempts += 1

    def left(self, fragment: Fragment, worker: WorkerHandle) -> None:
        """The worker no longer has it."""
        query = self._running.get(fragment.query_id)
        if query is None or query.runs_ms is None or query.worker is not worker:
            return  # of one that had the same id, perhaps
        query.worker_ms += self._clock.monotonic_ms() - query.runs_ms
        query.runs_ms = None

    def cost(self, fragment: Fragment, stats: QueryStats) -> None:
        """What it has cost, where no reply says so."""
        if (query := self._running.get(fragment.query_id)) is not None:
            query.stats = stats

    # --- to end it --------------------------------------------------------------------------------

    def cancel(self, query_id: str, why: str) -> bool:
        """End a query; whether there was one."""
        query = self._running.get(query_id)
        if query is None:
            return False
        if query.ended_by is None:
            query.ended_by = why
            if query.task is not None:
                query.task.cancel()
            elif query.stream is not None:  # nobody asks for rows now, but a worker has it
                closing = asyncio.get_running_loop().create_task(self._stop(query))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
        return True

    async def _stop(self, query: _Query) -> None:
        try:
            if query.stream is not None:
                await self._close(query.stream)
        finally:
            self._end(query, _Outcome.of(_ended(query)))

    def cancel_session(self, session_id: str, why: str) -> int:
        """End all queries of a session; how many."""
        found = [q.query_id for q in self._running.values() if q.asked.session.id == session_id]
        return sum(self.cancel(query_id, why) for query_id in found)

    def cancel_all(self, why: str) -> int:
        """End all queries; how many."""
        return sum(self.cancel(query_id, why) for query_id in list(self._running))

    # --- to be looked at --------------------------------------------------------------------------

    def records(self) -> list[QueryRecord]:
        """Those that are not over, then past ones, the newest first."""
        now_ms = self._clock.monotonic_ms()
        running = [self._record(q, _Outcome(state=q.state), now_ms) for q in self._running.values()]
        return [*running, *reversed(self._past)]

    def seen_first(self, observe: Observe) -> Observe:
        """`observe`, with our own queries before the others'."""

        async def seen(kind: str) -> Sequence[Observed]:
            found = await observe(kind)
            if kind != "queries":
                return found
            own = self.records()
            ids = {record.query_id for record in own}
            others = (q for q in found if isinstance(q, QueryRecord) and q.query_id not in ids)
            return [*own, *others]

        return seen

    def _named(self, asked: A) -> A:
        return asked if asked.query_id else dataclasses.replace(asked, query_id=self._ids.new())

    def _begin(self, asked: Asked, task: asyncio.Task[object] | None) -> _Query:
        # A client repeats a call that it has not heard of under the same id.
        self.cancel(asked.query_id, "the client has asked again")
        query = _Query(
            asked=asked,
            query_id=asked.query_id,
            started_at=self._clock.now_ms(),
            started_ms=self._clock.monotonic_ms(),
            task=task,
        )
        self._running[query.query_id] = query
        self.total += 1
        return query

    def _end(self, query: _Query, outcome: _Outcome) -> None:
        if query.over:
            return
        query.over = True
        if self._running.get(query.query_id) is query:
            del self._running[query.query_id]
        record = self._record(query, outcome, self._clock.monotonic_ms())
        self.worker_seconds += record.worker_seconds
        self.requests += record.requests
        self.read_bytes += record.bytes_fetched
        self._past.append(record)
        self._ended(record)

    def _record(self, query: _Query, outcome: _Outcome, now_ms: float) -> QueryRecord:
        stats, asked = query.stats, query.asked
        waiting_ms = 0.0 if query.waits_ms is None else now_ms - query.waits_ms
        running_ms = 0.0 if query.runs_ms is None else now_ms - query.runs_ms
        over = outcome.state not in ("planning", "queued", "running")
        elapsed_ms = now_ms - query.started_ms
        return QueryRecord(
            query_id=query.query_id,
            warehouse=self._warehouse,
            state=outcome.state,
            user_name=asked.session.user,
            sql=_text(asked),
            priority=asked.priority,
            started_at=query.started_at,
            ended_at=query.started_at + int(elapsed_ms) if over else None,
            elapsed_ms=elapsed_ms,
            queued_ms=query.queued_ms + waiting_ms,
            plan_ms=query.plan_ms,
            execute_ms=stats.execute_ms or query.worker_ms + running_ms,
            cluster=query.cluster,
            worker_pid=query.worker.pid if query.worker is not None else None,
            attempts=query.attempts,
            worker_seconds=(query.worker_ms + running_ms) / 1000,
            requests=stats.requests,
            bytes_fetched=stats.bytes_fetched,
            cache_hits=stats.cache_hits,
            files_scanned=stats.files_scanned,
            rows_scanned=stats.rows_scanned,
            result_rows=outcome.rows,
            peak_memory_bytes=stats.peak_memory_bytes,
            spilled_bytes=stats.spilled_bytes,
            snapshot_lsn=query.snapshot_lsn,
            error=outcome.error,
            sqlstate=outcome.sqlstate,
        )


class _Told(BatchStream):
    """A stream that says when it is closed, read or not. The timeout is that of what it reads."""

    def __init__(
        self,
        schema: pa.Schema,
        batches: AsyncGenerator[object, None],
        closed: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(schema, batches, FOREVER_MS)
        self._told = closed

    async def close(self) -> None:
        try:
            await super().close()
        finally:
            await self._told()


def _ended(query: _Query) -> Cancelled:
    return Cancelled(f"query {query.query_id} was ended: {query.ended_by}")


def _text(asked: Asked) -> str:
    if isinstance(asked, Lookup):
        return f"rows by key of {asked.schema}.{asked.table}"
    return asked.sql[:TEXT_CHARACTERS_MAX]
