"""How values become TIME, INTERVAL, UUID, JSON, CHAR, ENUM, arrays and composites, or do not."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from storage.conform import conform
from storage.errors import InvalidRequest
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
    arrow_schema,
)

TIME = ScalarType(kind=Kind.TIME)
TIMESTAMPTZ = ScalarType(kind=Kind.TIMESTAMPTZ)
INTERVAL = ScalarType(kind=Kind.INTERVAL)
UUID = ScalarType(kind=Kind.UUID)
JSON = ScalarType(kind=Kind.JSON)
JSONB = ScalarType(kind=Kind.JSONB)
INTEGER = ScalarType(kind=Kind.INTEGER)
MOOD = EnumType(name="mood", labels=("sad", "ok"))
MONEY = DecimalType(precision=5, scale=2)
POINT = StructType(name="point", fields=(("x", INTEGER), ("price", MONEY)))
INTEGERS = ArrayType(element=INTEGER)
ONE = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BERLIN = pa.timestamp("ms", "Europe/Berlin")
NAIVE = datetime(2026, 1, 1)


def span(months: int, days: int, microseconds: int) -> dict[str, int]:
    return {"months": months, "days": days, "microseconds": microseconds}


def fit(values: Any, sql_type: SqlType) -> list[Any]:
    schema = TableSchema(version=1, columns=(Column(id=1, name="a", type=sql_type),))
    table = conform(pa.table({"a": values}), schema, "t")
    assert table.schema.equals(arrow_schema(schema.columns), True)
    table.validate(full=True)
    return list(table["a"].to_pylist())


def structs(kind: list[tuple[str, pa.DataType]], *values: Any) -> pa.Array:
    return pa.array(list(values), pa.struct(kind))


@pytest.mark.parametrize(
    ("values", "sql_type", "expected"),
    [
        (pa.array([1], pa.time32("s")), TIME, [time(0, 0, 1)]),
        (pa.array([1_000, None], pa.time64("ns")), TIME, [time(0, 0, 0, 1), None]),
        (pa.array([NOON], BERLIN), TIMESTAMPTZ, [NOON]),
        (
            pa.array([datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))]),
            TIMESTAMPTZ,
            [datetime(2026, 3, 1, 10, tzinfo=UTC)],
        ),
        (pa.array([timedelta(days=2, microseconds=3)]), INTERVAL, [span(0, 0, 172_800_000_003)]),
        (pa.array([1_000, None], pa.duration("ns")), INTERVAL, [span(0, 0, 1), None]),
        (
            pa.array([(0, 0, 0), (1, -2, -3_000), None], pa.month_day_nano_interval()).slice(1),
            INTERVAL,
            [span(1, -2, -3), None],
        ),
        (
            structs(
                [("days", pa.int64()), ("months", pa.int8()), ("microseconds", pa.int32())],
                span(1, 2, 3),
                None,
            ),
            INTERVAL,
            [span(1, 2, 3), None],
        ),
        (pa.array([ONE, None], pa.uuid()), UUID, [ONE.bytes, None]),
        (pa.array([ONE.bytes], pa.binary(16)), UUID, [ONE.bytes]),
        (pa.array([ONE.bytes, None]), UUID, [ONE.bytes, None]),
        (pa.array([None, ONE.bytes], pa.binary_view()).slice(1), UUID, [ONE.bytes]),
        (pa.array([str(ONE), None, str(ONE)]).slice(1), UUID, [None, ONE.bytes]),
        (pa.array([f"{{{ONE}}}", ONE.hex.upper()]), UUID, [ONE.bytes] * 2),
        (pa.array(["6ba7-b8109dad-11d1-80b4-00c0-4fd4-30c8"]), UUID, [ONE.bytes]),
        (pa.array([str(ONE)]).dictionary_encode(), UUID, [ONE.bytes]),
        (pa.array([' {"b":1, "a":[1.50]} ', None]), JSON, [' {"b":1, "a":[1.50]} ', None]),
        (pa.array([' {"b":1, "a":[1.50]} ', None]), JSONB, ['{"a": [1.50], "b": 1}', None]),
        (pa.array(["[1]"], pa.json_()), JSON, ["[1]"]),
        (pa.array(["a  ", "  ", "abc ", None]), CharType(length=3), ["a", "", "abc", None]),
        (pa.array(["a\t"]), CharType(length=2), ["a\t"]),
        (pa.array(["ok", None, "sad"]), MOOD, ["ok", None, "sad"]),
        (pa.array(["ok", None]).dictionary_encode(), MOOD, ["ok", None]),
        (pa.array([[9], [1, None], None, []]).slice(1), INTEGERS, [[1, None], None, []]),
        (pa.array([[1, 2], None], pa.list_(pa.int64(), 2)), INTEGERS, [[1, 2], None]),
        (pa.array([[1], None], pa.list_view(pa.int8())), INTEGERS, [[1], None]),
        (pa.array([[None], []], pa.list_(pa.null())), INTEGERS, [[None], []]),
        (pa.array([["a ", None]]), ArrayType(element=CharType(length=1)), [["a", None]]),
        (pa.array([[str(ONE)], [None]]), ArrayType(element=UUID), [[ONE.bytes], [None]]),
        (
            structs(
                [("price", pa.decimal128(9, 3)), ("x", pa.int64())],
                {"x": 1, "price": Decimal("1.500")},
                None,
                {"x": None, "price": None},
            ),
            POINT,
            [{"x": 1, "price": Decimal("1.50")}, None, {"x": None, "price": None}],
        ),
        (
            pa.array([[{"x": 1, "price": None}, None], None]),
            ArrayType(element=POINT),
            [[{"x": 1, "price": None}, None], None],
        ),
        (pa.nulls(2), INTEGERS, [None, None]),
        (pa.nulls(2), POINT, [None, None]),
        (pa.nulls(2), INTERVAL, [None, None]),
        (pa.nulls(2), UUID, [None, None]),
        (pa.nulls(2), MOOD, [None, None]),
        (pa.chunked_array([], pa.string()), UUID, []),
        (pa.chunked_array([], pa.string()), JSONB, []),
        (pa.chunked_array([], pa.list_(pa.int8())), INTEGERS, []),
        (pa.chunked_array([[[1]], [[2], None]]), INTEGERS, [[1], [2], None]),
    ],
)
def test_values_become_the_type(values: Any, sql_type: SqlType, expected: list[Any]) -> None:
    assert fit(values, sql_type) == expected


@pytest.mark.parametrize(
    ("values", "sql_type", "message", "sqlstate"),
    [
        (pa.array([1], pa.time64("ns")), TIME, "lose data", "22003"),
        (pa.array([86_400_000_000], pa.time64("us")), TIME, "outside 00:00:00", "22008"),
        (pa.array([NAIVE]), TIMESTAMPTZ, "which time zone", "42804"),
        (pa.array([date(2026, 1, 1)]), TIMESTAMPTZ, "which time zone", "42804"),
        (pa.array([2**60], pa.timestamp("us", "UTC")), TIMESTAMPTZ, "outside the years", "22008"),
        (pa.array([1], pa.duration("ns")), INTERVAL, "lose data", "22003"),
        (
            pa.array([(0, 0, 1)], pa.month_day_nano_interval()),
            INTERVAL,
            "finer than microseconds",
            "22008",
        ),
        (
            structs([("days", pa.int32())], {"days": 1}),
            INTERVAL,
            "expected the fields months, days, microseconds",
            "42804",
        ),
        (
            structs(
                [("days", pa.int32()), ("months", pa.int32()), ("microseconds", pa.int64())],
                {"days": 1, "months": None, "microseconds": 1},
            ),
            INTERVAL,
            "part that is NULL",
            "22004",
        ),
        (pa.array([b"x" * 16, b"ab"]), UUID, "16 bytes, found 2 in row 1", "22P02"),
        (
            pa.array([None, f"{{{ONE}"]),
            UUID,
            r'invalid input syntax for type uuid: "\{6ba7.*" in row 1 \(counted from 0\)',
            "22P02",
        ),
        (pa.array([f"{ONE}\n"]), UUID, "invalid input syntax", "22P02"),
        (pa.array(["6ba-7b810-9dad-11d1-80b4-00c04fd430c8"]), UUID, "invalid input", "22P02"),
        (pa.array([1]), UUID, "no such assignment", "42804"),
        (
            pa.array(["1", None, "{'a': 1}"]),
            JSON,
            r"invalid input syntax for type json: .* in row 2",
            "22P02",
        ),
        (pa.array(['"\\u0000"']), JSONB, "unsupported Unicode escape", "22P05"),
        (pa.array(["[" * 9000 + "]" * 9000]), JSON, "nested too deeply", "54001"),
        (pa.array([{"a": 1}]), JSON, "no such assignment", "42804"),
        (pa.array(["ab  ", "abcd"]), CharType(length=3), "row 1 .* 4 characters", "22001"),
        (pa.array(["ok", "Ok"]), MOOD, 'invalid input value for enum mood: "Ok" in row 1', "22P02"),
        (pa.array([1]), MOOD, "no such assignment", "42804"),
        (pa.array([1]), INTEGERS, "no such assignment", "42804"),
        (pa.array([[1.5]]), INTEGERS, "column a, element: double to INTEGER.*no exact", "42804"),
        (pa.array([[2**31]]), INTEGERS, "column a, element.*2147483648", "22003"),
        (pa.array([[[1]]]), INTEGERS, "column a, element.*no such assignment", "42804"),
        (pa.array([["ok", "bad"]]), ArrayType(element=MOOD), '"bad" in value 1', "22P02"),
        (pa.array([{"x": 1}]), POINT, "expected the fields x, price, found x", "42804"),
        (
            pa.array([{"x": 1, "price": Decimal("1234.5")}]),
            POINT,
            "column a, field price: .*precision",
            "22003",
        ),
    ],
)
def test_what_is_not_of_the_type_is_refused(
    values: Any, sql_type: SqlType, message: str, sqlstate: str
) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        fit(values, sql_type)
    assert caught.value.sqlstate == sqlstate
    assert str(caught.value).startswith("table t, column a")


def test_elements_behind_null_and_outside_a_slice_are_not_looked_at() -> None:
    values = pa.ListArray.from_arrays(
        pa.array([0, 1, 2, 3], pa.int32()),
        pa.array([2**40, 2**40, 7]),
        mask=pa.array([False, True, False]),
    )
    assert fit(values.slice(1), INTEGERS) == [None, [7]]
    children = [pa.array([2**40, 1]), pa.array([None, None], pa.decimal128(3, 1))]
    hidden = pa.StructArray.from_arrays(children, ["x", "price"], mask=pa.array([True, False]))
    assert fit(hidden, POINT) == [None, {"x": 1, "price": None}]


def test_frames_of_polars_and_pandas() -> None:
    columns = (
        Column(id=1, name="t", type=TIME),
        Column(id=2, name="z", type=TIMESTAMPTZ),
        Column(id=3, name="d", type=INTERVAL),
        Column(id=4, name="e", type=MOOD),
        Column(id=5, name="l", type=INTEGERS),
        Column(id=6, name="p", type=POINT),
    )
    data: dict[str, list[Any]] = {
        "t": [time(1, 2, 3), None],
        "z": [NOON, None],
        "d": [timedelta(seconds=1), None],
        "e": ["ok", None],
        "l": [[1, None], None],
        "p": [{"x": 1, "price": None}, None],
    }
    expected = {**data, "d": [span(0, 0, 1_000_000), None]}
    schema = TableSchema(version=1, columns=columns)
    frame = pl.DataFrame(data).with_columns(pl.col("e").cast(pl.Enum(MOOD.labels)))
    assert conform(frame, schema, "t").to_pydict() == expected
    assert conform(pd.DataFrame(data), schema, "t").to_pydict() == expected


def test_seconds_are_rounded_to_the_precision_of_the_column() -> None:
    seconds = ScalarType(kind=Kind.TIMESTAMP, precision=0)
    late, early = datetime(2024, 1, 1, 0, 0, 0, 500_000), datetime(1990, 1, 1, 0, 0, 0, 500_000)
    assert fit([late, early, None], seconds) == [
        datetime(2024, 1, 1, 0, 0, 1),
        datetime(1990, 1, 1),  # halves go away from 2000
        None,
    ]
    assert fit([time(1, 2, 3, 450_000)], ScalarType(kind=Kind.TIME, precision=1)) == [
        time(1, 2, 3, 500_000)
    ]
    zoned = ScalarType(kind=Kind.TIMESTAMPTZ, precision=6)
    assert fit([NOON.replace(microsecond=123_456)], zoned) == [NOON.replace(microsecond=123_456)]
    assert fit([[late, None]], ArrayType(element=seconds)) == [
        [datetime(2024, 1, 1, 0, 0, 1), None]
    ]


def test_a_time_that_rounds_to_the_next_day_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="outside 00:00:00"):
        fit([time(23, 59, 59, 900_000)], ScalarType(kind=Kind.TIME, precision=0))


def test_a_moment_that_rounds_to_the_year_10000_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="years 0001 to 9999"):
        fit([datetime.max], ScalarType(kind=Kind.TIMESTAMP, precision=0))
