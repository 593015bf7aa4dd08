"""Literals: numbers by PostgreSQL's rules, and unknown texts in the type their context gives.

`literal_as` has a plain way for the types that queries are full of; anything else is a cast that
execution evaluates once (`fold`).
"""

from __future__ import annotations

import datetime
import math
import re
import uuid
from decimal import Decimal
from typing import Any

import polars as pl

from storage.errors import InvalidRequest
from storage.schema import CharType, DecimalType, EnumType, VarCharType
from warehouse.algebra.expressions import Cast, Expr, Literal
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    NUMERIC,
    REAL,
    SMALLINT,
    TEXT,
    TIMESTAMP,
    UNKNOWN,
    AnyType,
    base_name,
    is_integer,
    shown,
)

__all__ = [
    "CLOCK_WORDS",
    "decimal_literal",
    "literal_as",
    "number",
    "plain_literal",
    "value_literal",
]

DIGITS_MAX = 38
_BOUNDS = {SMALLINT: 2**15, INTEGER: 2**31, BIGINT: 2**63}
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")
_DECIMAL = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_DATE = re.compile(r"\s*\d{4}-\d{2}-\d{2}\s*")
_TIMESTAMP = re.compile(r"\s*\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?\s*")
CLOCK_WORDS = frozenset(("now", "today", "tomorrow", "yesterday"))  # mean the statement's time
_MOMENTS = ("date", "time", "timestamp", "timestamptz")
_TRUE = frozenset(("t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"))
_FALSE = frozenset(("f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"))


def number(text: str) -> Literal:
    """A number as it stands in a statement: INTEGER, BIGINT or DECIMAL.

    With an exponent and more digits than DECIMAL has (`1e200`) it is a NUMERIC.
    Raises InvalidRequest (22003) for more digits than DECIMAL has.
    """
    lowered = text.lower().removeprefix("-")
    if lowered[:2] in ("0x", "0o", "0b"):
        text = str(int(text, 0))
    if "." not in text and "e" not in text.lower():
        value = int(text)
        for kind in (INTEGER, BIGINT):
            if -_BOUNDS[kind] <= value < _BOUNDS[kind]:
                return Literal(type=kind, value=value)
    found = Decimal(text)
    if "e" in text.lower() and _digits(found) > DIGITS_MAX:
        approximate = float(found)
        if math.isinf(approximate):
            raise InvalidRequest(f"the number {text} is out of range", "22003")
        return Literal(type=NUMERIC, value=approximate)
    return decimal_literal(found)


