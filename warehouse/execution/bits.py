"""Bitwise operators of integers: & | # ~ << >>, in the type's own number of bits."""

from __future__ import annotations

import polars as pl

from warehouse.algebra.types import BIGINT, SMALLINT, AnyType
from warehouse.execution.ranges import type_range
from warehouse.execution.value import Value, any_fault

__all__ = ["bit_and", "bit_not", "bit_or", "bit_xor", "shift_left", "shift_right"]


def _made(expr: pl.Expr, operands: list[Value], kind: AnyType) -> Value:
    return Value(
        expr,
        kind,
        range=type_range(kind),
        nullable=any(value.nullable for value in operands),
        fault=any_fault(value.fault for value in operands),
    )


def bit_and(left: Value, right: Value, *, kind: AnyType) -> Value:
    """left & right."""
    return _made(left.expr & right.expr, [left, right], kind)


def bit_or(left: Value, right: Value, *, kind: AnyType) -> Value:
    """left | right."""
    return _made(left.expr | right.expr, [left, right], kind)


def bit_xor(left: Value, right: Value, *, kind: AnyType) -> Value:
    """left # right."""
    return _made(left.expr ^ right.expr, [left, right], kind)


def bit_not(value: Value, *, kind: AnyType) -> Value:
    """~value."""
    return _made(-1 - value.expr, [value], kind)


def _places(by: Value, kind: AnyType) -> pl.Expr:
    """How far to shift: only the lowest 5 bits of the number count, of BIGINT's 6."""
    return by.expr & (63 if kind == BIGINT else 31)


def shift_left(value: Value, by: Value, *, kind: AnyType) -> Value:
    """value << by; bits shifted out are lost."""
    places = _places(by, kind)
    power = pl.lit(2, dtype=pl.Int64()).pow(places.clip(0, 62))
    # 2^63 is no Int64; of a product of two factors the low 64 bits are the same.
    product = value.expr * power * pl.when(places == 63).then(2).otherwise(1)
    if kind != BIGINT:
        bits = 16 if kind == SMALLINT else 32
        product = (product + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    return _made(product, [value, by], kind)


def shift_right(value: Value, by: Value, *, kind: AnyType) -> Value:
    """value >> by; the sign stays."""
    places = _places(by, kind)
    power = pl.lit(2, dtype=pl.Int64()).pow(places.clip(0, 62))
    shifted = value.expr // power
    last = pl.when(value.expr < 0).then(-1).otherwise(0)
    expr = pl.when(places == 63).then(last).otherwise(shifted)
    strict = pl.when(value.expr.is_not_null()).then(expr)
    return _made(strict.cast(pl.Int64()), [value, by], kind)
