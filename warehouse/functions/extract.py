"""`extract` and `date_part`: one number out of a date, time, timestamp or interval.

`extract` is exact: whole numbers have scale 0, milliseconds 3, seconds (and the epoch of all but
dates) 6; if the unit is not a constant, the result is a NUMERIC without a scale, as is the Julian
day of a timestamp. `date_part` gives the same as DOUBLE.

Every unit is one expression of `(number, scale)`: the value as an integer scaled by 10^scale.
A unit that differs by row computes all units that occur for the type and chooses among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from storage.schema import DecimalType
from warehouse.algebra.expressions import Expr, Literal
from warehouse.algebra.types import (
    DATE,
    INTERVAL,
    NUMERIC,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    AnyType,
    shown,
)
from warehouse.execution.value import INT64, Range, Value, any_fault
from warehouse.functions.calendar import (
    DAY,
    DAY_FIRST,
    divided,
    fault_where,
    time_microseconds,
    time_of_day,
)
from warehouse.functions.intervals import parts_of
from warehouse.functions.registry import scalar
from warehouse.functions.units import (
    CLOCK_UNITS,
    INTERVAL_UNITS,
    not_recognized,
    not_supported,
    unit_of,
    units_of,
)

__all__ = ["century_of", "decade_of", "millennium_of"]

_SCALES = {"second": 6, "millisecond": 3, "epoch": 6}
_PRECISION = {"second": 8, "millisecond": 8, "microsecond": 18}
_RANGES = {
    "second": Range(-59_999_999, 59_999_999),
    "millisecond": Range(-59_999_999, 59_999_999),
    "microsecond": Range(-59_999_999, 59_999_999),
    "minute": Range(-59, 59),
    "hour": Range(-(2**32), 2**32),
    "day": Range(-(2**31), 2**31),
    "year": Range(-(2**31), 2**31),
    **dict.fromkeys(("month", "quarter", "week", "dow", "isodow"), Range(-11, 53)),
    "doy": Range(1, 366),
}
_ZONES = frozenset({"timezone", "timezone_hour", "timezone_minute"})
_SECONDS_OF_YEAR = 31_557_600  # 365.25 days
_SECONDS_OF_MONTH = 30 * 86_400

_Reading = Callable[[pl.Expr], pl.Expr]


def century_of(year: pl.Expr) -> pl.Expr:
    """The century of an astronomical year: 1 is the first, -1 the one before."""
    return pl.when(year > 0).then((year + 99) // 100).otherwise(-((100 - year) // 100))


def millennium_of(year: pl.Expr) -> pl.Expr:
    """The millennium of an astronomical year."""
    return pl.when(year > 0).then((year + 999) // 1000).otherwise(-((1000 - year) // 1000))


def decade_of(year: pl.Expr) -> pl.Expr:
    """The decade of an astronomical year: the year divided by 10, downwards."""
    return pl.when(year >= 0).then(year // 10).otherwise(-((9 - year) // 10))


def _year(date: pl.Expr) -> pl.Expr:
    return date.dt.year().cast(pl.Int64)


def _without_zero(year: pl.Expr) -> pl.Expr:
    """0 is 1 BC, which is the year -1."""
    return year - (year <= 0).cast(pl.Int64)


_OF_DAY: dict[str, _Reading] = {
    "day": lambda date: date.dt.day(),
    "week": lambda date: date.dt.week(),
    "month": lambda date: date.dt.month(),
    "quarter": lambda date: date.dt.quarter(),
    "year": lambda date: _without_zero(_year(date)),
    "decade": lambda date: decade_of(_year(date)),
    "century": lambda date: century_of(_year(date)),
    "millennium": lambda date: millennium_of(_year(date)),
    "dow": lambda date: date.dt.weekday() % 7,
    "isodow": lambda date: date.dt.weekday(),
    "doy": lambda date: date.dt.ordinal_day(),
    "isoyear": lambda date: _without_zero(date.dt.iso_year().cast(pl.Int64)),
}

# Of microseconds since midnight.
_OF_TIME: dict[str, _Reading] = {
    "microsecond": lambda time: time % 60_000_000,
    "millisecond": lambda time: time % 60_000_000,
    "second": lambda time: time % 60_000_000,
    "minute": lambda time: time // 60_000_000 % 60,
    "hour": lambda time: time // 3_600_000_000,
}


def _interval_number(unit: str, value: Value) -> pl.Expr:
    """A unit of an interval: each part is split toward zero."""
    months, days, time = parts_of(value)
    years = divided(months, 12)
    within = time - divided(time, 60_000_000) * 60_000_000
    match unit:
        case "microsecond" | "millisecond" | "second":
            return within
        case "minute":
            return divided(time, 60_000_000) - divided(time, 3_600_000_000) * 60
        case "hour":
            return divided(time, 3_600_000_000)
        case "day":
            return days
        case "month":
            return months - years * 12
        case "quarter":
            return divided(months - years * 12, 3) + 1
        case "year":
            return years
        case "decade":
            return divided(years, 10)
        case "century":
            return divided(years, 100)
        case "millennium":
            return divided(years, 1000)
        case _:
            seconds = years * _SECONDS_OF_YEAR + (months - years * 12) * _SECONDS_OF_MONTH
            return (seconds + days * 86_400) * 1_000_000 + time


def _number(unit: str, value: Value) -> pl.Expr:
    """A unit of a value as an integer, scaled as `_scale` says."""
    if value.type == INTERVAL:
        return _interval_number(unit, value)
    if value.type == TIME:
        time = time_microseconds(value.expr)
        return time if unit == "epoch" else _OF_TIME[unit](time)
    if unit in _OF_DAY:
        return _OF_DAY[unit](value.expr)
    if unit in _ZONES:
        return pl.when(value.expr.is_not_null()).then(pl.lit(0, dtype=pl.Int64))
    if value.type == DATE:
        days = value.expr.cast(pl.Int64)
        return days * 86_400 if unit == "epoch" else days - DAY_FIRST
    return value.expr.cast(pl.Int64) if unit == "epoch" else _OF_TIME[unit](time_of_day(value.expr))


def _scale(unit: str, kind: AnyType) -> int:
    return 0 if kind == DATE else _SCALES.get(unit, 0)


def _type(unit: str, kind: AnyType) -> AnyType:
    """What `extract` of a constant unit gives."""
    if unit == "julian" and kind != DATE:
        return NUMERIC
    precision = 19 if unit == "epoch" and kind not in (DATE, TIME) else 18
    return DecimalType(precision=_PRECISION.get(unit, precision), scale=_scale(unit, kind))


def _supported(kind: AnyType) -> frozenset[str]:
    if kind == INTERVAL:
        return INTERVAL_UNITS
    if kind == TIME:
        return CLOCK_UNITS
    units = frozenset(_OF_DAY) | {"epoch", "julian"}
    if kind == DATE:
        return units
    return units | CLOCK_UNITS | (_ZONES if kind == TIMESTAMPTZ else frozenset())


def _unit(word: str, kind: AnyType) -> str:
    """Raises InvalidRequest unless the word is a unit that the type has."""
    unit = unit_of(word)
    foreign = kind in (TIME, INTERVAL) and unit == "none"
    if unit is None or foreign:
        raise not_recognized(word, kind)
    if unit not in _supported(kind):
        raise not_supported(word, kind)
    return unit


def _extracted_type(args: Sequence[Expr]) -> AnyType:
    field = args[0]
    if not isinstance(field, Literal) or not isinstance(field.value, str):
        return NUMERIC
    return _type(_unit(field.value, args[1].type), args[1].type)


def _too_long(unit: str, value: Value, made: Value) -> Value:
    """The epoch of an interval of 290,000 years does not fit 64 bits of microseconds."""
    if unit != "epoch" or value.type != INTERVAL:
        return made
    months, days, _ = parts_of(value)
    span = months.abs() * 31 + days.abs()
    return made.faulty(span > 100_000_000, "22008", "interval out of range")


def _as_float(unit: str, value: Value) -> pl.Expr:
    """A unit as a DOUBLE or NUMERIC."""
    if unit == "julian" and value.type != DATE:
        microseconds = value.expr.cast(pl.Int64)
        days = (microseconds // DAY - DAY_FIRST).cast(pl.Float64)
        return days + (microseconds % DAY).cast(pl.Float64) / float(DAY)
    number = _number(unit, value).cast(pl.Float64)
    scale = _scale(unit, value.type)
    return number / float(10**scale) if scale else number


def _by_row(field: Value, value: Value, kind: AnyType, known: frozenset[str]) -> Value:
    """The unit is a column: each row's is chosen among all that the type has."""
    unit = units_of(field.expr)
    made = Value(expr=pl.lit(None, dtype=pl.Float64), type=kind)
    for name in sorted(known):
        chosen = _too_long(name, value, Value(expr=_as_float(name, value), type=kind))
        fault = None if chosen.fault is None else pl.when(unit == name).then(chosen.fault)
        expr = pl.when(unit == name).then(chosen.expr).otherwise(made.expr)
        made = Value(expr=expr, type=kind, fault=any_fault([made.fault, fault]))
    word = field.expr.str.to_lowercase()
    unknown = unit.is_null() | ((unit == "none") & (value.type in (TIME, INTERVAL)))
    text = f'" not recognized for type {shown(value.type)}'
    made = fault_where(made, unknown, "22023", 'unit "', word, text)
    text = f'" not supported for type {shown(value.type)}'
    return fault_where(made, ~unit.is_in(sorted(known)), "0A000", 'unit "', word, text)


