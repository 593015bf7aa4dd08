"""Carriers as Arrow columns of the SQL types, and back; Arrow functions of users."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from storage.errors import InternalError, InvalidRequest, NotYet, UnknownObject
from storage.schema import ArrayType, CharType, DecimalType, EnumType, StructType
from warehouse.algebra.expressions import Call, ColumnRef
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    DATE,
    INTEGER,
    INTERVAL,
    NUMERIC,
    REAL,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    UUID,
    AnyType,
    RecordType,
)
from warehouse.execution.decode import carrier_column, decode
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.literals import to_carrier
from warehouse.execution.result_types import result_type
from warehouse.execution.value import Value, carrier, raised

ID = uuid.UUID(int=77)
MOMENT = datetime.datetime(2024, 2, 29, 1, 2, 3, 4)
MOOD = EnumType("mood", ("sad", "ok"))
PAIR = StructType("pair", (("a", DecimalType(5, 2)), ("b", TEXT)))
SPAN = {"months": 1, "days": 2, "microseconds": 3}

SHAPES: list[tuple[AnyType, Any, Any]] = [
    (BOOLEAN, True, True),
    (SMALLINT, -5, -5),
    (INTEGER, 5, 5),
    (BIGINT, 2**62, 2**62),
    (REAL, 0.5, 0.5),
    (NUMERIC, 0.1, 0.1),
    (TEXT, "ä", "ä"),
    (UNKNOWN, "u", "u"),
    (CharType(4), "ab", "ab  "),
    (MOOD, "ok", "ok"),
    (DATE, MOMENT.date(), MOMENT.date()),
    (TIME, MOMENT.time(), MOMENT.time()),
    (TIMESTAMP, MOMENT, MOMENT),
    (TIMESTAMPTZ, MOMENT, MOMENT.replace(tzinfo=datetime.UTC)),
    (INTERVAL, (1, 2, 3), SPAN),
    (BYTEA, b"\x00\xff", b"\x00\xff"),
    (UUID, ID, ID.bytes),
    (DecimalType(5, 2), Decimal("-1.25"), Decimal("-1.25")),
    (DecimalType(38, 0), Decimal(10**38 - 1), Decimal(10**38 - 1)),
    (ArrayType(INTEGER), (1, None), [1, None]),
    (ArrayType(TEXT), (), []),
    (ArrayType(DecimalType(5, 2)), (Decimal("1.25"),), [Decimal("1.25")]),
    (ArrayType(UUID), (ID,), [ID.bytes]),
    (ArrayType(PAIR), ((Decimal("1.25"), None),), [{"a": Decimal("1.25"), "b": None}]),
    (PAIR, (Decimal("1.25"), "x"), {"a": Decimal("1.25"), "b": "x"}),
    (RecordType((INTEGER, CharType(2))), (1, "x"), {"f1": 1, "f2": "x "}),
]


def _is_wide(kind: AnyType) -> bool:
    return isinstance(kind, DecimalType) and kind.precision > 18


def _series(kind: AnyType, values: list[Any]) -> pl.Series:
    held = [to_carrier(value, kind) for value in values]
    return pl.Series("c", held, dtype=carrier(kind, wide=_is_wide(kind)))


@pytest.mark.parametrize(("kind", "value", "wanted"), SHAPES, ids=lambda part: str(part)[:40])
def test_columns_of_every_type(kind: AnyType, value: Any, wanted: Any) -> None:
    series = _series(kind, [value, None, value])
    table = decode(series.to_frame(), [("x", kind, _is_wide(kind))])
    assert table.schema.field("x").type == result_type(kind)
    assert table.column("x").to_pylist() == [wanted, None, wanted]
    table.validate(full=True)
    sliced = decode(series.to_frame().slice(1), [("x", kind, _is_wide(kind))])
    assert sliced.column("x").to_pylist() == [None, wanted]
    if kind not in (UNKNOWN, MOOD):
        back = carrier_column(table.column("x").slice(1), kind)
        assert back.to_list() == series.slice(1).to_list()
        assert back.dtype == series.dtype


@pytest.mark.parametrize("kind", [kind for kind, _, _ in SHAPES], ids=lambda kind: str(kind)[:40])
def test_columns_without_rows_and_without_values(kind: AnyType) -> None:
    for values in ([], [None, None]):
        series = _series(kind, values)
        table = decode(series.to_frame(), [("x", kind, _is_wide(kind))])
        assert table.schema.field("x").type == result_type(kind)
        assert table.column("x").to_pylist() == values
        assert carrier_column(table.column("x"), kind).to_list() == values


def test_names_may_repeat() -> None:
    frame = pl.DataFrame({"c1": [1], "c2": ["x"]})
    table = decode(frame, [("a", INTEGER, False), ("a", TEXT, False)])
    assert table.column_names == ["a", "a"]
    assert [column.to_pylist() for column in table.columns] == [[1], ["x"]]


@pytest.mark.parametrize(
    ("kind", "number", "message"),
    [
        (SMALLINT, 2**15, "smallint out of range"),
        (INTEGER, -(2**31) - 1, "integer out of range"),
        (DecimalType(5, 2), 100_000, "numeric field overflow"),
    ],
)
def test_values_outside_of_the_type_are_refused(kind: AnyType, number: int, message: str) -> None:
    frame = pl.DataFrame({"c": [number]}, schema={"c": pl.Int64()})
    with pytest.raises(InvalidRequest, match=message) as caught:
        decode(frame, [("x", kind, False)])
    assert caught.value.sqlstate == "22003"


def test_small_values_of_a_large_decimal_may_travel_as_integers() -> None:
    frame = pl.DataFrame({"c": [12345, None]}, schema={"c": pl.Int64()})
    table = decode(frame, [("x", DecimalType(30, 2), False)])
    assert table.column("x").to_pylist() == [Decimal("123.45"), None]


def test_another_carrier_is_our_mistake() -> None:
    with pytest.raises(InternalError, match="travels as"):
        decode(pl.DataFrame({"c": ["x"]}), [("x", INTEGER, False)])


def _called(function: Any, kind: AnyType, values: list[Any], returns: AnyType) -> list[Any]:
    series = _series(kind, values)
    column = Value(pl.col("c"), kind, wide=_is_wide(kind))
    node = Call(type=returns, fn="udf:mine", args=(ColumnRef(type=kind, id=0),))
    value = lower(node, Environment(columns={0: column}, udfs={"mine": function}))
    return series.to_frame().lazy().select(raised(value)).collect().to_series().to_list()


def test_user_functions_get_and_return_arrow_arrays() -> None:
    kind = DecimalType(5, 2)

    def doubled(array: pa.Array) -> pa.Array:
        assert array.type == pa.decimal128(5, 2)
        return pc.add(array, array)

    assert _called(doubled, kind, [Decimal("1.25"), None], DecimalType(6, 2)) == [250, None]
    assert _called(lambda array: [7] * len(array), TEXT, ["a", "b"], BIGINT) == [7, 7]


def test_user_functions_that_fail_are_named() -> None:
    def failing(array: pa.Array) -> pa.Array:
        raise ValueError("not today")

    with pytest.raises(InvalidRequest, match="function mine failed: ValueError: not today"):
        _called(failing, INTEGER, [1], INTEGER)
    with pytest.raises(InvalidRequest, match="returned 9 values for"):
        _called(lambda _: [1] * 9, INTEGER, [1, 2], INTEGER)
    with pytest.raises(InvalidRequest, match="returned what is no int32"):
        _called(lambda _: ["x"], INTEGER, [1], INTEGER)


def test_user_functions_must_be_known_and_have_arguments() -> None:
    with pytest.raises(UnknownObject, match="not registered"):
        lower(Call(type=INTEGER, fn="udf:other", args=()), Environment(columns={}))
    known = Environment(columns={}, udfs={"f": len})
    with pytest.raises(NotYet, match="no arguments"):
        lower(Call(type=INTEGER, fn="udf:f", args=()), known)
