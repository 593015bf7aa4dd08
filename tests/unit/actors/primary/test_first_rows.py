"""A table that comes into being with its rows: one operation, one commit."""

from __future__ import annotations

import pyarrow as pa
import pytest

from actors.messages import Transaction
from actors.operations import AppendRows, NewColumn, NewTable
from actors.primary.group import carried, size_bytes_of
from actors.primary.resolve import resolve
from storage.delta import decode_rows, encode_rows
from storage.errors import Conflict
from storage.schema import Kind, ScalarType
from storage.snapshot.apply import apply_changes
from storage.snapshot.model import Snapshot

EMPTY = Snapshot(database_id="d", branch_id="main")
ROWS = pa.table({"a": pa.array([1, 2], pa.int64())})


def with_rows(version: int = 1, **more: object) -> NewTable:
    rows = AppendRows(table_id=0, schema_version=version, row_count=2, rows=encode_rows(ROWS))
    column = NewColumn(name="a", type=ScalarType(kind=Kind.BIGINT))
    return NewTable(schema="public", name="t", columns=(column,), rows=rows, **more)  # type: ignore[arg-type]


def test_the_rows_come_with_the_table() -> None:
    found = resolve(with_rows(), EMPTY, 5)
    assert (found.kind, found.row_count) == ("create_table", 2)
    snapshot = apply_changes(EMPTY, found.catalogue, found.tables, lsn=5)
    (table,) = snapshot.tables.values()
    assert table.row_count == 2
    assert decode_rows(table.deltas[0].rows, "delta")["a"].to_pylist() == [1, 2]


def test_a_table_that_exists_keeps_its_own_rows() -> None:
    made = resolve(with_rows(), EMPTY, 5)
    snapshot = apply_changes(EMPTY, made.catalogue, made.tables, lsn=5)
    again = resolve(with_rows(if_not_exists=True), snapshot, 6)
    assert (again.catalogue, again.tables, again.row_count) == ((), {}, 0)


def test_rows_of_another_schema_version_are_refused() -> None:
    with pytest.raises(Conflict):
        resolve(with_rows(version=2), EMPTY, 5)


def test_the_rows_count_against_the_limits() -> None:
    operation = with_rows()
    assert operation.rows is not None
    assert carried(operation) is operation.rows
    assert size_bytes_of(Transaction(operations=(operation,))) == size_bytes_of(
        Transaction(operations=(operation.rows,))
    )
