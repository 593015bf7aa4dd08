"""`width_bucket`: which of equally wide, or given, intervals a value lies in."""

from __future__ import annotations

import bisect
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar

__all__: list[str] = []

_INT_MAX = 2**31 - 1


def _refuse(message: str) -> InvalidRequest:
    return InvalidRequest(message, "2201G")


@scalar(
    "width_bucket(float8,float8,float8,int4) -> int4",
    "width_bucket(numeric,numeric,numeric,int4) -> int4",
    native=False,
)
def width_bucket(operand: Value, low: Value, high: Value, count: Value, *, kind: AnyType) -> Value:
    """0 below the first interval, count + 1 above the last."""
    return rowwise(_bucket, [operand, low, high, count], kind)


def _bucket(operand: Any, low: Any, high: Any, count: int) -> int:
    if count <= 0:
        raise _refuse("count must be greater than zero")
    if any(math.isnan(number) for number in (operand, low, high)):
        raise _refuse("operand, lower bound, and upper bound cannot be NaN")
    if math.isinf(low) or math.isinf(high):
        raise _refuse("lower and upper bounds must be finite")
    if low == high:
        raise _refuse("lower bound cannot equal upper bound")
    if any(isinstance(number, Decimal) for number in (operand, low, high)):
        operand, low, high = (_exact(number) for number in (operand, low, high))
    if low > high:
        # Of bounds that fall, the first interval is the one at the larger bound.
        operand, low, high = -operand, -low, -high
    if operand < low:
        return 0
    if operand >= high:
        return _beyond(count)
    width = high - low
    if isinstance(width, float) and math.isinf(width):
        operand, low, width = operand / 2, low / 2, high / 2 - low / 2
    # The quotient of floats may round to 1, which lies behind the last interval.
    return min(int(count * ((operand - low) / width)), count - 1) + 1


def _beyond(count: int) -> int:
    if count == _INT_MAX:
        raise InvalidRequest("integer out of range", "22003")
    return count + 1


def _exact(number: Any) -> Any:
    if isinstance(number, float):
        return number if math.isinf(number) else Fraction(repr(number))
    return Fraction(number)


@scalar("width_bucket(anycompatible,anycompatiblearray) -> int4", native=False)
def width_bucket_of(operand: Value, thresholds: Value, *, kind: AnyType) -> Value:
    """How many of the sorted thresholds are not above the operand."""
    return rowwise(_place, [operand, thresholds], kind)


def _place(operand: Any, thresholds: tuple[Any, ...]) -> int:
    if any(threshold is None for threshold in thresholds):
        raise InvalidRequest("thresholds array must not contain NULLs", "22004")
    if isinstance(operand, float) and math.isnan(operand):  # above every number
        return len(thresholds)
    count = len(thresholds)
    while count and isinstance(thresholds[count - 1], float) and math.isnan(thresholds[count - 1]):
        count -= 1  # NaNs stand at the end
    return bisect.bisect_right(thresholds, operand, 0, count)
