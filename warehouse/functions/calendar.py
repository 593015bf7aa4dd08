"""The calendar in integer arithmetic on Polars expressions: no call that fails on a far-off date.

Days count from 1970-01-01, microseconds from its midnight; both may be negative. Years are
astronomical (0 is 1 BC). Polars' own `offset_by` and `truncate` panic outside chrono's years, so
moves by months and roundings are computed here (days from a civil date: H. Hinnant's algorithm,
"chrono-Compatible Low-Level Date Algorithms"). The reading functions (`dt.year` …) are Polars'.

Dates reach from PostgreSQL's first one, 4714-11-24 BC, to the end of the year 262142, where those
functions end (PostgreSQL's go on to 5874897, its timestamps to 294276): what would lie outside is
an error, "date out of range".
"""

from __future__ import annotations

import polars as pl

from warehouse.execution.value import Value, any_fault
from warehouse.functions.stages import once

__all__ = [
    "DAY",
    "DAY_FIRST",
    "DAY_LAST",
    "MICROSECONDS_FIRST",
    "MICROSECONDS_LAST",
    "add_months",
    "as_date",
    "as_time",
    "as_timestamp",
    "civil_days",
    "day_of",
    "days_in_month",
    "divided",
    "fault_where",
    "in_range_date",
    "in_range_timestamp",
    "microseconds_of",
    "month_number",
    "time_microseconds",
    "time_of_day",
]

DAY = 86_400_000_000  # microseconds
DAY_FIRST = -2_440_588
DAY_LAST = 95_026_236
MICROSECONDS_FIRST = DAY_FIRST * DAY
MICROSECONDS_LAST = (DAY_LAST + 1) * DAY - 1


def divided(value: pl.Expr, divisor: int) -> pl.Expr:
    """Integer division that truncates toward zero, as PostgreSQL's does."""
    return value.sign() * (value.abs() // divisor)


def civil_days(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """The day number of a date of the Gregorian calendar; Int64 in, Int64 out.

    `month` must be 1 to 12; `day` may be any number: it counts on from the month's first day.
    """
    return once([year, month, day], _civil_days)


def _civil_days(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    shifted = year - (month <= 2).cast(pl.Int64)  # the year begins in March
    era = shifted // 400
    year_of_era = shifted - era * 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


def days_in_month(year: pl.Expr, month: pl.Expr) -> pl.Expr:
    """28 to 31, Int64."""
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    usual = 30 + (month + month // 8) % 2
    return pl.when(month == 2).then(28 + leap.cast(pl.Int64)).otherwise(usual)


def month_number(days: pl.Expr) -> pl.Expr:
    """Months since January of the year 0, of a Date or Datetime expression; Int64."""
    return days.dt.year().cast(pl.Int64) * 12 + days.dt.month().cast(pl.Int64) - 1


def add_months(date: pl.Expr, months: pl.Expr) -> pl.Expr:
    """The day number of a Date moved by months; the day is cut to the length of the month."""

    def day_number(number: pl.Expr, day: pl.Expr) -> pl.Expr:
        year, month = number // 12, number % 12 + 1
        return civil_days(year, month, pl.min_horizontal(day, days_in_month(year, month)))

    return once([month_number(date) + months, date.dt.day().cast(pl.Int64)], day_number)


def microseconds_of(moment: pl.Expr) -> pl.Expr:
    """The carrier integer of a TIMESTAMP."""
    return moment.cast(pl.Int64)


def time_microseconds(time: pl.Expr) -> pl.Expr:
    """Microseconds since midnight of a TIME (Polars counts nanoseconds)."""
    return time.cast(pl.Int64) // 1000


def as_time(microseconds: pl.Expr) -> pl.Expr:
    """A TIME of microseconds since midnight, 0 to DAY - 1."""
    return (microseconds * 1000).cast(pl.Time)


def day_of(moment: pl.Expr) -> pl.Expr:
    """The day number of a TIMESTAMP, Int64."""
    return moment.cast(pl.Int64) // DAY


def time_of_day(moment: pl.Expr) -> pl.Expr:
    """Microseconds since midnight of a TIMESTAMP, Int64."""
    return moment.cast(pl.Int64) % DAY


def as_date(days: pl.Expr) -> pl.Expr:
    """A DATE of a day number; NULL out of range."""
    return pl.when(in_range_date(days)).then(days.cast(pl.Int32, strict=False).cast(pl.Date))


def as_timestamp(microseconds: pl.Expr) -> pl.Expr:
    """A TIMESTAMP of microseconds; NULL out of range."""
    moment = microseconds.cast(pl.Datetime("us"))
    return pl.when(in_range_timestamp(microseconds)).then(moment)


def in_range_date(days: pl.Expr) -> pl.Expr:
    """Is the day number one of a date that we can hold?"""
    return days.is_between(DAY_FIRST, DAY_LAST)


def in_range_timestamp(microseconds: pl.Expr) -> pl.Expr:
    """Is the number one of a timestamp that we can hold?"""
    return microseconds.is_between(MICROSECONDS_FIRST, MICROSECONDS_LAST)


def fault_where(value: Value, condition: pl.Expr, sqlstate: str, *parts: pl.Expr | str) -> Value:
    """Like `Value.faulty`, with a message that is put together from texts and expressions."""
    pieces = [pl.lit(part) if isinstance(part, str) else part for part in parts]
    text = pl.concat_str([pl.lit(f"mobula:{sqlstate}:"), *pieces, pl.lit("\x1f")])
    own = pl.when(condition).then(text)
    return Value(
        expr=value.expr,
        type=value.type,
        range=value.range,
        nullable=value.nullable,
        wide=value.wide,
        fault=any_fault([value.fault, own]),
    )
