"""Statistics are bounds, whatever was cut, and sums are exact, whatever their size."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from storage.micropartition.physical import encode
from storage.micropartition.statistics import BOUND_BYTES_MAX, compute, merge
from storage.schema import (
    ArrayType,
    CharType,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    StructType,
    VarCharType,
    arrow_type,
)
from storage.snapshot.files import ColumnStatistics

BIGINT = ScalarType(Kind.BIGINT)
TEXT = ScalarType(Kind.TEXT)
BYTEA = ScalarType(Kind.BYTEA)


def of(values: list[Any], sql_type: SqlType) -> ColumnStatistics:
    column = pa.chunked_array([pa.array(values, arrow_type(sql_type))])
    return compute(encode(column, sql_type), sql_type)


def test_integers_and_scaled_decimals() -> None:
    assert of([3, None, -5], BIGINT) == ColumnStatistics(min=-5, max=3, null_count=1, sum=-2)
    found = of([Decimal("1.50"), Decimal("-0.01")], DecimalType(precision=18, scale=2))
    assert found == ColumnStatistics(min=-1, max=150, sum=149)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
def test_sums_do_not_wrap(value: int) -> None:
    column = pa.chunked_array([pa.array([value] * 1000), pa.array([value, 1, None])])
    assert compute(column, BIGINT).sum == value * 1001 + 1


def test_wide_decimals_have_bounds_and_no_sum() -> None:
    low, high = -(Decimal(10) ** 37), Decimal(10) ** 37 + 1
    found = of([high, low, None], DecimalType(precision=38, scale=0))
    assert found == ColumnStatistics(min=low, max=high, null_count=1)


def test_floats_leave_nan_out() -> None:
    found = of([1.5, math.nan, None, -math.inf, math.nan], ScalarType(Kind.DOUBLE))
    assert found == ColumnStatistics(min=-math.inf, max=1.5, null_count=1, nan_count=2)
    assert of([math.nan], ScalarType(Kind.REAL)) == ColumnStatistics(nan_count=1)


def test_other_types() -> None:
    assert of([date(2026, 1, 1), None], ScalarType(Kind.DATE)).max == date(2026, 1, 1)
    assert of([True, False], ScalarType(Kind.BOOLEAN)) == ColumnStatistics(min=False, max=True)
    assert of([None], TEXT) == ColumnStatistics(null_count=1)
    assert of([], BIGINT) == ColumnStatistics(sum=0)


def test_times_uuids_and_labels_have_bounds() -> None:
    late = datetime(2026, 3, 1, tzinfo=UTC)
    assert of([late, None], ScalarType(Kind.TIMESTAMPTZ)).max == late
    assert of([time(1), time(2)], ScalarType(Kind.TIME)) == ColumnStatistics(
        min=time(1), max=time(2)
    )
    identifiers = [b"\xff" * 16, b"\x00" * 16, b"\x7f" * 16]
    column = pa.chunked_array([pa.array(identifiers, pa.binary(16))])
    found = compute(column, ScalarType(Kind.UUID))
    assert (found.min, found.max) == (b"\x00" * 16, b"\xff" * 16)
    mood = EnumType(name="mood", labels=("sad", "ok", "happy"))
    assert of(["sad", "ok", None], mood) == ColumnStatistics(min="ok", max="sad", null_count=1)
    assert of(["b", ""], CharType(length=2)) == ColumnStatistics(min="", max="b")


@pytest.mark.parametrize(
    ("sql_type", "value"),
    [
        (ScalarType(Kind.JSON), "1"),
        (ScalarType(Kind.JSONB), "1"),
        (ScalarType(Kind.INTERVAL), {"months": 1, "days": 0, "microseconds": 0}),
        (ArrayType(element=BIGINT), [1]),
        (StructType(name="s", fields=(("a", BIGINT),)), {"a": 1}),
    ],
)
def test_types_without_an_order_have_only_a_count_of_nulls(sql_type: SqlType, value: Any) -> None:
    found = of([value, None], sql_type)
    assert found == ColumnStatistics(null_count=1)
    assert merge(found, of([None], sql_type)) == ColumnStatistics(null_count=2)


def test_short_texts_are_exact() -> None:
    longest = "x" * BOUND_BYTES_MAX
    found = of(["", longest, None], VarCharType(length=100))
    assert found == ColumnStatistics(min="", max=longest, null_count=1)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("a" * 65, "a" * 64, "a" * 63 + "b"),
        ("a" * 63 + "ä", "a" * 63, "a" * 62 + "b"),
        ("a" * 63 + "\x7f" + "z", "a" * 63 + "\x7f", "a" * 62 + "b"),
        ("\U0010ffff" * 17, "\U0010ffff" * 16, None),
        ("a" + "\U0010ffff" * 16, "a" + "\U0010ffff" * 15, "b"),
        ("\ud7ff" * 22, "\ud7ff" * 21, "\ud7ff" * 20 + "\ue000"),
    ],
)
def test_long_texts_are_cut_to_bounds(text: str, low: str, high: str | None) -> None:
    found = of([text], TEXT)
    assert (found.min, found.max) == (low, high)
    assert (found.min_exact, found.max_exact) == (False, False)


def test_long_byte_strings_are_cut_to_bounds() -> None:
    found = of([b"a" + b"\xff" * 64], BYTEA)
    assert (found.min, found.max) == (b"a" + b"\xff" * 63, b"b")
    assert of([b"\xff" * 65], BYTEA).max is None
    assert not of([b"\xff" * 65], BYTEA).max_exact


def test_merge_is_what_computing_over_both_gives() -> None:
    a, b = [3, None, -5], [2**63 - 1, 7]
    assert merge(of(a, BIGINT), of(b, BIGINT)) == of(a + b, BIGINT)
    assert merge(of([], BIGINT), of(b, BIGINT)) == of(b, BIGINT)
    assert merge(of(["b", None], TEXT), of([None], TEXT)) == of(["b", None, None], TEXT)


def test_merge_keeps_what_is_cut_or_unbounded() -> None:
    unbounded, short = of(["\U0010ffff" * 17], TEXT), of(["a" * 64], TEXT)
    for merged in (merge(unbounded, short), merge(short, unbounded)):
        assert (merged.min, merged.min_exact) == ("a" * 64, True)
        assert (merged.max, merged.max_exact) == (None, False)
    cut, whole = of(["a" * 65], TEXT), of(["a" * 64], TEXT)
    assert merge(cut, whole).min_exact
    assert merge(whole, cut).min_exact
