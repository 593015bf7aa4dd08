"""Variance, deviation, correlation and regression over frames: folds of moments.

One argument: stddev and variance, of samples and of populations. Two (Y, X): covar_*, corr and
regr_*. Moments are merged group by group (Chan's method), so nothing cancels as it would in a
difference of sums of squares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from warehouse.algebra.types import AnyType, is_numeric
from warehouse.execution.window_folds import Columns, co_moments, fold, moments, with_moments
from warehouse.execution.window_frames import Frames
from warehouse.execution.window_layout import Flags

__all__ = ["Statistic", "statistic_of"]

Floats = npt.NDArray[np.float64]
Finish = Callable[[Columns], tuple[npt.NDArray[Any], Flags]]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A statistic of `arguments` columns; `finish` makes results and their validity of moments."""

    arguments: int
    finish: Finish

    def folded(self, numbers: Sequence[Floats], chosen: Flags, frames: Frames) -> Columns:
        """The moments of each frame's chosen rows."""
        if self.arguments == 1:
            return fold(with_moments(numbers[0], chosen), (0.0, 0.0, 0.0), moments, frames)
        first = with_moments(numbers[0], chosen)
        second = with_moments(numbers[1], chosen)
        products = np.where(np.isnan(first[2]) | np.isnan(second[2]), np.nan, 0.0)
        rows = (*first, *second[1:], products)
        return fold(rows, (0.0,) * 6, co_moments, frames)


def statistic_of(name: str, kinds: Sequence[AnyType]) -> Statistic | None:
    """The statistic of that name over numbers; None if there is none."""
    found = _STATISTICS.get(name)
    if found is None or found.arguments != len(kinds) or not all(map(is_numeric, kinds)):
        return None
    return found


def _spread(*, sample: bool, root: bool) -> Statistic:
    least = 2 if sample else 1

    def finish(columns: Columns) -> tuple[npt.NDArray[Any], Flags]:
        count, _, squares = columns
        found = squares / np.maximum(count - (least - 1), 1)
        return (np.sqrt(found) if root else found), count >= least

    return Statistic(1, finish)


def _paired(least: int, of: Callable[..., npt.NDArray[Any]]) -> Statistic:
    """Of count, mean and squares of Y, the same of X, and products; NULL for fewer rows."""

    def finish(columns: Columns) -> tuple[npt.NDArray[Any], Flags]:
        return of(*columns), columns[0] >= least

    return Statistic(2, finish)


def _over_spread(of: Callable[..., npt.NDArray[Any]], needs: str) -> Statistic:
    """NULL where X (or Y, as `needs` says) does not vary."""

    def finish(columns: Columns) -> tuple[npt.NDArray[Any], Flags]:
        count, _, squares_y, _, squares_x, _ = columns
        valid = (count >= 1) & (squares_x != 0)
        if "y" in needs:
            valid &= squares_y != 0
        return of(*columns), valid

    return Statistic(2, finish)


_STATISTICS: dict[str, Statistic] = {
    "stddev": _spread(sample=True, root=True),
    "stddev_samp": _spread(sample=True, root=True),
    "stddev_pop": _spread(sample=False, root=True),
    "variance": _spread(sample=True, root=False),
    "var_samp": _spread(sample=True, root=False),
    "var_pop": _spread(sample=False, root=False),
    "regr_count": _paired(0, lambda n, my, yy, mx, xx, xy: n.astype(np.int64)),
    "regr_avgx": _paired(1, lambda n, my, yy, mx, xx, xy: mx),
    "regr_avgy": _paired(1, lambda n, my, yy, mx, xx, xy: my),
    "regr_sxx": _paired(1, lambda n, my, yy, mx, xx, xy: xx),
    "regr_syy": _paired(1, lambda n, my, yy, mx, xx, xy: yy),
    "regr_sxy": _paired(1, lambda n, my, yy, mx, xx, xy: xy),
    "covar_pop": _paired(1, lambda n, my, yy, mx, xx, xy: xy / n),
    "covar_samp": _paired(2, lambda n, my, yy, mx, xx, xy: xy / (n - 1)),
    "corr": _over_spread(lambda n, my, yy, mx, xx, xy: xy / np.sqrt(xx * yy), "xy"),
    "regr_slope": _over_spread(lambda n, my, yy, mx, xx, xy: xy / xx, "x"),
    "regr_intercept": _over_spread(lambda n, my, yy, mx, xx, xy: my - mx * xy / xx, "x"),
    "regr_r2": _over_spread(
        lambda n, my, yy, mx, xx, xy: np.where(yy == 0, 1.0, xy * xy / (xx * yy)), "x"
    ),
}
