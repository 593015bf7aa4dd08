"""`width_bucket`: what PostgreSQL 16 answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import warehouse.functions.buckets  # noqa: F401 - registers what is tested
from storage.schema import ArrayType, DecimalType
from tests.unit.warehouse.functions.evaluation import Fails, Typed, check, check_together
from warehouse.algebra.types import DOUBLE, INTEGER

INFINITY = float("inf")
NAN = float("nan")

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "width_bucket(float8,float8,float8,int4)": [
        ((5.35, 0.024, 10.06, 5), 3), ((-1.0, 0.0, 10.0, 5), 0), ((10.0, 0.0, 10.0, 5), 6),
        ((0.0, 0.0, 10.0, 5), 1), ((5.0, 10.0, 0.0, 5), 3), ((10.0, 10.0, 0.0, 5), 1),
        ((0.0, 10.0, 0.0, 5), 6), ((11.0, 10.0, 0.0, 5), 0),
        ((1.0, 1.0, 1.0, 5), Fails("2201G", "lower bound cannot equal upper bound")),
        ((1.0, 0.0, 1.0, 0), Fails("2201G", "count must be greater than zero")),
        ((NAN, 0.0, 1.0, 2), Fails("2201G", "operand, lower bound, and upper bound cannot be NaN")),
        ((INFINITY, 0.0, 1.0, 2), 3),
        ((1.0, INFINITY, 1.0, 2), Fails("2201G", "lower and upper bounds must be finite")),
        ((None, 0.0, 1.0, 2), None),
        ((1.0, 0.0, 1.0, 2147483647), Fails("22003", "integer out of range")),
    ],
    "width_bucket(numeric,numeric,numeric,int4)": [
        (
            (Typed(Decimal("5.350"), DecimalType(10, 3)), Typed(Decimal("0.024"), DecimalType(10, 3)), Typed(Decimal("10.060"), DecimalType(10, 3)), 5),  # noqa: E501
            3,
        ),
        (
            (Typed(Decimal("10"), DecimalType(10, 3)), Typed(Decimal("10"), DecimalType(10, 3)), Typed(Decimal("0"), DecimalType(10, 3)), 5),  # noqa: E501
            1,
        ),
        (
            (Typed(Decimal("0.3"), DecimalType(10, 3)), Typed(Decimal("0"), DecimalType(10, 3)), Typed(Decimal("1"), DecimalType(10, 3)), 10),  # noqa: E501
            4,
        ),
        (
            (Typed(Decimal("5"), DecimalType(10, 3)), Typed(Decimal("10"), DecimalType(10, 3)), Typed(Decimal("0"), DecimalType(10, 3)), 4),  # noqa: E501
            3,
        ),
        (
            (Typed(Decimal("1"), DecimalType(10, 3)), Typed(Decimal("1"), DecimalType(10, 3)), Typed(Decimal("1"), DecimalType(10, 3)), 1),  # noqa: E501
            Fails("2201G", "lower bound cannot equal upper bound"),
        ),
    ],
    "width_bucket(anycompatible,anycompatiblearray)": [
        ((Typed(3, INTEGER), Typed((1, 3, 5), ArrayType(INTEGER))), 2),
        ((Typed(0, INTEGER), Typed((1, 3, 5), ArrayType(INTEGER))), 0),
        ((Typed(9, INTEGER), Typed((1, 3, 5), ArrayType(INTEGER))), 3),
        (
            (Typed(9, INTEGER), Typed((1, None), ArrayType(INTEGER))),
            Fails("22004", "thresholds array must not contain NULLs"),
        ),
        ((Typed(NAN, DOUBLE), Typed((1.0, 2.0), ArrayType(DOUBLE))), 2),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])
