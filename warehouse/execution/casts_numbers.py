"""Conversions among numbers, and of Booleans to integers.

DECIMALs and integers convert exactly, rounding half away from zero. A float becomes an integer by
rounding half to even, and a numeric by its first 15 decimal digits (REAL: 6), as in PostgreSQL.
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import polars as pl

from storage.errors import InternalError, InvalidRequest
from storage.schema import DecimalType
from warehouse.algebra.types import (
    DOUBLE,
    NUMERIC,
    REAL,
    AnyType,
    is_integer,
    shown,
)
from warehouse.execution.binding import bound
from warehouse.execution.float_digits import to_digits
from warehouse.execution.kernels import rowwise
from warehouse.execution.literals import EXACT
from warehouse.execution.ranges import bounds_of, clamped, symmetric, type_range
from warehouse.execution.scaled import Scaled, as_float, finished, of, rescaled, widened
from warehouse.execution.value import Range, Value, any_fault, fault_text

__all__ = ["number", "of_boolean", "significant", "within_type"]

_SURE_FLOAT = 1e15  # below it a float has room for a rounding at its last decimal digit
_NUDGE = 1 + 2.0**-51
_NO_ROOM = "numeric field overflow"


def number(value: Value, kind: AnyType) -> Value:
    """A number as another type of number."""
    exact = is_integer(value.type) or isinstance(value.type, DecimalType)
    if is_integer(kind):
        if exact:
            return _exact_to_integer(value, kind)
        return bound([value], lambda one: _float_to_integer(one[0], kind))
    if isinstance(kind, DecimalType):
        if exact:
            return _exact_to_decimal(value, kind)
        return bound([value], lambda one: _float_to_decimal(one[0], kind))
    if exact:
        return value.derived(_nearest(of(value), kind), kind)
    return _float_to_float(value, kind)


def of_boolean(value: Value, kind: AnyType) -> Value:
    """1 for true, 0 for false."""
    return value.derived(value.expr.cast(pl.Int64()), kind, range=Range(0, 1))


def _nearest(number: Scaled, kind: AnyType) -> pl.Expr:
    if kind != REAL:
        return as_float(number)
    if number.scale == 0:
        return number.expr.cast(pl.Float32())
    # By way of a 64-bit float it would be rounded twice.
    decimal = widened(number).expr.reinterpret(dtype=pl.Decimal(38, number.scale))
    return decimal.cast(pl.String()).cast(pl.Float32())


def _exact_to_integer(value: Value, kind: AnyType) -> Value:
    rounded = rescaled(of(value), 0)
    return within_type(rounded, kind, [value], f"{shown(kind)} out of range")


def _exact_to_decimal(value: Value, kind: DecimalType) -> Value:
    rounded = rescaled(of(value), kind.scale)
    return within_type(rounded, kind, [value], _NO_ROOM)


def within_type(made: Scaled, kind: AnyType, operands: list[Value], message: str) -> Value:
    """The number as integer or DECIMAL type `kind`; a fault (22003) where it has no room there."""
    limits = type_range(kind)
    if isinstance(kind, DecimalType):
        limits = symmetric(10**kind.precision - 1)
    if limits is None:
        raise InternalError(f"{kind} has no range")
    if made.bounds.within(limits):
        return finished(made, kind, operands)
    dtype = pl.Int128() if made.wide else pl.Int64()
    # Of two sides only those that can be crossed are looked at.
    crossed = []
    if made.bounds.high > limits.high:
        crossed.append(made.expr > pl.lit(limits.high, dtype=dtype))
    if made.bounds.low < limits.low:
        crossed.append(made.expr < pl.lit(limits.low, dtype=dtype))
    outside = crossed[0] if len(crossed) == 1 else crossed[0] | crossed[1]
    own = pl.when(outside).then(pl.lit(fault_text("22003", message))).otherwise(None)
    bounds = clamped(made.bounds, limits)
    checked = replace(made, bounds=bounds, fault=any_fault([made.fault, own]))
    return finished(checked, kind, operands)


def _float_to_integer(value: Value, kind: AnyType) -> Value:
    limits = type_range(kind)
    assert limits is not None
    mode = "half_away_from_zero" if value.type == NUMERIC else "half_to_even"
    rounded = value.expr.cast(pl.Float64()).round(0, mode=mode)  # type: ignore[arg-type]
    inside = (rounded >= float(limits.low)) & (rounded < float(limits.high + 1))
    made = value.derived(rounded.cast(pl.Int64(), strict=False), kind, range=limits)
    # NaN is the greatest number for Polars, so it is outside.
    return made.faulty(inside.not_(), "22003", f"{shown(kind)} out of range")


def significant(expr: pl.Expr, kind: AnyType) -> pl.Expr:
    """A float (of REAL or DOUBLE) as numeric has it: to its first decimal digits, Float64."""
    wide = expr.cast(pl.Float64())
    if kind not in (REAL, DOUBLE):
        return wide
    digits = 6 if kind == REAL else 15

    def rounded(series: pl.Series) -> pl.Series:
        numbers = series.fill_null(0.0).to_numpy()
        made = pl.Series(series.name, to_digits(numbers, digits))
        return made.set(series.is_null(), None) if series.null_count() else made

    return wide.map_batches(rounded, return_dtype=pl.Float64(), is_elementwise=True)


def _float_to_decimal(value: Value, kind: DecimalType) -> Value:
    """Rounded in floats while they are precise enough, else from the decimal text, row by row."""
    digits = value.derived(significant(value.expr, value.type), NUMERIC)
    return bound([digits], lambda one: _decimal_of(one[0], kind))


def _decimal_of(value: Value, kind: DecimalType) -> Value:
    scaled = value.expr * float(10**kind.scale)
    size = (scaled.abs() * _NUDGE).round(0, mode="half_away_from_zero")
    near = scaled.is_finite() & (scaled.abs() < _SURE_FLOAT)
    rounded = pl.when(near).then(size * scaled.sign()).cast(pl.Int64(), strict=False)
    bounds = symmetric(int(_SURE_FLOAT) + 1)
    fast = within_type(Scaled(rounded, kind.scale, bounds), kind, [value], _NO_ROOM)
    if symmetric(10**kind.precision).within(bounds):
        return fast.faulty(near.not_(), "22003", _NO_ROOM)
    rest = value.derived(pl.when(near.not_()).then(value.expr), NUMERIC)
    return _either(fast, rowwise(_decimal, [rest], kind))


def _either(fast: Value, slow: Value) -> Value:
    expr = fast.expr
    if slow.wide and not fast.wide:
        assert isinstance(slow.type, DecimalType)
        decimal = pl.Decimal(38, slow.type.scale)
        expr = expr.cast(pl.Int128()).reinterpret(dtype=decimal)
    return replace(
        slow,
        expr=pl.coalesce(expr, slow.expr),
        nullable=fast.nullable,
        fault=any_fault([fast.fault, slow.fault]),
        range=None if slow.wide else bounds_of(slow),
    )


def _decimal(number: float) -> Decimal:
    if not math.isfinite(number):
        raise InvalidRequest(_NO_ROOM, "22003")
    return Decimal(repr(number), context=EXACT)


def _float_to_float(value: Value, kind: AnyType) -> Value:
    if kind == REAL:
        expr = value.expr.cast(pl.Float32())
        made = value.derived(expr, REAL)
        overflow = expr.is_infinite() & value.expr.is_infinite().not_()
        made = made.faulty(overflow, "22003", "value out of range: overflow")
        lost = (expr == 0) & (value.expr != 0)
        return made.faulty(lost, "22003", "value out of range: underflow")
    if kind == NUMERIC:
        return value.derived(significant(value.expr, value.type), NUMERIC)
    return value.derived(value.expr.cast(pl.Float64()), kind)
