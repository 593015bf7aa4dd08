"""Arithmetic of REAL and DOUBLE, and of NUMERIC, which travels as a 64-bit float.

PostgreSQL's rules, which are stricter than IEEE's: division by zero is an error (22012), and so is
a result that is infinite, or (of `*` and `/`) zero, without reason in the operands (22003). NaN and
infinities in the data pass through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import polars as pl

from storage.schema import DecimalType
from warehouse.algebra.types import NUMERIC, AnyType, is_integer
from warehouse.execution.binding import bound
from warehouse.execution.scaled import as_float, of
from warehouse.execution.value import Value, carrier

__all__ = ["binary", "cube_root", "numeric", "power", "square_root"]

_OVERFLOW = ("22003", "value out of range: overflow")
_UNDERFLOW = ("22003", "value out of range: underflow")
_COMPLEX = "a negative number raised to a non-integer power yields a complex result"


def binary(op: str, left: Value, right: Value, *, kind: AnyType) -> Value:
    """`left op right` of floats; REAL if both are."""
    dtype = carrier(kind)
    a, b = (value if value.type == kind else _cast(value, dtype, kind) for value in (left, right))
    return _checked(op, a, b, kind)


def _cast(value: Value, dtype: Any, kind: AnyType) -> Value:
    expr = value.expr.cast(dtype)
    return value.derived(expr, kind, constant=value.constant, literal=value.literal)


def numeric(op: str, left: Value, right: Value) -> Value:
    """`left op right` as NUMERIC, of DECIMALs, integers and NUMERICs."""
    return _checked(op, _numeric(left), _numeric(right), NUMERIC)


def _numeric(value: Value) -> Value:
    if not isinstance(value.type, DecimalType) and not is_integer(value.type):
        return value
    expr = as_float(of(value))
    literal = None if value.literal is None else float(value.literal)
    bounds = value.range
    made = value.derived(expr, NUMERIC, constant=value.constant, literal=literal)
    # Only whether it can be zero still matters.
    return (
        made
        if bounds is None
        else made.derived(expr, NUMERIC, range=bounds, constant=value.constant, literal=literal)
    )


def _checked(op: str, left: Value, right: Value, kind: AnyType) -> Value:
    return bound([left, right], lambda pair: _computed(op, pair[0], pair[1], kind))


def _computed(op: str, left: Value, right: Value, kind: AnyType) -> Value:
    a, b = left.expr, right.expr
    expr = _COMPUTE[op](a, b)
    made = Value(
        expr,
        kind,
        nullable=left.nullable or right.nullable,
    )
    if op in ("/", "%") and not _never_zero(right):
        made = made.faulty((b == 0) & a.is_not_null() & a.is_not_nan(), "22012", "division by zero")
    if op != "%" and not (kind == NUMERIC and _small(left) and _small(right)):
        infinite = expr.is_infinite() & _finite(left)
        if op != "/":
            infinite = infinite & _finite(right)
        made = made.faulty(infinite, *_OVERFLOW)
    if op in ("*", "/") and kind != NUMERIC:
        lost = (expr == 0) & (a != 0) & (b.is_finite() if op == "/" else b != 0)
        made = made.faulty(lost, *_UNDERFLOW)
    return made


def _never_zero(value: Value) -> bool:
    if value.constant and value.literal is not None:
        return bool(value.literal != 0)
    return value.range is not None and (value.range.low > 0 or value.range.high < 0)


def _small(value: Value) -> bool:
    """Is it a number of known bounds, which no single operation makes infinite?"""
    return value.range is not None


def _finite(value: Value) -> pl.Expr:
    if _small(value):
        return pl.lit(True)
    if value.constant and value.literal is not None:
        return pl.lit(not math.isinf(value.literal))
    return value.expr.is_infinite().not_()


def _remainder(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """With the sign of the dividend; Polars' has that of the divisor."""
    found = a % b
    crossed = (found != 0) & ((a < 0) != (b < 0))
    signed = pl.when(crossed).then(found - b).otherwise(found)
    return pl.when(b.is_infinite() & a.is_finite()).then(a).otherwise(signed)


_COMPUTE: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": _remainder,
}


def power(left: Value, right: Value, *, kind: AnyType) -> Value:
    """left ^ right."""
    pair = [_numeric(left), _numeric(right)]
    return bound(pair, lambda both: _power(both[0], both[1], kind))


def _power(a: Value, b: Value, kind: AnyType) -> Value:
    base, exponent = a.expr, b.expr
    expr = base.pow(exponent)
    made = Value(expr, kind, nullable=a.nullable or b.nullable)
    undefined = (base == 0) & (exponent < 0)
    made = made.faulty(undefined, "2201F", "zero raised to a negative power is undefined")
    fractional = exponent.is_finite() & (exponent.floor() != exponent)
    made = made.faulty((base < 0) & fractional, "2201F", _COMPLEX)
    finite = base.is_finite() & exponent.is_finite()
    made = made.faulty(expr.is_infinite() & finite, *_OVERFLOW)
    if kind == NUMERIC:
        return made
    return made.faulty((expr == 0) & (base != 0) & finite, *_UNDERFLOW)


def square_root(value: Value, *, kind: AnyType) -> Value:
    """The square root; of a negative number an error (2201F)."""
    number = _numeric(value)
    made = number.derived(number.expr.sqrt(), kind)
    negative = number.expr < 0
    return made.faulty(negative, "2201F", "cannot take square root of a negative number")


def cube_root(value: Value, *, kind: AnyType) -> Value:
    """The cube root, of any sign."""
    return value.derived(value.expr.cbrt(), kind)
