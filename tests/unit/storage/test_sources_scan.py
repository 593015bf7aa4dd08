"""Files read in place: carriers for every Parquet type, pushdown, texts, change detection."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.errors import Conflict, InvalidRequest
from storage.exports import ExportTarget, write_export
from storage.micropartition.carriers import carrier_type
from storage.objects.options import StoreOptions
from storage.schema import ArrayType, Column, DecimalType, Kind, ScalarType, SqlType
from storage.sources import find_source
from storage.sources_format import PARQUET, SourceFormat
from storage.sources_scan import ScanTally, SourceScan, scan_source
from tests.s3_server import S3Server, moto_server

MOMENT = datetime.datetime(2024, 1, 1, 12)
TEXT = ScalarType(Kind.TEXT)
COLUMNS: dict[str, tuple[pa.Array, SqlType, Any]] = {
    "tiny": (pa.array([1, None], pa.int8()), ScalarType(Kind.SMALLINT), 1),
    "byte": (pa.array([200, None], pa.uint8()), ScalarType(Kind.SMALLINT), 200),
    "wide": (pa.array([4_000_000_000, None], pa.uint32()), ScalarType(Kind.BIGINT), 4_000_000_000),
    "most": (pa.array([2**64 - 1, None], pa.uint64()), DecimalType(20, 0), Decimal(2**64 - 1)),
    "money": (pa.array([Decimal("1.25"), None], pa.decimal128(15, 2)), DecimalType(15, 2), 125),
    "big": (
        pa.array([Decimal("1.25"), None], pa.decimal128(30, 2)),
        DecimalType(30, 2),
        Decimal("1.25"),
    ),
    "ms": (pa.array([MOMENT, None], pa.timestamp("ms")), ScalarType(Kind.TIMESTAMP), MOMENT),
    "ns": (pa.array([MOMENT, None], pa.timestamp("ns")), ScalarType(Kind.TIMESTAMP), MOMENT),
    "zoned": (
        pa.array([MOMENT, None], pa.timestamp("us", "Europe/Berlin")),
        ScalarType(Kind.TIMESTAMPTZ),
        MOMENT,
    ),
    "coded": (pa.array(["a", None]).dictionary_encode(), TEXT, "a"),
    "list": (
        pa.array([[1, 2], None], pa.list_(pa.int32())),
        ArrayType(ScalarType(Kind.INTEGER)),
        [1, 2],
    ),
    "sums": (
        pa.array([[Decimal("1.5")], None], pa.list_(pa.decimal128(5, 1))),
        ArrayType(DecimalType(5, 1)),
        [15],
    ),
    "half": (pa.array([1.5, None], pa.float32()).cast(pa.float16()), ScalarType(Kind.REAL), 1.5),
    "time": (
        pa.array([datetime.time(1, 2), None], pa.time64("ns")),
        ScalarType(Kind.TIME),
        datetime.time(1, 2),
    ),
    "lasting": (
        pa.array([datetime.timedelta(seconds=1), None], pa.duration("ns")),
        ScalarType(Kind.INTERVAL),
        {"months": 0, "days": 0, "microseconds": 1_000_000},
    ),
    "fixed": (pa.array([b"xx", None], pa.binary(2)), ScalarType(Kind.BYTEA), b"xx"),
    "day": (
        pa.array([MOMENT.date(), None], pa.date64()),
        ScalarType(Kind.DATE),
        MOMENT.date(),
    ),
}


def scanned(url: str, columns: dict[str, SqlType], **changes: Any) -> pl.LazyFrame:
    options = changes.pop("options", None)
    tally = changes.pop("tally", ScanTally())
    files = tuple(find_source(url, options))
    known = tuple(
        Column(id=number, name=name, type=kind)
        for number, (name, kind) in enumerate(columns.items())
    )
    source = SourceScan(
        format=changes.pop("format", PARQUET),
        files=files,
        layouts=changes.pop("layouts", tuple(("same",) for _ in files)),
        names={column.id: column.name for column in known},
        options=options,
    )
    return scan_source(source, known, tally)


def test_every_type_becomes_its_carrier(tmp_path: Path) -> None:
    table = pa.table({name: values for name, (values, _, _) in COLUMNS.items()})
    pq.write_table(table, tmp_path / "a.parquet")
    types = {name: kind for name, (_, kind, _) in COLUMNS.items()}
    found = scanned(f"{tmp_path}/*.parquet", types).collect(engine="streaming")
    assert dict(found.schema) == {name: carrier_type(kind) for name, kind in types.items()}
    for name, (_, _, value) in COLUMNS.items():
        assert found[name].to_list() == [value, None]


def test_predicates_and_projections_reach_the_files(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([1], pa.int16()), "b": ["x"]}), tmp_path / "a.parquet")
    kinds = {"a": ScalarType(Kind.SMALLINT), "b": TEXT}
    frame = scanned(f"{tmp_path}/a.parquet", kinds)
    plan = frame.filter(pl.col("a") > 0).select("a").explain()
    assert "PROJECT 1/2 COLUMNS" in plan
    assert 'SELECTION: col("a") > 0' in plan


def test_files_of_other_units_and_orders_are_read_together(tmp_path: Path) -> None:
    for name, unit, order in (("a", "ms", ["t", "n"]), ("b", "ns", ["n", "t"])):
        table = pa.table({"t": pa.array([MOMENT], pa.timestamp(unit)), "n": [name]}).select(order)
        pq.write_table(table, tmp_path / f"{name}.parquet")
    kinds: dict[str, SqlType] = {"t": ScalarType(Kind.TIMESTAMP), "n": TEXT}
    found = scanned(f"{tmp_path}/*.parquet", kinds, layouts=(("ms",), ("ns",)))
    assert found.collect().rows() == [(MOMENT, "a"), (MOMENT, "b")]


def test_texts_are_streamed_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,x\n2,\n")
    (tmp_path / "b.csv").write_text('b,a\n"",3\n')
    tally = ScanTally()
    frame = scanned(
        f"{tmp_path}/*.csv",
        {"a": TEXT, "b": TEXT},
        format=SourceFormat(kind="csv", header=True),
        layouts=(("a", "b"), ("b", "a")),
        tally=tally,
    )
    assert frame.collect(engine="streaming").rows() == [("1", "x"), ("2", None), ("3", "")]
    assert tally.rows == 3
    assert frame.select(pl.len()).collect(engine="streaming").item() == 3
    last = frame.filter(pl.col("a") == "3").select("b")
    assert last.collect(engine="streaming").rows() == [("",)]
    assert frame.head(1).collect(engine="streaming").height == 1


def test_a_file_that_changed_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    files = tuple(find_source(str(path)))
    column = Column(id=1, name="a", type=ScalarType(Kind.BIGINT))
    source = SourceScan(format=PARQUET, files=files, layouts=(("x",),), names={1: "a"})
    pq.write_table(pa.table({"a": [1, 2, 3]}), path)
    with pytest.raises(Conflict, match="has changed since the query was planned"):
        scan_source(source, (column,), ScanTally())
    path.unlink()
    with pytest.raises(InvalidRequest, match="there is no such file"):
        scan_source(source, (column,), ScanTally())


# --- S3 -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as found:
        found.make_bucket("scans")
        yield found


def exported(url: str, rows: pa.Table, form: SourceFormat, options: StoreOptions) -> int:
    names = tuple(rows.column_names)
    target = ExportTarget(
        url=url, format=form, names=names, kinds=("text",) * len(names), options=options
    )
    return write_export(target, rows.schema, rows.to_batches(max_chunksize=2))


def test_s3_files_are_written_and_read(server: S3Server) -> None:
    options = server.options()
    rows = pa.table({"a": ["1", None, '"x"'], "b": ["", "é", "y\nz"]}).cast(
        pa.schema([("a", pa.large_string()), ("b", pa.large_string())])
    )
    expected = [tuple(row.values()) for row in rows.to_pylist()]
    for name, form in (
        ("a.parquet", PARQUET),
        ("a.csv", SourceFormat(kind="csv", header=True)),
        ("a.ndjson.gz", SourceFormat(kind="ndjson")),
    ):
        url = f"s3://scans/{form.kind}/{name}"
        assert exported(url, rows, form, options) == 3
        frame = scanned(
            f"s3://scans/{form.kind}/*",
            {"a": TEXT, "b": TEXT},
            format=form,
            layouts=(("a", "b"),),
            options=options,
        )
        assert frame.collect(engine="streaming").rows() == expected


def test_an_export_that_fails_leaves_nothing_on_s3(server: S3Server) -> None:
    def rows() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": pa.array(["x"], pa.large_string())})
        raise InvalidRequest("division by zero", "22012")

    url = "s3://scans/failed/a.csv"
    target = ExportTarget(
        url=url, format=SourceFormat(kind="csv"), names=("a",), options=server.options()
    )
    with pytest.raises(InvalidRequest, match="division by zero"):
        write_export(target, pa.schema([("a", pa.large_string())]), rows())
    with pytest.raises(InvalidRequest, match="there is no such file"):
        find_source(url, server.options())
