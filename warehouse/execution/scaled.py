"""Exact numbers as unscaled integers: what integers and DECIMALs have in common.

A `Scaled` is an integer expression (Int64, or Int128 if `wide`) that stands for value / 10^scale,
with bounds that it surely keeps. An operation computes in 64 bits if the bounds of its result fit
them, else in 128; there it is checked if more than 38 digits are possible, and a row with more gets
a fault (22003), never a wrapped number. Every `Scaled` is within 38 digits, so sums of two cannot
wrap beyond recognition (2 * 10^38 - 2^128 < -10^38), and of products a float tells in advance.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from storage.errors import InternalError
from storage.schema import SCALED_PRECISION_MAX, DecimalType
from warehouse.algebra.types import AnyType, is_integer
from warehouse.execution.binding import shared
from warehouse.execution.ranges import (
    DIGITS_38,
    added,
    bounds_of,
    clamped,
    multiplied,
    negated,
    subtracted,
    symmetric,
    type_range,
)
from warehouse.execution.value import INT64, Range, Value, any_fault, fault_text

__all__ = [
    "Scaled",
    "add",
    "as_float",
    "canonical",
    "finished",
    "held",
    "lowered",
    "multiply",
    "negate",
    "of",
    "raised_to",
    "remainder",
    "rescaled",
    "same_width",
    "subtract",
    "truncated_quotient",
    "widened",
]

_TOO_LARGE = "numeric field overflow: a result has more than 38 digits"
_FLOAT_LIMIT = 1.2e38  # above 10^38, below 2^127, with room for the rounding of floats
_EXACT_FLOAT = symmetric(2**53)


@dataclass(frozen=True, slots=True)
class Scaled:
    """`expr` / 10^scale; `fault` is of this computation alone, not of its operands."""

    expr: pl.Expr
    scale: int
    bounds: Range
    wide: bool = False
    fault: pl.Expr | None = None


def of(value: Value) -> Scaled:
    """An integer or DECIMAL value as an unscaled integer. Its faults stay with the value."""
    scale = value.type.scale if isinstance(value.type, DecimalType) else 0
    expr = value.expr.reinterpret(dtype=pl.Int128()) if value.wide else value.expr
    return Scaled(expr, scale, bounds_of(value), value.wide)


def finished(number: Scaled, kind: AnyType, operands: list[Value]) -> Value:
    """A value of DECIMAL or integer type `kind`, whose scale the number has, of these operands."""
    scale = kind.scale if isinstance(kind, DecimalType) else 0
    if scale != number.scale:
        raise InternalError(f"a number of scale {number.scale} for {kind}")
    expr, bounds, wide = number.expr, number.bounds, False
    if number.wide and bounds.within(INT64):
        expr = expr.cast(pl.Int64(), strict=False)
    elif number.wide:
        expr, wide = expr.reinterpret(dtype=pl.Decimal(38, scale)), True
    return Value(
        expr,
        kind,
        range=None if wide else bounds,
        nullable=any(value.nullable for value in operands),
        wide=wide,
        fault=any_fault([*(value.fault for value in operands), _of_present(number, operands)]),
    )


def _of_present(number: Scaled, operands: list[Value]) -> pl.Expr | None:
    """The computation's fault, where no operand is NULL: else the result is NULL, not an error."""
    nullable = [value.expr for value in operands if value.nullable]
    if number.fault is None or len(operands) < 2 or not nullable:
        return number.fault
    present = pl.all_horizontal([expr.is_not_null() for expr in nullable])
    return pl.when(present).then(number.fault)


def widened(number: Scaled) -> Scaled:
    """In 128 bits."""
    if number.wide:
        return number
    return replace(number, expr=number.expr.cast(pl.Int128()), wide=True)


def same_width(a: Scaled, b: Scaled) -> tuple[Scaled, Scaled]:
    """Both in the wider one's width."""
    return (widened(a), widened(b)) if a.wide or b.wide else (a, b)