_KINDS = ("date", "time", "timestamp", "timestamptz", "interval")


@scalar(
    *(f"extract(text,{kind}) -> numeric" for kind in _KINDS), native=False, result=_extracted_type
)
def extract(field: Value, value: Value, *, kind: AnyType) -> Value:
    """See the module."""
    if not (field.constant and isinstance(field.literal, str)):
        return _by_row(field, value, kind, _supported(value.type))
    unit = _unit(field.literal, value.type)
    if kind == NUMERIC:
        return Value(expr=_as_float(unit, value), type=kind)
    number = _number(unit, value).cast(pl.Int64)
    made = Value(expr=number, type=kind, range=_RANGES.get(unit, INT64))
    return _too_long(unit, value, made)


@scalar(*(f"date_part(text,{kind}) -> float8" for kind in _KINDS if kind != "date"), native=False)
def date_part(field: Value, value: Value, *, kind: AnyType) -> Value:
    """As `extract`."""
    if not (field.constant and isinstance(field.literal, str)):
        return _by_row(field, value, kind, _supported(value.type))
    unit = _unit(field.literal, value.type)
    return _too_long(unit, value, Value(expr=_as_float(unit, value), type=kind))


@scalar("date_part(text,date) -> float8", native=False)
def date_part_of_date(field: Value, date: Value, *, kind: AnyType) -> Value:
    """The date's midnight has hours too, other than in `extract`."""
    midnight = date.derived(date.expr.cast(pl.Datetime("us")), TIMESTAMP, fault=None)
    return date_part(field, midnight, kind=kind)
