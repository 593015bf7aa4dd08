"""Conversions among DATE, TIME, TIMESTAMP, TIMESTAMPTZ and INTERVAL. The session's zone is UTC."""

from __future__ import annotations

import polars as pl

from warehouse.algebra.types import (
    DATE,
    INTERVAL,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    AnyType,
)
from warehouse.execution.value import Value, carrier

__all__ = ["moment"]

_DAY = 86_400_000_000  # microseconds
_STAMPS = (TIMESTAMP, TIMESTAMPTZ)


def moment(value: Value, kind: AnyType) -> Value | None:
    """One of these types as another; None if PostgreSQL has no such cast."""
    source, expr = value.type, value.expr
    if source in _STAMPS and kind in _STAMPS:
        return value.derived(expr, kind)
    if source == DATE and kind in _STAMPS:
        return value.derived(expr.cast(pl.Datetime("us")), kind)
    if source in _STAMPS and kind == DATE:
        days = expr.to_physical() // _DAY
        return value.derived(days.cast(pl.Int32()).cast(pl.Date()), kind)
    if source in _STAMPS and kind == TIME:
        return value.derived(_time(expr.to_physical()), kind)
    if source == TIME and kind == INTERVAL:
        return value.derived(_interval(expr.to_physical() // 1000), kind)
    if source == INTERVAL and kind == TIME:
        return value.derived(_time(expr.struct.field("microseconds")), kind)
    return None


def _time(microseconds: pl.Expr) -> pl.Expr:
    """The time of day; Polars' remainder has the sign of the divisor, as needed."""
    return (microseconds % _DAY * 1000).cast(pl.Time())


def _interval(microseconds: pl.Expr) -> pl.Expr:
    zero = pl.lit(0, dtype=pl.Int32())
    packed = pl.struct(zero.alias("months"), zero.alias("days"), microseconds.alias("microseconds"))
    return (
        pl.when(microseconds.is_not_null())
        .then(packed)
        .otherwise(pl.lit(None, dtype=carrier(INTERVAL)))
    )
