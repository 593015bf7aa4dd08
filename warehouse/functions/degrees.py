"""Trigonometry in degrees, exact where the result is: `sind(30)` is 0.5.

1. A function of radians is made exact at one angle, the anchor, by dividing by what it is there and
   multiplying with what it should be: sine at 30 degrees, 1 - cosine at 60, their inverses at the
   same points, tangent and cotangent at 45.
2. In the first quadrant sine and cosine are taken from the anchored function that is on the safe
   side of its anchor, or from that of the complement. The point of any other angle on the circle is
   a point of the first quadrant after some quarter turns.
3. All functions are read off that point, their inverses off its two arcs.

Every answer has the bits that PostgreSQL 16's has; negative zeros included.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar

__all__: list[str] = []

_Function = Callable[..., float]
_Numbers = tuple[float, ...]
_Pair = tuple[float, float]
_FINITE = sys.float_info.max


def _exact_at(anchor: _Numbers, result: float, function: _Function) -> _Function:
    """The function, scaled so that it is `result` at `anchor`."""
    unscaled = function(*anchor)
    return lambda *numbers: function(*numbers) / unscaled * result


_sine = _exact_at((30.0,), 0.5, lambda angle: math.sin(math.radians(angle)))
_versine = _exact_at((60.0,), 0.5, lambda angle: 1.0 - math.cos(math.radians(angle)))
_arc_sine = _exact_at((0.5,), 30.0, math.asin)
_arc_cosine = _exact_at((0.5,), 60.0, math.acos)


def _first_quadrant(angle: float) -> _Pair:
    sine = _sine(angle) if angle <= 30.0 else 1.0 - _versine(90.0 - angle)
    cosine = 1.0 - _versine(angle) if angle <= 60.0 else _sine(90.0 - angle)
    return sine, cosine


def _point(angle: float) -> _Pair:
    """Sine and cosine of an angle. A zero has the sign of the angle in the sine, else none."""
    quarters, rest = divmod(math.fmod(abs(angle), 360.0), 90.0)
    sine, cosine = _first_quadrant(rest)
    for _ in range(int(quarters)):
        sine, cosine = cosine, -sine
    return math.copysign(1.0, angle) * (sine + 0.0), cosine + 0.0


def _ratio(dividend: float, divisor: float) -> float:
    """As IEEE divides a number by zero."""
    if divisor == 0.0:
        return dividend * math.copysign(math.inf, divisor)
    return dividend / divisor


def _tangent(angle: float) -> float:
    sine, cosine = _point(angle)
    return _ratio(sine, cosine)


def _cotangent(angle: float) -> float:
    sine, cosine = _point(angle)
    return _ratio(cosine, sine)


_scaled_tangent = _exact_at((45.0,), 1.0, _tangent)
_scaled_cotangent = _exact_at((45.0,), 1.0, _cotangent)


def _arcs(number: float) -> _Pair:
    """The angles whose sine, and whose cosine, is a number from 0 to 1."""
    if number <= 0.5:
        angle = _arc_sine(number)
        return angle, 90.0 - angle
    angle = _arc_cosine(number)
    return 90.0 - angle, angle


def _asind(number: float) -> float:
    return math.copysign(_arcs(abs(number))[0], number)


def _acosd(number: float) -> float:
    return _arcs(number)[1] if number >= 0.0 else 90.0 + _arcs(-number)[0]


def _within(limit: float, function: _Function) -> _Function:
    """The function with its errors. Raises InvalidRequest (22003) past the limit."""

    def checked(number: float) -> float:
        if math.isnan(number):
            return number
        if abs(number) > limit:
            raise InvalidRequest("input is out of range", "22003")
        return function(number)

    return checked


_FUNCTIONS: dict[str, _Function] = {
    "sind": _within(_FINITE, lambda angle: _point(angle)[0]),
    "cosd": _within(_FINITE, lambda angle: _point(angle)[1]),
    # Tangents have no negative zero.
    "tand": _within(_FINITE, lambda angle: _scaled_tangent(angle) + 0.0),
    "cotd": _within(_FINITE, lambda angle: _scaled_cotangent(angle) + 0.0),
    "asind": _within(1.0, _asind),
    "acosd": _within(1.0, _acosd),
    "atand": _exact_at((1.0,), 45.0, math.atan),
    "atan2d": _exact_at((1.0, 1.0), 45.0, math.atan2),
}


def _register(name: str, arguments: int) -> None:
    function = _FUNCTIONS[name]

    def implementation(*numbers: Value, kind: AnyType) -> Value:
        return rowwise(function, list(numbers), kind)

    signature = f"{name}({','.join(['float8'] * arguments)}) -> float8"
    scalar(signature, native=False)(implementation)


for _name in _FUNCTIONS:
    _register(_name, 2 if _name == "atan2d" else 1)
