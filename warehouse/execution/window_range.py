"""Bounds of RANGE frames with an offset: a search for the key plus or minus the offset.

Keys become integers that sort as the order does, so one search serves every type: numbers and
times as they are, floats by their bits (NaN greatest), a descending order inverted bit by bit, and
what does not fit 64 bits (DECIMAL(38), INTERVAL) as Python integers. Rows whose key is NULL have
each other as their frame, as in PostgreSQL.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from storage.errors import InternalError, InvalidRequest
from storage.schema import DecimalType
from warehouse.algebra.types import (
    DATE,
    INTERVAL,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    AnyType,
    NumericType,
    is_float,
    is_integer,
)
from warehouse.execution.literals import from_carrier
from warehouse.execution.ordering import interval_length
from warehouse.execution.window_layout import (
    DAY,
    Flags,
    Integers,
    Key,
    Layout,
    interval_microseconds,
)

__all__ = ["Bound", "range_bound"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound of a frame with the value of its offset, in the carrier of `type`."""

    kind: str
    offset: Any = None
    type: AnyType | None = None


Codes = npt.NDArray[Any]  # of int64, or of Python integers
FIRST_MOMENT = -210_866_803_200_000_000  # 24 November 4714 BC, PostgreSQL's first timestamp
_OUT_OF_RANGE = "timestamp out of range"
INT64 = np.iinfo(np.int64)


def range_bound(layout: Layout, key: Key, bound: Bound, *, end: bool) -> Integers:
    """The first position of each row's frame, or with `end` the one after its last.

    `key` holds the sorted values. Raises InvalidRequest (22013) if the offset is negative or NaN.
    """
    present = key.values.is_not_null().to_numpy()
    lows, highs = _present_spans(layout, present, key.nulls_first)
    if not present.any():
        return layout.ends if end else layout.starts
    backwards = (bound.kind == "preceding") != key.descending  # towards smaller keys
    less = end != key.descending  # the bound admits keys up to the limit, not from it on
    keys, limits, under, over = _limits(key, bound, backwards, less)
    if key.descending:
        keys, limits, under, over = ~keys, ~limits, over, under
    found = _search(keys, limits, lows, highs, after_equal=end)
    found = np.where(under, lows, np.where(over, highs, found))
    nulls = (layout.starts, lows) if key.nulls_first else (highs, layout.ends)
    return np.where(present, found, nulls[1] if end else nulls[0])


def _present_spans(layout: Layout, present: Flags, nulls_first: bool) -> tuple[Integers, Integers]:
    """Where the keys that are not NULL begin and end in each row's partition."""
    before = np.append(0, np.cumsum(present))
    counts = (before[layout.ends] - before[layout.starts]).astype(np.int64)
    lows = layout.ends - counts if nulls_first else layout.starts
    return lows, lows + counts


def _search(
    keys: Codes, limits: Codes, lows: Integers, highs: Integers, *, after_equal: bool
) -> Integers:
    """Per row the first position in its span whose key is not before its limit."""
    low, high = lows.copy(), highs.copy()
    while True:
        open_rows = low < high
        if not open_rows.any():
            return low
        middle = (low + high) // 2
        probed = keys[np.minimum(middle, len(keys) - 1)]
        before = (probed <= limits) if after_equal else (probed < limits)
        before = before.astype(np.bool_) & open_rows
        low = np.where(before, middle + 1, low)
        high = np.where(before | ~open_rows, high, middle)


Limits = tuple[Codes, Codes, Flags, Flags]


def _limits(key: Key, bound: Bound, backwards: bool, less: bool) -> Limits:
    """Codes of the keys and of the limits, and where a limit is beyond every key."""
    kind, offset = key.type, bound.offset
    if is_float(kind) or isinstance(kind, NumericType):
        return _float_limits(key.values, float(_refused_if_negative(offset)), backwards, less)
    if is_integer(kind) or isinstance(kind, DecimalType):
        scale = kind.scale if isinstance(kind, DecimalType) else 0
        exact = _exact(_refused_if_negative(offset), bound.type) * 10**scale
        distance = math.ceil(exact) if backwards == less else math.floor(exact)
        return _integer_limits(_integers(key.values), -distance if backwards else distance)
    if kind == TIME:
        microseconds = _refused_if_negative(offset["microseconds"])
        codes = _integers(key.values) // 1000
        return _integer_limits(codes, -microseconds if backwards else microseconds)
    span = interval_length(from_carrier(offset, INTERVAL))
    _refused_if_negative(span)
    if kind == INTERVAL:
        keys = np.array([value or 0 for value in interval_microseconds(key.values)], dtype=object)
        return _everywhere_inside(keys, keys + (-span if backwards else span))
    if kind in (DATE, TIMESTAMP, TIMESTAMPTZ):
        moments = key.values.cast(pl.Datetime("us"))
        moved = _moved(moments, offset, -1 if backwards else 1)
        return _everywhere_inside(_integers(moments), moved)
    raise InternalError(f"RANGE with an offset over {kind}")


