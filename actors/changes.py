"""Statements that change rows, with the primary and its compute; repeated where they came too late.

A statement that stands alone reads the newest snapshot. If others have written the rows that it
depends on before it could commit (Conflict), it is planned and run again on a newer snapshot, a few
times. The same goes for INSERT … ON CONFLICT that meets a key (23505) which it did not see.
Each attempt holds the LSN that it reads at, so that the primary can tell what was written since.
Statements that are run again take turns, table by table, and those that begin meanwhile wait for
them: so nobody is always too late.

Inside a transaction it is run once, on the transaction's own state.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pyarrow as pa

from actors.compute.runner import QueryRunner
from actors.ingest import Ingest
from actors.messages import (
    CommitReply,
    QueryReply,
    Statement,
    TableInfo,
)
from actors.operations import Operation, WriteMode
from actors.planner import InsertPlan, ModifyPlan, Parsed, QueryPlan
from actors.primary.modify import COMMITTED_BEFORE, Modifier, RowWrites
from actors.primary.primary import Primary
from actors.write import delete_operation, fitted_operation
from storage.clock import Clock
from storage.errors import Conflict, InternalError, InvalidRequest, MobulaError
from storage.snapshot.model import Receipt, Snapshot, TableState
from storage.target import RowRules

__all__ = ["Changes", "StoredRowWrites"]

Commit = Callable[[tuple[Operation, ...], Statement], Awaitable[Receipt]]

ATTEMPTS_MAX = 10
NEWER_WAIT_MS = 200  # for what a conflict was about to become durable
NEWER_POLL_MS = 2


class Changes:
    """Carries out statements that change rows. Implements `modify.Primary`."""

    def __init__(
        self,
        primary: Primary,
        runner: QueryRunner,
        writes: RowWrites,
        *,
        commit: Commit,
        fetch_rows: Callable[[object], Awaitable[pa.Table]],
        clock: Clock,
    ) -> None:
        """Args: commit: makes operations a transaction, or part of the one that is open."""
        self._primary = primary
        self._commit = commit
        self._runner = runner
        self._fetch_rows = fetch_rows
        self._clock = clock
        self._modifier = Modifier(self, writes)
        self._turns = _Turns()

    async def carry_out(
        self, plan: InsertPlan | ModifyPlan, snapshot: Snapshot, parsed: Parsed
    ) -> CommitReply | QueryReply:
        """Carry out a plan that was made on `snapshot`, which is held; if it came too late, the
        statement anew.

        Raises:
            InvalidRequest: a row does not fit.
            Conflict: others were quicker, every time, or once inside a transaction.
        """
        statement = parsed.statement
        if statement.session.transaction:
            return await self._once(plan, snapshot, statement)
        if not self._turns.taken(plan.table.id):
            found = await self._tried(plan, snapshot, statement, last=False)
            if found is not None:
                return found
        async with self._turns.turn(plan.table.id):
            return await self._again(parsed)

    async def _again(self, parsed: Parsed) -> CommitReply | QueryReply:
        """Plan and run a statement until it is not too late."""
        for attempt in range(1, ATTEMPTS_MAX):
            with self._primary.reading() as newest:
                plan, _ = await self._runner.plan(parsed, newest)
                assert isinstance(plan, InsertPlan | ModifyPlan)
                last = attempt == ATTEMPTS_MAX - 1
                found = await self._tried(plan, newest, parsed.statement, last=last)
            if found is not None:
                return found
        raise InternalError("the last attempt neither succeeded nor failed")

    async def _tried(
        self,
        plan: InsertPlan | ModifyPlan,
        snapshot: Snapshot,
        statement: Statement,
        *,
        last: bool,
    ) -> CommitReply | QueryReply | None:
        """The outcome; None if the statement is worth another attempt."""
        try:
            return await self._once(plan, snapshot, statement)
        except MobulaError as error:
            if last or not _may_run_again(error, plan):
                raise
            newer = await self._is_newer(snapshot.lsn)
            if not newer and not isinstance(error, Conflict):
                raise  # the key was there all along
        return None

    async def _once(
        self, plan: InsertPlan | ModifyPlan, snapshot: Snapshot, statement: Statement
    ) -> CommitReply | QueryReply:
        if isinstance(plan, InsertPlan):
            return await self._modifier.insert(plan, snapshot, statement)
        return await self._modifier.modify(plan, snapshot, statement)

    async def _is_newer(self, lsn: int) -> bool:
        """Is there a newer snapshot, or is there one soon?"""
        deadline_ms = self._clock.monotonic_ms() + NEWER_WAIT_MS
        while self._primary.snapshot.lsn <= lsn:
            if self._clock.monotonic_ms() >= deadline_ms:
                return False
            await self._clock.sleep_ms(NEWER_POLL_MS)
        return True

    # --- what `Modifier` needs --------------------------------------------------------------------

    async def rows(
        self, plan: QueryPlan, snapshot: Snapshot, given: pa.Table | None = None
    ) -> QueryReply:
        """See `modify.Primary`."""
        reply = await self._runner.run(plan, snapshot, 0.0, given)
        return dataclasses.replace(reply, rows=await self._fetch_rows(reply.rows))

    def info(self, table: TableState, snapshot: Snapshot, rules: RowRules | None) -> TableInfo:
        """See `modify.Primary`."""
        info = self._primary.table(snapshot.schemas[table.schema_id], table.name)
        if info.table_id != table.id:
            raise Conflict(f"table {table.name} was replaced meanwhile; nothing was written")
        return dataclasses.replace(info, target=dataclasses.replace(info.target, rules=rules))

    async def numbered(self, info: TableInfo, names: list[str], row_count: int) -> TableInfo:
        """See `modify.Primary`."""
        return await self._primary.numbered(info, names, row_count)

    async def reserve(self, sequence_id: int, count: int) -> int:
        """See `modify.Primary`."""
        return await self._primary.reserve(sequence_id, count)

    async def commit(self, operations: tuple[Operation, ...], statement: Statement) -> Receipt:
        """See `modify.Primary`."""
        return await self._commit(operations, statement)

    def receipt(self, lsn: int) -> Receipt:
        """See `modify.Primary`."""
        return Receipt(lsn=lsn, tso=self._primary.snapshot.tso, row_counts=())


class _Turns:
    """Turns of those that are run again, by table id."""

    def __init__(self) -> None:
        self._locks: dict[int, asyncio.Lock] = {}
        self._waiting: Counter[int] = Counter()

    def taken(self, table_id: int) -> bool:
        """Has somebody a turn, or waits for one?"""
        return self._waiting[table_id] > 0

    @asynccontextmanager
    async def turn(self, table_id: int) -> AsyncIterator[None]:
        """One's turn, behind those that came before."""
        lock = self._locks.setdefault(table_id, asyncio.Lock())
        self._waiting[table_id] += 1
        try:
            async with lock:
                yield
        finally:
            self._waiting[table_id] -= 1
            if not self._waiting[table_id]:
                del self._waiting[table_id], self._locks[table_id]


