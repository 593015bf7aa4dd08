"""The functions that need OVER: numbers of rows, and values of other rows.

An implementation gets the `Scope` of the call and its arguments as sorted columns, one value for
each row, and returns a column of results in the same order. `lag` and `lead` with a default get
one more column: the faults of the default, which only count where it is used.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from warehouse.execution.window_frames import Frames
from warehouse.execution.window_layout import Flags, Integers
from warehouse.execution.window_plan import Scope, nullable, picked, refuse, refuse_first
from warehouse.functions.registry import window

__all__: list[str] = []


@window("row_number() -> int8", strict=False)
def row_number(scope: Scope) -> pl.Series:
    """The row's number in its partition, from 1."""
    layout = scope.layout
    return pl.Series(layout.positions - layout.starts + 1)


@window("rank() -> int8", strict=False)
def rank(scope: Scope) -> pl.Series:
    """The number of the first row that the order ties with the row."""
    return pl.Series(_ranks(scope))


def _ranks(scope: Scope) -> Integers:
    layout = scope.layout
    return layout.peer_heads[layout.peers] - layout.starts + 1


@window("dense_rank() -> int8", strict=False)
def dense_rank(scope: Scope) -> pl.Series:
    """The number of the row's group of peers."""
    layout = scope.layout
    return pl.Series(layout.peers - layout.peers[layout.starts] + 1)


@window("percent_rank() -> float8", strict=False)
def percent_rank(scope: Scope) -> pl.Series:
    """The share of the other rows that come before the row's peers."""
    others = scope.layout.ends - scope.layout.starts - 1
    before = (_ranks(scope) - 1).astype(np.float64)
    return pl.Series(before / np.maximum(others, 1))


@window("cume_dist() -> float8", strict=False)
def cume_dist(scope: Scope) -> pl.Series:
    """The share of the rows up to the row's last peer."""
    layout = scope.layout
    upto = (layout.peer_tails[layout.peers] - layout.starts).astype(np.float64)
    return pl.Series(upto / (layout.ends - layout.starts))


@window("ntile(int4) -> int4", strict=False)
def ntile(scope: Scope, buckets: pl.Series) -> pl.Series:
    """The number of the row's bucket; the larger ones come first.

    The first argument that is not NULL decides for its partition, and rows before it get NULL.
    """
    layout = scope.layout
    given = buckets.is_not_null().to_numpy()
    nearest = np.where(given, layout.positions, layout.length)
    nearest = np.append(np.minimum.accumulate(nearest[::-1])[::-1], layout.length)
    firsts = nearest[layout.starts]
    valid = layout.positions >= firsts
    at = np.minimum(firsts, max(layout.length - 1, 0))
    wanted = buckets.fill_null(1).to_numpy()[at]
    if (valid & (wanted <= 0)).any():
        refuse("22014", "argument of ntile must be greater than zero")
    wanted = np.maximum(wanted, 1)
    size, larger = np.divmod(layout.ends - layout.starts, wanted)
    larger = np.where(size == 0, 0, larger)
    size = np.maximum(size, 1)
    number = layout.positions - firsts
    edge = larger * (size + 1)
    tiles = np.where(number < edge, number // (size + 1), larger + (number - edge) // size)
    return nullable(tiles + 1, valid)


@window("lag(anyelement) -> anyelement", strict=False)
def lag(scope: Scope, values: pl.Series) -> pl.Series:
    """The value of the row before."""
    return _neighbours(scope, values, -1)


@window("lead(anyelement) -> anyelement", strict=False)
def lead(scope: Scope, values: pl.Series) -> pl.Series:
    """The value of the next row."""
    return _neighbours(scope, values, 1)


def _neighbours(scope: Scope, values: pl.Series, distance: int) -> pl.Series:
    target = scope.layout.positions + distance
    return picked(values, target, _inside(scope, target))


def _inside(scope: Scope, target: Integers) -> Flags:
    return (target >= scope.layout.starts) & (target < scope.layout.ends)


@window(
    "lag(anyelement,int4) -> anyelement",
    "lag(anycompatible,int4,anycompatible) -> anycompatible",
    strict=False,
)
def lag_by(scope: Scope, values: pl.Series, offsets: pl.Series, *default: pl.Series) -> pl.Series:
    """The value of the row so many before; NULL for a NULL offset."""
    return _distant(scope, values, -offsets, *default)


@window(
    "lead(anyelement,int4) -> anyelement",
    "lead(anycompatible,int4,anycompatible) -> anycompatible",
    strict=False,
)
def lead_by(scope: Scope, values: pl.Series, offsets: pl.Series, *default: pl.Series) -> pl.Series:
    """The value of the row so many further on; NULL for a NULL offset."""
    return _distant(scope, values, offsets, *default)


def _distant(scope: Scope, values: pl.Series, offsets: pl.Series, *default: pl.Series) -> pl.Series:
    known = offsets.is_not_null().to_numpy()
    target = scope.layout.positions + offsets.fill_null(0).to_numpy()
    inside = _inside(scope, target)
    found = picked(values, np.where(inside, target, 0), known & inside)
    if not default:
        return found
    outside = pl.Series(known & ~inside)
    replacement, faults = default
    refuse_first(faults.filter(outside))
    return replacement.zip_with(outside, found)


@window("first_value(anyelement) -> anyelement", strict=False)
def first_value(scope: Scope, values: pl.Series) -> pl.Series:
    """The value of the frame's first row."""
    frames = scope.frames
    return frames.per_row(_nth(values, frames, np.zeros(frames.count, dtype=np.int64)))


@window("last_value(anyelement) -> anyelement", strict=False)
def last_value(scope: Scope, values: pl.Series) -> pl.Series:
    """The value of the frame's last row."""
    frames = scope.frames
    return frames.per_row(_nth(values, frames, frames.lengths - 1))


@window("nth_value(anyelement,int4) -> anyelement", strict=False)
def nth_value(scope: Scope, values: pl.Series, numbers: pl.Series) -> pl.Series:
    """The value of the frame's row of that number, from 1; NULL for NULL."""
    known = numbers.fill_null(0).to_numpy()
    if (numbers <= 0).any():
        refuse("22016", "argument of nth_value must be greater than zero")
    return _nth(values, scope.frames.of_rows(), known - 1)


def _nth(values: pl.Series, frames: Frames, numbers: Integers) -> pl.Series:
    """The value of row `number` (from 0) of each frame; NULL if it has none."""
    positions = np.zeros(len(numbers), dtype=np.int64)
    rest, found = numbers.copy(), np.zeros(len(numbers), dtype=np.bool_)
    for starts, ends in frames.spans:
        here = ~found & (rest >= 0) & (rest < ends - starts)
        positions = np.where(here, starts + rest, positions)
        found |= here
        rest = rest - (ends - starts)
    return picked(values, positions, found & (numbers >= 0))
