"""Python functions over rows: NULLs, faults, what is remembered, types of the results."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from storage.errors import InvalidRequest
from storage.schema import ArrayType, DecimalType
from warehouse.algebra.types import (
    DOUBLE,
    INTEGER,
    INTERVAL,
    SMALLINT,
    TEXT,
    UUID,
    AnyType,
    RecordType,
)
from warehouse.execution.kernels import rowwise
from warehouse.execution.literals import from_carrier
from warehouse.execution.value import Value, fault_text

TEXTS = pl.DataFrame({"c": ["a", None, "bad", "a"]})


def _column(kind: AnyType = TEXT) -> Value:
    return Value(pl.col("c"), kind)


def _rows(value: Value, frame: pl.DataFrame = TEXTS) -> tuple[list[Any], list[Any]]:
    assert value.fault is not None
    found = frame.lazy().select(value.expr.alias("v"), value.fault.alias("f")).collect()
    values = [from_carrier(item, value.type) for item in found["v"].to_list()]
    return values, found["f"].to_list()


def test_an_error_is_the_fault_of_its_row_and_null_stays_null() -> None:
    def function(text: str) -> str:
        if text == "bad":
            raise InvalidRequest("no good", "22023")
        return text * 2

    values, faults = _rows(rowwise(function, [_column()], TEXT))
    assert values == ["aa", None, None, "aa"]
    assert faults == [None, None, fault_text("22023", "no good"), None]


def test_equal_rows_are_computed_once() -> None:
    calls: list[str] = []

    def function(text: str) -> int:
        calls.append(text)
        return len(text)

    values, _ = _rows(rowwise(function, [_column()], INTEGER))
    assert values == [1, None, 3, 1]
    assert sorted(calls) == ["a", "bad"]


def test_negative_zero_is_not_taken_for_zero() -> None:
    frame = pl.DataFrame({"c": [0.0, -0.0]})
    values, _ = _rows(rowwise(str, [_column(DOUBLE)], TEXT), frame)
    assert values == ["0.0", "-0.0"]


def test_functions_that_want_null_get_it() -> None:
    value = rowwise(lambda text: text or "none", [_column()], TEXT, strict=False)
    assert _rows(value)[0] == ["a", "none", "bad", "a"]


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        (DecimalType(5, 2), Decimal("1.25")),
        (DecimalType(30, 2), Decimal("12345678901234567890.25")),
        (INTERVAL, (1, -2, 3)),
        (ArrayType(DecimalType(5, 2)), (Decimal("1.25"), None)),
        (ArrayType(DecimalType(30, 2)), (Decimal("1.25"), None)),
        (RecordType((INTEGER, TEXT)), (1, None)),
        (UUID, uuid.UUID(int=5)),
    ],
    ids=str,
)
def test_results_of_every_shape(kind: AnyType, result: Any) -> None:
    values, faults = _rows(rowwise(lambda _: result, [_column()], kind))
    assert values == [result, None, result, result]
    assert faults == [None] * 4


@pytest.mark.parametrize(
    ("kind", "result", "message"),
    [
        (SMALLINT, 40_000, "smallint out of range"),
        (DecimalType(3, 1), Decimal("99.96"), "numeric field overflow"),
        (DecimalType(38, 0), Decimal(10) ** 38, "numeric field overflow"),
    ],
)
def test_a_result_that_the_type_cannot_hold_is_a_fault(
    kind: AnyType, result: Any, message: str
) -> None:
    values, faults = _rows(rowwise(lambda _: result, [_column()], kind))
    assert values == [None] * 4
    assert faults[0] == fault_text("22003", message)


def test_a_batch_of_nulls_does_not_reach_the_function() -> None:
    frame = pl.DataFrame({"c": [None, None]}, schema={"c": pl.String()})
    value = rowwise(lambda _: pytest.fail("called"), [_column()], DecimalType(30, 2))
    assert _rows(value, frame) == ([None, None], [None, None])
    assert _rows(value, frame.clear()) == ([], [])


def test_mistakes_of_the_function_are_not_swallowed() -> None:
    def function(text: str) -> str:
        raise ZeroDivisionError(text)

    with pytest.raises(ZeroDivisionError):
        _rows(rowwise(function, [_column()], TEXT))
