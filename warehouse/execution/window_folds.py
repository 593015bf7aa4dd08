"""Folds over frames: what is combined value by value, exactly the values of each frame.

Level k holds the combination of every 2^k neighbouring rows; a frame of n rows is put together
from the levels that n's binary digits name. Each level is made from the one before and forgotten,
so memory stays linear, time is rows times the digits of the longest frame, and nothing from
outside a frame touches its result: neither rounding nor an infinity or NaN.

A combination must be associative and commutative, with an identity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from warehouse.execution.window_frames import Frames

__all__ = ["Columns", "Combine", "added", "co_moments", "fold", "moments", "with_moments"]

Columns = tuple[npt.NDArray[Any], ...]
Combine = Callable[[Columns, Columns], Columns]


def fold(values: Columns, identity: tuple[Any, ...], combine: Combine, frames: Frames) -> Columns:
    """The combination of each frame's rows; `identity` for an empty one."""
    results = tuple(
        np.full(frames.count, one, dtype=column.dtype)
        for one, column in zip(identity, values, strict=True)
    )
    places = [starts.copy() for starts, _ in frames.spans]
    lengths = [ends - starts for starts, ends in frames.spans]
    longest = max((int(length.max(initial=0)) for length in lengths), default=0)
    level, step = values, 1
    with np.errstate(all="ignore"):
        while step <= longest:
            for place, length in zip(places, lengths, strict=True):
                chosen = np.flatnonzero(length & step)
                at = place[chosen]
                met = combine(
                    tuple(result[chosen] for result in results),
                    tuple(column[at] for column in level),
                )
                for result, column in zip(results, met, strict=True):
                    result[chosen] = column
                place[chosen] = at + step
            if 2 * step <= longest:
                level = combine(
                    tuple(column[:-step] for column in level),
                    tuple(column[step:] for column in level),
                )
            step *= 2
    return results


def added(left: Columns, right: Columns) -> Columns:
    """Plain sums."""
    return tuple(one + other for one, other in zip(left, right, strict=True))


def with_moments(values: npt.NDArray[np.float64], included: npt.NDArray[np.bool_]) -> Columns:
    """Count, mean and sum of squared deviations of single rows.

    The deviation of an infinity or NaN from itself is NaN.
    """
    mean = np.where(included, values, 0.0)
    deviation = np.where(np.isfinite(mean), 0.0, np.nan)
    return (included.astype(np.float64), mean, deviation)


def moments(left: Columns, right: Columns) -> Columns:
    """The moments of two groups of rows taken together, without cancellation."""
    count = left[0] + right[0]
    share = np.divide(right[0], count, out=np.zeros_like(count), where=count != 0)
    apart = right[1] - left[1]
    # A group of no rows has weight 0: its mean must not turn the other's infinity into NaN.
    apart = np.where((left[0] == 0) | (right[0] == 0), 0.0, apart)
    mean = np.where(left[0] == 0, right[1], left[1] + apart * share)
    mean = np.where(np.isfinite(apart), mean, left[1] + right[1])
    return (count, mean, left[2] + right[2] + apart * apart * left[0] * share)


def co_moments(left: Columns, right: Columns) -> Columns:
    """Count, both means, both sums of squares and the sum of products of two groups of rows."""
    count, first, first_squares = moments(left[:3], right[:3])
    _, second, second_squares = moments((left[0], left[3], left[4]), (right[0], right[3], right[4]))
    share = np.divide(right[0], count, out=np.zeros_like(count), where=count != 0)
    empty = (left[0] == 0) | (right[0] == 0)
    product = np.where(empty, 0.0, (right[1] - left[1]) * (right[3] - left[3]))
    products = left[5] + right[5] + product * left[0] * share
    return (count, first, first_squares, second, second_squares, products)
