"""`date_trunc`: a timestamp or interval cut down to a unit.

A timestamp in a zone is cut in that zone's local time. A unit that differs by row is chosen among
all units, like that of `extract`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from warehouse.algebra.types import INTERVAL, AnyType, shown
from warehouse.execution.value import Value, any_fault
from warehouse.functions.calendar import (
    DAY,
    as_timestamp,
    civil_days,
    divided,
    fault_where,
    in_range_timestamp,
)
from warehouse.functions.extract import century_of, decade_of, millennium_of
from warehouse.functions.intervals import interval_value, parts_of
from warehouse.functions.registry import scalar
from warehouse.functions.stages import staged
from warehouse.functions.units import not_recognized, not_supported, unit_of, units_of
from warehouse.functions.zones import local_of, utc_of

__all__: list[str] = []

_WIDTHS = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": DAY,
}
_MONTHS = {
    "month": 1,
    "quarter": 3,
    "year": 12,
    "decade": 120,
    "century": 1_200,
    "millennium": 12_000,
}
_OF_DAY = frozenset({"microsecond", "millisecond", "second", "minute", "hour"})
_ZONES = frozenset({"timezone", "timezone_hour", "timezone_minute", "none"})


def _january(year: pl.Expr) -> pl.Expr:
    one = pl.lit(1, dtype=pl.Int64)
    return civil_days(year, one, one)


def _first_day(unit: str, moment: pl.Expr) -> pl.Expr:
    """The day number that the unit around a TIMESTAMP begins with."""
    day = moment.cast(pl.Int64) // DAY
    year, month = moment.dt.year().cast(pl.Int64), moment.dt.month().cast(pl.Int64)
    match unit:
        case "week":
            return day - (day + 3) % 7
        case "month":
            return day - moment.dt.day().cast(pl.Int64) + 1
        case "quarter":
            return civil_days(year, (month - 1) // 3 * 3 + 1, pl.lit(1, dtype=pl.Int64))
        case "year":
            return day - moment.dt.ordinal_day().cast(pl.Int64) + 1
        case "decade":
            return _january(decade_of(year) * 10)
        case "century":
            return _january(_first_year(century_of(year), 100))
        case _:
            return _january(_first_year(millennium_of(year), 1000))


def _first_year(number: pl.Expr, length: int) -> pl.Expr:
    """Of the century or millennium of that number; those BC count backwards."""
    after = number * length - (length - 1)
    return pl.when(number > 0).then(after).otherwise(number * length + 1)


def _cut(unit: str, moment: Value, kind: AnyType) -> Value:
    if unit in _WIDTHS:
        micro = moment.expr.cast(pl.Int64)
        start = micro - micro % _WIDTHS[unit] if _WIDTHS[unit] > 1 else micro
    else:
        start = _first_day(unit, moment.expr) * DAY
    made = Value(expr=as_timestamp(start), type=kind)
    if unit in ("microsecond", "millisecond", "second", "minute", "hour", "day"):
        return made  # the first moment of all is a midnight
    return made.faulty(~in_range_timestamp(start), "22008", "timestamp out of range")


def _cut_interval(unit: str, interval: Value, kind: AnyType) -> Value:
    months, days, time = parts_of(interval)
    zero = pl.lit(0, dtype=pl.Int64)
    if unit in _MONTHS:
        width = _MONTHS[unit]
        return interval_value((divided(months, width) * width, zero, zero), kind)
    width = _WIDTHS[unit]
    kept = zero if unit == "day" else divided(time, width) * width
    return interval_value((months, days, kept), kind)


def _supported(kind: AnyType) -> tuple[str, ...]:
    return (*_WIDTHS, *_MONTHS, *(() if kind == INTERVAL else ("week",)))


def _unit(word: str, kind: AnyType) -> str:
    """Raises InvalidRequest unless the word is a unit that the type can be cut to."""
    unit = unit_of(word)
    if unit in _supported(kind):
        assert unit is not None
        return unit
    if unit == "week" or (unit in _ZONES and not (unit == "none" and kind == INTERVAL)):
        raise not_supported(word, kind)
    raise not_recognized(word, kind)


def _truncated(field: Value, value: Value, kind: AnyType) -> Value:
    cut: Callable[[str, Value, AnyType], Value]
    cut = _cut_interval if value.type == INTERVAL else _cut
    if field.constant and isinstance(field.literal, str):
        return cut(_unit(field.literal, value.type), value, kind)
    unit = units_of(field.expr)
    made = Value(expr=value.expr, type=kind)
    for name in _supported(value.type):
        chosen = cut(name, value, kind)
        fault = None if chosen.fault is None else pl.when(unit == name).then(chosen.fault)
        expr = pl.when(unit == name).then(chosen.expr).otherwise(made.expr)
        made = Value(expr=expr, type=kind, fault=any_fault([made.fault, fault]))
    word = field.expr.str.to_lowercase()
    usable = unit.is_in(_supported(value.type)).fill_null(False)
    known = _ZONES - {"none"} if value.type == INTERVAL else _ZONES
    foreign = unit.is_in(["week", *sorted(known)]).fill_null(False)
    text = f'" not supported for type {shown(value.type)}'
    made = fault_where(made, foreign & ~usable, "0A000", 'unit "', word, text)
    text = f'" not recognized for type {shown(value.type)}'
    return fault_where(made, ~usable, "22023", 'unit "', word, text)


@scalar(
    *(f"date_trunc(text,{kind}) -> {kind}" for kind in ("timestamptz", "timestamp", "interval")),
    native=False,
)
def date_trunc(field: Value, value: Value, *, kind: AnyType) -> Value:
    """See the module."""
    return _truncated(field, value, kind)


@scalar("date_trunc(text,timestamptz,text) -> timestamptz", native=False)
def date_trunc_in_zone(field: Value, moment: Value, zone: Value, *, kind: AnyType) -> Value:
    """In the local time of a zone.

    Below a day, the offset stays that of the moment: an hour that a change of clocks repeats is not
    cut to the other one.
    """
    local = local_of(zone, moment, kind)

    def of_day(given: Sequence[Value]) -> Value:
        word, shown_time, at = given
        cut_time = _truncated(word, shown_time, kind)
        offset = shown_time.expr.cast(pl.Int64) - at.expr.cast(pl.Int64)
        moved = cut_time.expr.cast(pl.Int64) - offset
        return cut_time.derived(moved.cast(pl.Datetime("us")), kind)

    short = staged([field, local, moment], of_day)
    if field.constant and isinstance(field.literal, str):
        if unit_of(field.literal) in _OF_DAY:
            return short
        cut = staged([field, local], lambda given: _truncated(given[0], given[1], kind))
        return utc_of(zone, cut, kind)
    cut = staged([field, local], lambda given: _truncated(given[0], given[1], kind))
    long = utc_of(zone, cut, kind)
    is_short = units_of(field.expr).is_in(sorted(_OF_DAY)).fill_null(False)
    return long.derived(
        pl.when(is_short).then(short.expr).otherwise(long.expr),
        kind,
        fault=any_fault([short.fault, long.fault]),
    )
