"""Ordered-set aggregates: percentile_cont, percentile_disc, mode.

NULLs are left out. The fraction is a direct argument: a constant, or constant within each group;
several fractions are a constant array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from storage.errors import NotYet
from storage.schema import ArrayType
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import AnyType
from warehouse.execution.groups import Aggregated, Group
from warehouse.execution.keys import order_key
from warehouse.execution.scaled import canonical
from warehouse.execution.value import Value
from warehouse.functions.registry import aggregate

__all__: list[str] = []

Pick = Callable[[Group, pl.Expr], Aggregated]


def _sorted(group: Group) -> pl.Expr:
    """The values in their order, without NULLs and rows that FILTER drops."""
    value = group.within[0]
    key = order_key(value)
    descending = group.within_keys[0].descending
    if key is value.expr:
        return value.expr.drop_nulls().sort(descending=descending)
    return value.expr.drop_nulls().sort_by(key.drop_nulls(), descending=descending)


def _kind_of_key(args: Sequence[Expr]) -> AnyType:
    return args[-1].type


def _array_of_key(args: Sequence[Expr]) -> AnyType:
    return ArrayType(args[-1].type)  # type: ignore[arg-type]


def _continuous(group: Group, fraction: pl.Expr) -> Aggregated:
    values = _sorted(group)
    place = fraction * (group.within[0].expr.count().cast(pl.Float64) - 1.0)
    low, high = place.floor().cast(pl.Int64), place.ceil().cast(pl.Int64)
    parts = (
        values.get(low, null_on_oob=True),
        values.get(high, null_on_oob=True),
        place - place.floor(),
    )

    def finish(low: pl.Expr, high: pl.Expr, part: pl.Expr) -> Value:
        between = low + (high - low) * part
        return Value(pl.when(low == high).then(low).otherwise(between), group.type)

    return Aggregated(parts, finish)


def _discrete(group: Group, fraction: pl.Expr) -> Aggregated:
    value = group.within[0]
    count = value.expr.count().cast(pl.Float64)
    place = ((fraction * count).ceil() - 1.0).clip(0.0).cast(pl.Int64)
    part = _sorted(group).get(place, null_on_oob=True)
    return Aggregated((part,), lambda found: Value(found, value.type, value.range, wide=value.wide))


def _one(group: Group, pick: Pick) -> Aggregated:
    """A single fraction."""
    given = group.args[0]
    fraction = pl.lit(given.literal, dtype=pl.Float64) if given.constant else given.expr.first()
    found = pick(group, fraction)
    shown = f"{given.literal:g} " if given.constant and given.literal is not None else ""

    def finish(given: pl.Expr, *parts: pl.Expr) -> Value:
        return _checked(found.finish(*parts), given, shown)

    return Aggregated((fraction, *found.parts), finish)


def _checked(value: Value, fraction: pl.Expr, shown: str) -> Value:
    outside = fraction.is_between(0, 1).not_()
    return value.faulty(outside, "22003", f"percentile value {shown}is not between 0 and 1")


def _several(group: Group, pick: Pick) -> Aggregated:
    """An array of fractions, of which each gives an element."""
    given = group.args[0]
    if not given.constant:
        raise NotYet("the fractions of a percentile must be a constant array")
    if given.literal is None:
        return Aggregated((pl.len(),), lambda _: Value(pl.lit(None), group.type))
    made = [pick(group, pl.lit(each, dtype=pl.Float64)) for each in given.literal]
    assert isinstance(group.type, ArrayType)

    def finish(*parts: pl.Expr) -> Value:
        elements, taken = [], 0
        for each, fraction in zip(made, given.literal, strict=True):
            own = parts[taken : taken + len(each.parts)]
            taken += len(each.parts)
            shown = "" if fraction is None else f"{fraction:g} "
            limit = pl.lit(fraction, dtype=pl.Float64)
            elements.append(_checked(each.finish(*own), limit, shown))
        faults = [found.fault for found in elements if found.fault is not None]
        listed = pl.concat_list([canonical(found).expr for found in elements])
        some = pl.any_horizontal([found.expr.is_not_null() for found in elements])
        return Value(
            pl.when(some).then(listed), group.type, fault=pl.coalesce(faults) if faults else None
        )

    return Aggregated(tuple(part for each in made for part in each.parts), finish)


@aggregate("percentile_cont(float8, float8) -> float8", within=1)
def _percentile_cont(group: Group) -> Aggregated:
    return _one(group, _continuous)


@aggregate("percentile_cont(_float8, float8) -> _float8", within=1)
def _percentiles_cont(group: Group) -> Aggregated:
    return _several(group, _continuous)


@aggregate("percentile_disc(float8, anyelement) -> anyelement", within=1, result=_kind_of_key)
def _percentile_disc(group: Group) -> Aggregated:
    return _one(group, _discrete)


@aggregate("percentile_disc(_float8, anyelement) -> anyarray", within=1, result=_array_of_key)
def _percentiles_disc(group: Group) -> Aggregated:
    return _several(group, _discrete)


@aggregate("mode(anyelement) -> anyelement", within=1, result=_kind_of_key)
def _mode(group: Group) -> Aggregated:
    """The most frequent value; of equally frequent ones the first in the order."""
    value = group.within[0]
    key = order_key(value)
    if key is not value.expr:
        raise NotYet("mode of intervals is not supported")
    most = value.expr.drop_nulls().mode().sort(descending=group.within_keys[0].descending)
    return Aggregated(
        (most.first(),), lambda found: Value(found, value.type, value.range, wide=value.wide)
    )
