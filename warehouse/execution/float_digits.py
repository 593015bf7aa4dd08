"""Floats rounded to a number of significant decimal digits, as C's `%.15g` writes them.

A float times an exact power of ten, rounded to an integer of that many digits, divided by the same
power: both are exact (10^22 is), so the quotient is the float nearest to the decimal. Where the
product lies too close to a half for its own rounding error, or the power is too large, the digits
are formatted one number at a time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["to_digits"]

_POWERS = 10.0 ** np.arange(23)
_MARGIN = 0.07  # below 10^15 a product is at most 1/16 off


def to_digits(numbers: npt.NDArray[np.float64], digits: int) -> npt.NDArray[np.float64]:
    """Each number to `digits` (at most 15) significant digits; NaN and infinities as they are."""
    sizes = np.abs(numbers)
    usual = np.isfinite(numbers) & (sizes >= 1e-7) & (sizes < 1e36)
    safe = np.where(usual, sizes, 1.0)
    places = digits - 1 - np.floor(np.log10(safe)).astype(np.int64)
    reachable = (places >= -22) & (places <= 22)
    power = _POWERS[np.clip(np.abs(places), 0, 22)]
    shifted = np.where(places >= 0, safe * power, safe / power)
    whole = np.rint(shifted)
    certain = np.abs(np.abs(shifted - np.floor(shifted)) - 0.5) > _MARGIN
    # The logarithm may be off by one next to a power of ten.
    fitting = (whole >= 10.0 ** (digits - 1)) & (whole < 10.0**digits)
    back = np.where(places >= 0, whole / power, whole * power)
    fast = usual & reachable & certain & fitting
    made = np.where(fast, np.copysign(back, numbers), numbers)
    for i in np.flatnonzero(~fast & np.isfinite(numbers) & (sizes > 0)):
        made[i] = float(f"{numbers[i]:.{digits}g}")
    return made
