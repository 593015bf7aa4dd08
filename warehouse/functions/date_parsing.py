"""`to_date` and `to_timestamp` of a text and a picture; they behave as PostgreSQL's.

Two steps: the picture reads fields from the text (`date_reading`), and the fields, which may say
the same thing in several ways, come to a day and a time (`date_meaning`).

A constant picture of fixed digits, `YYYY-MM-DD`, is read by Polars where the text is exactly so.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl

from storage.errors import InvalidRequest
from warehouse.algebra.types import BIGINT, DATE, TEXT, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.calendar import (
    DAY,
    DAY_FIRST,
    DAY_LAST,
    MICROSECONDS_FIRST,
    MICROSECONDS_LAST,
)
from warehouse.functions.date_meaning import moment_of
from warehouse.functions.date_pictures import date_picture
from warehouse.functions.date_reading import fields_of
from warehouse.functions.day_numbers import julian
from warehouse.functions.registry import scalar
from warehouse.functions.text import constant_of

__all__: list[str] = []

_EPOCH = julian(1970, 1, 1)
_FROM_2000 = 946_684_800_000_000  # microseconds from 1970


@scalar("to_date(text,text) -> date", native=False)
def to_date(text: Value, picture: Value, *, kind: AnyType) -> Value:
    """The date that a text shows by a picture."""

    def as_dates(days: pl.Expr) -> pl.Expr:
        return days.cast(pl.Int32).cast(pl.Date)

    return _by_picture(text, picture, kind, _date_of, as_dates)


@scalar("to_timestamp(text,text) -> timestamptz", native=False)
def to_timestamp(text: Value, picture: Value, *, kind: AnyType) -> Value:
    """The timestamp that a text shows by a picture; in UTC unless it has TZH."""

    def as_moments(microseconds: pl.Expr) -> pl.Expr:
        return microseconds.cast(pl.Datetime("us"))

    return _by_picture(text, picture, kind, _timestamp_of, as_moments)


def _by_picture(
    text: Value,
    picture: Value,
    kind: AnyType,
    one: Callable[[str, str], int],
    carried: Callable[[pl.Expr], pl.Expr],
) -> Value:
    """By Polars where it can, else by `one` text after the other; `carried` makes values of it."""
    fixed = _fixed(picture)
    if fixed is None:
        made = rowwise(one, [text, picture], BIGINT)
        return made.derived(carried(made.expr), kind)
    shape, chrono = fixed
    moment = text.expr.str.to_datetime(chrono, strict=False, time_unit="us")
    parsed = pl.when(text.expr.str.contains(shape)).then(moment)
    # What has the shape but is no date is an error that the kernel words.
    left = pl.when(parsed.is_null()).then(text.expr)
    made = rowwise(one, [Value(left, TEXT), picture], BIGINT)
    known = parsed.dt.date() if kind == DATE else parsed
    return made.derived(pl.coalesce(known, carried(made.expr)), kind)


_FIXED = {
    "YYYY": (r"[1-9]\d{3}", "%Y"),
    "MM": (r"\d\d", "%m"),
    "DD": (r"\d\d", "%d"),
    "HH24": (r"\d\d", "%H"),
    "MI": (r"\d\d", "%M"),
    "SS": (r"[0-5]\d", "%S"),
}


def _fixed(picture: Value) -> tuple[str, str] | None:
    """A regular expression and chrono's picture, if every field has its fixed digits."""
    known = constant_of(picture)
    if not isinstance(known, str):
        return None
    expression, chrono, seen = "", "", set()
    for node in date_picture(known):
        if node.kind != "pattern":
            if node.kind == "character" or node.text == "%":
                return None
            expression += re.escape(node.text)
            chrono += node.text
            continue
        if node.word not in _FIXED or node.word in seen or node.fill or node.suffix:
            return None
        seen.add(node.word)
        expression += _FIXED[node.word][0]
        chrono += _FIXED[node.word][1]
    date = {"YYYY", "MM", "DD"}
    time = [name in seen for name in ("HH24", "MI", "SS")]
    if not date <= seen or time not in ([False] * 3, [True] * 3, [True, True, False]):
        return None
    return rf"\A{expression}\z", chrono


def _date_of(text: str, picture: str) -> int:
    """Days from 1970. Raises InvalidRequest, as `_timestamp_of` does."""
    days = moment_of(fields_of(text, picture), text)[0] - _EPOCH
    if not DAY_FIRST <= days <= DAY_LAST:
        raise InvalidRequest(f'date out of range: "{text}"', "22008")
    return days


def _timestamp_of(text: str, picture: str) -> int:
    """Microseconds from 1970."""
    fields = fields_of(text, picture)
    days, microseconds = moment_of(fields, text)
    moment = _rounded((days - _EPOCH) * DAY + microseconds, fields.precision)
    if not MICROSECONDS_FIRST <= moment <= MICROSECONDS_LAST:
        raise InvalidRequest("timestamp out of range", "22008")
    return moment


def _rounded(moment: int, precision: int) -> int:
    """To so many digits of a second; a half is rounded away from the year 2000."""
    unit: int = 10 ** (6 - precision)
    since = moment - _FROM_2000
    size = (abs(since) + unit // 2) // unit * unit
    return _FROM_2000 + (size if since >= 0 else -size)
