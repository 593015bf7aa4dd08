"""Casts to TIME(p), TIMESTAMP(p), TIMESTAMPTZ(p): seconds rounded to p digits, 0 to 6.

They are called as PostgreSQL's functions for these casts are. Columns of such types round in
`storage.seconds`, by the same rule: halves go away from the midnight that 2000 began with.
"""

from __future__ import annotations

import polars as pl

from storage.seconds import ORIGIN, unit_of
from warehouse.algebra.types import AnyType
from warehouse.execution.value import Value
from warehouse.functions.calendar import (
    DAY,
    as_time,
    as_timestamp,
    microseconds_of,
    time_microseconds,
)
from warehouse.functions.registry import scalar

__all__: list[str] = []


def _rounded(counted: pl.Expr, digits: Value) -> pl.Expr:
    unit = pl.lit(unit_of(digits.literal), dtype=pl.Int64)
    away = (counted.abs() + unit // 2) // unit * unit
    return pl.when(counted < 0).then(-away).otherwise(away)


@scalar("time(time,int4) -> time", native=False)
def rounded_time(time: Value, digits: Value, *, kind: AnyType) -> Value:
    """A time of day; there is no 24:00:00 here."""
    rounded = _rounded(time_microseconds(time.expr), digits)
    made = time.derived(as_time(pl.when(rounded < DAY).then(rounded)), kind)
    return made.faulty(rounded >= DAY, "22008", "time out of range: there is no 24:00:00 here")


@scalar(
    "timestamp(timestamp,int4) -> timestamp",
    "timestamptz(timestamptz,int4) -> timestamptz",
    native=False,
)
def rounded_timestamp(moment: Value, digits: Value, *, kind: AnyType) -> Value:
    """A moment."""
    counted = microseconds_of(moment.expr) - ORIGIN
    return moment.derived(as_timestamp(_rounded(counted, digits) + ORIGIN), kind)