def _digits(value: Decimal) -> int:
    """How many digits a DECIMAL needs for it."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    return max(len(digits) + max(exponent, 0), -exponent)


def decimal_literal(value: Decimal) -> Literal:
    """The value as the smallest DECIMAL(p, s) that holds it; NaN as NUMERIC."""
    if not value.is_finite():
        return Literal(type=NUMERIC, value=float(value))
    if value == 0:
        value = abs(value)  # numeric has no negative zero
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if exponent > 0:
        whole = len(digits) + exponent
        if whole > DIGITS_MAX:
            raise InvalidRequest(f"the number {value} has more than {DIGITS_MAX} digits", "22003")
        value = Decimal(int(value))
        return Literal(type=DecimalType(precision=max(1, whole), scale=0), value=value)
    scale = -exponent
    precision = max(len(digits), scale, 1)
    if precision > DIGITS_MAX:
        raise InvalidRequest(
            f"the number {value} has {precision} digits; a DECIMAL holds {DIGITS_MAX}", "22003"
        )
    return Literal(type=DecimalType(precision=precision, scale=scale), value=value)


def value_literal(value: Any, name: str) -> Literal:
    """A Python value that is bound to parameter `name`. Raises InvalidRequest (22023)."""
    match value:
        case Literal():
            return value
        case None:
            return Literal(type=UNKNOWN, value=None)
        case bool():
            return Literal(type=BOOLEAN, value=value)
        case int():
            return number(str(value))
        case float():
            return Literal(type=DOUBLE, value=value)
        case Decimal():
            if value.is_snan() or value.is_infinite():
                raise InvalidRequest(f"${name}: DECIMAL has no {value}", "22003")
            return decimal_literal(value)
        case str():
            return Literal(type=UNKNOWN, value=value)
    return _other_value(value, name)


def _other_value(value: Any, name: str) -> Literal:
    from warehouse.algebra import types
    from warehouse.values import Interval

    match value:
        case bytes() | bytearray() | memoryview():
            return Literal(type=types.BYTEA, value=bytes(value))
        case datetime.datetime():
            if value.tzinfo is None:
                return Literal(type=TIMESTAMP, value=value)
            moment = value.astimezone(datetime.UTC).replace(tzinfo=None)
            return Literal(type=types.TIMESTAMPTZ, value=moment)
        case datetime.date():
            return Literal(type=DATE, value=value)
        case datetime.time():
            return Literal(type=types.TIME, value=value)
        case datetime.timedelta():
            microseconds = value.seconds * 1_000_000 + value.microseconds
            return Literal(type=types.INTERVAL, value=(0, value.days, microseconds))
        case Interval(months, days, microseconds):
            return Literal(type=types.INTERVAL, value=(months, days, microseconds))
        case uuid.UUID():
            return Literal(type=types.UUID, value=value)
    raise InvalidRequest(
        f"${name}: a Python {type(value).__name__} has no SQL type; give None, bool, int, float,"
        " Decimal, str, bytes, date, time, datetime, timedelta, UUID or a list of one of them",
        "22023",
    )


def literal_as(text: str, kind: AnyType) -> Expr:
    """An untyped literal `'text'` as a value of `kind`.

    Raises InvalidRequest: the text is no such value (22P02, 22007, 22003, …).
    """
    if kind in (TEXT, UNKNOWN):
        return Literal(type=TEXT if kind == UNKNOWN else kind, value=text)
    found = plain_literal(text, kind)
    if found is not None:
        return found
    cast = Cast(type=kind, arg=Literal(type=TEXT, value=text), explicit=True)
    if base_name(kind) in _MOMENTS and text.strip().lower() in CLOCK_WORDS:
        return cast
    return fold(cast)


def plain_literal(text: str, kind: AnyType) -> Literal | None:
    """The text as a literal of that type if a look is enough; None if it takes a cast."""
    if is_integer(kind) and _INTEGER.fullmatch(text):
        value = int(text)
        if -_BOUNDS[kind] <= value < _BOUNDS[kind]:  # type: ignore[index]
            return Literal(type=kind, value=value)
        raise InvalidRequest(f'value "{text}" is out of range for type {shown(kind)}', "22003")
    if kind == NUMERIC and _DECIMAL.fullmatch(text):
        return decimal_literal(Decimal(text.strip()))
    if kind in (DOUBLE, REAL) and _DECIMAL.fullmatch(text):
        return None
    if kind == BOOLEAN:
        word = text.strip().lower()
        if word in _TRUE or word in _FALSE:
            return Literal(type=kind, value=word in _TRUE)
    if kind == DATE and _DATE.fullmatch(text):
        return _iso(lambda: datetime.date.fromisoformat(text.strip()), text, kind)
    if kind == TIMESTAMP and (_DATE.fullmatch(text) or _TIMESTAMP.fullmatch(text)):
        return _iso(lambda: datetime.datetime.fromisoformat(text.strip()), text, kind)
    if isinstance(kind, VarCharType):
        return Literal(type=kind, value=text[: kind.length])
    if isinstance(kind, CharType):
        return Literal(type=kind, value=text[: kind.length].rstrip(" "))
    if isinstance(kind, EnumType):
        if text not in kind.labels:
            raise InvalidRequest(f'invalid input value for enum {kind.name}: "{text}"', "22P02")
        return Literal(type=kind, value=text)
    return None


def _iso(parse: Any, text: str, kind: AnyType) -> Literal | None:
    try:
        return Literal(type=kind, value=parse())
    except ValueError:
        return None  # the general way has the right error


def fold(expr: Expr) -> Expr:
    """A constant expression as a Literal, if Python has the value. Raises the error it ends in."""
    from warehouse.execution.expressions import Environment, lower
    from warehouse.execution.literals import from_carrier
    from warehouse.execution.value import fault_of, raised

    value = lower(expr, Environment(columns={}))
    try:
        series = pl.select(raised(value).alias("value")).to_series()
    except pl.exceptions.PolarsError as error:
        found = fault_of(error)
        if found is None:
            raise
        raise found from None
    try:
        return Literal(type=expr.type, value=from_carrier(series.to_list()[0], expr.type))
    except (ValueError, OverflowError):
        return expr  # a date that Python does not have, years past 9999
