"""Statements that change rows, carried out: INSERT, UPDATE, DELETE, MERGE.

1. The query runs on the primary's compute, at LSN S; its rows say what changes (`changed_rows`).
2. Identity columns get their numbers; new rows are fitted to the table: NOT NULL, types, CHECK.
3. INSERT … ON CONFLICT runs a second query, which joins the rows to insert with the table by the
   key that decides, and says which are inserted, which update, which are left out.
4. RETURNING runs over the rows as they will be stored: if it fails, nothing is written.
5. The rows become operations of one transaction. Rows of a table with a primary key go by it, and
   are refused (Conflict) if they were written since S; others go by their location.

An update of the primary key is a deletion and an insertion: deletions come first. Rows that may get
keys of rows that leave with the same statement stay out of files, whose keys are looked up before.
"""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from actors.messages import (
    CommitReply,
    QueryReply,
    Statement,
    TableInfo,
)
from actors.numbering import numbered_cells, with_numbers
from actors.operations import DeleteRows, Operation, WriteMode
from actors.planner import (
    InsertPlan,
    ModifyPlan,
    OnConflictPlan,
    QueryPlan,
    RowAction,
    RowLayout,
)
from actors.primary.changed_rows import (
    ChangedRows,
    first_of_each,
    refuse_second_touch,
    take_apart,
    with_each_once,
)
from actors.primary.rivals import kept_by_order, without_rivals
from storage.conform import conform
from storage.delete_bitmap import encode_positions
from storage.errors import Conflict
from storage.primary_key import bitmaps_by_file
from storage.schema import Column, TableSchema
from storage.snapshot.model import Receipt, Snapshot, TableState
from storage.target import RowRules, fit

__all__ = ["COMMITTED_BEFORE", "Modifier", "Primary", "RowWrites", "committed_before"]

COMMITTED_BEFORE = "40003"  # the SQLSTATE of a statement that is repeated after its commit


class RowWrites(Protocol):
    """Rows as operations."""

    async def write(
        self,
        info: TableInfo,
        rows: pa.Table,
        mode: WriteMode,
        read_lsn: int | None,
    ) -> Operation:
        """Rows that are fitted, for a table with keys or without (INSERT alone).

        Raises InvalidRequest (23505): two of them have the same key.
        """
        ...

    def delete(self, info: TableInfo, keys: pa.Table, read_lsn: int) -> Operation:
        """The rows with these primary keys; columns in the order of the key."""
        ...


class Primary(Protocol):
    """What carrying out a statement needs of the primary."""

    async def rows(
        self, plan: QueryPlan, snapshot: Snapshot, given: pa.Table | None = None
    ) -> QueryReply:
        """The rows of a query, here."""
        ...

    def info(self, table: TableState, snapshot: Snapshot, rules: RowRules | None) -> TableInfo:
        """Where rows of the table go. Raises Conflict: it was dropped or replaced meanwhile."""
        ...

    async def numbered(self, info: TableInfo, names: list[str], row_count: int) -> TableInfo:
        """See `primary.Primary.numbered`."""
        ...

    async def reserve(self, sequence_id: int, count: int) -> int:
        """See `Reservations.reserve`."""
        ...

    async def commit(self, operations: tuple[Operation, ...], statement: Statement) -> Receipt:
        """One transaction, with the statement's token; without operations, the token alone."""
        ...

    def receipt(self, lsn: int) -> Receipt:
        """For a statement that had nothing to write, having read at `lsn`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What a statement comes to before it is committed."""

    operations: tuple[Operation, ...]
    count: int
    stored: pa.Table | None = None
    extra: pa.Table | None = None
    counted: bool = False  # the receipt says how many rows they were


