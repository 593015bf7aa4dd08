"""generate_series: numbers and timestamps in steps, as arrays.

Integers, DECIMALs (as scaled integers) and steps of days and time are Polars' integer ranges.
Steps of months are added one after the other, as PostgreSQL does: from January 31 by a month it
goes to February 29 and stays on the 29th. So are steps in a zone's local time, and floats.

A series is held in memory, so there is a limit on its length.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from storage.errors import InvalidRequest
from storage.schema import SCALED_PRECISION_MAX, ArrayType, DecimalType
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import NUMERIC, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.logic import unified
from warehouse.execution.ordering import interval_length
from warehouse.execution.value import INT64, Value, carrier
from warehouse.functions.arrays import element_type
from warehouse.functions.calendar import DAY
from warehouse.functions.registry import table_function
from warehouse.functions.zones import to_local_time, to_utc_time

__all__: list[str] = []

_COUNT_MAX = 1 << 29
_ZERO_STEP = ("22023", "step size cannot equal zero")
_TOO_LONG = f"generate_series is limited to {_COUNT_MAX} rows and to 2^63 from start to stop"


def _ranges(start: pl.Expr, stop: pl.Expr, step: pl.Expr, kind: AnyType) -> Value:
    """Integers from `start` to `stop`, both included; with the faults of a series."""
    stride = pl.when(step == 0).then(pl.lit(1, dtype=pl.Int64)).otherwise(step)
    # Of differences in 64 bits, a float tells how long the series is, and whether they overflow.
    span = (stop.cast(pl.Float64) - start.cast(pl.Float64)) / stride.cast(pl.Float64)
    distance = (stop.cast(pl.Float64) - start.cast(pl.Float64)).abs()
    usable = (span < float(_COUNT_MAX)) & (distance < 2.0**63)
    empty = span < 0
    # The end is excluded: from where it would overflow, count one lower and add one.
    limit = pl.when(stride > 0).then(INT64.high).otherwise(INT64.low)
    shift = pl.when(stop == limit).then(stride.sign()).otherwise(0)
    first = pl.when(usable & ~empty).then(start - shift)
    last = pl.when(usable & ~empty).then(stop - shift + stride.sign())
    found = pl.int_ranges(first, last, stride, dtype=pl.Int64)
    none = pl.lit([], dtype=pl.List(pl.Int64))
    expr = pl.when(empty).then(none).when(stop == limit).then(found + shift).otherwise(found)
    value = Value(expr=expr, type=kind).faulty(step == 0, *_ZERO_STEP)
    return value.faulty(~usable, "54000", _TOO_LONG)


def _ascending(start: Value, stop: Value, kind: AnyType) -> Value | None:
    """The plain series by 1 of numbers that are known to be far from the type's end."""
    bounds = stop.range
    if bounds is None or bounds.high == INT64.high or start.range is None:
        return None
    longest = bounds.high - start.range.low
    if longest >= _COUNT_MAX:
        return None
    last = pl.max_horizontal(stop.expr + 1, start.expr)
    return Value(expr=pl.int_ranges(start.expr, last, dtype=pl.Int64), type=kind)


def _constant(start: Value, stop: Value, step: Value | None, kind: AnyType) -> Value | None:
    """A series of constants knows itself as a `range`, so that nobody writes it out to learn it."""
    given = [value for value in (start, stop, step) if value is not None]
    if not all(value.constant and value.literal is not None for value in given):
        return None
    by = 1 if step is None else step.literal
    first, last = start.literal, stop.literal + (1 if by > 0 else -1)
    if by == 0 or last not in range(INT64.low, INT64.high + 1):
        return None
    literal = range(first, last, by)
    if (last - first) / by >= _COUNT_MAX:
        return None
    if not literal:
        last = first
    expr = pl.int_ranges(
        pl.lit(first, dtype=pl.Int64), pl.lit(last, dtype=pl.Int64), by, dtype=pl.Int64
    )
    return Value(expr=expr, type=kind, nullable=False, constant=True, literal=literal)


@table_function(
    "generate_series(int4,int4) -> int4",
    "generate_series(int8,int8) -> int8",
    "generate_series(int4,int4,int4) -> int4",
    "generate_series(int8,int8,int8) -> int8",
    native=False,
)
def integers(start: Value, stop: Value, step: Value | None = None, *, kind: AnyType) -> Value:
    """By 1 or by a step."""
    plain = _constant(start, stop, step, kind) or (
        _ascending(start, stop, kind) if step is None else None
    )
    if plain is not None:
        return plain
    by = pl.lit(1, dtype=pl.Int64) if step is None else step.expr
    return _ranges(start.expr, stop.expr, by, kind)


# --- numeric --------------------------------------------------------------------------------------


def _numbers_type(args: Sequence[Expr]) -> AnyType:
    """DECIMALs with the largest scale, in 64 bits; NUMERIC if any of them is."""
    kinds = [arg.type for arg in args]
    decimals = [kind for kind in kinds if isinstance(kind, DecimalType)]
    if len(decimals) < len(kinds):
        return ArrayType(element=NUMERIC)  # type: ignore[arg-type]
    scale = max(kind.scale for kind in decimals)
    whole = max(kind.precision - kind.scale for kind in decimals)
    if scale > SCALED_PRECISION_MAX // 2:
        return ArrayType(element=NUMERIC)  # type: ignore[arg-type]
    precision = min(SCALED_PRECISION_MAX, max(whole + scale, 1))
    return ArrayType(element=DecimalType(precision=precision, scale=scale))


