"""AT TIME ZONE: `timezone(zone, moment)` between UTC and the local time of a zone.

What a zone may be called is in `execution.time_zones`.

Polars converts by its own copy of the database, which ends in 2099; later rows, local times in a
gap, and zones that differ by row are left to Python's `zoneinfo`, which ends with the year 9999.
"""

from __future__ import annotations

import datetime
import re
from functools import lru_cache

import polars as pl

from storage.errors import InvalidRequest
from warehouse.algebra.types import TEXT, TIMESTAMP, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.literals import literal
from warehouse.execution.time_zones import fixed_offset, known_zone, local_offset, zone_named
from warehouse.execution.value import Value, any_fault
from warehouse.functions.calendar import as_timestamp, civil_days, in_range_timestamp
from warehouse.functions.intervals import parts_of
from warehouse.functions.registry import scalar
from warehouse.functions.stages import staged

__all__ = ["local_of", "posix_zone", "to_local_time", "to_utc_time", "utc_of"]

_NUMERIC = re.compile(r"([+-])(\d+)(?::(\d+))?(?::(\d+))?")
_HOURS_MAX = 15  # of a numeric zone
_POLARS_END = datetime.datetime(2099, 12, 1)
_YEAR_MAX = 9999


def posix_zone(name: str) -> str:
    """A zone of `make_timestamptz`, where `+2` is east of UTC, as AT TIME ZONE has it.

    Raises InvalidRequest (22023).
    """
    if name[:1].isdigit():
        raise InvalidRequest(f'invalid input syntax for type numeric time zone: "{name}"', "22023")
    found = _NUMERIC.fullmatch(name)
    if found is None:
        return name
    hours, minutes, seconds = int(found[2]), found[3] or "0", found[4] or "0"
    if len(found[2]) > 2 and found[3] is None:
        hours, minutes = int(found[2][:-2]), found[2][-2:]
    if hours > _HOURS_MAX or int(minutes) > 59 or int(seconds) > 59:
        raise InvalidRequest(f'numeric time zone "{name}" out of range', "22023")
    return f"{'-' if found[1] == '+' else '+'}{hours}:{minutes}:{seconds}"


@lru_cache(maxsize=1024)
def _polars_zone(name: str) -> str | None:
    """The zone's name for Polars, or None if it does not know it."""
    known = known_zone(name)
    try:
        if known is not None:
            pl.Series([], dtype=pl.Datetime("us", "UTC")).dt.convert_time_zone(known)
    except pl.exceptions.PolarsError:
        return None
    return known


def to_local_time(zone: str, moment: datetime.datetime) -> datetime.datetime:
    """What a zone's clocks show at a moment in UTC. Raises InvalidRequest: out of range."""
    aware = moment.replace(tzinfo=datetime.timezone.utc)  # noqa: UP017
    try:
        return aware.astimezone(zone_named(zone)).replace(tzinfo=None)
    except OverflowError:
        raise InvalidRequest("timestamp out of range", "22008") from None


def to_utc_time(zone: str, local: datetime.datetime) -> datetime.datetime:
    """When a zone's clocks show a local time. Raises InvalidRequest: out of range."""
    offset = local_offset(zone_named(zone), local)
    try:
        return local - offset
    except OverflowError:
        raise InvalidRequest("timestamp out of range", "22008") from None


def _shifted(moment: Value, seconds: pl.Expr, kind: AnyType) -> Value:
    result = moment.expr.cast(pl.Int64) + seconds * 1_000_000
    made = Value(expr=as_timestamp(result), type=kind, fault=moment.fault)
    return made.faulty(~in_range_timestamp(result), "22008", "timestamp out of range")


def _converted(zone: Value, moment: Value, kind: AnyType, *, to_local: bool) -> Value:
    function = to_local_time if to_local else to_utc_time
    if not (zone.constant and isinstance(zone.literal, str)):
        return rowwise(function, [zone, _readable(moment)], kind)
    offset = fixed_offset(zone.literal)
    if offset is not None:
        seconds = pl.lit(offset if to_local else -offset, dtype=pl.Int64)
        return _shifted(moment, seconds, kind)
    zone_named(zone.literal)
    name = _polars_zone(zone.literal)
    if name is None:
        return rowwise(function, [zone, _readable(moment)], kind)
    near = pl.when(moment.expr < _POLARS_END).then(moment.expr)
    if to_local:
        utc = near.dt.replace_time_zone("UTC").dt.convert_time_zone(name)
        native = utc.dt.replace_time_zone(None, ambiguous="earliest")
    else:
        aware = near.dt.replace_time_zone(name, ambiguous="latest", non_existent="null")
        native = aware.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    left = _readable(moment)
    left = left.derived(pl.when(native.is_null()).then(left.expr), TIMESTAMP)
    kernel = rowwise(function, [literal(zone.literal, TEXT), left], kind)
    return kernel.derived(pl.coalesce([native, kernel.expr]), kind)


def _readable(moment: Value) -> Value:
    """With a fault where Python has no such date, so that the kernel does not see it."""
    first, last = (
        civil_days(*(pl.lit(part, dtype=pl.Int64) for part in date)) * 86_400_000_000
        for date in ((1, 1, 2), (_YEAR_MAX, 12, 31))
    )
    micro = moment.expr.cast(pl.Int64)
    usable = micro.is_between(first, last)
    expr = pl.when(usable).then(moment.expr)
    outside = Value(expr=expr, type=TIMESTAMP, fault=moment.fault)
    text = "a time zone is only known from the year 1 to 9999; timestamp out of range"
    return outside.faulty(~usable, "22008", text)


def local_of(zone: Value, moment: Value, kind: AnyType) -> Value:
    """The local time in a zone of a TIMESTAMPTZ."""
    return staged([zone, moment], lambda given: _converted(given[0], given[1], kind, to_local=True))


def utc_of(zone: Value, local: Value, kind: AnyType) -> Value:
    """The TIMESTAMPTZ at which a zone's clocks show a local time."""
    return staged([zone, local], lambda given: _converted(given[0], given[1], kind, to_local=False))


@scalar("timezone(text,timestamptz) -> timestamp", native=False)
def timezone_local(zone: Value, moment: Value, *, kind: AnyType) -> Value:
    """`timestamptz AT TIME ZONE zone`."""
    return local_of(zone, moment, kind)


@scalar("timezone(text,timestamp) -> timestamptz", native=False)
def timezone_utc(zone: Value, local: Value, *, kind: AnyType) -> Value:
    """`timestamp AT TIME ZONE zone`."""
    return utc_of(zone, local, kind)


def _by_interval(interval: Value, moment: Value, sign: int, kind: AnyType) -> Value:
    months, days, microseconds = parts_of(interval)
    made = _shifted(moment, sign * (microseconds // 1_000_000), kind)
    calendar = (months != 0) | (days != 0)
    text = "interval time zone must not include months or days"
    first = Value(expr=made.expr, type=kind).faulty(calendar, "22023", text)
    return made.derived(made.expr, kind, fault=any_fault([first.fault, made.fault]))


@scalar("timezone(interval,timestamptz) -> timestamp", native=False)
def timezone_local_by_interval(zone: Value, moment: Value, *, kind: AnyType) -> Value:
    """East of UTC by an interval."""
    return _by_interval(zone, moment, 1, kind)


@scalar("timezone(interval,timestamp) -> timestamptz", native=False)
def timezone_utc_by_interval(zone: Value, local: Value, *, kind: AnyType) -> Value:
    """East of UTC by an interval."""
    return _by_interval(zone, local, -1, kind)
