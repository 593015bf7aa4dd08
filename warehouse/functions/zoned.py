"""Timestamps made or moved in a zone's local time."""

from __future__ import annotations

from warehouse.algebra.types import TIMESTAMP, AnyType
from warehouse.execution.value import Value, any_fault
from warehouse.functions.intervals import parts_of
from warehouse.functions.registry import scalar
from warehouse.functions.timestamps import make_timestamp, moved
from warehouse.functions.zones import local_of, utc_of

__all__: list[str] = []


def _added(moment: Value, interval: Value, zone: Value, sign: int, kind: AnyType) -> Value:
    """Months and days move the local clock, microseconds the instant."""
    months, days, microseconds = parts_of(interval)
    zero = microseconds * 0
    local = local_of(zone, moment, TIMESTAMP)
    calendar = moved(local, (sign * months, sign * days, zero), TIMESTAMP)
    utc = utc_of(zone, calendar.derived(calendar.expr, TIMESTAMP, fault=None), TIMESTAMP)
    made = moved(utc, (zero, zero, sign * microseconds), kind)
    faults = [local.fault, calendar.fault, utc.fault, made.fault]
    return made.derived(made.expr, kind, fault=any_fault(faults))


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
    made = utc_of(given[6], local, kind)
    return made.derived(made.expr, kind, fault=any_fault([local.fault, made.fault]))
