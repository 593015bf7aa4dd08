"""Python values of SQL constants, to and from the carriers of execution.

The Python side is what `algebra.Literal` documents; the other side is what a Polars column of the
type holds (the table in `value`). `literal` makes a constant `Value`: it knows itself (`literal`),
and numbers also carry their exact range.
"""

from __future__ import annotations

import decimal
import uuid
from decimal import Decimal
from typing import Any

import polars as pl

from storage.errors import InternalError
from storage.schema import SCALED_PRECISION_MAX, ArrayType, DecimalType, StructType
from warehouse.algebra.types import INTERVAL, UUID, AnyType, RecordType, is_integer
from warehouse.execution.value import INT64, Range, Value, carrier

__all__ = ["EXACT", "fields_of", "from_carrier", "literal", "null", "to_carrier", "unscaled"]

EXACT = decimal.Context(prec=200, rounding=decimal.ROUND_HALF_UP)
"""Digits enough for every value here; `decimal` would round to 28 of them on its own."""


def fields_of(kind: AnyType) -> list[tuple[str, AnyType]] | None:
    """Names and types of the fields of a composite or row, as its carrier has them; else None."""
    if isinstance(kind, StructType):
        return [(name, inner) for name, inner in kind.fields]
    if isinstance(kind, RecordType):
        return [(f"f{i}", inner) for i, inner in enumerate(kind.fields, 1)]
    return None


def unscaled(value: Decimal | int, scale: int) -> int:
    """`value * 10**scale`; digits behind the scale round half away from zero."""
    shifted = Decimal(value).scaleb(scale, context=EXACT)
    return int(shifted.to_integral_value(decimal.ROUND_HALF_UP))


def literal(value: Any, kind: AnyType) -> Value:
    """The constant `value` of a type; None is NULL."""
    if value is None:
        return null(kind)
    if isinstance(kind, DecimalType):
        return _decimal(value, kind)
    expr = pl.lit(to_carrier(value, kind), dtype=carrier(kind))
    bounds = Range(value, value) if is_integer(kind) else None
    return Value(expr, kind, range=bounds, nullable=False, constant=True, literal=value)


def null(kind: AnyType) -> Value:
    """NULL of a type."""
    numeric = is_integer(kind) or isinstance(kind, DecimalType)
    bounds = Range(0, 0) if numeric else None
    return Value(pl.lit(None, dtype=carrier(kind)), kind, range=bounds, constant=True)


def _decimal(value: Decimal, kind: DecimalType) -> Value:
    number = unscaled(value, kind.scale)
    if INT64.low <= number <= INT64.high:
        expr, bounds = pl.lit(number, dtype=pl.Int64()), Range(number, number)
        return Value(expr, kind, range=bounds, nullable=False, constant=True, literal=value)
    expr = pl.lit(number, dtype=pl.Int128()).reinterpret(dtype=pl.Decimal(38, kind.scale))
    return Value(expr, kind, nullable=False, wide=True, constant=True, literal=value)


def to_carrier(value: Any, kind: AnyType, *, wide: bool | None = None) -> Any:
    """What a Polars column of the type is built from; DECIMAL by `wide` (None: by precision)."""
    if value is None:
        return None
    fields = fields_of(kind)
    if fields is not None:
        pairs = zip(fields, value, strict=True)
        return {name: to_carrier(item, inner) for (name, inner), item in pairs}
    match kind:
        case DecimalType(precision, scale):
            held = precision > SCALED_PRECISION_MAX if wide is None else wide
            number = unscaled(value, scale)
            return Decimal(number).scaleb(-scale, context=EXACT) if held else number
        case ArrayType(element):
            return [to_carrier(item, element) for item in value]
        case _ if kind == INTERVAL:
            months, days, microseconds = value
            return {"months": months, "days": days, "microseconds": microseconds}
        case _ if kind == UUID:
            return value.bytes
        case _:
            return value


def from_carrier(value: Any, kind: AnyType) -> Any:
    """The Python value of what Polars gives for a row of the type (DECIMAL of either carrier)."""
    if value is None:
        return None
    fields = fields_of(kind)
    if fields is not None:
        return tuple(from_carrier(value[name], inner) for name, inner in fields)
    match kind:
        case DecimalType(_, scale):
            if isinstance(value, int):
                return Decimal(value).scaleb(-scale, context=EXACT)
            return value
        case ArrayType(element):
            return tuple(from_carrier(item, element) for item in value)
        case _ if kind == INTERVAL:
            return (value["months"], value["days"], value["microseconds"])
        case _ if kind == UUID:
            return _uuid(value)
        case _:
            return value


def _uuid(value: bytes) -> uuid.UUID:
    if len(value) != 16:
        raise InternalError(f"a UUID of {len(value)} bytes")
    return uuid.UUID(bytes=value)
