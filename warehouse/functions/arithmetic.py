"""The arithmetic and bitwise operators, with PostgreSQL's signatures, and functions like them.

The type of an exact result: + and - have the larger scale and one digit more before the point, *
has the sums of digits and scales, % the digits of the smaller operand; 38 digits are the most. What
does not fit them is an error when it occurs; a scale above 38 is refused at once. A NUMERIC operand
makes the result NUMERIC.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import polars as pl

from storage.errors import NotYet
from storage.schema import DECIMAL_PRECISION_MAX, DecimalType
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import NUMERIC, AnyType
from warehouse.execution import arithmetic, bits, floats
from warehouse.execution.binding import shared
from warehouse.functions.registry import scalar

__all__ = [
    "decimal_product",
    "decimal_quotient",
    "decimal_remainder",
    "decimal_sum",
    "same_numeric",
]

_INTEGERS = ("int2", "int4", "int8")
_FLOATS = ("float4", "float8")


def _wider(left: str, right: str) -> str:
    return max(left, right)


def _decimals(args: Sequence[Expr]) -> list[DecimalType] | None:
    """The types of the arguments, or None if one of them is no DECIMAL."""
    kinds = [arg.type for arg in args if isinstance(arg.type, DecimalType)]
    return kinds if len(kinds) == len(args) else None


def _decimal(digits: int, scale: int) -> AnyType:
    """`digits` before the point and `scale` behind it, as far as 38 digits go."""
    if scale > DECIMAL_PRECISION_MAX:
        raise NotYet(
            f"a result with {scale} digits behind the point; cast an operand to a lower scale"
        )
    return DecimalType(max(1, min(digits + scale, DECIMAL_PRECISION_MAX)), scale)


def decimal_sum(args: Sequence[Expr]) -> AnyType:
    """Of + and -."""
    kinds = _decimals(args)
    if kinds is None:
        return NUMERIC
    digits = max(kind.precision - kind.scale for kind in kinds)
    return _decimal(digits + 1, max(kind.scale for kind in kinds))


def decimal_product(args: Sequence[Expr]) -> AnyType:
    """Of *."""
    kinds = _decimals(args)
    if kinds is None:
        return NUMERIC
    scale = sum(kind.scale for kind in kinds)
    return _decimal(sum(kind.precision for kind in kinds) - scale, scale)


def decimal_remainder(args: Sequence[Expr]) -> AnyType:
    """Of %."""
    kinds = _decimals(args)
    if kinds is None:
        return NUMERIC
    digits = min(kind.precision - kind.scale for kind in kinds)
    return _decimal(digits, max(kind.scale for kind in kinds))


def decimal_quotient(args: Sequence[Expr]) -> AnyType:
    """Of div()."""
    kinds = _decimals(args)
    if kinds is None:
        return NUMERIC
    dividend, divisor = kinds
    return _decimal(dividend.precision - dividend.scale + divisor.scale, 0)


def same_numeric(args: Sequence[Expr]) -> AnyType:
    """The type of the only argument."""
    return args[0].type


def _sign_type(args: Sequence[Expr]) -> AnyType:
    return NUMERIC if _decimals(args) is None else DecimalType(1, 0)


def _add(implementation: Callable[..., Any], *signatures: str, **options: Any) -> None:
    """Register; these functions see to NULLs by themselves."""

    def whole(*values: Any, kind: AnyType) -> Any:
        return implementation(*values, kind=kind)

    whole.propagates_null = True  # type: ignore[attr-defined]
    scalar(*signatures, native=False, **options)(whole)


def _register_exact() -> None:
    rules = {"+": decimal_sum, "-": decimal_sum, "*": decimal_product, "/": None}
    functions = {
        "+": arithmetic.plus,
        "-": arithmetic.minus,
        "*": arithmetic.times,
        "/": arithmetic.divide,
    }
    pairs = [(a, b) for a in _INTEGERS for b in _INTEGERS]
    for op, function in functions.items():
        _add(function, *(f"{op}({a}, {b}) -> {_wider(a, b)}" for a, b in pairs))
        _add(function, f"{op}(numeric, numeric) -> numeric", result=rules[op])
    for name in ("%", "mod"):
        _add(arithmetic.modulo, *(f"{name}({a}, {a}) -> {a}" for a in _INTEGERS))
        _add(arithmetic.modulo, f"{name}(numeric, numeric) -> numeric", result=decimal_remainder)
    _add(arithmetic.quotient, "div(numeric, numeric) -> numeric", result=decimal_quotient)
    _add(arithmetic.sign, "sign(numeric) -> numeric", result=_sign_type)


def _register_unary() -> None:
    for name, function in (
        ("-", arithmetic.negative),
        ("+", _itself),
        ("@", arithmetic.absolute),
        ("abs", arithmetic.absolute),
    ):
        _add(function, *(f"{name}({a}) -> {a}" for a in _INTEGERS))
        _add(function, f"{name}(numeric) -> numeric", result=same_numeric)
    for name, floating in (("-", _minus), ("+", _itself), ("@", _size), ("abs", _size)):
        _add(floating, *(f"{name}({a}) -> {a}" for a in _FLOATS))
    _add(_float_sign, "sign(float8) -> float8")


def _itself(value: Any, *, kind: AnyType) -> Any:
    return value


def _minus(value: Any, *, kind: AnyType) -> Any:
    return value.derived(-value.expr, kind)


def _size(value: Any, *, kind: AnyType) -> Any:
    return value.derived(value.expr.abs(), kind)


def _float_sign(value: Any, *, kind: AnyType) -> Any:
    def signed(number: Any) -> Any:
        """NaN has no sign, and zero is never negative."""
        none = number.is_nan() | (number == 0)
        return pl.when(none).then(0.0).otherwise(number.sign())

    return value.derived(shared([value.expr], signed), kind)


def _register_floats() -> None:
    for op in "+-*/":
        for a in _FLOATS:
            signatures = [f"{op}({a}, {b}) -> {_wider(a, b)}" for b in _FLOATS]
            _add(partial(floats.binary, op), *signatures)
    for name in ("^", "power", "pow"):
        _add(floats.power, f"{name}(float8, float8) -> float8")
        _add(floats.power, f"{name}(numeric, numeric) -> numeric")
    _add(floats.square_root, "sqrt(float8) -> float8", "|/(float8) -> float8")
    _add(floats.square_root, "sqrt(numeric) -> numeric")
    _add(floats.cube_root, "cbrt(float8) -> float8", "||/(float8) -> float8")


def _register_bits() -> None:
    for op, function in (("&", bits.bit_and), ("|", bits.bit_or), ("#", bits.bit_xor)):
        _add(function, *(f"{op}({a}, {a}) -> {a}" for a in _INTEGERS))
    _add(bits.bit_not, *(f"~({a}) -> {a}" for a in _INTEGERS))
    _add(bits.shift_left, *(f"<<({a}, int4) -> {a}" for a in _INTEGERS))
    _add(bits.shift_right, *(f">>({a}, int4) -> {a}" for a in _INTEGERS))


_register_exact()
_register_unary()
_register_floats()
_register_bits()
