"""sum and avg.

Integers and DECIMALs are summed exactly: in 64 bits where the range of the addends and the number
of rows that there can be prove that this suffices, else in 128 bits, which are checked against the
38 digits of a DECIMAL. An average divides the exact sum once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from storage.schema import DecimalType
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import BIGINT, DOUBLE, NUMERIC, AnyType
from warehouse.execution.groups import Aggregated, Group
from warehouse.execution.ranges import bounds_of
from warehouse.execution.value import INT64, Range, Value, any_fault
from warehouse.functions.registry import Function, aggregate, function

__all__: list[str] = []

ROWS_MAX = 2**32  # Polars numbers rows by 32 bits
DIGITS_MAX = 10**38
SAFE_FLOAT = 1.2e38  # above 10^38 and so far below 2^127 that rounding does not matter
TOO_LONG = "numeric field overflow: a sum has more than 38 digits"


def _sum_type(args: Sequence[Expr]) -> AnyType:
    kind = args[0].type
    return DecimalType(38, kind.scale) if isinstance(kind, DecimalType) else NUMERIC


def _long_type(args: Sequence[Expr]) -> AnyType:
    return DecimalType(38, 0)


@aggregate("sum(int2) -> int8", "sum(int4) -> int8")
@aggregate("sum(int8) -> numeric", result=_long_type)
@aggregate("sum(numeric) -> numeric", result=_sum_type)
def _sum(group: Group) -> Aggregated:
    arg = group.args[0]
    if not isinstance(arg.type, DecimalType) and arg.type == NUMERIC:
        return _sum_floats(group)
    if arg.wide:
        return _sum_wide(group)
    part, bounds = _exact(group)
    if bounds is not None:
        return _filled(group, part, lambda found: Value(found, group.type, bounds))
    if group.type == BIGINT:
        return _filled(group, part, lambda found: _as_bigint(found, group))
    scale = group.type.scale if isinstance(group.type, DecimalType) else 0
    decimal = pl.Decimal(38, scale)
    return _filled(
        group, part, lambda found: Value(found.reinterpret(dtype=decimal), group.type, wide=True)
    )


def _exact(group: Group) -> tuple[pl.Expr, Range | None]:
    """The sum of integers, and its range if it is of 64 bits (else it is of 128)."""
    addend = bounds_of(group.args[0])
    bounds = Range(min(addend.low, 0) * ROWS_MAX, max(addend.high, 0) * ROWS_MAX)
    if bounds.within(INT64):
        return group.values().sum(), bounds
    return group.values().cast(pl.Int128).sum(), None


def _filled(group: Group, part: pl.Expr, finish: Callable[[pl.Expr], Value]) -> Aggregated:
    """NULL for groups without values, whose sum is 0 in Polars."""
    if group.filled():
        return Aggregated((part,), lambda found: replace(finish(found), nullable=False))
    return Aggregated(
        (part, group.count()),
        lambda found, count: finish(pl.when(count > 0).then(found)),
    )


def _as_bigint(found: pl.Expr, group: Group) -> Value:
    outside = found.is_between(INT64.low, INT64.high).not_()
    narrow = found.cast(pl.Int64, strict=False)
    return Value(narrow, group.type).faulty(outside, "22003", "bigint out of range")


def _sum_wide(group: Group) -> Aggregated:
    """128 bits wrap only if the sum as floats is beyond any doubt too large as well."""
    assert isinstance(group.type, DecimalType)
    decimal = pl.Decimal(38, group.type.scale)
    numbers = group.values().reinterpret(dtype=pl.Int128)
    parts = (numbers.sum(), numbers.cast(pl.Float64).sum(), group.count())

    def finish(exact: pl.Expr, about: pl.Expr, count: pl.Expr) -> Value:
        limit = pl.lit(DIGITS_MAX, dtype=pl.Int128)
        outside = (about.abs() > SAFE_FLOAT) | (exact >= limit) | (exact <= -limit)
        kept = pl.when((count > 0) & outside.not_()).then(exact)
        made = Value(kept.reinterpret(dtype=decimal), group.type, wide=True)
        return made.faulty(outside, "22003", TOO_LONG)

    return Aggregated(parts, finish)


@aggregate("sum(float4) -> float4")
@aggregate("sum(float8) -> float8")
def _sum_floats(group: Group) -> Aggregated:
    """Finite numbers whose sum is infinite are an error."""
    values = group.values()
    parts = (values.sum(), values.is_infinite().any(), group.count())

    def finish(total: pl.Expr, infinite: pl.Expr, count: pl.Expr) -> Value:
        overflown = total.is_infinite() & infinite.not_()
        made = Value(pl.when(count > 0).then(total), group.type)
        return made.faulty(overflown, "22003", "value out of range: overflow")

    return Aggregated(parts, finish)


@aggregate("sum(interval) -> interval")
def _sum_intervals(group: Group) -> Aggregated:
    fields = group.values().struct
    months, days, clock = (fields.field(name) for name in ("months", "days", "microseconds"))
    parts = (
        months.cast(pl.Int64).sum(),
        days.cast(pl.Int64).sum(),
        clock.cast(pl.Int128).sum(),
        group.count(),
    )

    def finish(months: pl.Expr, days: pl.Expr, clock: pl.Expr, count: pl.Expr) -> Value:
        limits = ((months, 2**31), (days, 2**31), (clock, 2**63))
        outside = pl.any_horizontal(
            [part.is_between(-limit, limit - 1).not_() for part, limit in limits]
        )
        whole = pl.struct(
            months.cast(pl.Int32, strict=False).alias("months"),
            days.cast(pl.Int32, strict=False).alias("days"),
            clock.cast(pl.Int64, strict=False).alias("microseconds"),
        )
        made = Value(pl.when(count > 0).then(whole), group.type)
        return made.faulty(outside, "22008", "interval out of range")

    return Aggregated(parts, finish)


@aggregate("avg(int2) -> numeric", "avg(int4) -> numeric", "avg(int8) -> numeric")
@aggregate("avg(numeric) -> numeric", result=lambda args: NUMERIC)
def _average(group: Group) -> Aggregated:
    arg = group.args[0]
    if arg.type == NUMERIC:
        return _average_floats(group)
    scale = arg.type.scale if isinstance(arg.type, DecimalType) else 0
    part = _sum_of_wide(group) if arg.wide else _exact(group)[0]

    def finish(total: pl.Expr, count: pl.Expr) -> Value:
        quotient = total.cast(pl.Float64) / (count.cast(pl.Float64) * 10.0**scale)
        found = quotient if group.filled() else pl.when(count > 0).then(quotient)
        return Value(found, group.type, nullable=not group.filled())

    return Aggregated((part, group.count()), finish)


def _sum_of_wide(group: Group) -> pl.Expr:
    """As floats: an average is one in the end, and 128 bits could wrap."""
    return group.values().reinterpret(dtype=pl.Int128).cast(pl.Float64).sum()


@aggregate("avg(float4) -> float8")
@aggregate("avg(float8) -> float8")
def _average_floats(group: Group) -> Aggregated:
    values = group.values().cast(pl.Float64)
    parts = (values.sum(), values.is_infinite().any(), group.count())

    def finish(total: pl.Expr, infinite: pl.Expr, count: pl.Expr) -> Value:
        overflown = total.is_infinite() & infinite.not_()
        made = Value(pl.when(count > 0).then(total / count), group.type)
        return made.faulty(overflown, "22003", "value out of range: overflow")

    return Aggregated(parts, finish)


@aggregate("avg(interval) -> interval")
def _average_intervals(group: Group) -> Aggregated:
    total = _sum_intervals(group)

    def finish(*found: pl.Expr) -> Value:
        some = found[-1] > 0
        count = Value(pl.when(some).then(found[-1]).cast(pl.Float64), DOUBLE)
        made = _divided(function("/(interval,float8)"), total.finish(*found), count)
        return replace(made, expr=pl.when(some).then(made.expr), nullable=True)

    return Aggregated(total.parts, finish)


def _divided(operator: Function, total: Value, count: Value) -> Value:
    """An interval by a number, by the operator of the registry."""
    assert operator.implementation is not None
    if operator.native:
        return replace(total, expr=operator.implementation(total.expr, count.expr))
    made: Value = operator.implementation(total, count, kind=total.type)
    return replace(made, fault=any_fault([total.fault, made.fault]))
