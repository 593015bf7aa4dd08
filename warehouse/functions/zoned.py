"""Timestamps made or moved in a zone's local time."""

from __future__ import annotations

import polars as pl

from warehouse.algebra.types import TEXT, TIMESTAMP, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.literals import literal
from warehouse.execution.value import Value
from warehouse.functions.intervals import parts_of
from warehouse.functions.registry import scalar
from warehouse.functions.stages import staged
from warehouse.functions.timestamps import make_timestamp, moved
from warehouse.functions.zones import local_of, posix_zone, utc_of

__all__: list[str] = []


def _added(moment: Value, interval: Value, zone: Value, sign: int, kind: AnyType) -> Value:
    """Months and days move the local clock, microseconds the instant."""
    zero = pl.lit(0, dtype=pl.Int64)
    local = local_of(zone, moment, TIMESTAMP)

    def by_calendar(given: list[Value]) -> Value:
        months, days, _ = parts_of(given[1])
        return moved(given[0], (sign * months, sign * days, zero), TIMESTAMP)

    def by_clock(given: list[Value]) -> Value:
        return moved(given[0], (zero, zero, sign * parts_of(given[1])[2]), kind)

    utc = utc_of(zone, staged([local, interval], by_calendar), TIMESTAMP)
    return staged([utc, interval], by_clock)


@scalar("date_add(timestamptz,interval,text) -> timestamptz", native=False)
def date_add_in_zone(moment: Value, interval: Value, zone: Value, *, kind: AnyType) -> Value:
    """Later by an interval of the zone's local time."""
    return _added(moment, interval, zone, 1, kind)


@scalar("date_subtract(timestamptz,interval,text) -> timestamptz", native=False)
def date_subtract_in_zone(moment: Value, interval: Value, zone: Value, *, kind: AnyType) -> Value:
    """Earlier by an interval of the zone's local time."""
    return _added(moment, interval, zone, -1, kind)


@scalar(
    "make_timestamptz(int4,int4,int4,int4,int4,float8,text) -> timestamptz",
    native=False,
    names=("year", "month", "mday", "hour", "min", "sec", "timezone"),
)
def make_timestamptz_in_zone(*given: Value, kind: AnyType) -> Value:
    """The moment at which the zone's clocks show this."""
    local = make_timestamp(*given[:6], kind=TIMESTAMP)
    zone = given[6]
    if zone.constant and isinstance(zone.literal, str):
        return utc_of(literal(posix_zone(zone.literal), TEXT), local, kind)
    return utc_of(rowwise(posix_zone, [zone], TEXT), local, kind)
