"""Mathematics in 64-bit floats: logarithms, powers of e, trigonometry, chance.

PostgreSQL refuses what C answers with NaN or Infinity from finite arguments: each function here
does so with the same SQLSTATE. NUMERIC and DECIMAL arguments are computed as floats too; results
are then NUMERIC (a stated difference: PostgreSQL gives as many digits as the arguments have).
"""

from __future__ import annotations

import math
import typing
from collections.abc import Callable

import numpy as np
import polars as pl

from storage.errors import InvalidRequest, NotYet
from storage.schema import DecimalType
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.scaled import as_float, of
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar

if typing.TYPE_CHECKING:
    from warehouse.execution.expressions import Environment

__all__ = ["floating", "per_row"]

_OUT_OF_RANGE = ("22003", "input is out of range")
_OVERFLOW = ("22003", "value out of range: overflow")
_UNDERFLOW = ("22003", "value out of range: underflow")
_RADIANS_PER_DEGREE = 0.0174532925199432957692


def floating(value: Value) -> pl.Expr:
    """A number as a 64-bit float."""
    return as_float(of(value)) if isinstance(value.type, DecimalType) else value.expr


def _finite(expr: pl.Expr) -> pl.Expr:
    return expr.is_finite()


@scalar("ceil(float8) -> float8", "ceiling(float8) -> float8")
def ceil(number: pl.Expr) -> pl.Expr:
    """The next whole number above."""
    return number.ceil()


@scalar("floor(float8) -> float8")
def floor(number: pl.Expr) -> pl.Expr:
    """The next whole number below."""
    return number.floor()


@scalar("round(float8) -> float8")
def round_even(number: pl.Expr) -> pl.Expr:
    """The nearest whole number, of two equally near ones the even."""
    return number.round(0, mode="half_to_even")


@scalar("trunc(float8) -> float8")
def trunc(number: pl.Expr) -> pl.Expr:
    """Without what is behind the point."""
    return pl.when(number < 0).then(number.ceil()).otherwise(number.floor())


@scalar("exp(float8) -> float8", "exp(numeric) -> numeric", native=False)
def exp(number: Value, *, kind: AnyType) -> Value:
    """A power of e."""
    expr = floating(number)
    made = expr.exp()
    value = Value(made, kind).faulty(_finite(expr) & made.is_infinite(), *_OVERFLOW)
    if number.type == kind:
        return value.faulty(_finite(expr) & (made == 0), *_UNDERFLOW)
    return value


def _logarithm(number: Value, made: pl.Expr, kind: AnyType) -> Value:
    expr = floating(number)
    value = Value(made, kind).faulty(expr == 0, "2201E", "cannot take logarithm of zero")
    return value.faulty(expr < 0, "2201E", "cannot take logarithm of a negative number")


@scalar("ln(float8) -> float8", "ln(numeric) -> numeric", native=False)
def ln(number: Value, *, kind: AnyType) -> Value:
    """The natural logarithm."""
    return _logarithm(number, floating(number).log(), kind)


@scalar(
    *("log(float8) -> float8", "log(numeric) -> numeric"),
    *("log10(float8) -> float8", "log10(numeric) -> numeric"),
    native=False,
)
def log10(number: Value, *, kind: AnyType) -> Value:
    """The logarithm to base 10."""
    return _logarithm(number, floating(number).log10(), kind)


@scalar("log(numeric,numeric) -> numeric", native=False)
def log(base: Value, number: Value, *, kind: AnyType) -> Value:
    """The logarithm to any base."""
    return rowwise(_log, [base, number], kind)


def _log(base: object, number: object) -> float:
    b, x = float(base), float(number)  # type: ignore[arg-type]
    for operand in (b, x):
        if operand == 0:
            raise InvalidRequest("cannot take logarithm of zero", "2201E")
        if operand < 0:
            raise InvalidRequest("cannot take logarithm of a negative number", "2201E")
    if b == 1:
        raise InvalidRequest("division by zero", "22012")
    if b in (2, 10):
        return math.log2(x) if b == 2 else math.log10(x)
    return math.log(x) / math.log(b)


@scalar("degrees(float8) -> float8", native=False)
def degrees(angle: Value, *, kind: AnyType) -> Value:
    """Radians in degrees."""
    made = angle.expr / _RADIANS_PER_DEGREE
    return Value(made, kind).faulty(_finite(angle.expr) & made.is_infinite(), *_OVERFLOW)


@scalar("radians(float8) -> float8")
def radians(angle: pl.Expr) -> pl.Expr:
    """Degrees in radians."""
    return angle * _RADIANS_PER_DEGREE


