"""Arithmetic of numbers in JSON as PostgreSQL's numeric does it: exact, quotients to a scale."""

from __future__ import annotations

import decimal
from decimal import Decimal

__all__ = ["DivisionByZero", "arithmetic", "double"]

_EXACT = decimal.Context(
    prec=200_000, rounding=decimal.ROUND_HALF_UP, Emax=999_999_999, Emin=-999_999_999
)
_DIGITS_OF_GROUP = 4  # numeric counts in base 10,000
_SIGNIFICANT_MIN, _SCALE_MAX = 16, 1000


class DivisionByZero(Exception):
    """By `/` or `%`."""


def arithmetic(op: str, left: Decimal, right: Decimal) -> Decimal:
    """`left op right` for `+ - * / %`. Raises DivisionByZero."""
    match op:
        case "+":
            return _EXACT.add(left, right)
        case "-":
            return _EXACT.subtract(left, right)
        case "*":
            return _EXACT.multiply(left, right)
    if not right:
        raise DivisionByZero
    scale = max(_scale(left), _scale(right))
    if op == "%":
        rest = _EXACT.remainder(left, right)
        return rest.quantize(Decimal(1).scaleb(-scale), context=_EXACT)
    scale = min(max(_quotient_scale(left, right), scale), _SCALE_MAX)
    # Digits enough that rounding twice does not differ: the second sees what the first dropped.
    digits = max(left.adjusted() - right.adjusted(), 0) + scale + 10
    cut = decimal.Context(
        prec=digits, rounding=decimal.ROUND_05UP, Emax=999_999_999, Emin=-999_999_999
    )
    return cut.divide(left, right).quantize(Decimal(1).scaleb(-scale), context=_EXACT)


def _scale(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return max(-exponent, 0)


def _leading(number: Decimal) -> tuple[int, int]:
    """Weight and value of the first group of digits; (0, 0) of zero."""
    if not number:
        return 0, 0
    weight = number.adjusted() // _DIGITS_OF_GROUP
    shifted = number.copy_abs().scaleb(-weight * _DIGITS_OF_GROUP, context=_EXACT)
    return weight, int(shifted)


def _quotient_scale(left: Decimal, right: Decimal) -> int:
    """Digits behind the point that give a quotient at least 16 significant ones.

    Where it begins is told from the weights of both numbers: a group lower than their difference,
    unless the first group of the dividend is surely the greater one.
    """
    (weight, first), (other_weight, other_first) = _leading(left), _leading(right)
    groups = weight - other_weight - (0 if first > other_first else 1)
    return _SIGNIFICANT_MIN - groups * _DIGITS_OF_GROUP


def double(value: float) -> Decimal:
    """A 64-bit float as numeric: 15 significant digits."""
    return Decimal(format(value, ".15g"))
