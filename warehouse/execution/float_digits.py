"""Floats rounded to a number of significant decimal digits, as C's `%.15g` writes them.

A float times an exact power of ten (10^22 is the last), rounded to an integer of that many digits
and divided by the same power, is the float nearest to the decimal. What the product itself lost is
known exactly (T. J. Dekker, "A Floating-Point Technique for Extending the Available Precision",
1971), so a product that only looks like a half is rounded to the right side. The few numbers that
are too large or too small for this are formatted one by one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["to_digits"]

_Floats = npt.NDArray[np.float64]
_POWERS = np.power(10.0, np.arange(23), dtype=np.float64)
_SPLITTER = 2.0**27 + 1


def to_digits(numbers: _Floats, digits: int) -> _Floats:
    """Each number to `digits` (at most 15) significant digits; NaN and infinities as they are."""
    sizes = np.abs(numbers)
    usual = (sizes >= 1e-7) & (sizes < 1e15)
    safe = np.where(usual, sizes, 1.0)
    places = digits - 1 - np.floor(np.log10(safe)).astype(np.int64)
    upwards = usual & (places >= 0) & (places <= 22)
    power: _Floats = _POWERS[np.clip(places, 0, 22)]
    whole = _rounded_product(safe, power)
    # The logarithm may be off by one next to a power of ten.
    fast = upwards & (whole >= 10.0 ** (digits - 1)) & (whole < 10.0**digits)
    made = np.where(fast, np.copysign(whole / power, numbers), numbers)
    rest = np.flatnonzero(~fast & np.isfinite(numbers) & (sizes > 0))
    made[rest] = [float(f"{number:.{digits}g}") for number in numbers[rest].tolist()]
    return made


def _rounded_product(a: _Floats, b: _Floats) -> _Floats:
    """The integer nearest to the exact product, half to even; products below 2^53."""
    product = a * b
    high_a, low_a = _split(a)
    high_b, low_b = _split(b)
    lost = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    whole = np.rint(product)
    beyond = product - whole
    up = (beyond == 0.5) & (lost > 0)
    down = (beyond == -0.5) & (lost < 0)
    return np.asarray(whole + up - down, dtype=np.float64)


def _split(a: _Floats) -> tuple[_Floats, _Floats]:
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high
