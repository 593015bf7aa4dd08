"""Rounding and number theory on exact numbers.

DECIMAL is computed on its scaled integers. A literal number of digits decides the result's scale,
as in `round(price, 2)`. NUMERIC, which is a float here, is rounded on its shortest decimal digits,
half away from zero like PostgreSQL's numeric; `round(x, 2)` of it is a DECIMAL(38, 2), so that a
rounded quotient shows as many digits as PostgreSQL's.

Rounding a float natively is right except near the middle between two results and beyond 2^53:
these few rows are left to a kernel.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import polars as pl

from storage.errors import InvalidRequest
from storage.schema import DECIMAL_PRECISION_MAX, DecimalType
from warehouse.algebra.expressions import Call, Cast, Expr, Literal
from warehouse.algebra.types import NUMERIC, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.literals import EXACT
from warehouse.execution.scaled import (
    Scaled,
    finished,
    lowered,
    of,
    raised_to,
    rescaled,
)
from warehouse.execution.value import Range, Value
from warehouse.functions.registry import scalar
from warehouse.functions.text import constant_of

__all__: list[str] = []

_NUMERIC_SCALE_MAX = 15
_FLOAT_INTEGERS = 2.0**53
_NOT_FINITE = ("0A000", "NaN and Infinity cannot be rounded to a number of digits")
_DOWN, _HALF_UP = decimal.ROUND_DOWN, decimal.ROUND_HALF_UP


def _literal_digits(expr: Expr) -> int | None:
    """The number of digits if it is written as a constant."""
    match expr:
        case Literal(_, int() as value):
            return value
        case Cast(_, arg):
            return _literal_digits(arg)
        case Call(_, fn, (arg,)) if fn.startswith("-("):
            digits = _literal_digits(arg)
            return None if digits is None else -digits
        case _:
            return None


def _whole(args: Sequence[Expr]) -> AnyType:
    """Of `round(x)` and the like: no digits behind the point, one more before it."""
    kind = args[0].type
    if not isinstance(kind, DecimalType):
        return NUMERIC
    digits = kind.precision - kind.scale + (1 if kind.scale else 0)
    return DecimalType(min(max(digits, 1), DECIMAL_PRECISION_MAX), 0)


def _with_digits(args: Sequence[Expr]) -> AnyType:
    """Of `round(x, n)` and `trunc(x, n)`."""
    kind = args[0].type
    places = _literal_digits(args[1])
    if not isinstance(kind, DecimalType):
        if places is None or places > _NUMERIC_SCALE_MAX:
            return NUMERIC
        return DecimalType(DECIMAL_PRECISION_MAX, max(places, 0))
    if places is None:
        return DecimalType(min(kind.precision + 1, DECIMAL_PRECISION_MAX), kind.scale)
    scale = min(max(places, 0), DECIMAL_PRECISION_MAX - 1)
    digits = kind.precision - kind.scale + (1 if places < kind.scale else 0)
    return DecimalType(min(max(digits, 1) + scale, DECIMAL_PRECISION_MAX), scale)


@scalar("round(numeric) -> numeric", native=False, result=_whole)
def round_whole(number: Value, *, kind: AnyType) -> Value:
    """The nearest whole number; half away from zero."""
    if isinstance(kind, DecimalType):
        return finished(rescaled(of(number), 0), kind, [number])
    return Value(_half_away(number.expr), kind)


def _half_away(number: pl.Expr) -> pl.Expr:
    size = number.abs()
    below = size.floor()
    rounded = pl.when(size - below >= 0.5).then(below + 1).otherwise(below)
    return pl.when(number < 0).then(-rounded).when(size.is_finite()).then(rounded).otherwise(number)


@scalar("trunc(numeric) -> numeric", native=False, result=_whole)
def trunc_whole(number: Value, *, kind: AnyType) -> Value:
    """Without the digits behind the point."""
    if isinstance(kind, DecimalType):
        return finished(lowered(of(number), 0), kind, [number])
    expr = number.expr
    return Value(pl.when(expr < 0).then(expr.ceil()).otherwise(expr.floor()), kind)


@scalar("ceil(numeric) -> numeric", "ceiling(numeric) -> numeric", native=False, result=_whole)
def ceil(number: Value, *, kind: AnyType) -> Value:
    """The next whole number above."""
    if not isinstance(kind, DecimalType):
        return Value(number.expr.ceil(), kind)
    return finished(_towards(of(number), 1), kind, [number])


@scalar("floor(numeric) -> numeric", native=False, result=_whole)
def floor(number: Value, *, kind: AnyType) -> Value:
    """The next whole number below."""
    if not isinstance(kind, DecimalType):
        return Value(number.expr.floor(), kind)
    return finished(_towards(of(number), -1), kind, [number])


def _towards(number: Scaled, step: int) -> Scaled:
    """The whole number that is next in the direction of `step`."""
    cut = lowered(number, 0)
    back = raised_to(cut, number.scale)
    rest = number.expr - back.expr
    moved = rest > 0 if step > 0 else rest < 0
    one = pl.lit(step, dtype=pl.Int128() if cut.wide else pl.Int64())
    bounds = Range(cut.bounds.low + min(step, 0), cut.bounds.high + max(step, 0))
    expr = pl.when(moved).then(cut.expr + one).otherwise(cut.expr)
    return replace(cut, expr=expr, bounds=bounds)


@scalar("round(numeric,int4) -> numeric", native=False, result=_with_digits)
def round_digits(number: Value, places: Value, *, kind: AnyType) -> Value:
    """To a number of digits behind the point (negative: before it), half away from zero."""
    return _to_digits(number, places, kind, rescaled, _HALF_UP)


@scalar("trunc(numeric,int4) -> numeric", native=False, result=_with_digits)
def trunc_digits(number: Value, places: Value, *, kind: AnyType) -> Value:
    """The same towards zero."""
    return _to_digits(number, places, kind, _cut, _DOWN)


def _cut(number: Scaled, scale: int) -> Scaled:
    return raised_to(number, scale) if scale >= number.scale else lowered(number, scale)


def _to_digits(
    number: Value,
    places: Value,
    kind: AnyType,
    exact: Callable[[Scaled, int], Scaled],
    rounding: str,
) -> Value:
    known = constant_of(places)
    if isinstance(number.type, DecimalType) and isinstance(kind, DecimalType) and known is not None:
        lowest = number.type.scale - DECIMAL_PRECISION_MAX
        scaled = exact(of(number), min(max(known, lowest), kind.scale))
        return finished(raised_to(scaled, kind.scale), kind, [number])
    if isinstance(kind, DecimalType) and number.type == NUMERIC and known is not None:
        return _float_to_digits(number, known, kind, rounding)

    def rounded(value: Decimal | float, digits: int) -> Decimal | float:
        return _quantized(value, digits, rounding)

    return rowwise(rounded, [number, places], kind)


def _quantized(value: Decimal | float, digits: int, rounding: str) -> Decimal | float:
    """Rounded on the decimal digits, as the type that came."""
    if isinstance(value, Decimal):
        return _rounded(value, digits, rounding)
    if not math.isfinite(value):
        return value
    return float(_rounded(Decimal(repr(value)), digits, rounding))


def _rounded(value: Decimal, digits: int, rounding: str) -> Decimal:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if -exponent <= digits:
        return value
    if digits < -400:
        return Decimal(0)
    context = decimal.Context(prec=1000, rounding=rounding)
    return value.quantize(Decimal(1).scaleb(-digits), context=context)


def _float_to_digits(number: Value, digits: int, kind: DecimalType, rounding: str) -> Value:
    """A NUMERIC as DECIMAL: natively where the floats leave no doubt."""
    power = 10.0 ** max(min(digits, 300), -300)
    shifted = number.expr * power if digits >= 0 else number.expr / 10.0 ** min(-digits, 300)
    size = shifted.abs()
    below = size.floor()
    rest = size - below
    # A product of floats is off by less than one part in 2^52.
    doubt = size * 2.0**-50
    critical = (rest - 0.5).abs() if rounding == _HALF_UP else pl.min_horizontal(rest, 1 - rest)
    sure = (size < _FLOAT_INTEGERS) & (critical > doubt) & (digits > -20)
    up = (rest > 0.5) if rounding == _HALF_UP else pl.lit(False)
    whole = pl.when(up).then(below + 1).otherwise(below)
    signed = pl.when(shifted < 0).then(-whole).otherwise(whole)
    fast = pl.when(sure).then(signed).cast(pl.Int128(), strict=False)
    fast = fast * pl.lit(10 ** min(max(-digits, 0), 20), dtype=pl.Int128())

    def exactly(value: float) -> Decimal:
        if not math.isfinite(value):
            raise InvalidRequest(_NOT_FINITE[1], _NOT_FINITE[0])
        return _rounded(Decimal(repr(value)), digits, rounding)

    doubtful = replace(number, expr=pl.when(sure.not_()).then(number.expr), fault=None)
    slow = rowwise(exactly, [doubtful], kind)
    wide = fast.reinterpret(dtype=pl.Decimal(38, kind.scale))
    return Value(pl.coalesce(wide, slow.expr), kind, wide=True, fault=slow.fault)


@scalar("gcd(int4,int4) -> int4", "gcd(int8,int8) -> int8", native=False)
def gcd(left: Value, right: Value, *, kind: AnyType) -> Value:
    """The greatest common divisor."""
    return rowwise(math.gcd, [left, right], kind)


@scalar("lcm(int4,int4) -> int4", "lcm(int8,int8) -> int8", native=False)
def lcm(left: Value, right: Value, *, kind: AnyType) -> Value:
    """The least common multiple."""
    return rowwise(math.lcm, [left, right], kind)


def _divisor_type(args: Sequence[Expr]) -> AnyType:
    kinds = [arg.type for arg in args if isinstance(arg.type, DecimalType)]
    if len(kinds) < len(args):
        return NUMERIC
    scale = max(kind.scale for kind in kinds)
    digits = max(kind.precision - kind.scale for kind in kinds)
    return DecimalType(min(max(digits + scale, 1), DECIMAL_PRECISION_MAX), scale)


def _multiple_type(args: Sequence[Expr]) -> AnyType:
    kind = _divisor_type(args)
    return DecimalType(DECIMAL_PRECISION_MAX, kind.scale) if isinstance(kind, DecimalType) else kind


@scalar("gcd(numeric,numeric) -> numeric", native=False, result=_divisor_type)
def gcd_exact(left: Value, right: Value, *, kind: AnyType) -> Value:
    """The greatest common divisor of decimal numbers."""
    return rowwise(lambda a, b: _integral(math.gcd, a, b), [left, right], kind)


@scalar("lcm(numeric,numeric) -> numeric", native=False, result=_multiple_type)
def lcm_exact(left: Value, right: Value, *, kind: AnyType) -> Value:
    """The least common multiple of decimal numbers."""
    return rowwise(lambda a, b: _integral(math.lcm, a, b), [left, right], kind)


def _integral(
    function: Callable[[int, int], int], left: Decimal | float, right: Decimal | float
) -> Decimal | float:
    """By way of integers of a common scale."""
    if not (math.isfinite(left) and math.isfinite(right)):
        return math.nan
    first, second = _decimal(left), _decimal(right)
    scale = max(_scale(first), _scale(second))
    units = [int(number.scaleb(scale, context=EXACT)) for number in (first, second)]
    made = Decimal(function(*units)).scaleb(-scale, context=EXACT)
    both = isinstance(left, Decimal) and isinstance(right, Decimal)
    return made if both else float(made)


def _decimal(value: Decimal | float) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value)).normalize()


def _scale(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


@scalar(
    "factorial(int8) -> numeric",
    native=False,
    result=lambda args: DecimalType(DECIMAL_PRECISION_MAX, 0),
)
def factorial(number: Value, *, kind: AnyType) -> Value:
    """n!, exactly, up to 33!; what has more digits is an error."""
    return rowwise(_factorial, [number], kind)


def _factorial(number: int) -> Decimal:
    if number < 0:
        raise InvalidRequest("factorial of a negative number is undefined", "22003")
    return Decimal(math.factorial(number)) if number < 40 else Decimal(10) ** 40


@scalar("scale(numeric) -> int4", native=False)
def scale(number: Value, *, kind: AnyType) -> Value:
    """The digits behind the point that the type has; of NUMERIC those that are needed."""
    if isinstance(number.type, DecimalType):
        return Value(pl.lit(number.type.scale, dtype=pl.Int64), kind)
    return rowwise(_needed_scale, [number], kind)


@scalar("min_scale(numeric) -> int4", native=False)
def min_scale(number: Value, *, kind: AnyType) -> Value:
    """The digits behind the point that the value needs."""
    return rowwise(_needed_scale, [number], kind)


def _needed_scale(value: Decimal | float) -> int | None:
    if not math.isfinite(value):
        return None
    return _scale(_decimal(value).normalize(EXACT))


def _trimmed(args: Sequence[Expr]) -> AnyType:
    kind = args[0].type
    return kind if isinstance(kind, DecimalType) and kind.precision > 15 else NUMERIC


@scalar("trim_scale(numeric) -> numeric", native=False, result=_trimmed)
def trim_scale(number: Value, *, kind: AnyType) -> Value:
    """Without zeros at the end; a DECIMAL of more than 15 digits keeps its scale."""
    from warehouse.functions.mathematics import floating

    if isinstance(kind, DecimalType):
        return replace(number, fault=None)
    return Value(floating(number), kind)
