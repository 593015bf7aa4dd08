"""Rounding and number theory of exact numbers: what PostgreSQL 16 answers."""

from __future__ import annotations

import random
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import Any

import polars as pl
import pytest

import warehouse.functions.exact_numbers  # noqa: F401 - registers what is tested
from storage.schema import DecimalType
from tests.unit.warehouse.functions.evaluation import Fails, Typed, check, check_together
from warehouse.algebra.types import INTEGER, NUMERIC
from warehouse.execution.literals import literal
from warehouse.execution.value import Value
from warehouse.functions.exact_numbers import round_digits, trunc_digits

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "round(numeric)": [
        ((Typed(Decimal("2.50"), DecimalType(5, 2)),), Decimal("3")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)),), Decimal("-3")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)),), Decimal("2")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)),), Decimal("-3")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)),), Decimal("1000")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)),), Decimal("0")),
        ((Typed(Decimal("7"), DecimalType(5, 0)),), Decimal("7")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)),), Decimal("1")),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)),),
            Decimal("12345678901234567890"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)),),
            Decimal("-100000000000000000000000000000000000"),
        ),
        ((Typed(None, DecimalType(5, 2)),), None),
    ],
    "trunc(numeric)": [
        ((Typed(Decimal("2.50"), DecimalType(5, 2)),), Decimal("2")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)),), Decimal("-2")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)),), Decimal("2")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)),), Decimal("-2")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)),), Decimal("999")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)),), Decimal("0")),
        ((Typed(Decimal("7"), DecimalType(5, 0)),), Decimal("7")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)),), Decimal("0")),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)),),
            Decimal("12345678901234567890"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)),),
            Decimal("-99999999999999999999999999999999999"),
        ),
        ((Typed(None, DecimalType(5, 2)),), None),
    ],
    "ceil(numeric)": [
        ((Typed(Decimal("2.50"), DecimalType(5, 2)),), Decimal("3")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)),), Decimal("-2")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)),), Decimal("3")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)),), Decimal("-2")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)),), Decimal("1000")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)),), Decimal("0")),
        ((Typed(Decimal("7"), DecimalType(5, 0)),), Decimal("7")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)),), Decimal("1")),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)),),
            Decimal("12345678901234567891"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)),),
            Decimal("-99999999999999999999999999999999999"),
        ),
        ((Typed(None, DecimalType(5, 2)),), None),
    ],
    "ceiling(numeric)": [
        ((Typed(Decimal("2.50"), DecimalType(5, 2)),), Decimal("3")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)),), Decimal("-2")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)),), Decimal("3")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)),), Decimal("-2")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)),), Decimal("1000")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)),), Decimal("0")),
        ((Typed(Decimal("7"), DecimalType(5, 0)),), Decimal("7")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)),), Decimal("1")),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)),),
            Decimal("12345678901234567891"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)),),
            Decimal("-99999999999999999999999999999999999"),
        ),
        ((Typed(None, DecimalType(5, 2)),), None),
    ],
    "floor(numeric)": [
        ((Typed(Decimal("2.50"), DecimalType(5, 2)),), Decimal("2")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)),), Decimal("-3")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)),), Decimal("2")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)),), Decimal("-3")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)),), Decimal("999")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)),), Decimal("0")),
        ((Typed(Decimal("7"), DecimalType(5, 0)),), Decimal("7")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)),), Decimal("0")),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)),),
            Decimal("12345678901234567890"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)),),
            Decimal("-100000000000000000000000000000000000"),
        ),
        ((Typed(None, DecimalType(5, 2)),), None),
    ],
    "round(numeric,int4)": [
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), 1), Decimal("2.5")),
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), 0), Decimal("3")),
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), -1), Decimal("0")),
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), 3), Decimal("2.500")),
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), -3), Decimal("0")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)), 1), Decimal("-2.5")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)), 0), Decimal("-3")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)), -1), Decimal("0")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)), 3), Decimal("-2.500")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)), -3), Decimal("0")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)), 1), Decimal("2.5")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)), 0), Decimal("2")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)), -1), Decimal("0")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)), 3), Decimal("2.490")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)), -3), Decimal("0")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)), 1), Decimal("-2.5")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)), 0), Decimal("-3")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)), -1), Decimal("0")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)), 3), Decimal("-2.510")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)), -3), Decimal("0")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)), 1), Decimal("1000.0")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)), 0), Decimal("1000")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)), -1), Decimal("1000")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)), 3), Decimal("999.990")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)), -3), Decimal("1000")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)), 1), Decimal("0.0")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)), 0), Decimal("0")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)), -1), Decimal("0")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)), 3), Decimal("0.000")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)), -3), Decimal("0")),
        ((Typed(Decimal("7"), DecimalType(5, 0)), 1), Decimal("7.0")),
        ((Typed(Decimal("7"), DecimalType(5, 0)), 0), Decimal("7")),
        ((Typed(Decimal("7"), DecimalType(5, 0)), -1), Decimal("10")),
        ((Typed(Decimal("7"), DecimalType(5, 0)), 3), Decimal("7.000")),
        ((Typed(Decimal("7"), DecimalType(5, 0)), -3), Decimal("0")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)), 1), Decimal("0.6")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)), 0), Decimal("1")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)), -1), Decimal("0")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)), 3), Decimal("0.550")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)), -3), Decimal("0")),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)), 1),
            Decimal("12345678901234567890.1"),
        ),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)), 0),
            Decimal("12345678901234567890"),
        ),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)), -1),
            Decimal("12345678901234567890"),
        ),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)), 3),
            Decimal("12345678901234567890.125"),
        ),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)), -3),
            Decimal("12345678901234568000"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)), 1),
            Decimal("-99999999999999999999999999999999999.5"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)), 0),
            Decimal("-100000000000000000000000000000000000"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)), -1),
            Decimal("-100000000000000000000000000000000000"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)), 3),
            Decimal("-99999999999999999999999999999999999.500"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)), -3),
            Decimal("-100000000000000000000000000000000000"),
        ),
        ((Typed(None, DecimalType(5, 2)), 1), None), ((Typed(None, DecimalType(5, 2)), 0), None),
        ((Typed(None, DecimalType(5, 2)), -1), None), ((Typed(None, DecimalType(5, 2)), 3), None),
        ((Typed(None, DecimalType(5, 2)), -3), None),
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), None), None),
    ],
    "trunc(numeric,int4)": [
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), 1), Decimal("2.5")),
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), 0), Decimal("2")),
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), -1), Decimal("0")),
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), 3), Decimal("2.500")),
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), -3), Decimal("0")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)), 1), Decimal("-2.5")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)), 0), Decimal("-2")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)), -1), Decimal("0")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)), 3), Decimal("-2.500")),
        ((Typed(Decimal("-2.50"), DecimalType(5, 2)), -3), Decimal("0")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)), 1), Decimal("2.4")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)), 0), Decimal("2")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)), -1), Decimal("0")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)), 3), Decimal("2.490")),
        ((Typed(Decimal("2.49"), DecimalType(5, 2)), -3), Decimal("0")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)), 1), Decimal("-2.5")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)), 0), Decimal("-2")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)), -1), Decimal("0")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)), 3), Decimal("-2.510")),
        ((Typed(Decimal("-2.51"), DecimalType(5, 2)), -3), Decimal("0")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)), 1), Decimal("999.9")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)), 0), Decimal("999")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)), -1), Decimal("990")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)), 3), Decimal("999.990")),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)), -3), Decimal("0")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)), 1), Decimal("0.0")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)), 0), Decimal("0")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)), -1), Decimal("0")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)), 3), Decimal("0.000")),
        ((Typed(Decimal("0.00"), DecimalType(5, 2)), -3), Decimal("0")),
        ((Typed(Decimal("7"), DecimalType(5, 0)), 1), Decimal("7.0")),
        ((Typed(Decimal("7"), DecimalType(5, 0)), 0), Decimal("7")),
        ((Typed(Decimal("7"), DecimalType(5, 0)), -1), Decimal("0")),
        ((Typed(Decimal("7"), DecimalType(5, 0)), 3), Decimal("7.000")),
        ((Typed(Decimal("7"), DecimalType(5, 0)), -3), Decimal("0")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)), 1), Decimal("0.5")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)), 0), Decimal("0")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)), -1), Decimal("0")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)), 3), Decimal("0.550")),
        ((Typed(Decimal("0.55"), DecimalType(2, 2)), -3), Decimal("0")),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)), 1),
            Decimal("12345678901234567890.1"),
        ),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)), 0),
            Decimal("12345678901234567890"),
        ),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)), -1),
            Decimal("12345678901234567890"),
        ),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)), 3),
            Decimal("12345678901234567890.125"),
        ),
        (
            (Typed(Decimal("12345678901234567890.125"), DecimalType(30, 3)), -3),
            Decimal("12345678901234567000"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)), 1),
            Decimal("-99999999999999999999999999999999999.5"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)), 0),
            Decimal("-99999999999999999999999999999999999"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)), -1),
            Decimal("-99999999999999999999999999999999990"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)), 3),
            Decimal("-99999999999999999999999999999999999.500"),
        ),
        (
            (Typed(Decimal("-99999999999999999999999999999999999.5"), DecimalType(36, 1)), -3),
            Decimal("-99999999999999999999999999999999000"),
        ),
        ((Typed(None, DecimalType(5, 2)), 1), None), ((Typed(None, DecimalType(5, 2)), 0), None),
        ((Typed(None, DecimalType(5, 2)), -1), None), ((Typed(None, DecimalType(5, 2)), 3), None),
        ((Typed(None, DecimalType(5, 2)), -3), None),
        ((Typed(Decimal("2.50"), DecimalType(5, 2)), None), None),
    ],
    "gcd(int4,int4)": [
        ((12, 18), 6), ((-12, 18), 6), ((0, 0), 0), ((0, 5), 5), ((None, 1), None),
        ((-2147483648, 0), Fails("22003", "integer out of range")),
        ((-2147483648, -2147483648), Fails("22003", "integer out of range")),
    ],
    "lcm(int4,int4)": [
        ((4, 6), 12), ((-4, 6), 12), ((0, 5), 0), ((2, None), None),
        ((2147483647, 2), Fails("22003", "integer out of range")),
        ((-2147483648, 1), Fails("22003", "integer out of range")),
    ],
    "gcd(int8,int8)": [
        ((12, 18), 6), ((-12, 18), 6), ((0, 0), 0), ((0, 5), 5), ((None, 1), None),
        ((-9223372036854775808, 0), Fails("22003", "bigint out of range")),
    ],
    "lcm(int8,int8)": [
        ((4, 6), 12), ((-4, 6), 12), ((0, 5), 0), ((2, None), None),
        ((9223372036854775807, 2), Fails("22003", "bigint out of range")),
    ],
    "gcd(numeric,numeric)": [
        (
            (Typed(Decimal("12.50"), DecimalType(5, 2)), Typed(Decimal("2.5"), DecimalType(5, 1))),
            Decimal("2.50"),
        ),
        (
            (Typed(Decimal("0.00"), DecimalType(5, 2)), Typed(Decimal("0.0"), DecimalType(5, 1))),
            Decimal("0.00"),
        ),
    ],
    "lcm(numeric,numeric)": [
        (
            (Typed(Decimal("12.50"), DecimalType(5, 2)), Typed(Decimal("1.5"), DecimalType(5, 1))),
            Decimal("37.50"),
        ),
    ],
    "factorial(int8)": [
        ((0,), Decimal("1")), ((5,), Decimal("120")), ((20,), Decimal("2432902008176640000")),
        ((33,), Decimal("8683317618811886495518194401280000000")),
        ((-1,), Fails("22003", "factorial of a negative number is undefined")), ((None,), None),
    ],
    "scale(numeric)": [
        ((Typed(Decimal("2.50"), DecimalType(5, 2)),), 2),
        ((Typed(Decimal("7"), DecimalType(5, 0)),), 0), ((Typed(None, DecimalType(5, 2)),), None),
    ],
    "min_scale(numeric)": [
        ((Typed(Decimal("2.50"), DecimalType(5, 2)),), 1),
        ((Typed(Decimal("999.99"), DecimalType(5, 2)),), 2),
        ((Typed(Decimal("7"), DecimalType(5, 0)),), 0),
        ((Typed(Decimal("100"), DecimalType(5, 0)),), 0), ((Typed(8.41, NUMERIC),), 2),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])


@pytest.mark.parametrize("digits", [2, 0, 6, -2, -25])
def test_a_float_rounds_on_its_decimal_digits(digits: int) -> None:
    chance = random.Random(7)
    numbers = [2.675, 1.005, 0.5, -0.5, 2.5, 0.0, 1e-300, 123456789012345680.0]
    numbers += [chance.randint(-(10**6), 10**6) / chance.choice([8, 100, 200]) for _ in range(500)]
    kind = DecimalType(38, max(digits, 0))
    number = Value(pl.col("x"), NUMERIC)
    for function, rounding in ((round_digits, ROUND_HALF_UP), (trunc_digits, ROUND_DOWN)):
        made = function(number, literal(digits, INTEGER), kind=kind)
        found = pl.DataFrame({"x": numbers}).select(made.expr).to_series().to_list()
        context = Context(prec=100, rounding=rounding)
        unit = Decimal(1).scaleb(-digits)
        assert found == [Decimal(repr(x)).quantize(unit, context=context) for x in numbers]
