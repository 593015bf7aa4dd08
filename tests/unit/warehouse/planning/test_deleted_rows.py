"""Queries over tables with deleted rows: what is deleted is as if it had never been there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from actors.compute.deltas import DeltaStage
from actors.compute.execution import execute
from actors.compute.inputs import scan_input
from actors.fragments import Fragment
from actors.planner import AtLsn
from actors.program import InputFrame
from storage.delete_bitmap import Positions, encode_positions
from storage.micropartition.inputs import ROW_BITS, Chosen
from storage.schema import Kind, ScalarType, SqlType, arrow_schema
from storage.snapshot.changes import Bitmap
from storage.snapshot.model import TableState
from storage.snapshot.ranges import ColumnRange
from tests.unit.warehouse.planning.database import (
    Database,
    columns_of,
    rows_of,
    snapshot_of,
    table_state,
)
from warehouse.optimizer.cardinality import TableStatistics

TYPES: Mapping[str, SqlType] = {"a": ScalarType(kind=Kind.BIGINT), "t": ScalarType(kind=Kind.TEXT)}
COLUMNS = columns_of(TYPES)


def part(*values: tuple[int | None, str | None]) -> pa.Table:
    return rows_of(COLUMNS, values)


def deleting(state: TableState, deleted: Mapping[int, Iterable[int]]) -> TableState:
    bitmaps = [
        Bitmap(file_id=n, deleted_count=len(p := Positions(at)), positions=encode_positions(p))
        for n, at in deleted.items()
    ]
    return state.deleting(bitmaps, "test")


@pytest.fixture
def whole(tmp_path: Path) -> TableState:
    """Files 1 and 2, deltas 3 and 4."""
    return table_state(
        2,
        "x",
        TYPES,
        tmp_path,
        files=[part((1, "1"), (0, "no number"), (3, "3")), part((10, "10"), (None, None))],
        deltas=[part((20, "20"), (0, "bad")), part((30, "30"))],
    )


@pytest.fixture
def database(tmp_path: Path, whole: TableState) -> Database:
    """At LSN 3 every row that makes trouble is deleted, at LSN 2 one of them."""
    some = deleting(whole, {1: [1]})
    most = deleting(some, {2: [1], 3: [1]})
    return Database(
        tmp_path,
        snapshot_of(most, lsn=3),
        {AtLsn(1): snapshot_of(whole), AtLsn(2): snapshot_of(some, lsn=2)},
    )


def test_deleted_rows_are_not_counted(database: Database) -> None:
    assert database.rows("SELECT count(*), count(a), sum(a), min(a) FROM x") == [(5, 5, 64, 1)]
    assert database.rows("SELECT a FROM x WHERE a < 15 ORDER BY a DESC LIMIT 2") == [(10,), (3,)]
    assert database.rows("SELECT count(*) FROM x WHERE a = 0 OR a IS NULL") == [(0,)]


def test_each_snapshot_has_its_own(database: Database) -> None:
    counts = "SELECT count(*), sum(CASE WHEN a = 0 THEN 1 END) FROM x AS OF LSN {}"
    assert database.rows(counts.format(1)) == [(8, 2)]
    assert database.rows(counts.format(2)) == [(7, 1)]
    both = "SELECT count(*) FROM x JOIN x AS OF LSN 1 AS old ON x.a IS NOT DISTINCT FROM old.a"
    assert database.rows(both) == [(5,)]


def test_errors_of_deleted_rows_are_none(database: Database) -> None:
    assert database.rows("SELECT count(*) FROM x WHERE 60 / a > 2") == [(4,)]
    assert database.rows("SELECT sum(CAST(t AS INTEGER)) FROM x") == [(64,)]
    assert database.rows("SELECT count(*) FROM x WHERE CAST(t AS INTEGER) > 5") == [(3,)]
    with pytest.raises(Exception, match="division by zero"):
        database.rows("SELECT count(*) FROM x AS OF LSN 2 WHERE 60 / a > 2")


def test_explain_says_how_many(database: Database) -> None:
    assert "  deleted rows among them: 3" in database.explain("EXPLAIN SELECT * FROM x")
    assert "  deleted rows among them: 2" in database.explain("EXPLAIN SELECT * FROM x WHERE a > 9")


def test_files_without_live_rows_are_not_read(tmp_path: Path, whole: TableState) -> None:
    state = deleting(whole, {1: range(3)})
    database = Database(tmp_path, snapshot_of(state))
    (scan,) = database.query("SELECT a FROM x").scans
    assert scan.files.table["file_id"].to_pylist() == [2]
    assert database.rows("SELECT count(*) FROM x") == [(5,)]
    nothing = deleting(state, {2: range(2), 3: range(2), 4: [0]})
    assert nothing.row_count == 0
    database = Database(tmp_path, snapshot_of(nothing))
    assert database.rows("SELECT count(*), max(a) FROM x") == [(0, None)]


def test_join_order_counts_live_rows(whole: TableState) -> None:
    assert TableStatistics(whole).rows == 8
    state = deleting(whole, {1: [0, 1], 3: [0]})
    assert TableStatistics(state).rows == 5
    # of the files, (0 .. 3) has one live row and (10 .. 10) two
    assert TableStatistics(state).share(COLUMNS[0], 0, 3) == pytest.approx(1 / 3)
    assert TableStatistics(state).null_share(COLUMNS[0]) == pytest.approx(1 / 8)


def test_rows_are_chosen_by_key(database: Database) -> None:
    plan = database.query("SELECT a, t FROM x WHERE a * 2 >= 20 ORDER BY a")
    key = COLUMNS[:1]
    chosen = Chosen(key=key, keys=pa.table({"a": [20, 30, 99]}, schema=arrow_schema(key)))
    changed = replace(plan, scans=tuple(replace(s, chosen=chosen) for s in plan.scans))
    assert [row["a"] for row in database.run(changed).to_pylist()] == [20, 30]


@dataclass(frozen=True)
class _Input:
    """A program that gives an input as it is, and keeps what is known of its columns."""

    seen: dict[str, InputFrame]

    def build(self, inputs: Mapping[str, InputFrame], space: object) -> pl.LazyFrame:
        self.seen.update(inputs)
        return next(iter(inputs.values())).frame

    def arrow(self, found: pl.DataFrame) -> pa.Table:
        return found.to_arrow()


def test_locations_are_one_more_column(database: Database) -> None:
    (scan,) = database.query("SELECT a FROM x WHERE a > 1").scans
    stage = DeltaStage(lambda rows: rows)
    program = _Input({})
    fragment = Fragment(
        query_id="q",
        attempt=1,
        program=program,
        inputs=(scan_input(replace(scan, location="where"), stage),),
    )
    paths = {f.name: database.directory / f.name for f in fragment.inputs[0].files}
    rows, scanned = execute(fragment, paths)
    assert scanned == 8
    a, where = (column.to_pylist() for column in rows.columns)
    places = [(place >> ROW_BITS, place & (1 << ROW_BITS) - 1) for place in where]
    assert dict(zip(a, places, strict=True)) == {
        1: (1, 0),
        3: (1, 2),
        10: (2, 0),
        20: (3, 0),
        30: (4, 0),
    }
    (found,) = program.seen.values()
    assert found.columns[-1].name == "where"
    assert found.ranges[found.columns[-1].id] == ColumnRange(0, 2**63 - 1, False)
