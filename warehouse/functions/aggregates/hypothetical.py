"""Hypothetical-set aggregates: where a row would stand in the order of the group's rows.

The direct arguments are that row. A row of the group comes before it if, at the first key where
they differ, its value comes first in that key's order; NULLs stand where the key says.
"""

from __future__ import annotations

import polars as pl

from warehouse.algebra.expressions import SortKey
from warehouse.execution.groups import Aggregated, Group
from warehouse.execution.keys import order_key
from warehouse.execution.value import Value
from warehouse.functions.aggregates.counting import COUNTS
from warehouse.functions.registry import aggregate

__all__: list[str] = []


def _standing(group: Group) -> tuple[pl.Expr, pl.Expr]:
    """Of each row: does it come before the hypothetical one; is it its peer?"""
    before, equal = pl.lit(False), pl.lit(True)
    for own, given, key in zip(group.within, group.args, group.within_keys, strict=True):
        mine, there = order_key(own), order_key(given)
        before = before | (equal & _precedes(mine, there, key))
        equal = equal & mine.eq_missing(there)
    return before, equal


def _precedes(mine: pl.Expr, there: pl.Expr, key: SortKey) -> pl.Expr:
    compared = mine > there if key.descending else mine < there
    if key.nulls_first:
        nulls = mine.is_null() & there.is_not_null()
    else:
        nulls = mine.is_not_null() & there.is_null()
    return compared.fill_null(False) | nulls


def _counted(group: Group, condition: pl.Expr) -> pl.Expr:
    if group.kept is not None:
        condition = condition & group.kept
    return condition.sum()


def _rows(group: Group) -> pl.Expr:
    return pl.len() if group.kept is None else group.kept.sum()


@aggregate("rank(variadic any) -> int8", strict=False, within=1)
def _rank(group: Group) -> Aggregated:
    before, _ = _standing(group)

    def finish(found: pl.Expr) -> Value:
        return Value(found.cast(pl.Int64) + 1, group.type, COUNTS, nullable=False)

    return Aggregated((_counted(group, before),), finish)


@aggregate("dense_rank(variadic any) -> int8", strict=False, within=1)
def _dense_rank(group: Group) -> Aggregated:
    before, _ = _standing(group)
    kept = before if group.kept is None else before & group.kept
    keys = pl.struct([order_key(own).alias(f"k{i}") for i, own in enumerate(group.within)])

    def finish(found: pl.Expr) -> Value:
        return Value(found.cast(pl.Int64) + 1, group.type, COUNTS, nullable=False)

    return Aggregated((keys.filter(kept).n_unique(),), finish)


@aggregate("percent_rank(variadic any) -> float8", strict=False, within=1)
def _percent_rank(group: Group) -> Aggregated:
    before, _ = _standing(group)

    def finish(found: pl.Expr, rows: pl.Expr) -> Value:
        share = pl.when(rows > 0).then(found / rows).otherwise(0.0)
        return Value(share, group.type, nullable=False)

    return Aggregated((_counted(group, before), _rows(group)), finish)


@aggregate("cume_dist(variadic any) -> float8", strict=False, within=1)
def _cume_dist(group: Group) -> Aggregated:
    before, equal = _standing(group)

    def finish(found: pl.Expr, rows: pl.Expr) -> Value:
        share = (found.cast(pl.Float64) + 1.0) / (rows.cast(pl.Float64) + 1.0)
        return Value(share, group.type, nullable=False)

    return Aggregated((_counted(group, before | equal), _rows(group)), finish)
