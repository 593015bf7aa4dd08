"""The words for units of time that `extract`, `date_part` and `date_trunc` know.

PostgreSQL's tables (datetktbl and deltatktbl): short forms are allowed, case does not matter, and
only the first ten letters count. Some words are known but fit no type: those give another error.
"""

from __future__ import annotations

import polars as pl

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType, shown

__all__ = [
    "CLOCK_UNITS",
    "INTERVAL_UNITS",
    "not_recognized",
    "not_supported",
    "unit_of",
    "units_of",
]

_WORDS: dict[str, str] = {
    "microsecond": "us usec useconds usecs usecond microsecon",
    "millisecond": "ms msec mseconds msecs msecond millisecon",
    "second": "s sec second seconds secs",
    "minute": "m min mins minute minutes",
    "hour": "h hour hours hr hrs",
    "day": "d day days",
    "week": "w week weeks",
    "month": "mon mons month months",
    "quarter": "qtr quarter",
    "year": "y year years yr yrs",
    "decade": "dec decade decades decs",
    "century": "c cent century centuries",
    "millennium": "mil mils millennia millennium",
    "timezone": "timezone",
    "timezone_hour": "timezone_h",
    "timezone_minute": "timezone_m",
    "dow": "dow",
    "doy": "doy",
    "isodow": "isodow",
    "isoyear": "isoyear",
    "epoch": "epoch",
    "julian": "julian j jd",
    "none": "now today tomorrow yesterday infinity -infinity allballs",
}
_UNITS = {word: unit for unit, words in _WORDS.items() for word in words.split()}

CLOCK_UNITS = frozenset({"microsecond", "millisecond", "second", "minute", "hour", "epoch"})
INTERVAL_UNITS = CLOCK_UNITS | {
    *("day", "month", "quarter", "year", "decade", "century", "millennium")
}


def unit_of(word: str) -> str | None:
    """The unit that a word means; "none" for a word of dates that is no unit; None if unknown."""
    return _UNITS.get(word.lower()[:10])


def units_of(words: pl.Expr) -> pl.Expr:
    """`unit_of` of every row."""
    known = words.str.to_lowercase().str.slice(0, 10)
    return known.replace_strict(_UNITS, default=None, return_dtype=pl.String)


def not_recognized(word: str, kind: AnyType) -> InvalidRequest:
    """The error for an unknown word."""
    return InvalidRequest(f'unit "{word.lower()}" not recognized for type {shown(kind)}', "22023")


def not_supported(word: str, kind: AnyType) -> InvalidRequest:
    """The error for a unit that the type does not have."""
    return InvalidRequest(f'unit "{word.lower()}" not supported for type {shown(kind)}', "0A000")
