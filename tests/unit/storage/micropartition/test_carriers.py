"""Scans give execution's own types, from files and deltas alike, and predicates reach the files."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from storage.micropartition.carriers import carrier_type
from storage.micropartition.reader import ScanDelta, ScanFile, ScanGroup, read, scan
from storage.micropartition.writer import write
from storage.schema import (
    ArrayType,
    CharType,
    Column,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    StructType,
    TableSchema,
    VarCharType,
    arrow_schema,
)

INTEGER = ScalarType(kind=Kind.INTEGER)
MONEY = DecimalType(precision=9, scale=2)
WIDE = DecimalType(precision=30, scale=2)
MOOD = EnumType(name="mood", labels=("sad", "ok", "happy"))
TEXT = ScalarType(kind=Kind.TEXT)
ID = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8").bytes
PAIR = StructType(name="pair", fields=(("price", MONEY), ("mood", MOOD)))
INSTANT = datetime(2026, 3, 1, 12, tzinfo=UTC)
UTC_TIME = datetime(2026, 3, 1, 12)
LATE = time(23, 59, 59, 999_999)
UUID = ScalarType(kind=Kind.UUID)
SPAN = {"months": 1, "days": -2, "microseconds": 3}

# (type, logical values, what the carrier has, the carrier)
CASES: list[tuple[SqlType, list[Any], list[Any], Any]] = [
    (ScalarType(kind=Kind.SMALLINT), [-32768, 7], [-32768, 7], pl.Int64()),
    (ScalarType(kind=Kind.BIGINT), [2**63 - 1], [2**63 - 1], pl.Int64()),
    (MONEY, [Decimal("-1.05"), Decimal("9999999.99")], [-105, 999_999_999], pl.Int64()),
    (WIDE, [Decimal("1.05")], [Decimal("1.05")], pl.Decimal(38, 2)),
    (ScalarType(kind=Kind.REAL), [1.5], [1.5], pl.Float32()),
    (ScalarType(kind=Kind.DOUBLE), [0.1], [0.1], pl.Float64()),
    (ScalarType(kind=Kind.BOOLEAN), [True, False], [True, False], pl.Boolean()),
    (VarCharType(length=3), ["a", ""], ["a", ""], pl.String()),
    (CharType(length=3), ["a", ""], ["a", ""], pl.String()),
    (ScalarType(kind=Kind.JSON), ['{"a": 1}'], ['{"a": 1}'], pl.String()),
    (ScalarType(kind=Kind.JSONB), ["[]"], ["[]"], pl.String()),
    (ScalarType(kind=Kind.TIME), [LATE], [LATE], pl.Time()),
    (ScalarType(kind=Kind.TIMESTAMPTZ), [INSTANT], [UTC_TIME], pl.Datetime("us")),
    (UUID, [ID], [ID], pl.Binary()),
    (ScalarType(kind=Kind.BYTEA), [b"", b"\xff"], [b"", b"\xff"], pl.Binary()),
    (MOOD, ["ok", "sad"], ["ok", "sad"], pl.Enum(MOOD.labels)),
    (
        ScalarType(kind=Kind.INTERVAL),
        [SPAN],
        [SPAN],
        pl.Struct({"months": pl.Int32(), "days": pl.Int32(), "microseconds": pl.Int64()}),
    ),
    (ArrayType(element=INTEGER), [[1, None], []], [[1, None], []], pl.List(pl.Int64())),
    (ArrayType(element=MONEY), [[Decimal("0.07")]], [[7]], pl.List(pl.Int64())),
    (ArrayType(element=WIDE), [[Decimal("0.07")]], [[Decimal("0.07")]], pl.List(pl.Decimal(38, 2))),
    (ArrayType(element=UUID), [[ID, None]], [[ID, None]], pl.List(pl.Binary())),
    (ArrayType(element=MOOD), [["ok", None]], [["ok", None]], pl.List(pl.Enum(MOOD.labels))),
    (
        ArrayType(element=ScalarType(kind=Kind.TIMESTAMPTZ)),
        [[INSTANT]],
        [[UTC_TIME]],
        pl.List(pl.Datetime("us")),
    ),
    (
        PAIR,
        [{"price": Decimal("0.07"), "mood": "happy"}, {"price": None, "mood": None}],
        [{"price": 7, "mood": "happy"}, {"price": None, "mood": None}],
        pl.Struct({"price": pl.Int64(), "mood": pl.Enum(MOOD.labels)}),
    ),
    (
        ArrayType(element=PAIR),
        [[{"price": Decimal("0.07"), "mood": "happy"}, None]],
        [[{"price": 7, "mood": "happy"}, None]],
        pl.List(pl.Struct({"price": pl.Int64(), "mood": pl.Enum(MOOD.labels)})),
    ),
]  # fmt: skip


def table_of(columns: tuple[Column, ...], **values: list[Any]) -> pa.Table:
    fields = arrow_schema(columns)
    return pa.Table.from_arrays([pa.array(values[f.name], f.type) for f in fields], schema=fields)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("offset", [0, 1, 9])
def test_files_and_deltas_give_the_carrier(
    tmp_path: Path, case: tuple[SqlType, list[Any], list[Any], Any], offset: int
) -> None:
    kind, logical, carried, dtype = case
    columns = (Column(id=1, name="c", type=kind),)
    schema = TableSchema(version=1, columns=columns)
    padding: list[Any] = [None] * offset
    rows = table_of(columns, c=[*padding, *logical, None]).slice(offset)
    write(rows, schema, "x", tmp_path / "a")
    write(rows.slice(0, 0), schema, "x", tmp_path / "b")
    assert read(tmp_path / "a", schema).equals(rows)
    group = ScanGroup(
        columns=columns,
        files=(ScanFile(path=tmp_path / "a"), ScanFile(path=tmp_path / "b")),
        deltas=(ScanDelta(rows=rows), ScanDelta(rows=rows.slice(0, 0))),
    )
    assert carrier_type(kind) == dtype
    lazy = scan([group], columns, carriers=True)
    assert lazy.collect_schema() == {"c": dtype}
    found = lazy.collect()
    assert found.schema == {"c": dtype}
    assert found["c"].to_list() == [*carried, None] * 2
    assert scan([], columns, carriers=True).collect().schema == {"c": dtype}


@pytest.mark.parametrize("kind", [case[0] for case in CASES])
def test_a_column_that_a_version_lacks_is_null_of_its_carrier(
    tmp_path: Path, kind: SqlType
) -> None:
    old = (Column(id=1, name="a", type=INTEGER),)
    new = (*old, Column(id=2, name="b", type=kind))
    rows = table_of(old, a=[1, 2])
    write(rows, TableSchema(version=1, columns=old), "x", tmp_path / "a")
    group = ScanGroup(
        columns=old, files=(ScanFile(path=tmp_path / "a"),), deltas=(ScanDelta(rows=rows),)
    )
    found = scan([group], new, carriers=True).collect()
    assert found.schema == {"a": pl.Int64(), "b": carrier_type(kind)}
    assert found["b"].null_count() == found.height == 4


COLUMNS = (
    Column(id=1, name="amount", type=MONEY),
    Column(id=2, name="at", type=ScalarType(kind=Kind.TIMESTAMPTZ)),
    Column(id=3, name="id", type=ScalarType(kind=Kind.UUID)),
    Column(id=4, name="wide", type=WIDE),
    Column(id=5, name="clock", type=ScalarType(kind=Kind.TIME)),
)


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        (pl.col("amount") > 150, 'col("amount")'),
        (pl.col("at") >= datetime(2026, 1, 1), 'col("at")'),
        (pl.col("id") == ID, 'col("id")'),
        (pl.col("wide") > Decimal("1.50"), 'col("wide")'),
        (pl.col("clock") < time(12), 'col("clock")'),
    ],
)
def test_predicates_on_carriers_reach_the_parquet_scan(
    tmp_path: Path, condition: pl.Expr, shown: str
) -> None:
    rows = table_of(
        COLUMNS,
        amount=[Decimal("1.00"), Decimal("2.00")],
        at=[datetime(2025, 1, 1, tzinfo=UTC), INSTANT],
        id=[bytes(16), ID],
        wide=[Decimal("1.00"), Decimal("2.00")],
        clock=[time(23), time(1)],
    )
    write(rows, TableSchema(version=1, columns=COLUMNS), "x", tmp_path / "a")
    group = ScanGroup(columns=COLUMNS, files=(ScanFile(path=tmp_path / "a"),))
    lazy = scan([group], COLUMNS, carriers=True).filter(condition)
    plan = lazy.explain()
    selection = next(line for line in plan.splitlines() if "SELECTION" in line)
    assert shown in selection
    assert "FILTER" not in plan
    assert lazy.collect(engine="streaming")["amount"].to_list() == [200]


def test_a_predicate_on_scaled_integers_skips_stripes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("storage.micropartition.writer.STRIPE_ROWS", 10)
    columns = (Column(id=1, name="amount", type=MONEY),)
    rows = table_of(columns, amount=[Decimal(n).scaleb(-2) for n in range(100)])
    write(rows, TableSchema(version=1, columns=columns), "x", tmp_path / "a")
    group = ScanGroup(columns=columns, files=(ScanFile(path=tmp_path / "a"),))
    lazy = scan([group], columns, carriers=True).filter(pl.col("amount") >= 95)
    with pl.Config(verbose=True):
        found = lazy.collect(engine="streaming")
    assert found["amount"].to_list() == [95, 96, 97, 98, 99]
    assert "Predicate pushdown: reading 1 / 10 row groups" in capfd.readouterr().err
