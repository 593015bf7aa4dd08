"""What assigns to a table's columns, what is refused, and what the refusal says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from storage.conform import conform
from storage.errors import InvalidRequest
from storage.schema import (
    Column,
    DecimalType,
    Kind,
    ScalarType,
    SqlType,
    TableSchema,
    VarCharType,
    arrow_schema,
)


def schema_of(*columns: tuple[str, SqlType] | tuple[str, SqlType, bool]) -> TableSchema:
    return TableSchema(
        version=1,
        columns=tuple(
            Column(id=number, name=c[0], type=c[1], nullable=c[2] if len(c) == 3 else True)
            for number, c in enumerate(columns, start=1)
        ),
    )


BIGINT = ScalarType(Kind.BIGINT)
SMALLINT = ScalarType(Kind.SMALLINT)
TEXT = ScalarType(Kind.TEXT)
DOUBLE = ScalarType(Kind.DOUBLE)
REAL = ScalarType(Kind.REAL)
DATE = ScalarType(Kind.DATE)
TIMESTAMP = ScalarType(Kind.TIMESTAMP)
BYTEA = ScalarType(Kind.BYTEA)


def fit(values: pa.Array | pa.ChunkedArray, sql_type: SqlType) -> list[Any]:
    table = conform(pa.table({"a": values}), schema_of(("a", sql_type)), "t")
    assert table.schema.equals(arrow_schema(schema_of(("a", sql_type)).columns), True)
    table.validate(full=True)
    return list(table["a"].to_pylist())


FRAME = {"id": [1, 2], "name": ["a", None]}
TWO = schema_of(("id", BIGINT, False), ("name", TEXT))


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame(FRAME),
        pl.LazyFrame(FRAME),
        pa.table(FRAME),
        pa.RecordBatch.from_pydict(FRAME),
        pa.table(FRAME).to_reader(),
        pd.DataFrame(FRAME),
        pd.DataFrame(FRAME, index=[7, 8]),
        pl.DataFrame(FRAME).with_columns(pl.col("name").cast(pl.Categorical)),
        pl.DataFrame(FRAME).with_columns(pl.col("name").cast(pl.Enum(["a"]))),
    ],
    ids=lambda frame: f"{type(frame).__module__}.{type(frame).__name__}",
)
def test_every_kind_of_table_becomes_the_logical_arrow_schema(frame: Any) -> None:
    table = conform(frame, TWO, "t")
    assert table.schema.equals(arrow_schema(TWO.columns), check_metadata=True)
    assert table.to_pydict() == FRAME


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"expected a polars, pyarrow or pandas table.*dict"):
        conform({"id": [1]}, TWO, "t")
    mixed = pd.DataFrame({"id": [1, 2], "name": ["a", 5]})
    with pytest.raises(InvalidRequest, match="table t: the DataFrame does not convert"):
        conform(mixed, TWO, "t")
    with pytest.raises(InvalidRequest, match="table t: the LazyFrame does not convert"):
        conform(pl.LazyFrame(FRAME).select("nothing"), TWO, "t")


@pytest.mark.parametrize(
    ("values", "sql_type", "expected"),
    [
        (pa.array([-32768, 32767], pa.int64()), SMALLINT, [-32768, 32767]),
        (pa.array([2**63 - 1], pa.uint64()), BIGINT, [2**63 - 1]),
        (pa.array([Decimal("7.00")]), BIGINT, [7]),
        (pa.array([1.5, None], pa.float32()), DOUBLE, [1.5, None]),
        (pa.array([0.1, float("inf")], pa.float64()), REAL, [0.10000000149011612, float("inf")]),
        (pa.array([2**53], pa.int64()), DOUBLE, [2.0**53]),
        (pa.array([5, -5], pa.int8()), DecimalType(precision=3, scale=2), [5, -5]),
        (pa.array([2**64 - 1], pa.uint64()), DecimalType(precision=20, scale=0), [2**64 - 1]),
        (pa.array([1], pa.int64()), DecimalType(precision=38, scale=37), [1]),
        (pa.array([Decimal("1.50")]), DecimalType(precision=2, scale=1), [Decimal("1.5")]),
        (
            pa.array([Decimal("9.9")], pa.decimal256(76, 1)),
            DecimalType(precision=3, scale=1),
            [Decimal("9.9")],
        ),
        (pa.array(["ä"], pa.string_view()), TEXT, ["ä"]),
        (pa.array(["ä", None, "ä"]).dictionary_encode(), VarCharType(length=1), ["ä", None, "ä"]),
        (pa.array([b"ab"], pa.binary(2)), BYTEA, [b"ab"]),
        (pa.array([b"ab"], pa.binary_view()), BYTEA, [b"ab"]),
        (pa.array([date(2026, 1, 2)], pa.date64()), DATE, [date(2026, 1, 2)]),
        (pa.array([date(1, 1, 1), date(9999, 12, 31)]), DATE, [date(1, 1, 1), date(9999, 12, 31)]),
        (pa.array([date(2026, 1, 2)]), TIMESTAMP, [datetime(2026, 1, 2)]),
        (pa.array([1_000], pa.timestamp("ns")), TIMESTAMP, [datetime(1970, 1, 1, 0, 0, 0, 1)]),
        (pa.array([-1], pa.timestamp("s")), TIMESTAMP, [datetime(1969, 12, 31, 23, 59, 59)]),
        (pa.nulls(2), DecimalType(precision=5, scale=2), [None, None]),
        (pa.nulls(2), BYTEA, [None, None]),
    ],
)
def test_lossless_assignment(values: pa.Array, sql_type: SqlType, expected: list[Any]) -> None:
    assert fit(values, sql_type) == expected


@pytest.mark.parametrize(
    ("values", "sql_type", "message"),
    [
        (pa.array([32768]), SMALLINT, r"column a: int64 to SMALLINT \(Arrow int16\): .*32768"),
        (pa.array([2**63], pa.uint64()), BIGINT, "uint64 to BIGINT"),
        (pa.array([1.0]), BIGINT, r"double to BIGINT \(Arrow int64\): no exact conversion"),
        (pa.array([1.0]), DecimalType(precision=5, scale=2), "no exact conversion"),
        (pa.array(["1"]), BIGINT, r"string to BIGINT \(Arrow int64\): no such assignment"),
        (pa.array([1]), TEXT, "int64 to TEXT"),
        (pa.array([True]), BIGINT, "bool to BIGINT"),
        (pa.array([Decimal("1.5")]), BIGINT, "data loss"),
        (pa.array([2**53 + 1]), DOUBLE, "9007199254740993"),
        (pa.array([1e300]), REAL, "1e.300 is out of range"),
        (pa.array([Decimal("1.55")]), DecimalType(precision=3, scale=1), "data loss"),
        (pa.array([10]), DecimalType(precision=3, scale=2), "does not fit in precision 3"),
        (
            pa.array([Decimal("1.5")]),
            DOUBLE,
            r"decimal128\(2, 1\) to DOUBLE PRECISION \(Arrow double\)",
        ),
        (
            pa.array(["", "äöü"]),
            VarCharType(length=2),
            r"string to VARCHAR\(2\) \(Arrow large_string\): the value in row 1 .* 3 characters, "
            "the limit is 2",
        ),
        (pa.array([86_400_001], pa.date64()), DATE, "lose data"),
        (pa.array([datetime(2026, 1, 1, 7)]), DATE, "midnight"),
        (pa.array([1], pa.timestamp("ns")), TIMESTAMP, "lose data"),
        (pa.array([2**60], pa.timestamp("s")), TIMESTAMP, "out of bounds"),
        (pa.array([datetime(2026, 1, 1, tzinfo=UTC)]), TIMESTAMP, "time zone would be lost"),
        (pa.array([2**30], pa.date32()), DATE, "outside the years 0001 to 9999"),
        (pa.array([-(2**60)], pa.timestamp("us")), TIMESTAMP, "outside the years"),
        (pa.array([[1]]), BIGINT, "list"),
    ],
)
def test_lossy_or_foreign_assignment_is_refused(
    values: pa.Array, sql_type: SqlType, message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        fit(values, sql_type)
    assert str(caught.value).startswith("table t, column a: ")


def test_columns_are_matched_by_name_and_put_in_order() -> None:
    table = conform(pa.table({"NAME": ["x"], "id": [1]}), TWO, "t")
    assert table.to_pydict() == {"id": [1], "name": ["x"]}


def test_an_exact_name_wins_and_an_ambiguous_one_does_not_match() -> None:
    schema = schema_of(("a", BIGINT), ("A", BIGINT))
    assert conform(pa.table({"A": [1], "a": [2]}), schema, "t").to_pydict() == {"a": [2], "A": [1]}
    with pytest.raises(InvalidRequest, match="no column 'Name'"):
        conform(pa.table({"id": [1], "Name": ["x"], "NAME": ["y"]}), TWO, "t")


def test_absent_columns_are_null_where_they_may_be() -> None:
    assert conform(pa.table({"id": [1]}), TWO, "t").to_pydict() == {"id": [1], "name": [None]}
    with pytest.raises(InvalidRequest, match="column id BIGINT is NOT NULL and absent") as caught:
        conform(pa.table({"name": ["x"]}), TWO, "t")
    assert caught.value.sqlstate == "23502"


def test_unknown_and_doubled_columns_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="table t has no column 'nmae'; did you mean name"):
        conform(pa.table({"id": [1], "nmae": ["x"]}), TWO, "t")
    with pytest.raises(InvalidRequest, match="no column 'zzzzz'; there are id, name"):
        conform(pa.table({"id": [1], "zzzzz": ["x"]}), TWO, "t")
    doubled = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["id", "id"])
    with pytest.raises(InvalidRequest, match="column 'id' is given twice"):
        conform(doubled, TWO, "t")


def test_null_in_a_not_null_column_is_refused_with_its_row() -> None:
    chunked = pa.chunked_array([[1, 2], [3, None, None]])
    with pytest.raises(InvalidRequest, match=r"column id: .*NULL in row 3 \(counted from 0\)"):
        conform(pa.table({"id": chunked}), TWO, "t")
    with pytest.raises(InvalidRequest, match="null to BIGINT"):
        conform(pa.table({"id": pa.nulls(1)}), TWO, "t")


def test_no_rows_fit_everything() -> None:
    assert conform(pa.table({"id": pa.nulls(0)}), TWO, "t").num_rows == 0
    assert conform(pl.DataFrame(schema={"id": pl.Int8}), TWO, "t").num_rows == 0
