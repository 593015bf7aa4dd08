"""From a statement to rows: resolve its snapshots, plan, make the fragment, run it, add up.

Used by the coordinator of a virtual warehouse and by the primary for its own compute; they differ
in where snapshots come from and in which workers run the fragments.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing, asynccontextmanager
from typing import Any, Protocol

import pyarrow as pa

from actors.compute.deltas import DeltaStage
from actors.compute.inputs import scan_input, source_input
from actors.compute.lookup import chosen_rows, looked_up, whole_table
from actors.compute.queries import Asked, QueryLog
from actors.compute.streams import BatchStream, listed
from actors.fragments import DeltaRun, Fragment, FragmentResult, Output, QueryStats, ScanInput
from actors.messages import Lookup, QueryReply, Statement
from actors.observed import Observe, nothing_observed
from actors.planner import (
    AtLsn,
    AtTimestamp,
    CopyToPlan,
    ExplainPlan,
    Latest,
    Parsed,
    Plan,
    Planner,
    QueryPlan,
    RowsPlan,
    Version,
)
from storage.clock import Clock
from storage.errors import Cancelled, CorruptData, InternalError, InvalidRequest, Unavailable
from storage.ids import Ids
from storage.log.reader import LogReader
from storage.micropartition.inputs import Chosen
from storage.snapshot.model import Snapshot, TableState

__all__ = ["QueryRunner", "Snapshots"]

GATHER = Output()
HISTORY_MAX = 16  # snapshots of earlier LSNs kept for AS OF


class FragmentPool(Protocol):
    """What runs fragments; see `Supervisor`."""

    async def run(self, fragment: Fragment) -> FragmentResult: ...

    def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]: ...


class Snapshots(Protocol):
    """Where versions come from; see `Follower`."""

    async def latest(self, min_lsn: int | None, timeout_ms: int) -> Snapshot:
        """The newest one that is known, at least at `min_lsn`. Raises Unavailable: it is not
        reached in time."""
        ...

    async def advance(self) -> Snapshot:
        """The newest one, looked for now."""
        ...


class QueryRunner:
    """Plans and runs reads."""

    def __init__(
        self,
        *,
        planner: Planner,
        reader: LogReader,
        snapshots: Snapshots,
        pool: FragmentPool,
        share: Callable[[pa.Table], object],
        clock: Clock,
        ids: Ids,
        queries: QueryLog,
        memory_bytes: Callable[[], int | None] = lambda: None,
        observe: Observe = nothing_observed,
    ) -> None:
        """Args:
        share: see `DeltaStage`.
        queries: hears when a plan is made.
        memory_bytes: what a worker's process may take; None: it is not limited.
        observe: gives the records of statements that ask what the database does.
        """
        self._planner = planner
        self._reader = reader
        self._snapshots = snapshots
        self._pool = pool
        self._stage = DeltaStage(share)
        self._share = share
        self._clock = clock
        self._ids = ids
        self._queries = queries
        self._memory_bytes = memory_bytes
        self._observe = observe
        self._history: dict[int, Snapshot] = {}

    def parse(self, statement: Statement) -> Parsed:
        """See `Planner.parse`."""
        return self._planner.parse(statement)

    async def plan(self, parsed: Parsed, newest: Snapshot | None = None) -> tuple[Plan, Snapshot]:
        """The plan of a statement and the newest snapshot that it was made against.

        Args: newest: of an open transaction; None: the newest there is.
        """
        statement = parsed.statement
        if newest is None:
            newest = await self._snapshots.latest(statement.min_lsn, statement.timeout_ms)
        snapshots = {v: await self._snapshot(v, newest) for v in parsed.versions}
        snapshots[Latest()] = newest
        self._queries.reads(statement.query_id, min(found.lsn for found in snapshots.values()))
        observed = {name: await self._observe(name) for name in sorted(parsed.observes)}
        if parsed.opens_files:
            plan = await asyncio.to_thread(self._planner.plan, parsed, snapshots, observed)
            return plan, newest
        return self._planner.plan(parsed, snapshots, observed), newest

    async def run(
        self,
        plan: Plan,
        snapshot: Snapshot,
        plan_ms: float,
        given: pa.Table | None = None,
        asked: Asked | None = None,
    ) -> QueryReply:
        """Rows of a reading plan.

        Args:
            given: the rows that a query plan asks for, if it does.
            asked: what it is the plan of, if that can be ended by its id.
        """
        if asked is not None:
            self._queries.planned(asked.query_id, snapshot.lsn)
        base = QueryStats(snapshot_lsn=snapshot.lsn, plan_ms=plan_ms)
        match plan:
            case RowsPlan(rows=rows):
                return QueryReply(rows=rows, stats=base)
            case QueryPlan():
                return await self._query(plan, base, asked, given=given)
            case CopyToPlan():
                return await self._copy_to(plan, base, asked)
            case ExplainPlan(analyze=False):
                return QueryReply(rows=self._planner.explain(plan, None), stats=base)
            case ExplainPlan(query=query):
                reply = await self._query(query, base, asked)
                return QueryReply(rows=self._planner.explain(plan, reply.stats), stats=reply.stats)
            case _:
                raise InternalError(f"{type(plan).__name__} is no reading plan")

    async def answer(self, parsed: Parsed, newest: Snapshot | None = None) -> QueryReply:
        """Plan and run a read, timed.

        Args: see `plan`. Raises Cancelled when its timeout passes.
        """
        started_ms = self._clock.monotonic_ms()
        async with _in_time(parsed.statement):
            while True:
                plan, snapshot = await self.plan(parsed, newest)
                plan_ms = self._clock.monotonic_ms() - started_ms
                try:
                    return await self.run(plan, snapshot, plan_ms, asked=parsed.statement)
                except CorruptData:
                    if newest is not None or not await self._is_past(snapshot):
                        raise

    async def get(
        self,
        lookup: Lookup,
        newest: Snapshot | None = None,
        files: Callable[[TableState, Chosen], Awaitable[Collection[int] | None]] | None = None,
    ) -> QueryReply:
        """Rows by primary key.

        Args:
            newest: see `plan`.
            files: says which files of the table may have the keys, where somebody knows; None: what
                their bounds say.
        """
        started_ms = self._clock.monotonic_ms()
        parsed = self.parse(whole_table(lookup))
        async with _in_time(parsed.statement):
            while True:
                plan, snapshot = await self.plan(parsed, newest)
                if not isinstance(plan, QueryPlan) or len(plan.scans) != 1:
                    raise InternalError("a lookup that is no scan of one table")
                table = plan.scans[0].table
                chosen = chosen_rows(lookup, table)
                known = None if files is None else await files(table, chosen)
                plan_ms = self._clock.monotonic_ms() - started_ms
                found = looked_up(plan, chosen, known)
                try:
                    return await self.run(found, snapshot, plan_ms, asked=lookup)
                except CorruptData:
                    if newest is not None or not await self._is_past(snapshot):
                        raise

    async def stream(self, parsed: Parsed, newest: Snapshot | None = None) -> BatchStream:
        """Plan a read and give its rows as they come; a worker is taken with the first of them.
        Args: see `plan`.

        The statement's timeout holds for the planning and for each batch.
        """
        timeout_ms = parsed.statement.timeout_ms
        async with _in_time(parsed.statement):
            plan, snapshot = await self.plan(parsed, newest)
            if isinstance(plan, QueryPlan):
                self._queries.planned(parsed.statement.query_id, snapshot.lsn)
                batches = self._streamed(self._fragment(plan, parsed.statement), snapshot)
                return BatchStream(plan.program.schema(), batches, timeout_ms)
            rows = (await self.run(plan, snapshot, 0.0)).rows
        return BatchStream(rows.schema, listed(rows.to_batches()), timeout_ms)

    async def _streamed(self, fragment: Fragment, snapshot: Snapshot) -> AsyncGenerator[Any, None]:
        async with aclosing(self._pool.stream(fragment)) as batches:
            try:
                async for batch in batches:
                    yield batch
            except CorruptData as error:
                if not await self._is_past(snapshot):
                    raise
                raise Unavailable(
                    f"the query read version {snapshot.lsn}, which was collected meanwhile; repeat "
                    "it, or keep versions for longer"
                ) from error

    async def _copy_to(self, plan: CopyToPlan, base: QueryStats, asked: Asked | None) -> QueryReply:
        output = Output(kind="export", export=plan.target)
        reply = await self._query(plan.query, base, asked, output)
        count = reply.rows.column(0)[0].as_py()
        return QueryReply(rows=pa.table({}), stats=reply.stats, tag=f"COPY {count}")

    def _fragment(
        self,
        plan: QueryPlan,
        asked: Asked | None,
        output: Output = GATHER,
        given: pa.Table | None = None,
    ) -> Fragment:
        named = asked is not None and asked.query_id
        return Fragment(
            query_id=asked.query_id if asked is not None and named else self._ids.new(),
            priority=asked.priority if asked is not None else 0,
            queue_timeout_ms=asked.queue_timeout_ms if asked is not None else None,
            memory_bytes=self._memory_bytes(),
            attempt=1,
            program=plan.program,
            inputs=(
                *(scan_input(scan, self._stage) for scan in plan.scans),
                *(source_input(source) for source in plan.sources),
                *self._given_input(plan, given),
            ),
            output=output,
        )

    async def _query(
        self,
        plan: QueryPlan,
        base: QueryStats,
        asked: Asked | None = None,
        output: Output = GATHER,
        given: pa.Table | None = None,
    ) -> QueryReply:
        fragment = self._fragment(plan, asked, output, given)
        started_ms = self._clock.monotonic_ms()
        result = await self._pool.run(fragment)
        elapsed_ms = self._clock.monotonic_ms() - started_ms
        stats = dataclasses.replace(
            result.stats,
            snapshot_lsn=base.snapshot_lsn,
            plan_ms=base.plan_ms,
            queued_ms=max(elapsed_ms - result.stats.execute_ms, 0.0),
            **_totals(plan),
        )
        return QueryReply(rows=result.rows, stats=stats, names=plan.result_names)

    def _given_input(self, plan: QueryPlan, rows: pa.Table | None) -> tuple[ScanInput, ...]:
        """Rows in memory as an input with one delta of its own."""
        given = plan.given
        if given is None:
            return ()
        if rows is None:
            raise InternalError(f"the rows of {given.alias} were not given")
        own = rows.select([column.name for column in given.columns])
        run = DeltaRun(
            key=f"given-{self._ids.new()}",
            schema_version=1,
            row_count=own.num_rows,
            rows=self._share(own),
        )
        return (
            ScanInput(
                alias=given.alias, columns=given.columns, schemas={1: given.columns}, deltas=(run,)
            ),
        )

    async def _snapshot(self, version: Version, newest: Snapshot) -> Snapshot:
        match version:
            case Latest():
                return newest
            case AtLsn(lsn):
                return await self._at(lsn, newest)
            case AtTimestamp(unix_ms):
                lsn = await self._reader.lsn_at(unix_ms, newest)
                if lsn == 0:
                    raise InvalidRequest(
                        "AS OF TIMESTAMP: the database did not exist then; "
                        "`mobula log` shows the times of its versions"
                    )
                return await self._at(lsn, newest)

    async def _is_past(self, snapshot: Snapshot) -> bool:
        """Whether what a version reads may have been deleted meanwhile: the horizon has gone past
        it, and so past all that a statement reads that was planned against it."""
        newest = await self._snapshots.advance()
        return snapshot.horizon < newest.horizon

    async def _at(self, lsn: int, newest: Snapshot) -> Snapshot:
        if lsn < newest.horizon:
            raise InvalidRequest(
                f"AS OF LSN {lsn} is past the retention: the oldest version is LSN {newest.horizon}"
            )
        if lsn == newest.lsn:
            return newest
        if lsn > newest.lsn:
            raise InvalidRequest(f"AS OF LSN {lsn} is in the future; the newest is {newest.lsn}")
        if lsn not in self._history:
            snapshot = await self._reader.open(at_lsn=lsn)
            while len(self._history) >= HISTORY_MAX:
                self._history.pop(next(iter(self._history)))
            self._history[lsn] = snapshot
        return self._history[lsn]


@asynccontextmanager
async def _in_time(statement: Statement) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(statement.timeout_ms / 1000):
            yield
    except TimeoutError as error:
        raise Cancelled(f"the query ran for more than {statement.timeout_ms} ms") from error


def _totals(plan: QueryPlan) -> dict[str, Any]:
    """Files and stripes before pruning; a table scanned twice counts twice, like its files."""
    scans = plan.scans
    outside = sum(len(source.source.files) for source in plan.sources)
    return {
        "files_total": sum(len(scan.table.files) for scan in scans) + outside,
        "files_scanned": sum(len(scan.files) for scan in scans) + outside,
        "stripes_total": sum(scan.table.files.stripe_count for scan in scans),
        "stripes_scanned": sum(scan.files.stripe_count for scan in scans),
    }
