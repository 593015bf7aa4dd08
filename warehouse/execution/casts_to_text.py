"""Every scalar type as text, in PostgreSQL's output format, and texts of limited length."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl

from storage.schema import CharType, DecimalType, EnumType, VarCharType
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
    is_text,
    shown,
)
from warehouse.execution.kernels import rowwise
from warehouse.execution.moment_text import day_text, interval_text, moment_text
from warehouse.execution.value import Value

__all__ = ["limited", "to_text"]


def to_text(value: Value) -> Value:
    """A scalar as TEXT."""
    kind = value.type
    if kind in (REAL, DOUBLE, NUMERIC):
        return _float(value)
    if kind == INTERVAL:
        return rowwise(interval_text, [value], TEXT)
    if kind == DATE:
        return _date(value)
    if kind in (TIMESTAMP, TIMESTAMPTZ):
        return _timestamp(value)
    return value.derived(_text(value), TEXT)


def _text(value: Value) -> pl.Expr:
    kind, expr = value.type, value.expr
    match kind:
        case _ if is_text(kind) or kind in (JSON, JSONB, JSONPATH):
            return expr
        case _ if is_integer(kind) or isinstance(kind, EnumType):
            return expr.cast(pl.String())
        case DecimalType(_, scale):
            if value.wide or scale == 0:
                return expr.cast(pl.String())
            decimal = expr.cast(pl.Int128()).reinterpret(dtype=pl.Decimal(38, scale))
            return decimal.cast(pl.String())
        case _:
            made: pl.Expr = _OUTPUT[kind](expr)
            return made


def _boolean(expr: pl.Expr) -> pl.Expr:
    return pl.when(expr).then(pl.lit("true")).when(expr.not_()).then(pl.lit("false"))


def _bytes(expr: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit("\\x"), expr.bin.encode("hex"))


def _uuid(expr: pl.Expr) -> pl.Expr:
    digits = expr.bin.encode("hex")
    places = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
    return pl.concat_str([digits.str.slice(*place) for place in places], separator="-")


def _date(value: Value) -> Value:
    common = value.expr.dt.year().is_between(1, 9999)
    fast = pl.when(common).then(value.expr.cast(pl.String()))
    return _either(value, fast, common, value.expr.to_physical(), day_text)


def _timestamp(value: Value) -> Value:
    zone = "+00" if value.type == TIMESTAMPTZ else ""
    common = value.expr.dt.year().is_between(1, 9999)
    clock = pl.concat_str(pl.lit(" "), _time(value.expr), pl.lit(zone))
    fast = pl.concat_str(pl.when(common).then(value.expr.dt.date().cast(pl.String())), clock)
    return _either(
        value,
        fast,
        common,
        value.expr.to_physical(),
        partial(moment_text, zone=zone),
    )


def _either(
    value: Value,
    fast: pl.Expr,
    common: pl.Expr,
    number: pl.Expr,
    function: Callable[[Any], str],
) -> Value:
    """`fast`, and where `common` is false the function of the number."""
    kind = value.type if number is value.expr else BIGINT
    rest = value.derived(pl.when(common.not_()).then(number), kind, fault=None)
    slow = rowwise(function, [rest], TEXT)
    return value.derived(pl.coalesce(fast, slow.expr), TEXT)


def _time(expr: pl.Expr) -> pl.Expr:
    """`04:05:06.789`, without zeros at the end of the fraction."""
    clock = expr.dt.strftime("%H:%M:%S")
    micro = expr.dt.microsecond()
    digits = micro.cast(pl.String()).str.zfill(6).str.strip_chars_end("0")
    fraction = pl.when(micro == 0).then(pl.lit("")).otherwise(pl.concat_str(pl.lit("."), digits))
    return pl.concat_str(clock, fraction)


_OUTPUT: dict[AnyType, Any] = {
    BOOLEAN: _boolean,
    BYTEA: _bytes,
    UUID: _uuid,
    TIME: _time,
}

# From which power of ten on PostgreSQL writes a float with an exponent.
_FIXED_LIMIT = {REAL: 1e6, DOUBLE: 1e15, NUMERIC: 1e15}


def _float(value: Value) -> Value:
    """The shortest digits that read back as the same float: Polars' for common sizes."""
    size = value.expr.abs()
    common = (size >= 1e-4) & (size < _FIXED_LIMIT[value.type])
    digits = value.expr.cast(pl.String()).str.strip_suffix(".0")
    fast = pl.when(common).then(digits)
    function = {REAL: _real_text, DOUBLE: _double_text, NUMERIC: _numeric_text}[value.type]
    return _either(value, fast, common, value.expr, function)


def _real_text(number: float) -> str:
    import numpy as np

    return _special(number) or _exponent(repr(float(str(np.float32(number)))), 6)


def _double_text(number: float) -> str:
    return _special(number) or _exponent(repr(number), 15)


def _numeric_text(number: float) -> str:
    return _special(number) or format(Decimal(repr(number)).normalize() + 0, "f")


def _special(number: float) -> str | None:
    if math.isnan(number):
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    return None


def _exponent(shortest: str, limit: int) -> str:
    """Digits as `%g` lays them out: an exponent below -4 and from `limit` on."""
    sign, digits, exponent = Decimal(shortest).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).rstrip("0") or "0"
    minus = "-" if sign else ""
    if text == "0":
        return f"{minus}0"
    power = len(digits) + exponent - 1
    if -4 <= power < limit:
        plain = format(Decimal(shortest), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    mantissa = text[0] + (f".{text[1:]}" if len(text) > 1 else "")
    return f"{minus}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def limited(value: Value, kind: VarCharType | CharType, *, explicit: bool) -> Value:
    """A text as VARCHAR(n) or CHAR(n): cut if `explicit`; else only blanks may go (22001)."""
    cut = value.expr.str.slice(0, kind.length)
    if isinstance(kind, CharType):
        cut = cut.str.strip_chars_end(" ")
    made = value.derived(cut, kind)
    if explicit:
        return made
    over = value.expr.str.strip_chars_end(" ").str.len_chars() > kind.length
    return made.faulty(over, "22001", f"value too long for type {shown(kind)}({kind.length})")
