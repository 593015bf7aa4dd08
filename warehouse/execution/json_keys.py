"""Keys by which JSONB values are equal and ordered, made of JSONB's one text form.

Texts differ where the values are equal only in the zeros that end a fraction: `1.0` is `1`. Such
texts are the few that are rewritten. An order needs more: `order_bytes` writes a value so that
bytes compare as PostgreSQL compares the values: null, strings, numbers, false, true, arrays,
objects; fewer members first, then member by member. An empty array is least of all, unless it
stands inside another value.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import polars as pl

from warehouse.algebra.types import BYTEA, JSONB, TEXT
from warehouse.execution.json_text import jsonb_text
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value

__all__ = ["jsonb_equality", "jsonb_order", "order_bytes"]

_FRACTION_WITH_ZEROS = r"\.[0-9]*0(?:[^0-9]|$)"
_EXPONENT_MIDDLE = 1 << 31


def jsonb_equality(expr: pl.Expr) -> pl.Expr:
    """A text per JSONB value, the same for equal values."""
    zeros = expr.str.contains(_FRACTION_WITH_ZEROS)
    rewritten = rowwise(_canonical, [Value(pl.when(zeros).then(expr), JSONB)], TEXT).expr
    return pl.when(zeros).then(rewritten).otherwise(expr)


def jsonb_order(expr: pl.Expr) -> pl.Expr:
    """Bytes per JSONB value that order as the values do."""
    return rowwise(order_bytes, [Value(expr, JSONB)], BYTEA).expr


def _canonical(text: str) -> str:
    return jsonb_text(_parsed(text))


def _parsed(text: str) -> Any:
    return json.loads(text, parse_float=_shortest, parse_int=Decimal)


def _shortest(text: str) -> Decimal:
    """JSONB has no exponents."""
    return Decimal(text.rstrip("0").rstrip("."))


def order_bytes(text: str) -> bytes:
    """A JSONB value so that bytes compare as the values do."""
    value = _parsed(text)
    return b"\x00" if value == [] else _encoded(value)


def _encoded(value: Any) -> bytes:
    """No value's bytes begin another's; texts hold no zero byte, which ends them."""
    match value:
        case None:
            return b"\x01"
        case str():
            return b"\x02" + value.encode() + b"\x00"
        case bool():
            return b"\x04\x01" if value else b"\x04\x00"
        case Decimal():
            return b"\x03" + _number(value)
        case list():
            return b"\x05" + _count(value) + b"".join(map(_encoded, value))
        case _:
            # The keys stand in JSONB's own order.
            parts = (key.encode() + b"\x00" + _encoded(value[key]) for key in value)
            return b"\x06" + _count(value) + b"".join(parts)


def _count(members: list[Any] | dict[str, Any]) -> bytes:
    return len(members).to_bytes(4, "big")


def _number(value: Decimal) -> bytes:
    if not value:
        return b"\x01"
    digits = "".join(map(str, value.as_tuple().digits)).rstrip("0")
    size = (value.adjusted() + _EXPONENT_MIDDLE).to_bytes(5, "big") + digits.encode() + b"\x00"
    if value > 0:
        return b"\x02" + size
    return b"\x00" + bytes(255 - byte for byte in size)
