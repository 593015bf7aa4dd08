"""Arithmetic of integers and DECIMALs: exact, or an error.

The bounds of the operands decide how an operation is computed (`scaled`). INTEGER and SMALLINT
always fit 64 bits and are only compared with their type's bounds; BIGINT sums are checked by their
signs, products in 128 bits. If the bounds prove the result, nothing is checked.

A quotient of integers truncates toward zero, a remainder has the dividend's sign. `/` of numerics
gives NUMERIC, a float of exact operands. A divisor that can be zero gives a fault (22012).

Every function takes `Value`s of the registered types and the result's type as `kind`; NULLs pass
through by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl

from storage.schema import DecimalType
from warehouse.algebra.types import BIGINT, NUMERIC, AnyType, is_integer, shown
from warehouse.execution import floats, scaled
from warehouse.execution.binding import shared
from warehouse.execution.casts_numbers import within_type
from warehouse.execution.ranges import (
    added,
    bounds_of,
    multiplied,
    subtracted,
    type_range,
)
from warehouse.execution.scaled import Scaled
from warehouse.execution.value import INT64, Range, Value, any_fault, fault_text

__all__ = [
    "absolute",
    "divide",
    "excludes_zero",
    "minus",
    "modulo",
    "negative",
    "plus",
    "quotient",
    "sign",
    "times",
    "zero_divisor",
]

_DIVISION_BY_ZERO = fault_text("22012", "division by zero")


def plus(left: Value, right: Value, *, kind: AnyType) -> Value:
    """left + right."""
    return _summed("+", left, right, kind)


def minus(left: Value, right: Value, *, kind: AnyType) -> Value:
    """left - right."""
    return _summed("-", left, right, kind)


def _summed(op: str, left: Value, right: Value, kind: AnyType) -> Value:
    if kind == NUMERIC:
        return floats.numeric(op, left, right)
    bounds = (added if op == "+" else subtracted)(bounds_of(left), bounds_of(right))
    if is_integer(kind):
        if not bounds.within(INT64):
            return _checked_sum(op, left, right, kind)
        expr = left.expr + right.expr if op == "+" else left.expr - right.expr
        return _of_type(Scaled(expr, 0, bounds), kind, [left, right])
    scale = kind.scale if isinstance(kind, DecimalType) else 0
    a, b = (scaled.raised_to(scaled.of(value), scale) for value in (left, right))
    made = scaled.add(a, b) if op == "+" else scaled.subtract(a, b)
    return scaled.finished(made, kind, [left, right])


def _checked_sum(op: str, left: Value, right: Value, kind: AnyType) -> Value:
    """A sum that may wrap: then its sign is not that of the operands."""
    a, b = left.expr, right.expr
    expr = a + b if op == "+" else a - b
    return _faulted(expr, shared([a, b], _crossed[op]), kind, [left, right])


# The sign bit is set where a sum crossed the edge of 64 bits.
_crossed: dict[str, Callable[..., pl.Expr]] = {
    "+": lambda a, b: ((a ^ (a + b)) & (b ^ (a + b))) < 0,
    "-": lambda a, b: ((a ^ b) & (a ^ (a - b))) < 0,
}


def _faulted(expr: pl.Expr, condition: pl.Expr, kind: AnyType, operands: list[Value]) -> Value:
    text = fault_text("22003", f"{shown(kind)} out of range")
    own = pl.when(condition).then(pl.lit(text)).otherwise(None)
    made = Scaled(expr, 0, type_range(kind) or INT64, fault=own)
    return scaled.finished(made, kind, operands)


def _of_type(made: Scaled, kind: AnyType, operands: list[Value]) -> Value:
    return within_type(made, kind, operands, f"{shown(kind)} out of range")


def times(left: Value, right: Value, *, kind: AnyType) -> Value:
    """left * right."""
    if kind == NUMERIC:
        return floats.numeric("*", left, right)
    if not is_integer(kind):
        made = scaled.multiply(scaled.of(left), scaled.of(right))
        return scaled.finished(made, kind, [left, right])
    bounds = multiplied(bounds_of(left), bounds_of(right))
    if bounds.within(INT64):
        return _of_type(Scaled(left.expr * right.expr, 0, bounds), kind, [left, right])
    wide = left.expr.cast(pl.Int128()) * right.expr.cast(pl.Int128())
    expr = wide.cast(pl.Int64(), strict=False)
    lost = shared([wide], lambda x: x.cast(pl.Int64(), strict=False).is_null() & x.is_not_null())
    return _faulted(expr, lost, kind, [left, right])


def excludes_zero(value: Value) -> bool:
    """Is it proven that an integer or DECIMAL is never zero?"""
    bounds = bounds_of(value)
    return bounds.low > 0 or bounds.high < 0


def zero_divisor(value: Value, dividend: Value, divisor: Value) -> Value:
    """`value`, with a fault where something is divided by zero, unless that is impossible."""
    if excludes_zero(divisor):
        return value
    zero = scaled.of(divisor).expr == 0
    if dividend.nullable:
        zero = zero & dividend.expr.is_not_null()
    own = pl.when(zero).then(pl.lit(_DIVISION_BY_ZERO)).otherwise(None)
    return replace(value, fault=any_fault([value.fault, own]))


def divide(left: Value, right: Value, *, kind: AnyType) -> Value:
    """left / right: of integers truncated; of numerics a float of exact operands."""
    if not is_integer(kind):
        return floats.numeric("/", left, right)
    made = _of_type(Scaled(*_integer_quotient(left, right)), kind, [left, right])
    a, b = bounds_of(left), bounds_of(right)
    if kind == BIGINT and a.low == INT64.low and b.low <= -1 <= b.high:
        edge = (left.expr == INT64.low) & (right.expr == -1)
        made = made.faulty(edge, "22003", f"{shown(kind)} out of range")
    return zero_divisor(made, left, right)


def _integer_quotient(left: Value, right: Value) -> tuple[pl.Expr, int, Range]:
    a, b = bounds_of(left), bounds_of(right)
    divisors = [d for d in (b.low, b.high, -1, 1) if b.low <= d <= b.high and d]
    ends = [_truncated(n, d) for n in (a.low, a.high) for d in divisors] or [0]
    bounds = Range(min(*ends, 0), max(*ends, 0))
    limits = Range(max(bounds.low, INT64.low), min(bounds.high, INT64.high))
    return left.expr.truncdiv(right.expr), 0, limits


def _truncated(number: int, divisor: int) -> int:
    size = abs(number) // abs(divisor)
    return size if (number < 0) == (divisor < 0) else -size


def modulo(left: Value, right: Value, *, kind: AnyType) -> Value:
    """left % right, with the sign of left."""
    if kind == NUMERIC:
        return floats.numeric("%", left, right)
    scale = kind.scale if isinstance(kind, DecimalType) else 0
    a, b = (scaled.raised_to(scaled.of(value), scale) for value in (left, right))
    made = scaled.finished(scaled.remainder(a, b), kind, [left, right])
    return zero_divisor(made, left, right)


def quotient(left: Value, right: Value, *, kind: AnyType) -> Value:
    """div(left, right): the truncated quotient of numerics."""
    if kind == NUMERIC:
        made = floats.numeric("/", left, right)
        cut = pl.when(made.expr < 0).then(made.expr.ceil()).otherwise(made.expr.floor())
        return replace(made, expr=cut)
    a, b = scaled.of(left), scaled.of(right)
    scale = max(a.scale, b.scale)
    whole = scaled.truncated_quotient(scaled.raised_to(a, scale), scaled.raised_to(b, scale))
    return zero_divisor(scaled.finished(whole, kind, [left, right]), left, right)


def negative(value: Value, *, kind: AnyType) -> Value:
    """-value."""
    if kind == NUMERIC:
        return value.derived(-value.expr, NUMERIC)
    made = scaled.negate(scaled.of(value))
    return _unary(value, kind, lambda number: -number.expr, made)


def absolute(value: Value, *, kind: AnyType) -> Value:
    """The absolute value."""
    if kind == NUMERIC:
        return value.derived(value.expr.abs(), NUMERIC)
    number = scaled.of(value)
    low, high = number.bounds.low, number.bounds.high
    if low >= 0:
        return scaled.finished(number, kind, [value])
    bounds = Range(0 if high >= 0 else -high, max(-low, high))
    operand = number if bounds.within(INT64) else scaled.widened(number)
    made = replace(operand, expr=operand.expr.abs(), bounds=bounds)
    return _unary(value, kind, lambda number: number.expr.abs(), made)


def _unary(
    value: Value, kind: AnyType, wrapping: Callable[[Scaled], pl.Expr], made: Scaled
) -> Value:
    """The result `made`; for BIGINT its only case without room is told before it is computed."""
    if not is_integer(kind):
        return scaled.finished(made, kind, [value])
    if not made.bounds.within(INT64):
        lowest = value.expr == INT64.low
        operand = scaled.of(replace(value, expr=pl.when(lowest.not_()).then(value.expr)))
        return _faulted(wrapping(operand), lowest, kind, [value])
    return _of_type(made, kind, [value])


def sign(value: Value, *, kind: AnyType) -> Value:
    """-1, 0 or 1."""
    if kind == NUMERIC:
        return value.derived(value.expr.sign(), NUMERIC)
    number = scaled.of(value)
    bounds = Range(-1 if number.bounds.low < 0 else 0, 1 if number.bounds.high > 0 else 0)
    expr = number.expr.sign().cast(pl.Int64())
    return scaled.finished(Scaled(expr, 0, bounds), kind, [value])
