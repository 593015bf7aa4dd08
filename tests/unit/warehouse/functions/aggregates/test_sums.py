"""sum and avg: exact, and an error rather than a wrapped number."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import warehouse.functions.all
from storage.errors import InvalidRequest
from storage.schema import DecimalType
from tests.unit.warehouse.execution.relation_cases import Tables, agg
from warehouse.algebra.types import (
    BIGINT,
    DOUBLE,
    INTEGER,
    INTERVAL,
    NUMERIC,
    REAL,
    AnyType,
)

assert warehouse.functions.all

MAX = 2**63 - 1
LONG = DecimalType(38, 0)

Of = Callable[..., Any]


@pytest.fixture
def of() -> Of:
    """The result of one aggregate over a column."""

    def run(fn: str, values: list[Any], kind: AnyType, result: AnyType, **how: Any) -> Any:
        tables = Tables()
        rows = tables.scan([(value,) for value in values], kind)
        found = tables.aggregate(rows, [], agg(fn, rows.columns[0], kind=result, **how))
        [(value,)] = tables.run(found)
        return value

    return run


def test_bigints_are_summed_beyond_64_bits(of: Of) -> None:
    assert of("sum(int8)", [MAX, MAX, None], BIGINT, LONG) == 2 * MAX
    assert of("sum(int8)", [MAX, -MAX], BIGINT, LONG) == 0
    assert of("sum(int8)", [None], BIGINT, LONG) is None
    assert of("sum(int8)", [], BIGINT, LONG) is None


def test_integers_are_summed_beyond_32_bits(of: Of) -> None:
    assert of("sum(int4)", [2**31 - 1] * 3, INTEGER, BIGINT) == 3 * (2**31 - 1)


def test_decimals_are_summed_exactly(of: Of) -> None:
    cents = [Decimal("0.10"), Decimal("0.20"), None, Decimal("-0.01")]
    kind = DecimalType(15, 2)
    assert of("sum(numeric)", cents, kind, DecimalType(38, 2)) == Decimal("0.29")
    twice = [Decimal("0.10"), Decimal("0.10"), Decimal("0.20")]
    assert of("sum(numeric)", twice, kind, DecimalType(38, 2), distinct=True) == Decimal("0.30")


def test_wide_decimals_are_summed_or_refused(of: Of) -> None:
    most, least = Decimal(10**38 - 1), Decimal(1 - 10**38)
    kind = DecimalType(38, 0)
    assert of("sum(numeric)", [most, least, Decimal(5)], kind, kind) == 5
    assert of("sum(numeric)", [most], kind, kind) == most
    for values in ([most, Decimal(1)], [most] * 7, [least] * 40):
        with pytest.raises(InvalidRequest, match="more than 38 digits") as caught:
            of("sum(numeric)", values, kind, kind)
        assert caught.value.sqlstate == "22003"


def test_floats_are_summed_to_infinity_only_from_infinity(of: Of) -> None:
    infinity = float("inf")
    assert of("sum(float8)", [1.5, None, 2.0], DOUBLE, DOUBLE) == 3.5
    assert of("sum(float4)", [1.5, 2.0], REAL, REAL) == 3.5
    assert of("sum(float8)", [infinity, 1.0], DOUBLE, DOUBLE) == infinity
    assert repr(of("sum(float8)", [infinity, -infinity], DOUBLE, DOUBLE)) == "nan"
    with pytest.raises(InvalidRequest, match="overflow"):
        of("sum(float8)", [1e308, 1e308], DOUBLE, DOUBLE)


def test_averages_divide_the_exact_sum(of: Of) -> None:
    assert of("avg(int8)", [MAX, MAX], BIGINT, NUMERIC) == float(MAX)
    assert of("avg(int4)", [1, 2, None], INTEGER, NUMERIC) == 1.5
    assert of("avg(int4)", [1, 1, 2], INTEGER, NUMERIC, distinct=True) == 1.5
    kind = DecimalType(15, 2)
    assert of("avg(numeric)", [Decimal("0.10"), Decimal("0.20")], kind, NUMERIC) == 0.15
    wide = DecimalType(38, 2)
    assert of("avg(numeric)", [Decimal("0.10"), Decimal("0.20")], wide, NUMERIC) == 0.15
    assert of("avg(float8)", [], DOUBLE, DOUBLE) is None


def test_intervals_are_summed_field_by_field(of: Of) -> None:
    values = [(1, 40, 5), (0, -1, 10), None]
    assert of("sum(interval)", values, INTERVAL, INTERVAL) == (1, 39, 15)
    assert of("avg(interval)", [(1, 0, 0), (2, 0, 0)], INTERVAL, INTERVAL) == (1, 15, 0)
    assert of("avg(interval)", [None], INTERVAL, INTERVAL) is None
    same = [(1, 0, 0), (0, 30, 0), (0, 1, 0)]
    assert of("sum(interval)", same, INTERVAL, INTERVAL, distinct=True) == (1, 1, 0)
    with pytest.raises(InvalidRequest, match="interval out of range"):
        of("sum(interval)", [(2**31 - 1, 0, 0), (1, 0, 0)], INTERVAL, INTERVAL)
