"""PEP 249's type objects and constructors.

A column's `type_code` is PostgreSQL's name of its type (`int4`, `timestamptz`, `_text` for an array
of texts). It equals the type object that covers it: `description[0][1] == NUMBER`.
"""

from __future__ import annotations

import datetime
import time

from warehouse.algebra.types import DATE, INTERVAL, TIME, TIMESTAMP, TIMESTAMPTZ, base_name

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Date",
    "DateFromTicks",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "TypeObject",
]


class TypeObject:
    """Equals every type code of its group."""

    def __init__(self, name: str, codes: frozenset[str]) -> None:
        self._name = name
        self._codes = codes

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TypeObject):
            return self._codes == other._codes
        return other in self._codes

    def __hash__(self) -> int:
        return hash(self._codes)

    def __repr__(self) -> str:
        return self._name


STRING = TypeObject(
    "STRING", frozenset(("text", "varchar", "bpchar", "enum", "json", "jsonb", "unknown"))
)
BINARY = TypeObject("BINARY", frozenset(("bytea",)))
NUMBER = TypeObject("NUMBER", frozenset(("int2", "int4", "int8", "float4", "float8", "numeric")))
DATETIME = TypeObject(
    "DATETIME",
    frozenset(base_name(kind) for kind in (DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL)),
)
ROWID = TypeObject("ROWID", frozenset(("oid",)))

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> datetime.date:  # noqa: N802 (PEP 249 names it)
    """The local date at so many seconds since 1970."""
    return datetime.date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> datetime.time:  # noqa: N802
    """The local time of day at so many seconds since 1970."""
    return datetime.time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime.datetime:  # noqa: N802
    """The local date and time at so many seconds since 1970."""
    return datetime.datetime(*time.localtime(ticks)[:6])
