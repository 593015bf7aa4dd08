"""What a scan's input says of its columns is what the deltas and files hold."""

from __future__ import annotations

import dataclasses

import pyarrow as pa

from actors.compute.deltas import DeltaStage
from actors.fragments import DeltaRun
from storage.delta import encode_rows
from storage.schema import Column, Kind, ScalarType, TableSchema, arrow_schema
from storage.snapshot.model import Delta, TableState
from storage.snapshot.ranges import ColumnRange

COLUMNS = (
    Column(id=1, name="a", type=ScalarType(kind=Kind.INTEGER)),
    Column(id=2, name="b", type=ScalarType(kind=Kind.TEXT)),
)


def delta(number: int, *values: int | None) -> Delta:
    rows = pa.table({"a": list(values), "b": ["x"] * len(values)}, schema=arrow_schema(COLUMNS))
    return Delta(
        id=number, lsn=number, schema_version=1, row_count=len(values), rows=encode_rows(rows)
    )


def ranges(runs: tuple[DeltaRun, ...]) -> list[ColumnRange]:
    return [run.ranges[1] for run in runs]


def test_each_run_knows_its_values_and_computes_them_once() -> None:
    table = TableState(
        id=2,
        schema_id=1,
        name="t",
        schemas=(TableSchema(version=1, columns=COLUMNS),),
        next_column_id=3,
        deltas=(delta(1, 5, 9, -3), delta(2, None)),
    )
    stage = DeltaStage(lambda rows: rows)
    first = stage.runs(table)
    assert ranges(first)[0] == ColumnRange(-3, 9, False)
    assert ranges(first)[1].has_null
    assert first[0].ranges[2] == ColumnRange(None, None, False)
    again = stage.runs(dataclasses.replace(table, deltas=(*table.deltas, delta(3, 70))))
    assert again[0].ranges is first[0].ranges
    assert ranges(again)[1] == ColumnRange(70, 70, True)
