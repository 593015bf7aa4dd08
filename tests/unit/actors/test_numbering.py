"""Cells that ask for the next number of an identity get it, in the order of the rows."""

from __future__ import annotations

import asyncio

import pyarrow as pa
import pytest

from actors.numbering import with_numbers
from actors.planner import InsertPlan, QueryPlan
from storage.errors import InternalError
from storage.schema import Column, Identity, Kind, ScalarType, TableSchema
from storage.snapshot.model import TableState

SMALL = ScalarType(kind=Kind.SMALLINT)
COLUMNS = (
    Column(
        id=1, name="id", type=SMALL, identity=Identity(sequence_id=9, always=True, increment=-2)
    ),
    Column(id=2, name="other", type=SMALL, identity=Identity(sequence_id=8, always=True)),
    Column(id=3, name="v", type=SMALL),
)
TABLE = TableState(
    id=1,
    schema_id=1,
    name="t",
    schemas=(TableSchema(version=1, columns=COLUMNS),),
    next_column_id=4,
)


def numbered(
    rows: pa.Table, columns: tuple[str, ...], *names: str
) -> tuple[pa.Table, list[object]]:
    asked: list[object] = []

    async def reserve(sequence_id: int, count: int) -> int:
        asked.append((sequence_id, count))
        return 100

    query = QueryPlan(program=None, scans=(), result_names=())  # type: ignore[arg-type]
    plan = InsertPlan(table=TABLE, columns=columns, query=query, numbered=names)
    return asyncio.run(with_numbers(rows, plan, reserve)), asked


def table(**columns: list[object]) -> pa.Table:
    types = {"a": pa.int16(), "b": pa.int16(), "m": pa.bool_(), "n": pa.bool_()}
    return pa.table({name: pa.array(v, types[name]) for name, v in columns.items()})


def test_marked_cells_are_numbered_and_others_kept() -> None:
    rows = table(a=[None, 7, None, None], b=[1, 2, 3, 4], m=[True, False, True, False])
    found, asked = numbered(rows, ("id", "v"), "id")
    assert found.to_pydict() == {"id": [100, 7, 98, None], "v": [1, 2, 3, 4]}
    assert found.schema.field("id").type == pa.int16()
    assert asked == [(9, 2)]


def test_several_columns_have_marks_of_their_own() -> None:
    rows = table(a=[None, 1], b=[2, None], m=[True, False], n=[False, True])
    found, asked = numbered(rows, ("id", "other"), "id", "other")
    assert found.to_pydict() == {"id": [100, 1], "other": [2, 100]}
    assert asked == [(9, 1), (8, 1)]


def test_nobody_asks() -> None:
    found, asked = numbered(table(a=[1], m=[False]), ("id",), "id")
    assert found.to_pydict() == {"id": [1]}
    assert asked == []
    assert numbered(table(a=[], m=[]), ("id",), "id")[0].num_rows == 0


def test_marks_are_for_identity_columns() -> None:
    with pytest.raises(InternalError):
        numbered(table(a=[1], m=[True]), ("v",), "v")
