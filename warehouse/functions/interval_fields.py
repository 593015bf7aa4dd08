"""Intervals cut to the fields and the precision of their type: `x::interval day to minute`.

The modifier is PostgreSQL's `pg_attribute.atttypmod`: a mask of fields above 16 bits of precision.
The lowest field decides what is cut; fields above the highest stay.
"""

from __future__ import annotations

import polars as pl

from storage.errors import NotYet
from warehouse.algebra.types import AnyType
from warehouse.execution.value import Value
from warehouse.functions.intervals import interval_value, parts_of
from warehouse.functions.registry import scalar

__all__: list[str] = []

_FULL_RANGE = 0x7FFF
_MONTH, _YEAR, _DAY, _HOUR, _MINUTE, _SECOND = (1 << bit for bit in (1, 2, 3, 10, 11, 12))
_SIZES = {_HOUR: 3_600_000_000, _MINUTE: 60_000_000}
_PRECISION_MAX = 6


@scalar("interval(interval,int4) -> interval", native=False)
def cut(value: Value, modifier: Value, *, kind: AnyType) -> Value:
    """The interval as its type says."""
    if not modifier.constant or not isinstance(modifier.literal, int):
        raise NotYet("interval(interval, integer) is available with a constant only")
    mask, precision = modifier.literal >> 16, modifier.literal & 0xFFFF
    months, days, time = parts_of(value)
    lowest = _SECOND if mask == _FULL_RANGE else _lowest(mask)
    if lowest == _YEAR:
        months = _cut(months, 12)
    if lowest in (_YEAR, _MONTH):
        days = pl.lit(0, dtype=pl.Int64)
    if lowest in (_YEAR, _MONTH, _DAY):
        time = pl.lit(0, dtype=pl.Int64)
    elif lowest in _SIZES:
        time = _cut(time, _SIZES[lowest])
    found = interval_value((months, days, time), kind)
    if precision >= _PRECISION_MAX:
        return value.derived(pl.when(value.expr.is_not_null()).then(found.expr), kind)
    scale = 10 ** (_PRECISION_MAX - precision)
    half = pl.when(time < 0).then(-scale // 2).otherwise(scale // 2)
    wide = time.is_between(-(2**63) + scale, 2**63 - 1 - scale)
    found = interval_value((months, days, _cut(time + half, scale)), kind)
    made = value.derived(pl.when(value.expr.is_not_null()).then(found.expr), kind)
    return made.faulty(~wide, "22008", "interval out of range")


def _lowest(mask: int) -> int:
    """The bit of the smallest field: seconds have the highest bit, but months stand below years."""
    order = (_SECOND, _MINUTE, _HOUR, _DAY, _MONTH, _YEAR)
    return next(bit for bit in order if mask & bit)


def _cut(value: pl.Expr, size: int) -> pl.Expr:
    """Towards zero to a multiple."""
    rest = value.abs() % size
    return pl.when(value < 0).then(value + rest).otherwise(value - rest)
