"""TIME: arithmetic that goes round at midnight, and making one.

PostgreSQL has a time 24:00:00; ours ends before it, and a call that would give it is an error.
"""

from __future__ import annotations

import polars as pl

from warehouse.algebra.types import AnyType
from warehouse.execution.value import Value
from warehouse.functions.calendar import DAY, as_time, fault_where, time_microseconds
from warehouse.functions.intervals import interval_of, parts_of
from warehouse.functions.registry import scalar

__all__ = ["clock_fault", "clock_microseconds", "second_text"]


def _moved(time: Value, interval: Value, sign: int, kind: AnyType) -> Value:
    _, _, microseconds = parts_of(interval)
    moved = (time_microseconds(time.expr) + sign * (microseconds % DAY)) % DAY
    return Value(expr=as_time(moved), type=kind)


@scalar("+(time,interval) -> time", native=False)
def time_plus(time: Value, interval: Value, *, kind: AnyType) -> Value:
    """Only the interval's time counts, modulo a day."""
    return _moved(time, interval, 1, kind)


@scalar("+(interval,time) -> time", native=False)
def plus_time(interval: Value, time: Value, *, kind: AnyType) -> Value:
    """As `time + interval`."""
    return _moved(time, interval, 1, kind)


@scalar("-(time,interval) -> time", native=False)
def time_minus(time: Value, interval: Value, *, kind: AnyType) -> Value:
    """Only the interval's time counts, modulo a day."""
    return _moved(time, interval, -1, kind)


@scalar("-(time,time) -> interval")
def time_difference(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Between minus and plus one day."""
    zero = pl.lit(0, dtype=pl.Int64)
    return interval_of(zero, zero, time_microseconds(left) - time_microseconds(right))


def clock_microseconds(hour: pl.Expr, minute: pl.Expr, second: pl.Expr) -> pl.Expr:
    """Microseconds since midnight; NULL for seconds that are no number."""
    micro = (second * 1e6).round(0, mode="half_to_even").cast(pl.Int64, strict=False)
    return hour * 3_600_000_000 + minute * 60_000_000 + micro


def second_text(second: pl.Expr) -> pl.Expr:
    """Seconds as PostgreSQL's messages have them (%02g, without its exponents)."""
    whole = second.cast(pl.Int64, strict=False)
    number = pl.when(second == whole).then(whole.cast(pl.String)).otherwise(second.cast(pl.String))
    return pl.when(number.str.len_bytes() < 2).then(pl.lit("0") + number).otherwise(number)


def clock_fault(value: Value, hour: pl.Expr, minute: pl.Expr, second: pl.Expr) -> Value:
    """`value`, with a fault unless the numbers are a time of day up to 24:00:00."""
    micro = clock_microseconds(hour, minute, second)
    fits = (
        hour.is_between(0, 24)
        & minute.is_between(0, 59)
        & ((second >= 0.0) & (second <= 60.0))
        & (micro <= DAY).fill_null(False)
    )
    two = minute.cast(pl.String).str.zfill(2)
    shown: list[pl.Expr | str] = [hour.cast(pl.String), ":", two, ":", second_text(second)]
    return fault_where(value, ~fits, "22008", "time field value out of range: ", *shown)


@scalar(
    "make_time(int4,int4,float8) -> time",
    native=False,
    names=("hour", "min", "sec"),
)
def make_time(hour: Value, minute: Value, second: Value, *, kind: AnyType) -> Value:
    """Sixty seconds are the next minute."""
    micro = clock_microseconds(hour.expr, minute.expr, second.expr)
    value = clock_fault(
        Value(expr=as_time(micro % DAY), type=kind), hour.expr, minute.expr, second.expr
    )
    return value.faulty(micro == DAY, "22008", "time out of range: a day ends before 24:00:00")
