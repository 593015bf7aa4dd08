"""TIMESTAMP and TIMESTAMPTZ: arithmetic with intervals, differences, ages and bins.

The session's time zone is UTC, so both types compute alike; only their names differ in signatures.
An interval is added in PostgreSQL's order: months (the day is cut to the month's length), then
days, then microseconds, and none of the steps may leave the calendar.
"""

from __future__ import annotations

import polars as pl

from warehouse.algebra.types import DATE, AnyType
from warehouse.execution.value import Value
from warehouse.functions.calendar import (
    DAY,
    add_months,
    as_date,
    as_timestamp,
    civil_days,
    day_of,
    days_in_month,
    divided,
    fault_where,
    in_range_date,
    in_range_timestamp,
    microseconds_of,
    month_number,
    time_of_day,
)
from warehouse.functions.dates import calendar_fault
from warehouse.functions.intervals import Parts, constant_parts, interval_of, parts_of
from warehouse.functions.registry import scalar
from warehouse.functions.stages import once
from warehouse.functions.times import clock_fault, clock_microseconds

__all__ = ["moved"]

_OUT_OF_RANGE = ("22008", "timestamp out of range")
_MOMENTS = ("date", "timestamp", "timestamptz")
_EPOCH_2000 = 946_684_800


def _result(name: str) -> str:
    return "timestamptz" if name == "timestamptz" else "timestamp"


def moved(moment: Value, parts: Parts, kind: AnyType) -> Value:
    """A DATE or TIMESTAMP later by months, days and microseconds (Int64, maybe constants)."""
    is_date = moment.type == DATE
    time = pl.lit(0, dtype=pl.Int64) if is_date else time_of_day(moment.expr)
    months, days, microseconds = parts
    date = moment.expr if is_date else as_date(day_of(moment.expr))
    by_month = pl.when(months == 0).then(date.cast(pl.Int64)).otherwise(add_months(date, months))

    def result(shifted: pl.Expr, more: pl.Expr, start: pl.Expr, micro: pl.Expr) -> pl.Expr:
        total = shifted + more
        end = total * DAY + start + micro
        # The product overflows only where the day is refused; sums wrap only to what is refused.
        fits = in_range_date(shifted) & in_range_date(total) & in_range_timestamp(end)
        return pl.when(fits).then(end.cast(pl.Datetime("us")))

    made = Value(expr=once([by_month, days, time, microseconds], result), type=kind)
    given = pl.all_horizontal([part.is_not_null() for part in (moment.expr, *parts)])
    return made.faulty(made.expr.is_null() & given, *_OUT_OF_RANGE)


def _moved_by(moment: Value, interval: Value, sign: int, kind: AnyType) -> Value:
    if not (interval.constant and interval.literal is not None):
        months, days, microseconds = parts_of(interval)
        return moved(moment, (sign * months, sign * days, sign * microseconds), kind)
    months, days, microseconds = (sign * part for part in interval.literal)
    if months:
        return moved(moment, constant_parts(months, days, microseconds), kind)
    # Nothing depends on the calendar: one sum and one comparison.
    start = (
        moment.expr.cast(pl.Int64) * DAY if moment.type == DATE else microseconds_of(moment.expr)
    )
    delta = days * DAY + microseconds
    if abs(delta) >= 2**63:
        return Value(expr=as_timestamp(start), type=kind).faulty(
            start.is_not_null(), *_OUT_OF_RANGE
        )
    result = start + pl.lit(delta, dtype=pl.Int64)
    return Value(expr=as_timestamp(result), type=kind).faulty(
        ~in_range_timestamp(result), *_OUT_OF_RANGE
    )


@scalar(*(f"+({name},interval) -> {_result(name)}" for name in _MOMENTS), native=False)
def moment_plus(moment: Value, interval: Value, *, kind: AnyType) -> Value:
    """Later by an interval."""
    return _moved_by(moment, interval, 1, kind)


@scalar(*(f"+(interval,{name}) -> {_result(name)}" for name in _MOMENTS), native=False)
def plus_moment(interval: Value, moment: Value, *, kind: AnyType) -> Value:
    """Later by an interval."""
    return _moved_by(moment, interval, 1, kind)


@scalar(*(f"-({name},interval) -> {_result(name)}" for name in _MOMENTS), native=False)
def moment_minus(moment: Value, interval: Value, *, kind: AnyType) -> Value:
    """Earlier by an interval."""
    return _moved_by(moment, interval, -1, kind)


@scalar("date_add(timestamptz,interval) -> timestamptz", native=False)
def date_add(moment: Value, interval: Value, *, kind: AnyType) -> Value:
    """As `+`."""
    return _moved_by(moment, interval, 1, kind)