class Modifier:
    """Carries out plans that change rows, each in one go."""

    def __init__(self, primary: Primary, writes: RowWrites) -> None:
        self._primary = primary
        self._writes = writes

    async def insert(
        self, plan: InsertPlan, snapshot: Snapshot, statement: Statement
    ) -> CommitReply | QueryReply:
        """Carry out an INSERT.

        Raises:
            InvalidRequest: a row does not fit, or has a key that the table has (23505).
            Conflict: rows that the statement depends on were written meanwhile; nothing was
                written.
        """
        rows = (await self._primary.rows(plan.query, snapshot)).rows
        info = self._primary.info(plan.table, snapshot, plan.rules)
        rows = await with_numbers(rows, plan, self._primary.reserve)
        info = await self._primary.numbered(info, rows.column_names, rows.num_rows)
        fitted = await asyncio.to_thread(fit, rows, info.target)
        if plan.conflict is None:
            operation = await self._writes.write(info, fitted, WriteMode.INSERT, None)
            outcome = _Outcome(operations=(operation,), count=fitted.num_rows, stored=fitted)
        else:
            outcome = await self._on_conflict(plan, plan.conflict, info, fitted, snapshot)
        return await self._finished("INSERT 0", plan.returning, outcome, snapshot, statement)

    async def modify(
        self, plan: ModifyPlan, snapshot: Snapshot, statement: Statement
    ) -> CommitReply | QueryReply:
        """Carry out UPDATE, DELETE or MERGE. Raises as `insert`; 21000: see `changed_rows`."""
        rows = (await self._primary.rows(plan.query, snapshot)).rows
        info = self._primary.info(plan.table, snapshot, plan.rules)
        changed = with_each_once(take_apart(rows, plan.layout), plan)
        outcome = await self._changed(info, plan.layout, changed, snapshot.lsn, moves=plan.moves)
        return await self._finished(plan.verb, plan.returning, outcome, snapshot, statement)

    # --- ON CONFLICT ------------------------------------------------------------------------------

    async def _on_conflict(
        self,
        plan: InsertPlan,
        conflict: OnConflictPlan,
        info: TableInfo,
        fitted: pa.Table,
        snapshot: Snapshot,
    ) -> _Outcome:
        if len(conflict.arbiters) == 1 and not conflict.updates:
            own = fitted.select(list(conflict.arbiters[0]))
            fitted = fitted.filter(pa.array(first_of_each(own)))
        if conflict.query is None or conflict.layout is None:
            batches = without_rivals(fitted, conflict.arbiters)
            operations = [
                await self._writes.write(info, batch, WriteMode.IGNORE, None) for batch in batches
            ]
            return _Outcome(
                operations=tuple(operations), count=fitted.num_rows, counted=bool(operations)
            )
        position = pa.array(np.arange(fitted.num_rows, dtype=np.int64))
        given = fitted.append_column(conflict.layout.extra[0].name, position)
        reply = await self._primary.rows(conflict.query, snapshot, given)
        changed = take_apart(reply.rows, conflict.layout)
        order = np.argsort(changed.extra.column(0).to_numpy(), kind="stable")
        changed = changed.taken(order)
        if conflict.updates:
            refuse_second_touch(changed, fitted, conflict)
        elif len(conflict.arbiters) > 1:
            changed = changed.taken(kept_by_order(changed.new, conflict.arbiters))
        layout = dataclasses.replace(conflict.layout, extra=())
        changed = dataclasses.replace(changed, extra=changed.extra.select([]))
        return await self._changed(info, layout, changed, snapshot.lsn, moves=conflict.moves)

    # --- rows as operations -----------------------------------------------------------------------

    async def _changed(
        self,
        info: TableInfo,
        layout: RowLayout,
        changed: ChangedRows,
        read_lsn: int,
        *,
        moves: bool,
    ) -> _Outcome:
        schema = info.target.schema
        extra = conform(changed.extra, _of(layout.extra), info.target.table_name)
        writes = changed.are(RowAction.INSERT, RowAction.UPDATE)
        if not writes.any():
            stored = None
            if layout.new:
                stored = conform(changed.new, schema, info.target.table_name)
            operations = await self._operations(info, changed, None, read_lsn, moves=moves)
            return _Outcome(operations=operations, count=len(changed), stored=stored, extra=extra)
        written = changed.taken(np.flatnonzero(writes))
        new = await numbered_cells(
            written.new, written.asks, schema, self._primary.reserve, info.target.table_name
        )
        stored = await asyncio.to_thread(fit, new, info.target)
        operations = await self._operations(info, changed, stored, read_lsn, moves=moves)
        return _Outcome(operations=operations, count=len(changed), stored=stored, extra=extra)

    async def _operations(
        self,
        info: TableInfo,
        changed: ChangedRows,
        stored: pa.Table | None,
        read_lsn: int,
        *,
        moves: bool,
    ) -> tuple[Operation, ...]:
        """Args: stored: the rows that are inserted or updated, in their order."""
        keyed = _primary_columns(info)
        leaving = [RowAction.DELETE]
        if moves or not keyed:
            leaving.append(RowAction.UPDATE)
        gone = changed.old.filter(pa.array(changed.are(*leaving)))
        operations: list[Operation] = []
        if gone.num_rows and keyed:
            keys = conform(gone, _of(keyed), info.target.table_name)
            operations.append(self._writes.delete(info, keys, read_lsn))
        elif gone.num_rows:
            operations.append(_delete_by_location(info, gone, read_lsn))
        if stored is None:
            return tuple(operations)
        written = changed.actions[changed.are(RowAction.INSERT, RowAction.UPDATE)]
        kept = WriteMode.INSERT if moves or not keyed else WriteMode.UPDATE
        since = read_lsn if kept is WriteMode.UPDATE else None
        parts = (
            (RowAction.UPDATE, kept, since),
            (RowAction.INSERT, WriteMode.INSERT, read_lsn if keyed else None),
        )
        for action, mode, read in parts:
            rows = stored.filter(pa.array(written == int(action)))
            if rows.num_rows:
                operations.append(await self._writes.write(info, rows, mode, read))
        return tuple(operations)

    # --- the end ----------------------------------------------------------------------------------

    async def _finished(
        self,
        verb: str,
        returning: QueryPlan | None,
        outcome: _Outcome,
        snapshot: Snapshot,
        statement: Statement,
    ) -> CommitReply | QueryReply:
        reply = None
        if returning is not None:
            reply = await self._primary.rows(returning, snapshot, _given(returning, outcome))
        # A statement that changes nothing leaves its token: repeated later, it might change much.
        written = bool(outcome.operations) or _has_token_of_its_own(statement)
        if written:
            receipt = await self._primary.commit(outcome.operations, statement)
        else:
            receipt = self._primary.receipt(snapshot.lsn)
        repeated = written and 0 < receipt.lsn <= snapshot.lsn
        count = outcome.count
        if outcome.counted or repeated:
            count = sum(receipt.row_counts)
        tag = f"{verb} {count}"
        if reply is None:
            return CommitReply(receipt=receipt, tag=tag)
        if repeated:
            raise committed_before(receipt.lsn)
        stats = dataclasses.replace(reply.stats, snapshot_lsn=receipt.lsn)
        return dataclasses.replace(reply, stats=stats, tag=tag, receipt=receipt)


