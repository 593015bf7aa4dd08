"""What a micropartition file is to Parquet readers, to us, and to scans over many of them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

from storage.errors import CorruptData, InternalError, ObjectMissing
from storage.micropartition import writer
from storage.micropartition.reader import ScanDelta, ScanFile, ScanGroup, check_footer, read, scan
from storage.micropartition.writer import STRIPE_ROWS, write
from storage.schema import (
    ArrayType,
    Column,
    DecimalType,
    Kind,
    ScalarType,
    StructType,
    TableSchema,
    arrow_schema,
)
from storage.snapshot.changes import ClusterBy

BIGINT = ScalarType(Kind.BIGINT)
SCHEMA = TableSchema(
    version=3,
    columns=(
        Column(id=1, name="id", type=BIGINT, nullable=False),
        Column(id=4, name="day", type=ScalarType(Kind.DATE)),
        Column(id=5, name="amount", type=DecimalType(precision=15, scale=2)),
        Column(id=6, name="text", type=ScalarType(Kind.TEXT)),
    ),
)
START = date(2020, 1, 1)


def rows(count: int, first: int = 0) -> pa.Table:
    numbers = range(first, first + count)
    return pa.Table.from_arrays(
        [
            pa.array(numbers, pa.int64()),
            pa.array(
                [START + timedelta(days=min(n // 1000, 1_000_000)) for n in numbers], pa.date32()
            ),
            pa.array([Decimal(n).scaleb(-2) for n in numbers], pa.decimal128(15, 2)),
            pa.array([f"t{n % 5}" for n in numbers], pa.large_string()),
        ],
        schema=arrow_schema(SCHEMA.columns),
    )


def group(*paths: Path) -> ScanGroup:
    return ScanGroup(columns=SCHEMA.columns, files=tuple(ScanFile(path=path) for path in paths))


# --- one file -------------------------------------------------------------------------------------


def test_the_file_row_describes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    row = write(rows(STRIPE_ROWS + 1), SCHEMA, "data/a.parquet", path, level=1, partition="p")
    data = path.read_bytes()
    assert row.checksum == xxhash.xxh3_128_hexdigest(data)
    assert row.size_bytes == len(data)
    assert row.tail_bytes == int.from_bytes(data[-8:-4], "little") + 8
    assert (row.row_count, row.stripe_count) == (STRIPE_ROWS + 1, 2)
    assert (row.schema_version, row.level, row.partition) == (3, 1, "p")
    assert row.statistics[5].max == STRIPE_ROWS
    assert row.statistics[5].sum == sum(range(STRIPE_ROWS + 1))
    footer = pq.read_metadata(path)
    assert footer.num_row_groups == 2
    assert footer.row_group(0).num_rows == STRIPE_ROWS


def test_the_footer_explains_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(rows(10), SCHEMA, "data/a", path, sort=ClusterBy(column_ids=(4, 1)))
    found = {k.decode(): v.decode() for k, v in pq.read_metadata(path).metadata.items()}
    assert found["mobula.format"] == "1"
    assert found["mobula.name"] == "data/a"
    assert found["mobula.schema_version"] == "3"
    assert json.loads(found["mobula.column_ids"]) == [1, 4, 5, 6]
    assert json.loads(found["mobula.decimal_scales"]) == {"5": 2}
    assert json.loads(found["mobula.sort"]) == {"column_ids": [4, 1], "order": "lexical"}


def test_scales_inside_arrays_and_composites_are_said_too(tmp_path: Path) -> None:
    money = DecimalType(precision=9, scale=2)
    pair = StructType(name="pair", fields=(("price", money), ("n", BIGINT)))
    columns = (
        Column(id=1, name="a", type=ArrayType(element=pair)),
        Column(id=2, name="b", type=money),
        Column(id=3, name="c", type=ArrayType(element=DecimalType(precision=30, scale=9))),
    )
    schema = TableSchema(version=1, columns=columns)
    value = {"a": [{"price": Decimal("1.25"), "n": 1}], "b": Decimal("0.07"), "c": [Decimal(1)]}
    table = pa.Table.from_pylist([value], schema=arrow_schema(columns))
    write(table, schema, "x", tmp_path / "x")
    found = pq.read_metadata(tmp_path / "x").metadata[b"mobula.decimal_scales"]
    assert json.loads(found) == {"1.element.price": 2, "2": 2}
    assert pl.read_parquet(tmp_path / "x")["a"].to_list() == [[{"price": 125, "n": 1}]]


def test_any_parquet_reader_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(rows(200), SCHEMA, "a", path)
    schema = pq.read_schema(path)
    assert [int(f.metadata[b"PARQUET:field_id"]) for f in schema] == [1, 4, 5, 6]
    assert [f.type for f in schema] == [pa.int16(), pa.date32(), pa.int16(), pa.string()]
    assert pl.read_parquet(path)["amount"].to_list() == list(range(200))
    column = pq.read_metadata(path).row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert column.statistics.max == 199


def test_equal_rows_make_equal_files(tmp_path: Path) -> None:
    first = write(rows(1000), SCHEMA, "a", tmp_path / "a")
    chunked = pa.concat_tables([rows(300), rows(700, 300)])
    assert write(chunked, SCHEMA, "a", tmp_path / "b") == first


def test_only_repetitive_columns_get_a_dictionary(tmp_path: Path) -> None:
    write(rows(1000), SCHEMA, "a", tmp_path / "a")
    found = pq.read_metadata(tmp_path / "a").row_group(0)
    dictionaries = [found.column(i).has_dictionary_page for i in range(4)]
    assert dictionaries == [False, True, False, True]


def test_the_writer_refuses_what_it_cannot_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InternalError, match="a: expected"):
        write(rows(1).select(["day"]), SCHEMA, "a", tmp_path / "a")
    monkeypatch.setattr(writer, "ROWS_MAX", 9)
    with pytest.raises(InternalError, match="a: 10 rows, a micropartition holds 9"):
        write(rows(10), SCHEMA, "a", tmp_path / "a")


def test_encoded_bytes_is_the_size_without_metadata(tmp_path: Path) -> None:
    row = write(rows(1000), SCHEMA, "a", tmp_path / "a")
    assert 0 < row.size_bytes - writer.encoded_bytes(rows(1000), SCHEMA) < 400


def test_read_refuses_what_is_not_this_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write(rows(10), SCHEMA, "a", path)
    assert read(path, SCHEMA).equals(rows(10))
    newer = TableSchema(version=4, columns=SCHEMA.columns)
    with pytest.raises(CorruptData, match="data/x: expected schema version 4, found 3"):
        read(path, newer, "data/x")
    renumbered = (Column(id=9, name="id", type=BIGINT), *SCHEMA.columns[1:])
    with pytest.raises(CorruptData, match="expected column ids"):
        read(path, TableSchema(version=3, columns=renumbered))
    retyped = (Column(id=1, name="id", type=ScalarType(Kind.TEXT)), *SCHEMA.columns[1:])
    with pytest.raises(CorruptData, match="column id has the unexpected type int8"):
        read(path, TableSchema(version=3, columns=retyped))
    with pytest.raises(ObjectMissing, match="data/y: the file is not there"):
        check_footer(tmp_path / "absent", SCHEMA, "data/y")


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "foreign", "body"])
def test_damage_is_corrupt_data_naming_the_object(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a"
    write(rows(5000), SCHEMA, "a", path)
    good = path.read_bytes()
    if damage == "foreign":
        pq.write_table(rows(10), path)
    else:
        body = bytes(len(good) // 2)
        path.write_bytes(
            {
                "empty": b"",
                "cut": good[:-3],
                "noise": b"PAR1" + bytes(100) + b"PAR1",
                "body": b"PAR1" + body + good[4 + len(body) :],
            }[damage]
        )
    with pytest.raises(CorruptData, match="data/x: "):
        read(path, SCHEMA, "data/x")


# --- scans ----------------------------------------------------------------------------------------


def test_files_of_different_widths_scan_as_one(tmp_path: Path) -> None:
    parts = [rows(10), rows(10, 100_000), rows(0), rows(5, 2**33)]
    for number, part in enumerate(parts):
        write(part, SCHEMA, "x", tmp_path / f"{number}")
    found = scan([group(*(tmp_path / f"{n}" for n in range(4)))], SCHEMA.columns).collect()
    assert found.schema == {
        "id": pl.Int64(),
        "day": pl.Date(),
        "amount": pl.Decimal(15, 2),
        "text": pl.String(),
    }
    assert found.to_arrow().cast(arrow_schema(SCHEMA.columns)).equals(pa.concat_tables(parts))


def test_nothing_scans_to_an_empty_frame() -> None:
    found = scan([], SCHEMA.columns).collect()
    assert found.height == 0
    assert (
        found.schema == scan([ScanGroup(columns=SCHEMA.columns)], SCHEMA.columns).collect_schema()
    )
    assert found.schema["amount"] == pl.Decimal(15, 2)
    no_rows = ScanGroup(columns=SCHEMA.columns, deltas=(ScanDelta(rows=rows(0)),))
    assert scan([no_rows], SCHEMA.columns).collect().schema == found.schema


def test_versions_are_joined_by_column_id(tmp_path: Path) -> None:
    newest = (
        Column(id=5, name="price", type=DecimalType(precision=15, scale=2)),
        Column(id=7, name="note", type=ScalarType(Kind.TEXT)),
        Column(id=8, name="fee", type=DecimalType(precision=5, scale=1)),
        Column(id=1, name="text", type=BIGINT),
    )
    write(rows(2), SCHEMA, "x", tmp_path / "old")
    new = pa.Table.from_pylist([{"price": 7, "text": 70, "fee": 1}], schema=arrow_schema(newest))
    write(new, TableSchema(version=4, columns=newest), "y", tmp_path / "new")
    frame = scan(
        [
            ScanGroup(
                columns=SCHEMA.columns,
                files=(ScanFile(path=tmp_path / "old"),),
                deltas=tuple(ScanDelta(rows=part) for part in (rows(1, 2), rows(0), rows(1, 3))),
            ),
            ScanGroup(
                columns=newest,
                files=(ScanFile(path=tmp_path / "new"),),
                deltas=(ScanDelta(rows=new),),
            ),
        ],
        newest,
    ).collect()
    assert frame["price"].to_list() == [*(Decimal(n).scaleb(-2) for n in range(4)), 7, 7]
    assert frame["text"].to_list() == [0, 1, 2, 3, 70, 70]
    assert frame["note"].null_count() == 6
    assert frame["fee"].to_list() == [None] * 4 + [Decimal(1)] * 2
    assert frame.schema["fee"] == pl.Decimal(5, 1)


def test_projections_and_predicates_reach_the_parquet_scan(tmp_path: Path) -> None:
    newest = tuple(
        Column(id=c.id, name=f"new_{c.name}", type=c.type, nullable=c.nullable)
        for c in SCHEMA.columns
    )
    for number in range(2):
        write(rows(10, number * 1000), SCHEMA, "x", tmp_path / f"{number}")
    source = ScanGroup(
        columns=SCHEMA.columns,
        files=tuple(ScanFile(path=tmp_path / f"{n}") for n in range(2)),
        deltas=(ScanDelta(rows=rows(3, 5000)),),
    )
    plan = scan([source], newest).filter(
        pl.col("new_day") < START + timedelta(days=1),
        pl.col("new_id") > 3,
        pl.col("new_text") == "t4",
    )
    explained = plan.select("new_amount").explain()
    assert "PROJECT 4/4 COLUMNS" in explained or "PROJECT 2/4" in explained
    selection = next(line for line in explained.splitlines() if "SELECTION" in line)
    for name in ("day", "id", "text"):
        assert f'col("{name}")' in selection
    assert plan.select("new_amount").collect().to_series().to_list() == [
        Decimal("0.04"),
        Decimal("0.09"),
    ]
    assert "PROJECT 1/4 COLUMNS" in scan([source], newest).select("new_day").explain()


def test_paths_are_never_patterns(tmp_path: Path) -> None:
    path = tmp_path / "year=2020" / "a[1]*.parquet"
    path.parent.mkdir()
    write(rows(3), SCHEMA, "x", path)
    assert scan([group(path)], SCHEMA.columns).collect().height == 3
    assert read(path, SCHEMA).equals(rows(3))


def test_a_scan_of_no_columns_is_our_own_mistake() -> None:
    with pytest.raises(InternalError, match="at least one column"):
        scan([], ())