class StoredRowWrites:
    """Implements `modify.RowWrites`: rows in the log or, where there are many, in files."""

    def __init__(self, ingest: Ingest, inline_bytes_max: int) -> None:
        """Args: inline_bytes_max: encoded rows from this size on become micropartitions."""
        self._ingest = ingest
        self._inline_bytes_max = inline_bytes_max

    async def write(
        self,
        info: TableInfo,
        rows: pa.Table,
        mode: WriteMode,
        read_lsn: int | None,
    ) -> Operation:
        """See `RowWrites.write`."""
        return await fitted_operation(
            self._ingest,
            info,
            rows,
            inline_bytes_max=self._inline_bytes_max,
            mode=mode,
            read_lsn=read_lsn,
        )

    def delete(self, info: TableInfo, keys: pa.Table, read_lsn: int) -> Operation:
        """See `RowWrites.delete`."""
        return delete_operation(info, keys, read_lsn)


def _may_run_again(error: MobulaError, plan: InsertPlan | ModifyPlan) -> bool:
    if isinstance(error, Conflict):
        return error.sqlstate != COMMITTED_BEFORE
    decides = isinstance(plan, InsertPlan) and plan.conflict is not None
    return decides and isinstance(error, InvalidRequest) and error.sqlstate == "23505"
