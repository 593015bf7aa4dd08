"""INTERVAL: months, days and microseconds, which are added, multiplied and justified as such.

A month has 30 days and a day 24 hours only where PostgreSQL says so: fractions of a product go
down to the smaller units, and `justify_*` carry whole ones up. The three numbers are computed as
64-bit integers and checked against their carriers; what does not fit is "interval out of range".
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from warehouse.algebra.types import INTERVAL, AnyType
from warehouse.execution.value import Value, any_fault
from warehouse.functions.calendar import DAY, divided
from warehouse.functions.registry import scalar

__all__ = [
    "INT32_MAX",
    "INT32_MIN",
    "Parts",
    "constant_parts",
    "interval_of",
    "interval_value",
    "parts_of",
]

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
_INT64_LIMIT = 2.0**63
_OUT_OF_RANGE = ("22008", "interval out of range")

Parts = tuple[pl.Expr, pl.Expr, pl.Expr]


def parts_of(interval: pl.Expr | Value) -> Parts:
    """(months, days, microseconds), each Int64; plain literals if the interval is a constant."""
    if isinstance(interval, Value):
        if interval.constant and interval.literal is not None:
            return constant_parts(*interval.literal)
        interval = interval.expr
    return (
        interval.struct.field("months").cast(pl.Int64),
        interval.struct.field("days").cast(pl.Int64),
        interval.struct.field("microseconds"),
    )


def constant_parts(months: int, days: int, microseconds: int) -> Parts:
    """The parts of a constant."""
    return (
        pl.lit(months, dtype=pl.Int64),
        pl.lit(days, dtype=pl.Int64),
        pl.lit(microseconds, dtype=pl.Int64),
    )


def interval_of(months: pl.Expr, days: pl.Expr, microseconds: pl.Expr) -> pl.Expr:
    """An INTERVAL of Int64 parts; a part that does not fit becomes NULL."""
    return pl.struct(
        months.cast(pl.Int32, strict=False).alias("months"),
        days.cast(pl.Int32, strict=False).alias("days"),
        microseconds.alias("microseconds"),
    )


def interval_value(parts: Parts, kind: AnyType = INTERVAL) -> Value:
    """An INTERVAL of Int64 parts; a fault where months or days do not fit."""
    months, days, _ = parts
    fits = months.is_between(INT32_MIN, INT32_MAX) & days.is_between(INT32_MIN, INT32_MAX)
    return Value(expr=interval_of(*parts), type=kind).faulty(~fits, *_OUT_OF_RANGE)


def _wrapped(left: pl.Expr, right: pl.Expr, total: pl.Expr) -> pl.Expr:
    """Did `total`, the wrapped sum of two Int64, overflow?"""
    return ((left < 0) == (right < 0)) & ((total < 0) != (left < 0))


def _sum(left: Parts, right: Parts, kind: AnyType) -> Value:
    months, days, time = (a + b for a, b in zip(left, right, strict=True))
    value = interval_value((months, days, time), kind)
    return value.faulty(_wrapped(left[2], right[2], time), *_OUT_OF_RANGE)


@scalar("+(interval,interval) -> interval", native=False)
def interval_plus(left: Value, right: Value, *, kind: AnyType) -> Value:
    """Part by part."""
    return _sum(parts_of(left), parts_of(right), kind)


@scalar("-(interval,interval) -> interval", native=False)
def interval_minus(left: Value, right: Value, *, kind: AnyType) -> Value:
    """Part by part. -x of the smallest Int64 wraps to itself: then the sum's sign shows it."""
    months, days, time = parts_of(right)
    own = parts_of(left)
    total = own[2] - time
    value = interval_value((own[0] - months, own[1] - days, total), kind)
    wrapped = ((own[2] < 0) != (time < 0)) & ((total < 0) != (own[2] < 0))
    return value.faulty(wrapped, *_OUT_OF_RANGE)


@scalar("-(interval) -> interval", native=False)
def interval_negative(value: Value, *, kind: AnyType) -> Value:
    """Every part negated."""
    months, days, time = parts_of(value)
    negated = interval_value((-months, -days, -time), kind)
    return negated.faulty(time == -(2**63), *_OUT_OF_RANGE)


def _rounded(value: pl.Expr) -> pl.Expr:
    """To a millionth, half to even."""
    return (value * 1e6).round(0, mode="half_to_even") / 1e6


