"""The statement's moment: `now()` and its relatives, all from the environment's clock.

A statement runs at one moment: transaction, statement and clock time are the same here.
"""

from __future__ import annotations

import datetime
from typing import Any

from warehouse.algebra.types import DATE, TIME, TIMESTAMP, AnyType
from warehouse.execution.literals import literal
from warehouse.execution.value import Value
from warehouse.functions.calendar import DAY, as_timestamp, day_of
from warehouse.functions.registry import scalar
from warehouse.functions.timestamps import age

__all__: list[str] = []


def _constant(moment: datetime.datetime, kind: AnyType) -> Value:
    if kind == DATE:
        return literal(moment.date(), kind)
    return literal(moment.time() if kind == TIME else moment, kind)


@scalar(
    *(
        f"{name}() -> timestamptz"
        for name in (
            "now",
            "current_timestamp",
            "transaction_timestamp",
            "statement_timestamp",
            "clock_timestamp",
        )
    ),
    "localtimestamp() -> timestamp",
    "current_date() -> date",
    "current_time() -> time",
    "localtime() -> time",
    native=False,
)
def now(*, kind: AnyType, environment: Any) -> Value:
    """The moment of the statement."""
    return _constant(environment.now, kind)


@scalar(
    "current_timestamp(int4) -> timestamptz",
    "localtimestamp(int4) -> timestamp",
    "current_time(int4) -> time",
    "localtime(int4) -> time",
    native=False,
)
def now_rounded(precision: Value, *, kind: AnyType, environment: Any) -> Value:
    """To so many digits of seconds, at most 6; half rounds up."""
    unit = 10 ** (6 - min(max(int(precision.literal), 0), 6))
    moment = environment.now
    rest = moment.microsecond % unit
    step = datetime.timedelta(microseconds=(unit - rest) if 2 * rest >= unit > 1 else -rest)
    return _constant(moment + step, kind)


@scalar("age(timestamp) -> interval", "age(timestamptz) -> interval", native=False)
def age_today(moment: Value, *, kind: AnyType, environment: Any) -> Value:
    """The age at the midnight that today began with."""
    today = literal(environment.now, TIMESTAMP).expr
    return Value(expr=age(as_timestamp(day_of(today) * DAY), moment.expr), type=kind)