@scalar("pi() -> float8")
def pi() -> pl.Expr:
    """π."""
    return pl.lit(math.pi)


_Function = Callable[[pl.Expr], pl.Expr]


def _register(
    name: str, function: _Function, outside: _Function | None = None, overflows: bool = False
) -> None:
    """A function of one float; `outside` is true of what it is not defined for."""

    def implementation(number: Value, *, kind: AnyType) -> Value:
        made = Value(function(number.expr), kind)
        if outside is not None:
            made = made.faulty(outside(number.expr), *_OUT_OF_RANGE)
        if overflows:
            lost = _finite(number.expr) & made.expr.is_infinite()
            made = made.faulty(lost, *_OVERFLOW)
        return made

    scalar(f"{name}(float8) -> float8", native=False)(implementation)


def _beyond_one(number: pl.Expr) -> pl.Expr:
    return number.is_not_nan() & (number.abs() > 1)  # to Polars, NaN is above 1


def _register_trigonometry() -> None:
    infinite: _Function = pl.Expr.is_infinite
    _register("sin", pl.Expr.sin, infinite)
    _register("cos", pl.Expr.cos, infinite)
    _register("tan", pl.Expr.tan, infinite)
    _register("cot", lambda number: 1.0 / number.tan(), infinite)
    _register("asin", pl.Expr.arcsin, _beyond_one)
    _register("acos", pl.Expr.arccos, _beyond_one)
    _register("atan", pl.Expr.arctan)
    _register("sinh", pl.Expr.sinh)
    _register("cosh", pl.Expr.cosh)
    _register("tanh", pl.Expr.tanh)


_register_trigonometry()


@scalar("atan2(float8,float8) -> float8")
def atan2(y: pl.Expr, x: pl.Expr) -> pl.Expr:
    """The angle of a point."""
    return pl.arctan2(y, x)


def _in_python(name: str, function: Callable[..., float], arguments: int = 1) -> None:
    def implementation(*numbers: Value, kind: AnyType) -> Value:
        return rowwise(_refusing(function), list(numbers), kind)

    signature = f"{name}({','.join(['float8'] * arguments)}) -> float8"
    scalar(signature, native=False)(implementation)


def _refusing(function: Callable[..., float]) -> Callable[..., float]:
    def checked(*numbers: float) -> float:
        try:
            return function(*numbers)
        except ValueError:
            raise InvalidRequest(_OUT_OF_RANGE[1], _OUT_OF_RANGE[0]) from None

    return checked


def _acosh(number: float) -> float:
    return math.acosh(number)


def _atanh(number: float) -> float:
    return math.copysign(math.inf, number) if abs(number) == 1 else math.atanh(number)


_in_python("asinh", math.asinh)
_in_python("acosh", _acosh)
_in_python("atanh", _atanh)
_in_python("erf", math.erf)
_in_python("erfc", math.erfc)


def per_row(
    environment: Environment, made: Callable[[int], pl.Series], dtype: pl.DataType
) -> pl.Expr:
    """As many new values as the frame has rows. `made` gets their number."""
    columns = environment.columns.values()
    # An expression over no frame at all is one row.
    rows = next(iter(columns)).expr if columns else pl.int_range(pl.max_horizontal(pl.len(), 1))
    return rows.map_batches(
        lambda series: made(len(series)), return_dtype=dtype, is_elementwise=bool(columns)
    )


@scalar("random() -> float8", volatile=True)
def random(*, environment: Environment) -> pl.Expr:
    """At least 0 and below 1, another one in every row."""
    generator = np.random.default_rng()
    return per_row(environment, lambda count: pl.Series(generator.random(count)), pl.Float64())


@scalar(
    "random_normal() -> float8",
    "random_normal(float8) -> float8",
    volatile=True,
)
@scalar(
    "random_normal(float8,float8) -> float8",
    volatile=True,
    names=("mean", "stddev"),
    defaults=(0.0, 1.0),
)
def random_normal(*parameters: pl.Expr, environment: Environment) -> pl.Expr:
    """Normally distributed, of a mean (0) and a standard deviation (1)."""
    generator = np.random.default_rng()
    made = per_row(
        environment, lambda count: pl.Series(generator.standard_normal(count)), pl.Float64()
    )
    if len(parameters) > 1:
        made = made * parameters[1]
    return made + parameters[0] if parameters else made


@scalar("setseed(float8) -> text", volatile=True)
def setseed(seed: pl.Expr) -> pl.Expr:
    """Not available."""
    raise NotYet("setseed(): random() cannot be repeated")