def _parted(amount: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """What is before the point as Int64 (NULL if it does not fit), and what is behind it."""
    whole = amount.cast(pl.Int64, strict=False)
    return whole, amount - whole.cast(pl.Float64)


def _scaled(interval: Value, factor: Callable[[pl.Expr], pl.Expr], kind: AnyType) -> Value:
    """The parts times a factor; what is left of months becomes days, what is left of days time.

    Remainders are rounded to a millionth of a day or second. Those of months and days may have two
    signs, so together they may be a day or more.
    """
    months, days, time = (factor(part.cast(pl.Float64)) for part in parts_of(interval))
    whole_months, rest_of_months = _parted(months)
    whole_days, rest_of_days = _parted(days)
    from_months = _rounded(rest_of_months * 30.0)
    days_from_months, _ = _parted(from_months)
    rest = rest_of_days + from_months - days_from_months.cast(pl.Float64)
    seconds = _rounded(rest * 86400.0)
    days_from_time, _ = _parted(seconds / 86400.0)
    seconds = seconds - days_from_time.cast(pl.Float64) * 86400.0
    microseconds = (time + seconds * 1e6).round(0, mode="half_to_even")
    fits = (
        _between(months, float(INT32_MIN) - 1, float(INT32_MAX) + 1)
        & _between(days, float(INT32_MIN) - 1, float(INT32_MAX) + 1)
        & (microseconds >= -_INT64_LIMIT)
        & (microseconds < _INT64_LIMIT)
    )
    total_days = whole_days + days_from_months + days_from_time
    whole = (whole_months, total_days, microseconds.cast(pl.Int64, strict=False))
    return interval_value(whole, kind).faulty(~fits, *_OUT_OF_RANGE)


def _between(value: pl.Expr, low: float, high: float) -> pl.Expr:
    """Strictly between, and no NaN (which Polars orders above all)."""
    return (value > low) & (value < high)


@scalar("*(interval,float8) -> interval", native=False)
def interval_times(left: Value, right: Value, *, kind: AnyType) -> Value:
    """Part by part, with a factor."""
    return _scaled(left, lambda part: part * right.expr, kind)


@scalar("*(float8,interval) -> interval", native=False)
def times_interval(left: Value, right: Value, *, kind: AnyType) -> Value:
    """As `interval * float8`."""
    return interval_times(right, left, kind=kind)


@scalar("/(interval,float8) -> interval", native=False)
def interval_divided(left: Value, right: Value, *, kind: AnyType) -> Value:
    """Part by part, with a divisor."""
    quotient = _scaled(left, lambda part: part / right.expr, kind)
    zero = quotient.derived(quotient.expr, kind, fault=None)
    zero = zero.faulty(right.expr == 0.0, "22012", "division by zero")
    return quotient.derived(quotient.expr, kind, fault=any_fault([zero.fault, quotient.fault]))


def _mixed(upper: pl.Expr, lower: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Where the signs differ: +1 and -1 for a unit borrowed, as Int64 expressions."""
    down = ((upper > 0) & (lower < 0)).cast(pl.Int64)
    up = ((upper < 0) & (lower > 0)).cast(pl.Int64)
    return down, up


@scalar("justify_hours(interval) -> interval", native=False)
def justify_hours(value: Value, *, kind: AnyType) -> Value:
    """24 hours become a day; both get one sign."""
    months, days, time = parts_of(value)
    whole = divided(time, DAY)
    days, time = days + whole, time - whole * DAY
    down, up = _mixed(days, time)
    return interval_value((months, days - down + up, time + (down - up) * DAY), kind)


@scalar("justify_days(interval) -> interval", native=False)
def justify_days(value: Value, *, kind: AnyType) -> Value:
    """30 days become a month; both get one sign."""
    months, days, time = parts_of(value)
    whole = divided(days, 30)
    months, days = months + whole, days - whole * 30
    down, up = _mixed(months, days)
    return interval_value((months - down + up, days + (down - up) * 30, time), kind)


@scalar("justify_interval(interval) -> interval", native=False)
def justify_interval(value: Value, *, kind: AnyType) -> Value:
    """Both of the above, with one sign for all three parts."""
    months, days, time = parts_of(value)
    whole = divided(time, DAY)
    days, time = days + whole, time - whole * DAY
    whole = divided(days, 30)
    months, days = months + whole, days - whole * 30
    lower = pl.when(days == 0).then(time).otherwise(days)
    down, up = _mixed(months, lower)
    months, days = months - down + up, days + (down - up) * 30
    down, up = _mixed(days, time)
    return interval_value((months, days - down + up, time + (down - up) * DAY), kind)


_MAKE = ("int4", "int4", "int4", "int4", "int4", "int4", "float8")


@scalar(
    *(f"make_interval({','.join(_MAKE[:count])}) -> interval" for count in range(len(_MAKE))),
    native=False,
)
@scalar(
    f"make_interval({','.join(_MAKE)}) -> interval",
    native=False,
    names=("years", "months", "weeks", "days", "hours", "mins", "secs"),
    defaults=(0, 0, 0, 0, 0, 0, 0.0),
)
def make_interval(*given: Value, kind: AnyType) -> Value:
    """Years, months, weeks, days, hours, minutes, seconds; 0 for those left out.

    PostgreSQL wraps what does not fit; here it is an error.
    """
    zeros = [pl.lit(0, dtype=pl.Int64)] * 6 + [pl.lit(0.0)]
    units = [*(value.expr for value in given), *zeros[len(given) :]]
    years, months, weeks, days, hours, minutes, seconds = units
    micro = (seconds * 1e6).round(0, mode="half_to_even")
    time = hours * 3_600_000_000 + minutes * 60_000_000 + micro.cast(pl.Int64, strict=False)
    value = interval_value((years * 12 + months, weeks * 7 + days, time), kind)
    # Beside so many seconds, no number of hours and minutes overflows the sum.
    return value.faulty(~_between(micro, -(2.0**60), 2.0**60), *_OUT_OF_RANGE)


@scalar("isfinite(interval) -> bool", native=False)
def interval_is_finite(value: Value, *, kind: AnyType) -> Value:
    """There is no infinite interval."""
    return Value(expr=value.expr.is_not_null(), type=kind)
