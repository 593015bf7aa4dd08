"""Trigonometry in degrees, exact where the result is: `sind(30)` is 0.5.

After PostgreSQL's `float.c`: angles are brought into the first quadrant, sine is scaled so that it
is right at 30 degrees and cosine at 60, and each is used where it is the more precise of the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar

__all__: list[str] = []

_RADIANS_PER_DEGREE = 0.0174532925199432957692
_SIN_30 = math.sin(30.0 * _RADIANS_PER_DEGREE)
_ONE_MINUS_COS_60 = 1.0 - math.cos(60.0 * _RADIANS_PER_DEGREE)
_ASIN_HALF = math.asin(0.5)
_ACOS_HALF = math.acos(0.5)
_ATAN_1 = math.atan(1.0)


def _refuse(*, when: bool) -> None:
    if when:
        raise InvalidRequest("input is out of range", "22003")


def _sin_first_third(angle: float) -> float:
    return (math.sin(angle * _RADIANS_PER_DEGREE) / _SIN_30) / 2.0


def _cos_first_two_thirds(angle: float) -> float:
    return 1.0 - ((1.0 - math.cos(angle * _RADIANS_PER_DEGREE)) / _ONE_MINUS_COS_60) / 2.0


def _sin_quadrant(angle: float) -> float:
    return _sin_first_third(angle) if angle <= 30.0 else _cos_first_two_thirds(90.0 - angle)


def _cos_quadrant(angle: float) -> float:
    return _cos_first_two_thirds(angle) if angle <= 60.0 else _sin_first_third(90.0 - angle)


def _sind(angle: float) -> float:
    if math.isnan(angle):
        return angle
    _refuse(when=math.isinf(angle))
    angle, sign = math.fmod(angle, 360.0), 1
    if angle < 0.0:
        angle, sign = -angle, -sign
    if angle > 180.0:
        angle, sign = 360.0 - angle, -sign
    if angle > 90.0:
        angle = 180.0 - angle
    return sign * _sin_quadrant(angle)


def _cosd(angle: float) -> float:
    if math.isnan(angle):
        return angle
    _refuse(when=math.isinf(angle))
    angle, sign = abs(math.fmod(angle, 360.0)), 1
    if angle > 180.0:
        angle = 360.0 - angle
    if angle > 90.0:
        angle, sign = 180.0 - angle, -sign
    return sign * _cos_quadrant(angle)


_TAN_45 = _sin_quadrant(45.0) / _cos_quadrant(45.0)
_COT_45 = _cos_quadrant(45.0) / _sin_quadrant(45.0)


def _tangent(angle: float, quotient: Callable[[float], float]) -> float:
    """A function with the signs and the period of the tangent."""
    if math.isnan(angle):
        return angle
    _refuse(when=math.isinf(angle))
    angle, sign = math.fmod(angle, 360.0), 1
    if angle < 0.0:
        angle, sign = -angle, -sign
    if angle > 180.0:
        angle, sign = 360.0 - angle, -sign
    if angle > 90.0:
        angle, sign = 180.0 - angle, -sign
    made = sign * quotient(angle)
    return 0.0 if made == 0.0 else made


def _divided(dividend: float, divisor: float) -> float:
    return math.copysign(math.inf, divisor) if divisor == 0.0 else dividend / divisor


def _tand(angle: float) -> float:
    return _tangent(angle, lambda a: _divided(_sin_quadrant(a), _cos_quadrant(a)) / _TAN_45)


def _cotd(angle: float) -> float:
    return _tangent(angle, lambda a: _divided(_cos_quadrant(a), _sin_quadrant(a)) / _COT_45)


def _asin_quadrant(number: float) -> float:
    if number <= 0.5:
        return (math.asin(number) / _ASIN_HALF) * 30.0
    return 90.0 - (math.acos(number) / _ACOS_HALF) * 60.0


def _acos_quadrant(number: float) -> float:
    if number <= 0.5:
        return 90.0 - (math.asin(number) / _ASIN_HALF) * 30.0
    return (math.acos(number) / _ACOS_HALF) * 60.0


def _asind(number: float) -> float:
    if math.isnan(number):
        return number
    _refuse(when=abs(number) > 1.0)
    return _asin_quadrant(number) if number >= 0.0 else -_asin_quadrant(-number)


def _acosd(number: float) -> float:
    if math.isnan(number):
        return number
    _refuse(when=abs(number) > 1.0)
    return _acos_quadrant(number) if number >= 0.0 else 90.0 + _asin_quadrant(-number)


def _atand(number: float) -> float:
    return (math.atan(number) / _ATAN_1) * 45.0


def _atan2d(y: float, x: float) -> float:
    return (math.atan2(y, x) / _ATAN_1) * 45.0


def _register(name: str, function: Callable[..., float], arguments: int = 1) -> None:
    def implementation(*numbers: Value, kind: AnyType) -> Value:
        return rowwise(function, list(numbers), kind)

    signature = f"{name}({','.join(['float8'] * arguments)}) -> float8"
    scalar(signature, native=False)(implementation)


for _name, _function in (
    ("sind", _sind),
    ("cosd", _cosd),
    ("tand", _tand),
    ("cotd", _cotd),
    ("asind", _asind),
    ("acosd", _acosd),
    ("atand", _atand),
):
    _register(_name, _function)
_register("atan2d", _atan2d, 2)