def _float_series(start: float, stop: float, step: float = 1.0) -> tuple[float, ...]:
    for name, number in (("start value", start), ("stop value", stop), ("step size", step)):
        if not math.isfinite(number):
            what = "NaN" if math.isnan(number) else "infinity"
            raise InvalidRequest(f"{name} cannot be {what}", "22023")
    if step == 0:
        raise InvalidRequest(_ZERO_STEP[1], _ZERO_STEP[0])
    first, last, by = (Decimal(repr(number)) for number in (start, stop, step))
    count = int((last - first) / by) + 1 if (last - first) / by >= 0 else 0
    if count > _COUNT_MAX:
        raise InvalidRequest(_TOO_LONG, "54000")
    return tuple(float(first + by * i) for i in range(count))


@table_function(
    "generate_series(numeric,numeric) -> numeric",
    "generate_series(numeric,numeric,numeric) -> numeric",
    native=False,
    result=_numbers_type,
)
def numbers(*given: Value, kind: AnyType) -> Value:
    """By 1 or by a step."""
    element = element_type(kind)
    if not isinstance(element, DecimalType):
        return rowwise(_float_series, unified(list(given), NUMERIC), kind)
    scaled = unified(list(given), DecimalType(precision=38, scale=element.scale))
    exprs = [
        value.expr.reinterpret(dtype=pl.Int128()).cast(pl.Int64(), strict=False)
        if value.wide
        else value.expr
        for value in scaled
    ]
    step = exprs[2] if len(exprs) > 2 else pl.lit(10**element.scale, dtype=pl.Int64)
    made = _ranges(exprs[0], exprs[1], step, kind)
    for expr, value in zip(exprs, scaled, strict=True):
        if value.wide:
            lost = expr.is_null() & value.expr.is_not_null()
            made = made.faulty(lost, "22003", "generate_series: numeric value out of range")
    limit = 10**element.precision
    outside = ~(exprs[0].is_between(1 - limit, limit - 1) & exprs[1].is_between(1 - limit, limit))
    return made.faulty(outside, "22003", "generate_series: numeric value out of range")


# --- timestamps -----------------------------------------------------------------------------------

_Step = tuple[int, int, int]


def _later(moment: datetime.datetime, step: _Step) -> datetime.datetime:
    """By months (cut to the month's length), days and microseconds."""
    months, days, microseconds = step
    if months:
        number = moment.year * 12 + moment.month - 1 + months
        year, month = divmod(number, 12)
        if not datetime.MINYEAR <= year <= datetime.MAXYEAR:
            raise OverflowError
        following = datetime.date(year + month // 11, (month + 1) % 12 + 1, 1)
        length = (following - datetime.date(year, month + 1, 1)).days
        moment = moment.replace(year=year, month=month + 1, day=min(moment.day, length))
    return moment + datetime.timedelta(days=days, microseconds=microseconds)


def _moments(
    start: datetime.datetime, stop: datetime.datetime, step: _Step, zone: str | None = None
) -> Iterator[datetime.datetime]:
    forward = interval_length(step) > 0
    if interval_length(step) == 0:
        raise InvalidRequest(_ZERO_STEP[1], _ZERO_STEP[0])
    current = start
    for _ in range(_COUNT_MAX):
        if current > stop if forward else current < stop:
            return
        yield current
        try:
            if zone is None:
                current = _later(current, step)
            else:
                local = _later(to_local_time(zone, current), (step[0], step[1], 0))
                current = to_utc_time(zone, local) + datetime.timedelta(microseconds=step[2])
        except OverflowError:
            raise InvalidRequest("timestamp out of range", "22008") from None
    raise InvalidRequest(_TOO_LONG, "54000")


def _by_row(*args: Any) -> tuple[datetime.datetime, ...]:
    return tuple(_moments(*args))


@table_function(
    "generate_series(timestamp,timestamp,interval) -> timestamp",
    "generate_series(timestamptz,timestamptz,interval) -> timestamptz",
    native=False,
)
def moments(start: Value, stop: Value, step: Value, *, kind: AnyType) -> Value:
    """By an interval."""
    if step.constant and step.literal is not None and step.literal[0] == 0:
        width = step.literal[1] * DAY + step.literal[2]
        if abs(width) <= INT64.high:
            ends = (start.expr.cast(pl.Int64), stop.expr.cast(pl.Int64))
            made = _ranges(*ends, pl.lit(width, dtype=pl.Int64), kind)
            return made.derived(made.expr.cast(carrier(kind)), kind)
    return rowwise(_by_row, [start, stop, step], kind)


@table_function(
    "generate_series(timestamptz,timestamptz,interval,text) -> timestamptz", native=False
)
def moments_in_zone(start: Value, stop: Value, step: Value, zone: Value, *, kind: AnyType) -> Value:
    """By an interval of a zone's local time."""
    return rowwise(_by_row, [start, stop, step, zone], kind)