def _has_token_of_its_own(statement: Statement) -> bool:
    """Inside a transaction the token is that of the commit."""
    return statement.token is not None and not statement.session.transaction


def committed_before(lsn: int) -> Conflict:
    """A statement with RETURNING is repeated, and its first attempt is in the log."""
    return Conflict(
        f"the statement was committed before, at LSN {lsn}, and the rows that it returned are "
        "lost; read the table",
        COMMITTED_BEFORE,
    )


def _primary_columns(info: TableInfo) -> tuple[Column, ...]:
    """The columns of the primary key, in its order; none without one."""
    key = next((key for key in info.target.keys if key.primary), None)
    columns = (info.target.schema.by_id(number) for number in (key.column_ids if key else ()))
    return tuple(column for column in columns if column is not None)


def _of(columns: tuple[Column, ...]) -> TableSchema:
    return TableSchema(version=1, columns=columns)


def _delete_by_location(info: TableInfo, old: pa.Table, read_lsn: int) -> DeleteRows:
    locations = old.column(0).to_numpy().astype(np.uint64)
    return DeleteRows(
        table_id=info.table_id,
        positions={file_id: encode_positions(rows) for file_id, rows in bitmaps_by_file(locations)},
        read_lsn=read_lsn,
    )


def _given(returning: QueryPlan, outcome: _Outcome) -> pa.Table:
    """The rows that RETURNING is about, with those of other tables beside them."""
    assert returning.given is not None
    assert outcome.stored is not None
    rows = outcome.stored
    if outcome.extra is not None:
        for field, column in zip(outcome.extra.schema, outcome.extra.columns, strict=True):
            rows = rows.append_column(field, column)
    return rows
