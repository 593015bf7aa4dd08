"""Statements that write, on a snapshot in memory: planned, run, fitted, resolved, applied."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pyarrow as pa

from actors.compute.execution import execute
from actors.fragments import Fragment
from actors.messages import Session, Statement
from actors.numbering import with_numbers
from actors.operations import AppendRows, Operation
from actors.planner import CreateAsPlan, InsertPlan, Latest, Plan, QueryPlan, WritePlan
from actors.primary.resolve import resolve
from actors.primary.tables import first_schema
from storage.delta import decode_rows, encode_rows
from storage.snapshot.apply import apply_changes
from storage.snapshot.model import Snapshot, TableState
from storage.target import IngestTarget, fit, to_number
from tests.fakes import FakeClock
from warehouse.planning.planner import SqlPlanner

__all__ = ["Rehearsal"]

SESSION = Session(id="000000000001own")


class Rehearsal:
    """A database that keeps its rows in deltas. Sequences count in memory."""

    def __init__(self, *statements: str) -> None:
        self.clock = FakeClock()
        self.planner = SqlPlanner(self.clock)
        self.snapshot = Snapshot(database_id="db", branch_id="main")
        self._next: dict[int, int] = {}
        for statement in statements:
            self.sql(statement)

    def plan(self, sql: str, *parameters: Any, session: Session = SESSION) -> Plan:
        statement = Statement(sql=sql, parameters=parameters, session=session)
        return self.planner.plan(self.planner.parse(statement), {Latest(): self.snapshot})

    def sql(self, sql: str, *parameters: Any, session: Session = SESSION) -> Plan:
        """Carry out a statement that writes."""
        plan = self.plan(sql, *parameters, session=session)
        match plan:
            case WritePlan(operations=operations):
                self._resolve(*operations)
            case InsertPlan():
                self._insert(plan)
            case CreateAsPlan(table=table, query=query, before=before):
                if query is not None:
                    target = IngestTarget(
                        table_name=table.name, schema=first_schema(table), name_prefix=""
                    )
                    rows = _run(query).rename_columns(target.schema.names)
                    table = dataclasses.replace(table, rows=_append(0, 1, fit(rows, target)))
                self._resolve(*before, table)
            case _:
                raise AssertionError(f"{type(plan).__name__} writes nothing")
        return plan

    def table(self, name: str, schema: str = "public") -> TableState:
        found = self.snapshot.find_table(name, schema)
        assert found is not None
        return found

    def rows(self, name: str, schema: str = "public") -> list[tuple[Any, ...]]:
        """The rows of a table in the order in which they were written."""
        parts = [decode_rows(delta.rows, "delta") for delta in self.table(name, schema).deltas]
        return [tuple(row.values()) for part in parts for row in part.to_pylist()]

    def target(self, table: TableState) -> IngestTarget:
        """Where rows of a frame go."""
        return IngestTarget(
            table_name=table.name,
            schema=table.schema,
            name_prefix="",
            checks=table.checks,
            rules=self.planner.rules(table, self.snapshot),
        )

    def _insert(self, plan: InsertPlan) -> None:
        rows = asyncio.run(with_numbers(_run(plan.query), plan, self._reserve))
        target = dataclasses.replace(self.target(plan.table), rules=plan.rules)
        first = {
            column.id: asyncio.run(self._reserve(column.identity.sequence_id, rows.num_rows))
            for column in to_number(rows.column_names, target)
            if column.identity is not None and rows.num_rows
        }
        fitted = fit(rows, dataclasses.replace(target, identity_first=first))
        self._resolve(_append(plan.table.id, plan.table.schema.version, fitted))

    async def _reserve(self, sequence_id: int, count: int) -> int:
        sequence = self.snapshot.sequences[sequence_id]
        first = self._next.get(sequence_id, sequence.next_value)
        self._next[sequence_id] = first + count * sequence.increment
        return first

    def _resolve(self, *operations: Operation) -> None:
        for operation in operations:
            found = resolve(operation, self.snapshot, 1)
            self.snapshot = apply_changes(self.snapshot, found.catalogue, found.tables, lsn=1)


def _run(query: QueryPlan) -> pa.Table:
    """Queries without tables."""
    assert not query.scans
    rows, _ = execute(Fragment(query_id="q", attempt=1, program=query.program, inputs=()), {})
    return rows


def _append(table_id: int, version: int, rows: pa.Table) -> AppendRows:
    return AppendRows(
        table_id=table_id,
        schema_version=version,
        row_count=rows.num_rows,
        rows=encode_rows(rows),
    )