def raised_to(number: Scaled, scale: int) -> Scaled:
    """The same number with more digits behind the point (`scale` >= number.scale)."""
    if scale == number.scale:
        return number
    power = 10 ** (scale - number.scale)
    bounds = Range(number.bounds.low * power, number.bounds.high * power)
    if bounds.within(INT64) and not number.wide:
        return replace(number, expr=number.expr * power, scale=scale, bounds=bounds)
    wide = widened(number)
    factor = pl.lit(power, dtype=pl.Int128())
    if bounds.within(DIGITS_38):
        return replace(wide, expr=wide.expr * factor, scale=scale, bounds=bounds)
    limit = pl.lit(DIGITS_38.high // power, dtype=pl.Int128())
    return _checked(
        replace(wide, scale=scale, bounds=clamped(bounds, DIGITS_38)),
        [wide.expr],
        lambda x: x * factor,
        lambda x: x.abs() > limit,
    )


def rescaled(number: Scaled, scale: int) -> Scaled:
    """With `scale` digits behind the point; digits that go round half away from zero."""
    if scale >= number.scale:
        return raised_to(number, scale)
    power = 10 ** (number.scale - scale)
    half = power // 2
    reach = Range(number.bounds.low - half, number.bounds.high + half)
    if not reach.within(INT64):
        number = widened(number)
    bounds = Range(_rounded(number.bounds.low, power), _rounded(number.bounds.high, power))
    dtype = pl.Int128() if number.wide else pl.Int64()
    step = pl.lit(half, dtype=dtype)
    if number.bounds.low >= 0:
        away = number.expr + step
    else:
        away = shared([number.expr], lambda x: pl.when(x < 0).then(x - step).otherwise(x + step))
    expr = away.truncdiv(pl.lit(power, dtype=dtype))
    return replace(number, expr=expr, scale=scale, bounds=bounds)


def _rounded(number: int, power: int) -> int:
    quotient = (abs(number) + power // 2) // power
    return quotient if number >= 0 else -quotient


def lowered(number: Scaled, scale: int) -> Scaled:
    """Without the digits behind `scale`: cut towards zero."""
    power = 10 ** (number.scale - scale)
    low, high = (abs(end) // power * (1 if end >= 0 else -1) for end in _ends(number.bounds))
    dtype = pl.Int128() if number.wide else pl.Int64()
    expr = number.expr.truncdiv(pl.lit(power, dtype=dtype))
    return replace(number, expr=expr, scale=scale, bounds=Range(low, high))


def _ends(bounds: Range) -> tuple[int, int]:
    return bounds.low, bounds.high


def _checked(
    made: Scaled,
    operands: list[pl.Expr],
    compute: Callable[..., pl.Expr],
    exceeds: Callable[..., pl.Expr],
) -> Scaled:
    """`compute(*operands)`; NULL with a fault where `exceeds` says that it has over 38 digits."""

    def guarded(*exprs: pl.Expr) -> pl.Expr:
        return pl.when(exceeds(*exprs).not_()).then(compute(*exprs))

    def fault(*exprs: pl.Expr) -> pl.Expr:
        text = pl.lit(fault_text("22003", _TOO_LARGE))
        return pl.when(exceeds(*exprs)).then(text).otherwise(None)

    own = shared(operands, fault)
    return replace(made, expr=shared(operands, guarded), fault=any_fault([made.fault, own]))


def add(a: Scaled, b: Scaled) -> Scaled:
    """a + b, of equal scales."""
    return _summed(a, b, added(a.bounds, b.bounds), minus=False)


def subtract(a: Scaled, b: Scaled) -> Scaled:
    """a - b, of equal scales."""
    return _summed(a, b, subtracted(a.bounds, b.bounds), minus=True)


def _summed(a: Scaled, b: Scaled, bounds: Range, *, minus: bool) -> Scaled:
    left, right = _operands(a, b, bounds)
    compute = operator.sub if minus else operator.add
    expr = compute(left.expr, right.expr)
    made = Scaled(expr, a.scale, bounds, left.wide, any_fault([a.fault, b.fault]))
    if not made.wide or bounds.within(DIGITS_38):
        return made
    made = replace(made, bounds=clamped(bounds, DIGITS_38))
    return _checked(made, [left.expr, right.expr], compute, lambda x, y: _beyond(compute(x, y)))


def _beyond(expr: pl.Expr) -> pl.Expr:
    limit = pl.lit(DIGITS_38.high, dtype=pl.Int128())
    return (expr > limit) | (expr < -limit)


def _operands(a: Scaled, b: Scaled, bounds: Range) -> tuple[Scaled, Scaled]:
    if a.wide or b.wide or not bounds.within(INT64):
        return widened(a), widened(b)
    return a, b


def multiply(a: Scaled, b: Scaled) -> Scaled:
    """a * b; the scales add up."""
    bounds = multiplied(a.bounds, b.bounds)
    left, right = _operands(a, b, bounds)
    fault = any_fault([a.fault, b.fault])
    expr = left.expr * right.expr
    made = Scaled(expr, a.scale + b.scale, bounds, left.wide, fault)
    if not made.wide or bounds.within(DIGITS_38):
        return made
    made = replace(made, bounds=clamped(bounds, DIGITS_38))
    return _checked(made, [left.expr, right.expr], operator.mul, _product_exceeds)


def _product_exceeds(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    about = x.cast(pl.Float64()) * y.cast(pl.Float64())
    return (about.abs() > _FLOAT_LIMIT) | _beyond(x * y)


def negate(a: Scaled) -> Scaled:
    """-a."""
    bounds = negated(a.bounds)
    operand = a if bounds.within(INT64) else widened(a)
    # Polars has no sign change for Int128.
    expr = 0 - operand.expr if operand.wide else -operand.expr
    return replace(operand, expr=expr, bounds=bounds)


def truncated_quotient(a: Scaled, b: Scaled) -> Scaled:
    """a / b without a remainder, of equal scales; NULL where b is zero."""
    left, right = same_width(a, b)
    most = max(abs(a.bounds.low), abs(a.bounds.high))
    if not symmetric(most).within(INT64):
        left, right = widened(left), widened(right)
    expr = left.expr.truncdiv(right.expr)
    fault = any_fault([a.fault, b.fault])
    return Scaled(expr, 0, symmetric(most), left.wide, fault)


def remainder(a: Scaled, b: Scaled) -> Scaled:
    """a % b with the sign of a, of equal scales; NULL where b is zero."""
    left, right = same_width(a, b)
    smaller = min(
        max(abs(a.bounds.low), abs(a.bounds.high)),
        max(abs(b.bounds.low), abs(b.bounds.high), 1) - 1,
    )
    low = -smaller if a.bounds.low < 0 else 0
    high = smaller if a.bounds.high > 0 else 0
    if a.bounds.low >= 0 and b.bounds.low >= 0:
        modulo = left.expr % right.expr
    else:
        modulo = shared([left.expr, right.expr], _signed_remainder)
    fault = any_fault([a.fault, b.fault])
    return Scaled(modulo, a.scale, Range(low, high), left.wide, fault)


def _signed_remainder(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    """Polars gives the sign of the divisor; a quotient and a product would overflow at the edge."""
    modulo = x % y
    crossed = (modulo != 0) & ((x < 0) != (y < 0))
    return pl.when(crossed).then(modulo - y).otherwise(modulo)


def as_float(number: Scaled) -> pl.Expr:
    """The nearest 64-bit float."""
    if number.scale == 0:
        return number.expr.cast(pl.Float64())
    if number.bounds.within(_EXACT_FLOAT) and number.scale <= 22:
        return number.expr.cast(pl.Float64()) / float(10**number.scale)
    # Both the integer and the division would round; a decimal text is parsed exactly.
    decimal = widened(number).expr.reinterpret(dtype=pl.Decimal(38, number.scale))
    return decimal.cast(pl.String()).cast(pl.Float64())


def canonical(value: Value) -> Value:
    """With the carrier that the type alone decides: DECIMAL is wide if it has over 18 digits.

    What is put into arrays, rows and between relations must not depend on a proof.
    """
    if is_integer(value.type) or not isinstance(value.type, DecimalType):
        return value
    wide = value.type.precision > SCALED_PRECISION_MAX
    if wide == value.wide:
        return value
    if wide:
        decimal = pl.Decimal(38, value.type.scale)
        expr = value.expr.cast(pl.Int128()).reinterpret(dtype=decimal)
        return replace(value, expr=expr, wide=True, range=None)
    bounds = bounds_of(value)
    expr = value.expr.reinterpret(dtype=pl.Int128()).cast(pl.Int64(), strict=False)
    return replace(value, expr=expr, wide=False, range=bounds)


def held(expr: pl.Expr, kind: AnyType, fault: pl.Expr | None = None) -> Value:
    """A part of an array or row, whose carrier the type alone decides."""
    wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
    return Value(expr, kind, range=None if wide else type_range(kind), wide=wide, fault=fault)
