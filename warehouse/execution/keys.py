"""Values as keys: of joins, groups, orders; and one carrier for the same column of many rows.

`equality_key` and `order_key` give an expression that Polars compares as PostgreSQL compares the
values: '1 month' equals '30 days', JSONB 1 equals 1.0, CHAR comes without its blanks, and NULL
inside an array or row is greater than everything else there. Polars' own NULL = NULL in
groups, NaN = NaN and NaN greatest, -0 = 0, texts by code point and labels of an ENUM by position
are PostgreSQL's as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from storage.schema import (
    ArrayType,
    CharType,
    DecimalType,
    ScalarType,
    StructType,
    VarCharType,
)
from warehouse.algebra.expressions import SortKey
from warehouse.algebra.types import (
    INTERVAL,
    JSONB,
    AnyType,
    NumericType,
    RecordType,
    is_integer,
    shown,
)
from warehouse.execution.json_keys import jsonb_equality, jsonb_order
from warehouse.execution.literals import fields_of
from warehouse.execution.lowered import Context, Lowered
from warehouse.execution.ranges import bounds_of, multiplied
from warehouse.execution.value import INT64, Range, Value, raised

__all__ = [
    "Order",
    "aligned",
    "any_of",
    "comparable_pair",
    "equality_key",
    "is_nested",
    "order_key",
    "order_of",
    "widened",
]

MONTH_DAYS = 30
DAY_MICROSECONDS = 86_400_000_000


class Order:
    """Keys of a sort as Polars takes them."""

    def __init__(self) -> None:
        self.by: list[pl.Expr] = []
        self.descending: list[bool] = []
        self.nulls_last: list[bool] = []

    def add(self, expr: pl.Expr, key: SortKey) -> None:
        """One more key, after those that are there."""
        self.by.append(expr)
        self.descending.append(key.descending)
        self.nulls_last.append(not key.nulls_first)


def order_of(keys: Sequence[SortKey], lowered: Lowered, context: Context) -> Order:
    """The order over the frame of `lowered`. Keys that are constants order nothing."""
    order = Order()
    for key in keys:
        value = context.lower(key.expr, lowered.columns)
        if not (value.constant and value.fault is None):
            order.add(raised(replace(value, expr=order_key(value))), key)
    return order


def equality_key(value: Value) -> pl.Expr:
    """Equal where PostgreSQL's `=` finds the values equal; the value itself if it is."""
    return _equal(value.expr, value.type) if _has_own_equality(value.type) else value.expr


def _has_own_equality(kind: AnyType) -> bool:
    if is_nested(kind):
        return any(_has_own_equality(part) for part in _parts(kind))
    return kind in (INTERVAL, JSONB)


def _equal(expr: pl.Expr, kind: AnyType) -> pl.Expr:
    if kind == INTERVAL:
        return _span(expr)
    if kind == JSONB:
        return jsonb_equality(expr)
    if isinstance(kind, ArrayType):
        return expr.list.eval(_equal(pl.element(), kind.element))
    fields = fields_of(kind)
    if fields is None:
        return expr
    made = [_equal(expr.struct.field(name), inner).alias(name) for name, inner in fields]
    return pl.when(expr.is_not_null()).then(pl.struct(made))


def order_key(value: Value) -> pl.Expr:
    """Ordered as the values are, and equal where they are."""
    return _ordered(value.expr, value.type)


def _ordered(expr: pl.Expr, kind: AnyType) -> pl.Expr:
    if kind == JSONB:
        return jsonb_order(expr)
    if isinstance(kind, ArrayType):
        return expr.list.eval(_null_last(pl.element(), kind.element))
    fields = fields_of(kind)
    if fields is None:
        return _equal(expr, kind)
    parts = [(name, expr.struct.field(name), inner) for name, inner in fields]
    made = [_null_last(part, inner).alias(name) for name, part, inner in parts]
    return pl.when(expr.is_not_null()).then(pl.struct(made))


def _null_last(expr: pl.Expr, kind: AnyType) -> pl.Expr:
    """A member of an array or row: NULL is the greatest one, whatever the direction."""
    return pl.struct(expr.is_null().alias("missing"), _ordered(expr, kind).alias("value"))


def _parts(kind: AnyType) -> list[AnyType]:
    if isinstance(kind, ArrayType):
        return [kind.element]
    return [inner for _, inner in fields_of(kind) or []]


def is_nested(kind: AnyType) -> bool:
    """Arrays, composites, rows."""
    return isinstance(kind, ArrayType | StructType | RecordType)


