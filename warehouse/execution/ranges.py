"""Interval arithmetic over the integers that carry numbers, to prove that nothing overflows.

A range is over carrier integers (DECIMAL: the value times 10^s). Bounds may lie beyond 64 bits:
then the expression must be computed wider, or checked.
"""

from __future__ import annotations

from storage.schema import SCALED_PRECISION_MAX, DecimalType
from warehouse.algebra.types import (
    BIGINT,
    INTEGER,
    SMALLINT,
    AnyType,
)
from warehouse.execution.value import INT64, Range, Value

__all__ = [
    "DIGITS_38",
    "added",
    "bounds_of",
    "clamped",
    "multiplied",
    "negated",
    "subtracted",
    "symmetric",
    "type_range",
]


def symmetric(limit: int) -> Range:
    """From -limit to limit."""
    return Range(-limit, limit)


DIGITS_38 = symmetric(10**38 - 1)
"""All integers of up to 38 digits: what a wide DECIMAL holds."""

_INTEGERS: dict[AnyType, Range] = {
    SMALLINT: Range(-(2**15), 2**15 - 1),
    INTEGER: Range(-(2**31), 2**31 - 1),
    BIGINT: INT64,
}


def type_range(kind: AnyType) -> Range | None:
    """All carrier integers of an integer type or of a DECIMAL that fits 64 bits; None otherwise."""
    if isinstance(kind, DecimalType):
        if kind.precision > SCALED_PRECISION_MAX:
            return None
        return symmetric(10**kind.precision - 1)
    return _INTEGERS.get(kind)


def bounds_of(value: Value) -> Range:
    """Bounds of the (unscaled) integers of an integer or DECIMAL value, wide or not."""
    if value.range is not None:
        return value.range
    if isinstance(value.type, DecimalType):
        declared = symmetric(10**value.type.precision - 1)
        return declared if value.wide else clamped(declared, INT64)
    return _INTEGERS.get(value.type, INT64)


def added(a: Range, b: Range) -> Range:
    """Of a + b."""
    return Range(a.low + b.low, a.high + b.high)


def subtracted(a: Range, b: Range) -> Range:
    """Of a - b."""
    return Range(a.low - b.high, a.high - b.low)


def negated(a: Range) -> Range:
    """Of -a."""
    return Range(-a.high, -a.low)


def multiplied(a: Range, b: Range) -> Range:
    """Of a * b."""
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return Range(min(corners), max(corners))


def clamped(a: Range, limits: Range) -> Range:
    """The part of a within limits; the limits themselves if there is none."""
    low, high = max(a.low, limits.low), min(a.high, limits.high)
    return Range(low, high) if low <= high else limits
