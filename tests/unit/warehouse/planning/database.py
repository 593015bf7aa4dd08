"""A database in a directory for tests of plans: snapshots by hand, real micropartitions.

`table_state` turns Arrow tables into a `TableState` whose files and deltas hold them; `Database`
plans a statement and runs it as a worker would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from actors.compute.deltas import DeltaStage
from actors.compute.execution import execute
from actors.compute.inputs import scan_input
from actors.fragments import Fragment, QueryStats
from actors.messages import Session, Statement
from actors.observed import Observed
from actors.planner import (
    ExplainPlan,
    InsertPlan,
    Latest,
    Plan,
    QueryPlan,
    Version,
)
from storage.delta import encode_rows
from storage.micropartition import writer
from storage.schema import Column, SqlType, TableSchema, arrow_schema
from storage.snapshot.changes import ClusterBy
from storage.snapshot.files import FileRow, FileSet
from storage.snapshot.model import PUBLIC_ID, Delta, Snapshot, TableState
from tests.fakes import FakeClock
from warehouse.algebra.relations import Query
from warehouse.execution.program import Program
from warehouse.planning.planner import SqlPlanner

__all__ = ["Database", "columns_of", "program_of", "rows_of", "snapshot_of", "table_state"]


def columns_of(types: Mapping[str, SqlType]) -> tuple[Column, ...]:
    return tuple(Column(id=i + 1, name=n, type=t) for i, (n, t) in enumerate(types.items()))


def rows_of(columns: tuple[Column, ...], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows as an Arrow table in the columns' logical types."""
    schema = arrow_schema(columns)
    arrays = [pa.array([row[i] for row in rows], field.type) for i, field in enumerate(schema)]
    return pa.Table.from_arrays(arrays, schema=schema)


def table_state(
    table_id: int,
    name: str,
    types: Mapping[str, SqlType],
    directory: Path,
    *,
    files: Sequence[pa.Table] = (),
    deltas: Sequence[pa.Table] = (),
    cluster_by: ClusterBy | None = None,
) -> TableState:
    """A table whose micropartitions lie in `directory` under their own names."""
    columns = columns_of(types)
    schema = TableSchema(version=1, columns=columns)
    rows: list[FileRow] = []
    for number, part in enumerate(files):
        file_name = f"{name}-{table_id}-{number}.parquet"
        rows.append(writer.write(part, schema, file_name, directory / file_name))
    first_delta = len(rows) + 1
    return TableState(
        id=table_id,
        schema_id=PUBLIC_ID,
        name=name,
        schemas=(schema,),
        cluster_by=cluster_by,
        next_column_id=len(columns) + 1,
        next_file_id=first_delta + len(deltas),
        files=FileSet.of(rows, columns, first_id=1, lsn=1) if rows else FileSet.empty(),
        deltas=tuple(
            Delta(
                id=first_delta + i,
                lsn=1,
                schema_version=1,
                row_count=part.num_rows,
                rows=encode_rows(part),
            )
            for i, part in enumerate(deltas)
        ),
    )


def snapshot_of(*tables: TableState, lsn: int = 1) -> Snapshot:
    return Snapshot(
        database_id="db", branch_id="main", lsn=lsn, tables={table.id: table for table in tables}
    )


def program_of(plan: QueryPlan) -> Program:
    """The plan's program as the real class, for a look at its algebra."""
    assert isinstance(plan.program, Program)
    return plan.program


class Database:
    """Plans and runs statements on a snapshot, or on several by version.

    `observed`: the records of what runs, by name; there are none of other names.
    """

    def __init__(
        self, directory: Path, snapshot: Snapshot, versions: Mapping[Version, Snapshot] = {}
    ) -> None:
        self.directory = directory
        self.snapshots: dict[Version, Snapshot] = {**versions, Latest(): snapshot}
        self.observed: dict[str, Sequence[Observed]] = {}
        self.clock = FakeClock()
        self.planner = SqlPlanner(self.clock)

    def plan(self, sql: str, *parameters: Any, session: Session | None = None) -> Plan:
        statement = Statement(sql=sql, parameters=parameters, session=session or Session())
        parsed = self.planner.parse(statement)
        observed = {name: self.observed.get(name, ()) for name in parsed.observes}
        return self.planner.plan(parsed, self.snapshots, observed)

    def query(self, sql: str, *parameters: Any, session: Session | None = None) -> QueryPlan:
        plan = self.plan(sql, *parameters, session=session)
        assert isinstance(plan, QueryPlan)
        return plan

    def algebra(self, sql: str, *parameters: Any) -> Query:
        """The optimised algebra of a query."""
        return program_of(self.query(sql, *parameters)).query

    def sql(self, sql: str, *parameters: Any) -> pa.Table:
        """The rows of a query under the names that the user sees."""
        plan = self.plan(sql, *parameters)
        assert isinstance(plan, QueryPlan | InsertPlan)
        return self.run(plan.query if isinstance(plan, InsertPlan) else plan)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        table = self.sql(sql, *parameters)
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def unpruned(self, plan: QueryPlan) -> QueryPlan:
        """The same plan over every file of its tables."""
        return replace(plan, scans=tuple(replace(s, files=s.table.files) for s in plan.scans))

    def explain(self, sql: str, stats: QueryStats | None = None) -> list[str]:
        plan = self.plan(sql)
        assert isinstance(plan, ExplainPlan)
        return list(self.planner.explain(plan, stats)["QUERY PLAN"].to_pylist())

    def run(self, plan: QueryPlan) -> pa.Table:
        """What a worker makes of a plan, under the names that the user sees."""
        stage = DeltaStage(lambda rows: rows)
        inputs = tuple(scan_input(scan, stage) for scan in plan.scans)
        paths = {file.name: self.directory / file.name for i in inputs for file in i.files}
        fragment = Fragment(query_id="q", attempt=1, program=plan.program, inputs=inputs)
        found, _ = execute(fragment, paths)
        return found.rename_columns(list(plan.result_names))
