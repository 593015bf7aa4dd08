"""Aggregates over frames: which kernel computes which aggregate, and what type comes out.

Counts and exact sums are differences of running sums; everything else is a fold (`window_folds`).
An aggregate that has no kernel here goes the general way: its frames are written out as groups.
FILTER leaves rows out before an argument's fault counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from storage.schema import DecimalType
from warehouse.algebra.expressions import WindowCall
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    REAL,
    AnyType,
    NumericType,
    is_float,
    is_integer,
)
from warehouse.execution.ranges import bounds_of, type_range
from warehouse.execution.scaled import as_float, of
from warehouse.execution.value import INT64, Range, Value, raised
from warehouse.execution.window_folds import Columns, added, fold
from warehouse.execution.window_frames import Frames
from warehouse.execution.window_layout import Flags, Integers, Key, lay_out
from warehouse.execution.window_plan import Kernel, Plan, Scope, nullable, picked, refuse
from warehouse.execution.window_statistics import Statistic, statistic_of
from warehouse.execution.window_sums import WideSums, counts, sums64, wide_sums

__all__ = ["ROWS_MAX", "argument", "included", "plan_aggregate"]

ROWS_MAX = 2**32  # no Polars frame has more rows, so no sum has more addends
INT64_MIN, INT64_MAX = INT64.low, INT64.high

Planner = Callable[[WindowCall, Sequence[Value], pl.Expr | None, int | None], Plan | None]


def plan_aggregate(
    call: WindowCall, values: Sequence[Value], condition: pl.Expr | None, longest: int | None
) -> Plan | None:
    """The kernel of an aggregate; None if it has none of its own.

    Args:
        values: the arguments.
        condition: of FILTER, over the input's frame.
        longest: the most rows that a frame can have, if the clause says so.
    """
    name = call.fn.partition("(")[0]
    planner = _PLANNERS.get(name)
    if planner is not None:
        return planner(call, values, condition, longest)
    statistic = statistic_of(name, [value.type for value in values])
    if statistic is None:
        return None
    inputs = [_as_float(argument(value, condition)) for value in values]
    return Plan(
        (*inputs, *_conditions(condition)),
        _statistics_kernel(statistic, len(values), exact=not is_float(call.type)),
        Value(pl.lit(None), call.type, range=INT64 if is_integer(call.type) else None),
    )


def argument(value: Value, condition: pl.Expr | None) -> Value:
    """An argument whose faults count only where FILTER takes the row."""
    if condition is None or value.fault is None:
        return value
    return replace(value, fault=pl.when(condition).then(value.fault))


def included(values: Sequence[pl.Series], condition: Sequence[pl.Series]) -> Flags:
    """The rows that FILTER takes and where no argument is NULL."""
    found = np.ones(len([*values, *condition][0]), dtype=np.bool_)
    for column in values:
        found &= column.is_not_null().to_numpy()
    for column in condition:
        found &= column.fill_null(False).to_numpy()
    return found


def _conditions(condition: pl.Expr | None) -> tuple[pl.Expr, ...]:
    return () if condition is None else (condition,)


def _as_float(value: Value) -> pl.Expr:
    if is_integer(value.type) or isinstance(value.type, DecimalType):
        expr = as_float(of(value))
    else:
        expr = value.expr.cast(pl.Float64())
    return raised(replace(value, expr=expr))


# --- counts and logic -----------------------------------------------------------------------------


def _plan_count(
    call: WindowCall, values: Sequence[Value], condition: pl.Expr | None, longest: int | None
) -> Plan:
    inputs = [raised(argument(value, condition)) for value in values]

    def kernel(scope: Scope, columns: Sequence[pl.Series]) -> pl.Series:
        frames = scope.frames
        chosen = included(columns[: len(inputs)], columns[len(inputs) :]) if columns else None
        return frames.per_row(pl.Series(counts(chosen, frames)))

    known = Value(pl.lit(None), BIGINT, range=Range(0, ROWS_MAX), nullable=False)
    return Plan((*inputs, *_conditions(condition)), kernel, known)


def _plan_logic(
    call: WindowCall, values: Sequence[Value], condition: pl.Expr | None, longest: int | None
) -> Plan:
    """bool_and and bool_or: is there a value that decides?"""
    decides = call.fn.startswith("bool_or")

    def kernel(scope: Scope, columns: Sequence[pl.Series]) -> pl.Series:
        frames = scope.frames
        chosen = included(columns[:1], columns[1:])
        deciding = chosen & (columns[0].fill_null(False).to_numpy() == decides)
        decided = counts(deciding, frames) > 0
        found = decided if decides else ~decided
        return frames.per_row(nullable(found, counts(chosen, frames) > 0))

    inputs = (raised(argument(values[0], condition)), *_conditions(condition))
    return Plan(inputs, kernel, Value(pl.lit(None), BOOLEAN))


# --- sums and averages ----------------------------------------------------------------------------


def _plan_sum(
    call: WindowCall, values: Sequence[Value], condition: pl.Expr | None, longest: int | None
) -> Plan | None:
    value = argument(values[0], condition)
    inputs = (raised(value), *_conditions(condition))
    if is_float(value.type) or isinstance(value.type, NumericType):
        return Plan(inputs, _float_sums(value.type, average=False), Value(pl.lit(None), call.type))
    if not _is_exact(value.type):
        return None
    bounds, rows = bounds_of(value), ROWS_MAX if longest is None else longest
    total = Range(min(bounds.low * rows, 0), max(bounds.high * rows, 0))
    if not value.wide and total.within(INT64):
        return Plan(inputs, _small_sums, Value(pl.lit(None), call.type, range=total))
    wide = isinstance(call.type, DecimalType)
    known = Value(pl.lit(None), call.type, range=None if wide else INT64, wide=wide)
    return Plan(inputs, _large_sums(call.type), known)


def _is_exact(kind: AnyType) -> bool:
    return is_integer(kind) or isinstance(kind, DecimalType)


def _small_sums(scope: Scope, columns: Sequence[pl.Series]) -> pl.Series:
    frames = scope.frames
    chosen = included(columns[:1], columns[1:])
    addends = np.where(chosen, columns[0].fill_null(0).to_numpy(), 0)
    return frames.per_row(nullable(sums64(addends, frames), counts(chosen, frames) > 0))


def _large_sums(kind: AnyType) -> Kernel:
    def kernel(scope: Scope, columns: Sequence[pl.Series]) -> pl.Series:
        frames = scope.frames
        chosen = included(columns[:1], columns[1:])
        sums = wide_sums(columns[0], chosen, frames)
        valid = counts(chosen, frames) > 0
        if not isinstance(kind, DecimalType):
            if not sums.fit.all():
                refuse("22003", "bigint out of range")
            return frames.per_row(nullable(sums.low.view(np.int64), valid))
        if sums.beyond_decimal().any():
            refuse("22003", "numeric field overflow: a sum has more than 38 digits")
        return frames.per_row(sums.decimals(valid, kind.scale))

    return kernel


def _plan_average(
    call: WindowCall, values: Sequence[Value], condition: pl.Expr | None, longest: int | None
) -> Plan | None:
    value = argument(values[0], condition)
    inputs = (raised(value), *_conditions(condition))
    known = Value(pl.lit(None), call.type)
    if is_float(value.type) or isinstance(value.type, NumericType):
        return Plan(inputs, _float_sums(call.type, average=True), known)
    if not _is_exact(value.type):
        return None
    unit = 10.0**value.type.scale if isinstance(value.type, DecimalType) else 1.0

    def kernel(scope: Scope, columns: Sequence[pl.Series]) -> pl.Series:
        frames = scope.frames
        chosen = included(columns[:1], columns[1:])
        sums: WideSums = wide_sums(columns[0], chosen, frames)
        number = counts(chosen, frames)
        means = sums.floats() / (np.maximum(number, 1) * unit)
        return frames.per_row(nullable(means, number > 0))

    return Plan(inputs, kernel, known)


def _float_sums(kind: AnyType, *, average: bool) -> Kernel:
    """Sums or averages of floats. -0 is the number that changes nothing when it is added."""

    def kernel(scope: Scope, columns: Sequence[pl.Series]) -> pl.Series:
        frames = scope.frames
        chosen = included(columns[:1], columns[1:])
        raw = columns[0].cast(pl.Float64).fill_null(0.0).to_numpy()
        addends = np.where(chosen, raw, -0.0)
        sums = fold((addends,), (-0.0,), added, frames)[0]
        _refuse_overflow(sums, chosen & ~np.isfinite(raw), frames)
        number = counts(chosen, frames)
        if average:
            sums = sums / np.maximum(number, 1)
        elif kind == REAL:
            infinite = np.isinf(sums)
            with np.errstate(over="ignore"):
                sums = sums.astype(np.float32)
            if (np.isinf(sums) & ~infinite).any():
                refuse("22003", "value out of range: overflow")
        return frames.per_row(nullable(sums, number > 0))

    return kernel


def _refuse_overflow(results: npt.NDArray[Any], special: Flags, frames: Frames) -> None:
    """An infinity or NaN that comes from finite numbers is an overflow."""
    wild = ~np.isfinite(results)
    if wild.any() and (wild & (counts(special, frames) == 0)).any():
        refuse("22003", "value out of range: overflow")


# --- least and greatest ---------------------------------------------------------------------------


def _plan_extreme(
    call: WindowCall, values: Sequence[Value], condition: pl.Expr | None, longest: int | None
) -> Plan:
    least = call.fn.startswith("min")
    value = argument(values[0], condition)
    known = replace(value, expr=pl.lit(None), nullable=True, constant=False, literal=None)
    inputs = (raised(value), *_conditions(condition))
    return Plan(inputs, _extremes(call.type, least=least), replace(known, fault=None))


def _extremes(kind: AnyType, *, least: bool) -> Kernel:
    def kernel(scope: Scope, columns: Sequence[pl.Series]) -> pl.Series:
        frames, values = scope.frames, columns[0]
        chosen = included(columns[:1], columns[1:])
        valid = counts(chosen, frames) > 0
        if values.dtype.is_float():
            numbers = values.fill_null(0.0).to_numpy()
            return frames.per_row(nullable(_float_extremes(numbers, chosen, frames, least), valid))
        if values.dtype.is_integer() or values.dtype.is_temporal():
            codes = values.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
            found = nullable(_code_extremes(codes, chosen, frames, least), valid)
            return frames.per_row(found.cast(values.to_physical().dtype).cast(values.dtype))
        order = _order_of(values, kind, descending=least)
        codes = np.empty(len(values), dtype=np.int64)
        codes[order] = np.arange(len(values), dtype=np.int64)
        best = _code_extremes(codes, chosen, frames, False)
        return frames.per_row(picked(values, np.append(order, 0)[np.where(valid, best, 0)], valid))

    return kernel


def _order_of(values: pl.Series, kind: AnyType, *, descending: bool) -> Integers:
    """The rows in the order of their values: the last one is the extreme.

    Of equal values that look different ('1 month', '30 days') it is the last row's, as PostgreSQL
    has it.
    """
    rows = lay_out((), [Key(values, kind, descending, False)], len(values)).rows
    assert rows is not None
    return rows.to_numpy().astype(np.int64)


def _code_extremes(codes: Integers, chosen: Flags, frames: Frames, least: bool) -> Integers:
    nothing = INT64_MAX if least else INT64_MIN
    choose = np.minimum if least else np.maximum
    return fold((np.where(chosen, codes, nothing),), (nothing,), _one(choose), frames)[0]


def _float_extremes(
    numbers: npt.NDArray[Any], chosen: Flags, frames: Frames, least: bool
) -> npt.NDArray[Any]:
    """NaN is the greatest number: a minimum passes it by, a maximum is it."""
    nothing = np.nan if least else -np.inf
    choose = np.fmin if least else np.maximum
    addends = np.where(chosen, numbers, np.array(nothing, dtype=numbers.dtype))
    return fold((addends,), (nothing,), _one(choose), frames)[0]


def _one(combine: Any) -> Callable[[Columns, Columns], Columns]:
    return lambda left, right: (combine(left[0], right[0]),)


# --- bits and statistics --------------------------------------------------------------------------


def _plan_bits(
    call: WindowCall, values: Sequence[Value], condition: pl.Expr | None, longest: int | None
) -> Plan | None:
    if not is_integer(values[0].type):
        return None
    name = call.fn.partition("(")[0]
    combine = {"bit_and": np.bitwise_and, "bit_or": np.bitwise_or, "bit_xor": np.bitwise_xor}[name]
    nothing = -1 if name == "bit_and" else 0

    def kernel(scope: Scope, columns: Sequence[pl.Series]) -> pl.Series:
        frames = scope.frames
        chosen = included(columns[:1], columns[1:])
        bits = np.where(chosen, columns[0].fill_null(0).to_numpy(), nothing)
        found = fold((bits,), (nothing,), _one(combine), frames)[0]
        return frames.per_row(nullable(found, counts(chosen, frames) > 0))

    inputs = (raised(argument(values[0], condition)), *_conditions(condition))
    return Plan(inputs, kernel, Value(pl.lit(None), call.type, type_range(call.type)))


def _statistics_kernel(statistic: Statistic, arguments: int, *, exact: bool) -> Kernel:
    def kernel(scope: Scope, columns: Sequence[pl.Series]) -> pl.Series:
        frames = scope.frames
        chosen = included(columns[:arguments], columns[arguments:])
        numbers = [column.fill_null(0.0).to_numpy() for column in columns[:arguments]]
        folded = statistic.folded(numbers, chosen, frames)
        if not exact:
            special = chosen & ~np.logical_and.reduce([np.isfinite(n) for n in numbers])
            for column in folded:
                _refuse_overflow(column, special, frames)
        with np.errstate(all="ignore"):
            found, valid = statistic.finish(folded)
        return frames.per_row(nullable(found, valid))

    return kernel


_PLANNERS: dict[str, Planner] = {
    "count": _plan_count,
    "sum": _plan_sum,
    "avg": _plan_average,
    "min": _plan_extreme,
    "max": _plan_extreme,
    "bool_and": _plan_logic,
    "every": _plan_logic,
    "bool_or": _plan_logic,
    "bit_and": _plan_bits,
    "bit_or": _plan_bits,
    "bit_xor": _plan_bits,
}