def _refused_if_negative(offset: Any) -> Any:
    if not offset >= 0:  # NaN is refused as well
        raise InvalidRequest("invalid preceding or following size in window function", "22013")
    return offset


def _exact(offset: Any, kind: AnyType | None) -> Fraction:
    """The number that an offset's carrier means; a float as its shortest decimal."""
    if isinstance(kind, DecimalType) and isinstance(offset, int):
        return Fraction(offset, 10**kind.scale)
    if isinstance(offset, float):
        return Fraction(Decimal(repr(offset))) if math.isfinite(offset) else Fraction(10**80)
    return Fraction(offset)


def _integers(values: pl.Series) -> Codes:
    """Physical integers, with anything where NULL is."""
    if isinstance(values.dtype, pl.Decimal):
        factor = 10**values.dtype.scale
        exact = [int(Fraction(value or 0) * factor) for value in values.to_list()]
        return np.array(exact, dtype=object)
    return values.to_physical().cast(pl.Int64).fill_null(0).to_numpy()


def _integer_limits(keys: Codes, move: int) -> Limits:
    if keys.dtype == object:
        return _everywhere_inside(keys, keys + move)
    never = np.zeros(len(keys), dtype=np.bool_)
    if abs(move) > 2 * INT64.max:
        beyond = ~never
        return keys, keys, beyond if move < 0 else never, never if move < 0 else beyond
    if abs(move) > INT64.max:
        return _everywhere_inside(keys.astype(object), keys.astype(object) + move)
    limits = keys + np.int64(move)  # wraps where the limit is beyond every key
    wrapped = (limits > keys) if move < 0 else (limits < keys)
    return keys, limits, wrapped if move < 0 else never, never if move < 0 else wrapped


def _everywhere_inside(keys: Codes, limits: Codes) -> Limits:
    never = np.zeros(len(keys), dtype=np.bool_)
    return keys, limits, never, never


def _float_limits(values: pl.Series, offset: float, backwards: bool, less: bool) -> Limits:
    """PostgreSQL counts all numbers as within an infinite offset of the infinity it leads from."""
    keys = values.cast(pl.Float64).fill_null(0.0).to_numpy()
    with np.errstate(invalid="ignore", over="ignore"):
        limits = keys - offset if backwards else keys + offset
    if math.isinf(offset):
        source = np.inf if backwards else -np.inf
        limits = np.where(keys == source, np.inf if less else -np.inf, limits)
    return _everywhere_inside(_float_codes(keys), _float_codes(limits))


def _float_codes(values: npt.NDArray[np.float64]) -> Integers:
    """Integers that sort as the floats do: -0 as 0, NaN above infinity."""
    canonical = np.where(np.isnan(values), np.nan, values + 0.0)
    bits = canonical.view(np.int64)
    return np.where(bits < 0, bits ^ INT64.max, bits)


def _moved(moments: pl.Series, interval: dict[str, int], sign: int) -> Codes:
    """Timestamps plus or minus an interval: months (to the month's last day at most), then days."""
    rest = sign * (interval["days"] * DAY + interval["microseconds"])
    try:
        months = _integers(moments.dt.offset_by(f"{sign * interval['months']}mo"))
    except pl.exceptions.ComputeError as error:
        raise InvalidRequest(_OUT_OF_RANGE, "22008") from error
    least, most = int(months.min()) + rest, int(months.max()) + rest
    if least < FIRST_MOMENT or most > INT64.max:
        raise InvalidRequest(_OUT_OF_RANGE, "22008")
    return months + rest