def _span(interval: pl.Expr) -> pl.Expr:
    """Microseconds of an interval, months being 30 days and days 24 hours: up to 73 bits."""
    fields = interval.struct
    days = fields.field("months").cast(pl.Int64) * MONTH_DAYS + fields.field("days")
    whole = days.cast(pl.Int128) * DAY_MICROSECONDS
    return whole + fields.field("microseconds").cast(pl.Int128)


# --- carriers -------------------------------------------------------------------------------------


def widened(value: Value) -> Value:
    """A DECIMAL as Decimal(38, s)."""
    if value.wide:
        return value
    assert isinstance(value.type, DecimalType)
    exact = value.expr.cast(pl.Int128).reinterpret(dtype=pl.Decimal(38, value.type.scale))
    return replace(value, expr=exact, range=None, wide=True)


def aligned(values: Sequence[Value]) -> list[Value]:
    """Values of one SQL type with one carrier: wide if any is."""
    if any(value.wide for value in values):
        return [widened(value) for value in values]
    return list(values)


def any_of(values: Sequence[Value]) -> Value:
    """What is known of a column whose rows are of these (aligned) values."""
    bounds = values[0].range
    for value in values[1:]:
        bounds = None if bounds is None or value.range is None else bounds.union(value.range)
    nullable = any(value.nullable for value in values)
    return Value(values[0].expr, values[0].type, bounds, nullable, values[0].wide)


def comparable_pair(left: Value, right: Value) -> tuple[pl.Expr, pl.Expr] | None:
    """Both sides of an equality as keys of a join; None if it cannot be one.

    The types are those of one operator `=`, hence equal but for scales, lengths and widths.
    """
    kinds = (left.type, right.type)
    if all(is_integer(kind) or isinstance(kind, DecimalType) for kind in kinds):
        if any(isinstance(kind, DecimalType) for kind in kinds):
            left, right = _same_scale(left, right)
        return left.expr, right.expr
    if any(is_nested(kind) for kind in kinds):
        return None  # PostgreSQL's rules for NULLs inside are not those of a join
    if left.type == right.type or _family(left.type) == _family(right.type):
        return equality_key(left), equality_key(right)
    common = next((dtype for kinds, dtype in _COMMON if _families(left, right) <= kinds), None)
    if common is None:
        return None
    return _as_common(left, common), _as_common(right, common)


def _same_scale(left: Value, right: Value) -> tuple[Value, Value]:
    scale = max(_scale(left.type), _scale(right.type))
    found = _raised_to(left, scale), _raised_to(right, scale)
    if found[0] is not None and found[1] is not None:
        return found[0], found[1]
    return _wide_to(left, scale), _wide_to(right, scale)


def _scale(kind: AnyType) -> int:
    return kind.scale if isinstance(kind, DecimalType) else 0


def _raised_to(value: Value, scale: int) -> Value | None:
    """At that scale in 64 bits, or None if it may not fit."""
    factor = 10 ** (scale - _scale(value.type))
    bounds = multiplied(bounds_of(value), Range(factor, factor))
    if value.wide or not bounds.within(INT64):
        return None
    return replace(value, expr=value.expr * factor if factor > 1 else value.expr)


def _wide_to(value: Value, scale: int) -> Value:
    """As 128-bit integers at that scale; what has no 38 digits then equals nothing over there."""
    expr = value.expr.reinterpret(dtype=pl.Int128) if value.wide else value.expr.cast(pl.Int128)
    factor = 10 ** (scale - _scale(value.type))
    if factor > 1:
        limit = (10**38 - 1) // factor
        scaled = pl.when(expr.is_between(-limit, limit)).then(
            expr * pl.lit(factor, dtype=pl.Int128)
        )
        expr = scaled.when(expr.is_not_null()).then(pl.lit(2**127 - 1, dtype=pl.Int128))
    return replace(value, expr=expr, range=None)


_COMMON: tuple[tuple[frozenset[str], Any], ...] = (
    (frozenset({"DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}), pl.Datetime("us")),
    (frozenset({"REAL", "DOUBLE PRECISION", "NUMERIC", "DECIMAL"}), pl.Float64()),
)


def _families(left: Value, right: Value) -> frozenset[str]:
    return frozenset((_family(left.type), _family(right.type)))


def _family(kind: AnyType) -> str:
    match kind:
        case ScalarType(scalar):
            return scalar.value
        case NumericType():
            return "NUMERIC"
        case DecimalType():
            return "DECIMAL"
        case VarCharType() | CharType():
            return "TEXT"
        case _:
            return shown(kind)


def _as_common(value: Value, dtype: Any) -> pl.Expr:
    """The value as that Polars type, to which it can be cast, or as a double."""
    if isinstance(value.type, DecimalType) and not value.wide:
        return value.expr.cast(pl.Float64) / 10.0**value.type.scale
    return value.expr.cast(dtype)
