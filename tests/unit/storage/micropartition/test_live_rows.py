"""Deleted rows are left out inside the Parquet scan, beside the query's predicates.

Much of it rests on what Polars does with a row index; a new version may change that.
"""

from __future__ import annotations

import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.delete_bitmap import Positions, encode_positions
from storage.errors import CorruptData, InternalError
from storage.micropartition import live_rows, reader
from storage.micropartition.inputs import ROW_BITS, Chosen, ScanDelta, ScanFile, ScanGroup
from storage.micropartition.reader import scan
from storage.micropartition.writer import STRIPE_ROWS, write
from storage.schema import (
    Column,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    TableSchema,
    arrow_schema,
)

BIGINT, TEXT = ScalarType(Kind.BIGINT), ScalarType(Kind.TEXT)
COLUMNS = (
    Column(id=1, name="n", type=BIGINT),
    Column(id=2, name="row", type=BIGINT),  # the name that the reader would take itself
)
ADDED = Column(id=3, name="later", type=TEXT)


def rows(count: int, first: int = 0) -> pa.Table:
    numbers = pa.array(range(first, first + count), pa.int64())
    return pa.Table.from_arrays([numbers, numbers], schema=arrow_schema(COLUMNS))


def file(path: Path, table: pa.Table, deleted: Positions | None = None) -> ScanFile:
    write(table, TableSchema(version=1, columns=COLUMNS), path.name, path)
    bitmap = None if deleted is None else encode_positions(deleted)
    return ScanFile(path=path, bitmap=bitmap, row_count=table.num_rows, file_id=int(path.name))


def frame(*files: ScanFile, **options: Any) -> pl.LazyFrame:
    return scan([ScanGroup(columns=COLUMNS, files=files)], COLUMNS, carriers=True, **options)


def values(found: pl.LazyFrame) -> list[Any]:
    return sorted(found.collect(engine="streaming")["n"].to_list())


@pytest.mark.parametrize("few", [4, 5])
def test_one_scan_filters_by_count_and_predicate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Files without deleted rows have another one, unless they have few rows."""
    monkeypatch.setattr(reader, "COUNTED_ROWS_MAX", few)
    deleted = Positions([1, 3])
    found = frame(
        file(tmp_path / "1", rows(5), deleted),
        file(tmp_path / "2", rows(5, 10)),
        file(tmp_path / "3", rows(5, 20), deleted),
    ).filter(pl.col("n") > 2)
    explained = found.explain()
    scans = 1 if few == 5 else 2
    assert explained.count("Parquet SCAN") == scans
    assert explained.count("ROW_INDEX") == 1
    selections = [line for line in explained.splitlines() if "SELECTION" in line]
    assert len(selections) == scans
    assert all('col("n") > 2' in s for s in selections)
    assert sum("is_in" in s for s in selections) == 1
    assert values(found) == [4, 10, 11, 12, 13, 14, 20, 22, 24]


def test_polars_hears_how_many_rows_are_live(tmp_path: Path) -> None:
    found = frame(file(tmp_path / "1", rows(9), Positions([0, 1])))
    assert "ESTIMATED ROWS: 7" in found.explain()


def test_stripes_that_cannot_match_are_not_read(tmp_path: Path) -> None:
    """The pages of the first stripe are destroyed: who reads them fails."""
    table = rows(2 * STRIPE_ROWS + 10)
    last = 2 * STRIPE_ROWS + 5
    target = file(tmp_path / "1", table, Positions([7, last]))
    with target.path.open("r+b") as damaged:
        stripe = pq.read_metadata(target.path).row_group(0)
        for column in range(stripe.num_columns):
            chunk = stripe.column(column)
            damaged.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
            damaged.write(b"\xff" * chunk.total_compressed_size)
    found = frame(target, location="where").filter(pl.col("n") >= last - 1)
    assert values(found) == [last - 1, *range(last + 1, 2 * STRIPE_ROWS + 10)]
    places = found.collect(engine="streaming")["where"].to_list()
    assert places[0] == 1 << ROW_BITS | last - 1
    with pytest.raises(pl.exceptions.PolarsError):
        values(frame(target))


def test_a_file_without_live_rows_is_not_opened(tmp_path: Path) -> None:
    gone = ScanFile(
        path=tmp_path / "9", bitmap=encode_positions(Positions(range(4))), row_count=4, file_id=9
    )
    assert values(frame(gone)) == []
    assert values(frame(gone, file(tmp_path / "1", rows(3), Positions([0])))) == [1, 2]


def test_very_many_rows_are_counted_by_several_scans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_rows, "_ROWS_MAX", 10)
    files = [file(tmp_path / f"{i}", rows(4, 10 * i), Positions([i])) for i in range(4)]
    found = frame(*files, location="where")
    assert found.explain().count("Parquet SCAN") == 2
    assert values(found) == [n for n in range(40) if n % 10 < 4 and n // 10 != n % 10]
    places = found.collect().rows()
    assert all(where == n // 10 << ROW_BITS | n % 10 for n, _, where in places)


def test_a_column_that_no_file_has_is_null_in_every_row(tmp_path: Path) -> None:
    files = (file(tmp_path / "1", rows(3)), file(tmp_path / "2", rows(3), Positions([0])))
    group = ScanGroup(columns=COLUMNS, files=files, deltas=(ScanDelta(rows=rows(2)),))
    found = scan([group], (ADDED,)).collect(engine="streaming")
    assert found["later"].to_list() == [None] * 7


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptData, match="row 3 is deleted, of only 3 rows"):
        frame(file(tmp_path / "1", rows(3), Positions([3])))
    delta = ScanDelta(rows=rows(2), deleted=encode_positions(Positions([2])))
    with pytest.raises(CorruptData, match="row 2 is deleted, of only 2 rows"):
        scan([ScanGroup(columns=COLUMNS, deltas=(delta,))], COLUMNS)
    unknown = ScanFile(path=tmp_path / "1", bitmap=encode_positions(Positions([0])))
    with pytest.raises(InternalError, match="how many is not known"):
        frame(unknown)
    with pytest.raises(InternalError, match="without an id"):
        frame(ScanFile(path=tmp_path / "1", row_count=3), location="where")
    group = ScanGroup(columns=COLUMNS, deltas=(ScanDelta(rows=rows(2)),))
    with pytest.raises(InternalError, match="not of which ids"):
        scan([group], COLUMNS, location="where")


# --- a transaction's own rows ---------------------------------------------------------------------

MOOD = EnumType(name="mood", labels=("sad", "ok", "happy"))
KEYS: list[tuple[SqlType, list[Any]]] = [
    (BIGINT, [1, 2, 3]),
    (TEXT, ["a", "", "c"]),
    (ScalarType(Kind.DOUBLE), [0.5, float("nan"), 2.0]),
    (DecimalType(precision=9, scale=2), [Decimal("1.05"), Decimal("-2"), Decimal(0)]),
    (DecimalType(precision=30, scale=2), [Decimal("1.05"), Decimal("-2"), Decimal(0)]),
    (ScalarType(Kind.UUID), [uuid.UUID(int=n).bytes for n in (1, 2, 3)]),
    (MOOD, ["ok", "sad", "happy"]),
    (ScalarType(Kind.BOOLEAN), [True, False]),
]


@pytest.fixture(params=["few", "many"])
def few_and_many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are compared one by one, or as a set."""
    if request.param == "many":
        monkeypatch.setattr(reader, "NAMED_KEYS_MAX", 0)