@scalar("date_subtract(timestamptz,interval) -> timestamptz", native=False)
def date_subtract(moment: Value, interval: Value, *, kind: AnyType) -> Value:
    """As `-`."""
    return _moved_by(moment, interval, -1, kind)


@scalar(
    "-(timestamp,timestamp) -> interval", "-(timestamptz,timestamptz) -> interval", native=False
)
def difference(left: Value, right: Value, *, kind: AnyType) -> Value:
    """Days of 24 hours, and the rest; both of one sign."""
    first, second = microseconds_of(left.expr), microseconds_of(right.expr)
    span = first - second
    days = divided(span, DAY)
    value = Value(expr=interval_of(pl.lit(0, dtype=pl.Int64), days, span - days * DAY), type=kind)
    wrapped = ((first < 0) != (second < 0)) & ((span < 0) != (first < 0))
    return value.faulty(wrapped, "22008", "interval out of range")


@scalar("age(timestamp,timestamp) -> interval", "age(timestamptz,timestamptz) -> interval")
def age(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """The difference in years, months and days of the calendar (documentation, 9.9).

    A negative time of day borrows a day, a negative number of days the month of the earlier moment.
    """
    later = pl.when(left >= right).then(left).otherwise(right)
    earlier = pl.when(left >= right).then(right).otherwise(left)
    sign = pl.when(left >= right).then(pl.lit(1, pl.Int64)).otherwise(pl.lit(-1, pl.Int64))
    time = time_of_day(later) - time_of_day(earlier)
    borrowed = (time < 0).cast(pl.Int64)
    days = later.dt.day().cast(pl.Int64) - earlier.dt.day().cast(pl.Int64) - borrowed
    length = days_in_month(earlier.dt.year().cast(pl.Int64), earlier.dt.month().cast(pl.Int64))
    short = (days < 0).cast(pl.Int64)
    months = month_number(later) - month_number(earlier) - short
    days = days + short * length
    return interval_of(sign * months, sign * days, sign * (time + borrowed * DAY))


@scalar("date_bin(interval,timestamp,timestamp) -> timestamp", native=False)
@scalar("date_bin(interval,timestamptz,timestamptz) -> timestamptz", native=False)
def date_bin(stride: Value, source: Value, origin: Value, *, kind: AnyType) -> Value:
    """The start of the bin of width `stride`, counted from `origin`, that `source` is in."""
    months, days, microseconds = parts_of(stride)
    width = days * DAY + microseconds
    start = microseconds_of(origin.expr)
    span = microseconds_of(source.expr) - start
    usable = pl.when(width > 0).then(width).otherwise(1)
    result = start + (span // usable) * usable
    value = Value(expr=as_timestamp(result), type=kind)
    value = value.faulty(
        months != 0,
        "0A000",
        "timestamps cannot be binned into intervals containing months or years",
    )
    value = value.faulty(days.abs() > 106_000_000, "22008", "interval out of range")
    value = value.faulty(width <= 0, "22008", "stride must be greater than zero")
    return value.faulty(~in_range_timestamp(result), *_OUT_OF_RANGE)


_MAKE = ("year", "month", "mday", "hour", "min", "sec")


@scalar(
    "make_timestamp(int4,int4,int4,int4,int4,float8) -> timestamp",
    "make_timestamptz(int4,int4,int4,int4,int4,float8) -> timestamptz",
    native=False,
    names=_MAKE,
)
def make_timestamp(*given: Value, kind: AnyType) -> Value:
    """A time may be 24:00:00: the next day begins."""
    year, month, day, hour, minute, second = (value.expr for value in given)
    number = year + (year < 0).cast(pl.Int64)
    result = civil_days(number, month.clip(1, 12), day) * DAY
    result = result + clock_microseconds(hour, minute, second)
    value = Value(expr=as_timestamp(result), type=kind)
    value = clock_fault(calendar_fault(value, year, month, day), hour, minute, second)
    return value.faulty(~in_range_timestamp(result), *_OUT_OF_RANGE)


@scalar("to_timestamp(float8) -> timestamptz", native=False)
def to_timestamp(seconds: Value, *, kind: AnyType) -> Value:
    """Of seconds since 1970; rounded as PostgreSQL does, which counts from 2000."""
    micro = ((seconds.expr - float(_EPOCH_2000)) * 1e6).round(0, mode="half_to_even")
    result = micro.cast(pl.Int64, strict=False) + _EPOCH_2000 * 1_000_000
    value = Value(expr=as_timestamp(result), type=kind)
    value = value.faulty(seconds.expr.is_nan(), "22008", "timestamp cannot be NaN")
    outside = ~in_range_timestamp(result).fill_null(False) & seconds.expr.is_not_null()
    shown = seconds.expr.cast(pl.String)
    return fault_where(value, outside, "22008", 'timestamp out of range: "', shown, '"')
