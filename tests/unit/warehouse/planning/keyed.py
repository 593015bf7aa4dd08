"""Statements that change rows, carried out whole on a snapshot in memory.

`FakePrimary` resolves what the real one does with the index by looking at all rows: enough to say
what a statement comes to, and to play a writer that comes in between (`meanwhile`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from actors.compute.deltas import DeltaStage
from actors.compute.execution import execute
from actors.compute.inputs import scan_input
from actors.fragments import DeltaRun, Fragment, QueryStats, ScanInput
from actors.messages import CommitReply, QueryReply, Session, Statement, TableInfo
from actors.operations import (
    Operation,
    TruncateTable,
    WriteMode,
    WriteRows,
)
from actors.planner import (
    ExplainPlan,
    InsertPlan,
    Latest,
    ModifyPlan,
    Plan,
    QueryPlan,
    WritePlan,
)
from actors.primary.modify import Modifier
from actors.primary.resolve import resolve
from storage.delta import decode_rows, encode_rows
from storage.errors import Conflict, InvalidRequest
from storage.schema import Key, arrow_schema
from storage.snapshot.apply import apply_changes
from storage.snapshot.changes import AddRows
from storage.snapshot.model import Receipt, Snapshot, TableState
from storage.target import IngestTarget, RowRules, to_number
from tests.fakes import FakeClock
from warehouse.planning.planner import SqlPlanner

__all__ = ["KeyedDatabase"]

SESSION = Session(id="000000000001own")
Rows = list[dict[str, Any]]


class FakeWrites:
    """Implements `RowWrites`; the keys of a deletion are pickled rows."""

    async def write(
        self,
        info: TableInfo,
        rows: pa.Table,
        mode: WriteMode,
        read_lsn: int | None,
        *,
        inline: bool = False,
    ) -> Operation:
        for key in info.target.keys:
            values = keys_of(rows.to_pylist(), key, info.target.schema.columns)
            values = [value for value in values if value is not None]
            if len(set(values)) < len(values):
                raise InvalidRequest(f"duplicate key value violates {key.name}", "23505")
        return WriteRows(
            table_id=info.table_id,
            schema_version=1,
            mode=mode,
            row_count=rows.num_rows,
            rows=encode_rows(rows),
            keys={},
            read_lsn=read_lsn,
        )

    def delete(self, info: TableInfo, keys: pa.Table, read_lsn: int) -> Operation:
        return WriteRows(
            table_id=info.table_id,
            schema_version=1,
            mode=WriteMode.DELETE,
            row_count=keys.num_rows,
            rows=pickle.dumps(keys.to_pylist()),
            keys={},
            read_lsn=read_lsn,
        )


def keys_of(rows: Rows, key: Key, columns: Any) -> list[tuple[Any, ...] | None]:
    """The key of each row; None if it has a NULL."""
    names = [next(c.name for c in columns if c.id == number) for number in key.column_ids]
    found = [tuple(pickle.dumps(row[name]) for name in names) for row in rows]
    missing = pickle.dumps(None)
    return [None if missing in key else key for key in found]


class FakePrimary:
    """Implements `modify.Primary` over a snapshot in memory."""

    def __init__(self, database: KeyedDatabase) -> None:
        self._database = database

    async def rows(
        self, plan: QueryPlan, snapshot: Snapshot, given: pa.Table | None = None
    ) -> QueryReply:
        inputs = [scan_input(scan, DeltaStage(lambda rows: rows)) for scan in plan.scans]
        if plan.given is not None:
            assert given is not None
            rows = given.select([column.name for column in plan.given.columns])
            assert rows.schema.types == arrow_schema(plan.given.columns).types
            run = DeltaRun(key="given", schema_version=1, row_count=rows.num_rows, rows=rows)
            inputs.append(
                ScanInput(
                    alias=plan.given.alias,
                    columns=plan.given.columns,
                    schemas={1: plan.given.columns},
                    deltas=(run,),
                )
            )
        fragment = Fragment(query_id="q", attempt=1, program=plan.program, inputs=tuple(inputs))
        found, _ = execute(fragment, {})
        return QueryReply(rows=found, stats=QueryStats(), names=plan.result_names)

    def info(self, table: TableState, snapshot: Snapshot, rules: RowRules | None) -> TableInfo:
        target = IngestTarget(
            table_name=table.name,
            schema=table.schema,
            name_prefix="",
            checks=table.checks,
            keys=table.keys,
            rules=rules,
        )
        return TableInfo(table_id=table.id, target=target)

    async def numbered(self, info: TableInfo, names: list[str], row_count: int) -> TableInfo:
        first = {
            column.id: await self.reserve(column.identity.sequence_id, row_count)
            for column in to_number(names, info.target)
            if column.identity is not None and row_count
        }
        target = dataclasses.replace(info.target, identity_first=first)
        return dataclasses.replace(info, target=target)

    async def reserve(self, sequence_id: int, count: int) -> int:
        sequence = self._database.snapshot.sequences[sequence_id]
        numbers = self._database.numbers
        first = numbers.get(sequence_id, sequence.next_value)
        numbers[sequence_id] = first + count * sequence.increment
        return first

    async def commit(self, operations: tuple[Operation, ...], statement: Statement) -> Receipt:
        if self._database.meanwhile is not None:
            meanwhile, self._database.meanwhile = self._database.meanwhile, None
            await asyncio.to_thread(meanwhile)
        return self._database.commit(operations)

    def receipt(self, lsn: int) -> Receipt:
        return Receipt(lsn=lsn, tso=0, row_counts=())


class KeyedDatabase:
    """Tables with keys, each in one delta.

    Attributes:
        meanwhile: is called once, before the next commit of a statement.
        operations: of the last transaction.
    """

    def __init__(self, *statements: str) -> None:
        self.clock = FakeClock()
        self.planner = SqlPlanner(self.clock)
        self.snapshot = Snapshot(database_id="db", branch_id="main", lsn=1)
        self.numbers: dict[int, int] = {}
        self.meanwhile: Callable[[], None] | None = None
        self.operations: tuple[Operation, ...] = ()
        self._written: dict[tuple[int, Any], int] = {}
        for statement in statements:
            self.sql(statement)

    def sql(self, sql: str, *parameters: Any) -> QueryReply | CommitReply:
        """Carry out a statement, once."""
        statement = Statement(sql=sql, parameters=parameters, session=SESSION)
        plan = self._planned(statement)
        primary = FakePrimary(self)
        modifier = Modifier(primary, FakeWrites())
        match plan:
            case WritePlan(operations=operations, tag=tag):
                return CommitReply(receipt=self.commit(operations), tag=tag)
            case InsertPlan():
                return asyncio.run(modifier.insert(plan, self.snapshot, statement))
            case ModifyPlan():
                return asyncio.run(modifier.modify(plan, self.snapshot, statement))
            case QueryPlan():
                return asyncio.run(primary.rows(plan, self.snapshot))
            case _:
                raise AssertionError(f"{type(plan).__name__} is not for this")

    def plan(self, sql: str) -> ModifyPlan:
        """The plan of an UPDATE, DELETE or MERGE."""
        found = self._planned(Statement(sql=sql, session=SESSION))
        assert isinstance(found, ModifyPlan)
        return found

    def explain(self, sql: str) -> list[str]:
        """The lines of an EXPLAIN."""
        found = self._planned(Statement(sql=sql, session=SESSION))
        assert isinstance(found, ExplainPlan)
        return list(self.planner.explain(found, None)["QUERY PLAN"].to_pylist())

    def _planned(self, statement: Statement) -> Plan:
        return self.planner.plan(self.planner.parse(statement), {Latest(): self.snapshot})

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query or of RETURNING."""
        reply = self.sql(sql, *parameters)
        assert isinstance(reply, QueryReply)
        return list(zip(*(column.to_pylist() for column in reply.rows.columns), strict=True))

    def tag(self, sql: str, *parameters: Any) -> str:
        """What a statement did."""
        return self.sql(sql, *parameters).tag

    def commit(self, operations: tuple[Operation, ...]) -> Receipt:
        """All operations or none."""
        before, self.operations = self.snapshot, operations
        lsn = self.snapshot.lsn + 1
        counts = []
        try:
            for operation in operations:
                counts.append(self._resolve(operation, lsn))
        except Exception:
            self.snapshot = before
            raise
        self.snapshot = dataclasses.replace(self.snapshot, lsn=lsn)
        return Receipt(lsn=lsn, tso=0, row_counts=tuple(counts))

    def _resolve(self, operation: Operation, lsn: int) -> int:
        match operation:
            case WriteRows():
                return self._write(operation, lsn)
            case TruncateTable():
                self._store(self.snapshot.tables[operation.table_id], [], lsn)
                return 0
            case _:
                found = resolve(operation, self.snapshot, lsn)
                self.snapshot = apply_changes(self.snapshot, found.catalogue, found.tables, lsn=lsn)
                return found.row_count

    def _write(self, operation: WriteRows, lsn: int) -> int:
        table = self.snapshot.tables[operation.table_id]
        rows = [row for delta in table.deltas for row in decode_rows(delta.rows, "d").to_pylist()]
        primary = table.primary_key
        assert operation.rows is not None
        if operation.mode is WriteMode.DELETE:
            assert primary is not None
            given = keys_of(pickle.loads(operation.rows), primary, table.columns)
            self._note(operation, given, lsn)
            kept = [
                row
                for row, key in zip(rows, keys_of(rows, primary, table.columns), strict=True)
                if key not in given
            ]
            self._store(table, kept, lsn)
            return len(rows) - len(kept)
        new = decode_rows(operation.rows, "d").to_pylist()
        if primary is not None:
            self._note(operation, keys_of(new, primary, table.columns), lsn)
        count = 0
        for row in new:
            count += _put(rows, row, table, operation.mode)
        self._store(table, rows, lsn)
        return count

    def _note(self, operation: WriteRows, keys: list[Any], lsn: int) -> None:
        """Refuse keys that were written since the statement read; remember these."""
        for key in keys:
            known = self._written.get((operation.table_id, key), 0)
            if operation.read_lsn is not None and known > operation.read_lsn and known < lsn:
                raise Conflict("a key was written meanwhile")
        self._written |= {(operation.table_id, key): lsn for key in keys}

    def _store(self, table: TableState, rows: Rows, lsn: int) -> None:
        found = pa.Table.from_pylist(rows, schema=arrow_schema(table.columns))
        emptied = dataclasses.replace(table, deltas=())
        tables = {**self.snapshot.tables, table.id: emptied}
        self.snapshot = dataclasses.replace(self.snapshot, tables=tables)
        if rows:
            change = AddRows(
                delta_id=table.next_file_id,
                schema_version=1,
                row_count=len(rows),
                rows=encode_rows(found),
            )
            self.snapshot = apply_changes(self.snapshot, (), {table.id: (change,)}, lsn=lsn)


def _put(rows: Rows, row: dict[str, Any], table: TableState, mode: WriteMode) -> int:
    """One row into the rows of a table; 1 if it is there then."""
    for key in table.keys:
        own = keys_of([row], key, table.columns)[0]
        rivals = [i for i, k in enumerate(keys_of(rows, key, table.columns)) if k == own]
        if own is None or not rivals:
            if key.primary and mode is WriteMode.UPDATE:
                return 0
            continue
        if mode is WriteMode.IGNORE:
            return 0
        if key.primary and mode is WriteMode.UPDATE:
            rows.pop(rivals[0])
            continue
        raise InvalidRequest(f"duplicate key value violates {key.name}", "23505")
    rows.append(row)
    return 1
