"""count: of rows, of values, of distinct values."""

from __future__ import annotations

import polars as pl

from warehouse.execution.groups import Aggregated, Group
from warehouse.execution.value import Range, Value
from warehouse.functions.registry import aggregate

__all__ = ["COUNTS"]

COUNTS = Range(0, 2**63 - 1)


@aggregate("count(*) -> int8", strict=False)
def _count_rows(group: Group) -> Aggregated:
    return _counted(group, pl.len() if group.kept is None else group.kept.sum())


@aggregate("count(any) -> int8", strict=False)
def _count_values(group: Group) -> Aggregated:
    return _counted(group, group.count())


def _counted(group: Group, part: pl.Expr) -> Aggregated:
    def finish(found: pl.Expr) -> Value:
        return Value(found.cast(pl.Int64), group.type, COUNTS, nullable=False)

    return Aggregated((part,), finish)