@pytest.mark.parametrize(("kind", "found"), KEYS)
@pytest.mark.parametrize("carriers", [True, False])
@pytest.mark.usefixtures("few_and_many")
def test_hidden_keys_of_any_type(
    tmp_path: Path, kind: SqlType, found: list[Any], carriers: bool
) -> None:
    columns = (Column(id=1, name="k", type=kind), Column(id=2, name="n", type=BIGINT))
    arrow = arrow_schema(columns)
    numbers = list(range(len(found)))
    table = pa.Table.from_arrays(
        [pa.array(found, arrow[0].type), pa.array(numbers, arrow[1].type)], schema=arrow
    )
    write(table, TableSchema(version=1, columns=columns), "x", tmp_path / "x")
    group = ScanGroup(
        columns=columns,
        files=(ScanFile(path=tmp_path / "x"),),
        deltas=(ScanDelta(rows=table),),
    )
    chosen = Chosen(key=columns[:1], keys=table.select(["k"])[:2])
    seen = scan([group], columns[1:], carriers=carriers, chosen=chosen)
    kept = [n for n in numbers if n <= 1]
    assert values(seen) == sorted([*kept, *kept])


@pytest.mark.usefixtures("few_and_many")
def test_a_key_of_two_columns_is_both(tmp_path: Path) -> None:
    stored = pa.Table.from_pylist(
        [{"n": a, "row": b} for a in range(3) for b in range(3)], schema=arrow_schema(COLUMNS)
    )
    keys = pa.Table.from_pylist([{"n": 1, "row": 2}], schema=arrow_schema(COLUMNS))
    found = frame(file(tmp_path / "1", stored), chosen=Chosen(key=COLUMNS, keys=keys))
    assert found.collect().height == 1
    plan = found.filter(pl.col("n") > 1).explain()
    assert any(
        'col("n") > 2' in s or 'col("n")' in s for s in plan.splitlines() if "SELECTION" in s
    )
