"""DATE: arithmetic with days, times and intervals, and making one."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from warehouse.algebra.types import AnyType
from warehouse.execution.value import Range, Value
from warehouse.functions.calendar import (
    DAY,
    DAY_FIRST,
    DAY_LAST,
    as_date,
    as_timestamp,
    civil_days,
    days_in_month,
    fault_where,
    in_range_date,
    time_microseconds,
)
from warehouse.functions.registry import scalar

__all__ = ["calendar_fault"]

_OUT_OF_RANGE = ("22008", "date out of range")


def _days(date: Value) -> pl.Expr:
    return date.expr.cast(pl.Int64)


def _moved(date: Value, days: pl.Expr, kind: AnyType) -> Value:
    total = _days(date) + days
    return Value(expr=as_date(total), type=kind).faulty(~in_range_date(total), *_OUT_OF_RANGE)


@scalar("+(date,int4) -> date", native=False)
def date_plus(date: Value, days: Value, *, kind: AnyType) -> Value:
    """Days later."""
    return _moved(date, days.expr, kind)


@scalar("+(int4,date) -> date", native=False)
def plus_date(days: Value, date: Value, *, kind: AnyType) -> Value:
    """Days later."""
    return _moved(date, days.expr, kind)


@scalar("-(date,int4) -> date", native=False)
def date_minus(date: Value, days: Value, *, kind: AnyType) -> Value:
    """Days earlier."""
    return _moved(date, -days.expr, kind)


@scalar("-(date,date) -> int4", native=False)
def date_difference(left: Value, right: Value, *, kind: AnyType) -> Value:
    """Days between."""
    span = DAY_LAST - DAY_FIRST
    return Value(expr=_days(left) - _days(right), type=kind, range=Range(-span, span))


@scalar("+(date,time) -> timestamp", native=False)
def date_at(date: Value, time: Value, *, kind: AnyType) -> Value:
    """That time on that day."""
    moment = _days(date) * DAY + time_microseconds(time.expr)
    return Value(expr=as_timestamp(moment), type=kind)


@scalar("+(time,date) -> timestamp", native=False)
def at_date(time: Value, date: Value, *, kind: AnyType) -> Value:
    """That time on that day."""
    return date_at(date, time, kind=kind)


def calendar_fault(value: Value, year: pl.Expr, month: pl.Expr, day: pl.Expr) -> Value:
    """`value`, with a fault unless the numbers are a date; years are PostgreSQL's (-1 is 1 BC)."""
    astronomical = year + (year < 0).cast(pl.Int64)
    fits = (
        (year != 0)
        & month.is_between(1, 12)
        & (day >= 1)
        & (day <= days_in_month(astronomical, month))
    )
    shown: list[pl.Expr | str] = [
        astronomical.cast(pl.String),
        "-",
        month.cast(pl.String).str.zfill(2),
        "-",
        day.cast(pl.String).str.zfill(2),
    ]
    value = replace(value, expr=pl.when(fits).then(value.expr))
    value = fault_where(value, ~fits, "22008", "date field value out of range: ", *shown)
    outside = ~in_range_date(civil_days(astronomical, month.clip(1, 12), day))
    return fault_where(value, outside, "22008", "date out of range: ", *shown)


@scalar("make_date(int4,int4,int4) -> date", native=False, names=("year", "month", "day"))
def make_date(year: Value, month: Value, day: Value, *, kind: AnyType) -> Value:
    """Negative years are BC."""
    number = year.expr + (year.expr < 0).cast(pl.Int64)
    days = civil_days(number, month.expr.clip(1, 12), day.expr)
    value = Value(expr=as_date(days), type=kind)
    return calendar_fault(value, year.expr, month.expr, day.expr)


@scalar("isfinite(date) -> bool", "isfinite(timestamp) -> bool", "isfinite(timestamptz) -> bool")
def is_finite(moment: pl.Expr) -> pl.Expr:
    """There are no infinite dates."""
    return moment.is_not_null()
