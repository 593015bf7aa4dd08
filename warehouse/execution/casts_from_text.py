"""Texts as other scalar types, with PostgreSQL's input syntax and its errors.

The usual spelling of a type is parsed by Polars. Texts that it refuses, or that PostgreSQL might
read differently, go to a Python function per row (`number_input`, `moment_input`, …), which also
words the error: `invalid input syntax for type integer: "abc"` (22P02).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl

from storage.schema import DecimalType, EnumType
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    DATE,
    DOUBLE,
    INTERVAL,
    JSON,
    JSONB,
    JSONPATH,
    NUMERIC,
    REAL,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    AnyType,
    is_integer,
    shown,
)
from warehouse.execution import json_text, moment_input, scalar_input
from warehouse.execution.casts_numbers import number as number_as
from warehouse.execution.interval_input import parse_interval
from warehouse.execution.kernels import rowwise
from warehouse.execution.ranges import type_range
from warehouse.execution.value import Value, carrier, fault_text
from warehouse.functions.jsonpath.parse import parse as parse_path
from warehouse.functions.jsonpath.print import path_text

__all__ = ["from_jsonb", "from_text"]

_TRUE = ("t", "tr", "tru", "true", "y", "ye", "yes", "on", "1")
_FALSE = ("f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0")
_BLANKS = " \t\n\r\f\v"


def from_text(value: Value, kind: AnyType, now: datetime | None) -> Value:
    """A TEXT value as a scalar of another type."""
    text = value.expr
    if is_integer(kind):
        return _integer(value, kind)
    match kind:
        case DecimalType():
            return _decimal(value, kind)
        case EnumType(name, labels):
            made = value.derived(text.cast(pl.Enum(labels), strict=False), kind)
            return _refused(value, made, f"invalid input value for enum {name}: ")
    if kind in (REAL, DOUBLE, NUMERIC):
        return _float(value, kind)
    if kind == BOOLEAN:
        return _boolean(value)
    if kind == JSONPATH:
        return _either(value, None, lambda given: path_text(parse_path(given)), kind)
    if kind == JSON:
        return _either(value, None, json_text.checked_json, kind)
    moments = {DATE: _date, TIME: _time, TIMESTAMP: _timestamp, TIMESTAMPTZ: _timestamptz}
    if kind in moments:
        return moments[kind](value, now)
    fast, slow = _OTHERS[kind]
    return _either(value, None if fast is None else fast(text), slow, kind)


def _either(value: Value, fast: pl.Expr | None, slow: Callable[[str], Any], kind: AnyType) -> Value:
    """`fast`, and where it is NULL the function `slow` of the text."""
    if fast is None:
        return rowwise(slow, [value], kind)
    rest = value.derived(pl.when(fast.is_null()).then(value.expr), TEXT, fault=None)
    made = rowwise(slow, [rest], kind)
    return replace(
        made,
        expr=pl.coalesce(fast.cast(carrier(kind, wide=made.wide)), made.expr),
        nullable=value.nullable,
        fault=made.fault if value.fault is None else pl.coalesce(value.fault, made.fault),
    )


def _refused(value: Value, made: Value, message: str) -> Value:
    """`made`, with a fault that quotes the text where it is NULL and the text is not."""
    head = fault_text("22P02", message)[:-1]
    text = pl.concat_str(pl.lit(f'{head}"'), value.expr, pl.lit(f'"{fault_text("", "")[-1]}'))
    bad = made.expr.is_null() & value.expr.is_not_null()
    own = pl.when(bad).then(text)
    return replace(made, fault=own if made.fault is None else pl.coalesce(made.fault, own))


def _integer(value: Value, kind: AnyType) -> Value:
    limits = type_range(kind)
    assert limits is not None
    parsed = value.expr.str.strip_chars(_BLANKS).cast(pl.Int64(), strict=False)
    fast = pl.when(parsed.is_between(limits.low, limits.high)).then(parsed)
    made = _either(value, fast, partial(scalar_input.integer, kind=kind), kind)
    return replace(made, range=limits)


def _decimal(value: Value, kind: DecimalType) -> Value:
    """Polars cuts digits that PostgreSQL rounds, so it gets only texts without such."""
    before = min(kind.precision - kind.scale, 18)
    plain = rf"^[+-]?\d{{1,{max(before, 1)}}}(\.\d{{0,{kind.scale}}})?$"
    text = value.expr.str.strip_chars(_BLANKS)
    if before == 0:
        return rowwise(partial(scalar_input.decimal, kind=kind), [value], kind)
    chosen = pl.when(text.str.contains(plain)).then(text)
    fast = chosen.cast(pl.Decimal(38, kind.scale), strict=False)
    if type_range(kind) is not None:
        fast = fast.reinterpret(dtype=pl.Int128()).cast(pl.Int64(), strict=False)
    return _either(value, fast, partial(scalar_input.decimal, kind=kind), kind)


def _float(value: Value, kind: AnyType) -> Value:
    dtype = carrier(kind)
    parsed = value.expr.str.strip_chars(_BLANKS).cast(dtype, strict=False)
    # Zeros and infinities may be underflow and overflow: the row function knows.
    fast = pl.when(parsed.is_finite() & (parsed != 0)).then(parsed)
    return _either(value, fast, partial(scalar_input.floating, kind=kind), kind)


def _boolean(value: Value) -> Value:
    word = value.expr.str.strip_chars(_BLANKS).str.to_lowercase()
    true = word.is_in(pl.lit(_TRUE, dtype=pl.List(pl.String())))
    false = word.is_in(pl.lit(_FALSE, dtype=pl.List(pl.String())))
    made = value.derived(pl.when(true).then(True).when(false).then(False), BOOLEAN)
    return _refused(value, made, f"invalid input syntax for type {shown(BOOLEAN)}: ")


def _date(value: Value, now: datetime | None) -> Value:
    iso = value.expr.str.contains(r"^\d{4}-\d\d?-\d\d?$") & (value.expr >= "0001")
    fast = pl.when(iso).then(value.expr).str.to_date("%Y-%m-%d", strict=False)
    made = _either(value, fast.to_physical(), partial(moment_input.date, now=now), BIGINT)
    return replace(made, expr=made.expr.cast(pl.Int32()).cast(pl.Date()), type=DATE, range=None)


def _of_microseconds(
    value: Value, fast: pl.Expr, slow: Callable[[str], int], kind: AnyType
) -> Value:
    made = _either(value, fast.to_physical(), slow, BIGINT)
    return replace(made, expr=made.expr.cast(pl.Datetime("us")), type=kind, range=None)


def _timestamp(value: Value, now: datetime | None) -> Value:
    fast = _iso_timestamp(value.expr)
    return _of_microseconds(value, fast, partial(moment_input.timestamp, now=now), TIMESTAMP)


def _timestamptz(value: Value, now: datetime | None) -> Value:
    fast = _iso_timestamp(value.expr.str.strip_suffix("+00"))
    return _of_microseconds(value, fast, partial(moment_input.timestamptz, now=now), TIMESTAMPTZ)


def _iso_timestamp(text: pl.Expr) -> pl.Expr:
    shape = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:[0-5]\d(\.\d{1,6})?$"
    iso = text.str.contains(shape) & (text >= "0001")
    spaced = pl.when(iso).then(text).str.replace("T", " ", literal=True)
    parsed = spaced.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    days = pl.when(text.str.contains(r"^\d{4}-\d\d-\d\d$") & (text >= "0001")).then(text)
    midnight = days.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    return pl.coalesce(parsed, midnight)


def _time(value: Value, now: datetime | None) -> Value:
    shape = r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$"
    plain = pl.when(value.expr.str.contains(shape)).then(value.expr)
    fast = plain.str.to_time("%H:%M:%S", strict=False)
    nanoseconds = fast.to_physical() // 1000
    made = _either(value, nanoseconds, partial(moment_input.time_of_day, now=now), BIGINT)
    expr = (made.expr * 1000).cast(pl.Time())
    return replace(made, expr=expr, type=TIME, range=None)


def _uuid(text: pl.Expr) -> pl.Expr:
    shape = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
    digits = pl.when(text.str.contains(shape)).then(text).str.replace_all("-", "", literal=True)
    return digits.str.decode("hex", strict=False)


def _bytes(text: pl.Expr) -> pl.Expr:
    hexadecimal = pl.when(text.str.contains(r"^\\x([0-9a-fA-F]{2})*$")).then(text)
    return hexadecimal.str.slice(2).str.decode("hex", strict=False)


_OTHERS: dict[AnyType, tuple[Callable[[pl.Expr], pl.Expr] | None, Callable[[str], Any]]] = {
    UUID: (_uuid, scalar_input.uuid_value),
    BYTEA: (_bytes, scalar_input.byte_string),
    INTERVAL: (None, parse_interval),
    JSONB: (None, json_text.normalised_jsonb),
}


def from_jsonb(value: Value, kind: AnyType) -> Value:
    """A JSON number or Boolean as SQL's."""
    text = replace(value, type=TEXT)
    if kind == BOOLEAN:
        return rowwise(json_text.boolean_of, [text], BOOLEAN)
    digits = rowwise(partial(json_text.number_of, kind=kind), [text], TEXT)
    if is_integer(kind):
        return number_as(from_text(digits, DecimalType(38, 10), None), kind)
    return from_text(digits, kind, None)
