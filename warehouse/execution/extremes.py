"""Semi, anti and mark joins with one comparison beside their equalities, without making pairs.

`EXISTS (… r.k = l.k AND r.x <> l.x)` only needs the least and the greatest x of each k: some x
differs from l.x if one of those two does; some x is above l.x if the greatest is. So the right side
is grouped by its keys and joined row by row, where a join of pairs would square the larger groups.
`l.x > ANY (…)` and `l.x <= ALL (…)` are the same without keys: one group. Where no x decides, the
comparison is NULL if l.x or some x of the group is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from warehouse.algebra.expressions import Call, Expr
from warehouse.algebra.types import NUMERIC, is_float
from warehouse.execution.join_conditions import Condition, Key, references
from warehouse.execution.join_steps import equi_join, gated
from warehouse.execution.keys import comparable_pair
from warehouse.execution.lowered import Context, Lowered, exactly
from warehouse.execution.relations import filtered
from warehouse.execution.value import raised

__all__ = ["MATCHED", "UNSURE", "by_extremes"]

MATCHED = "matched"
UNSURE = "unsure"
_LEAST, _GREATEST, _NULLS, _COMPARED = "least", "greatest", "nulls", "compared"
_TURNED = {"<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def by_extremes(
    left: Lowered, right: Lowered, condition: Condition, context: Context
) -> pl.LazyFrame | None:
    """The left rows with two Boolean columns, or None if the condition is of another form.

    MATCHED: the condition is true of some row on the right. UNSURE: it is not true of any, but NULL
    of some, supposed that only the comparison can be NULL.
    """
    if len(condition.rest) != 1:
        return None
    found = _comparison(condition.rest[0], left, right)
    if found is None:
        return None
    operator, ours, theirs = found
    one, other = context.lower(ours, left.columns), context.lower(theirs, right.columns)
    pair = comparable_pair(one, other)
    if pair is None:
        return None
    ours_key, theirs_key = (
        raised(replace(value, expr=key)) for value, key in zip((one, other), pair, strict=True)
    )
    floats = is_float(other.type) or other.type == NUMERIC
    below = filtered(right, condition.right, context)
    grouped = _grouped(below.frame, condition.keys, theirs_key, floats=floats)
    keys = [replace(key, right=pl.col(f"g{i}")) for i, key in enumerate(condition.keys)]
    joined = equi_join(left.frame, grouped, gated(keys, condition.left, left, context), "left")
    matched = _matched(operator, ours_key).fill_null(False)
    unsure = pl.col(_NULLS).is_not_null() & (ours_key.is_null() | pl.col(_NULLS))
    return joined.with_columns(matched.alias(MATCHED), (unsure & matched.not_()).alias(UNSURE))


def _grouped(
    right: pl.LazyFrame, keys: Sequence[Key], compared: pl.Expr, *, floats: bool
) -> pl.LazyFrame:
    """Per group of keys (g0, …) that has rows: the extremes, and whether there are NULLs."""
    made = [key.right.alias(f"g{i}") for i, key in enumerate(keys)]
    rows = exactly(right, [*made, compared.alias(_COMPARED)])
    value = pl.col(_COMPARED)
    greatest = value.max()
    if floats:  # NaN is the greatest; Polars leaves it out as long as there is a number
        greatest = pl.when(value.is_nan().any()).then(float("nan")).otherwise(greatest)
    parts = (
        value.min().alias(_LEAST),
        greatest.alias(_GREATEST),
        value.is_null().any().alias(_NULLS),
    )
    if keys:
        return rows.group_by([f"g{i}" for i in range(len(keys))]).agg(parts)
    return rows.select(*parts, pl.len().alias("rows")).filter(pl.col("rows") > 0)


def _comparison(part: Expr, left: Lowered, right: Lowered) -> tuple[str, Expr, Expr] | None:
    """Operator, expression over the left side, expression over the right side."""
    if not isinstance(part, Call) or len(part.args) != 2:
        return None
    operator = part.fn.partition("(")[0]
    if operator not in _TURNED:
        return None
    first, second = part.args
    if references(first) <= left.columns.keys() and references(second) <= right.columns.keys():
        return operator, first, second
    if references(first) <= right.columns.keys() and references(second) <= left.columns.keys():
        return _TURNED[operator], second, first
    return None


def _matched(operator: str, value: pl.Expr) -> pl.Expr:
    least, greatest = pl.col(_LEAST), pl.col(_GREATEST)
    match operator:
        case "<>":
            return (value != least) | (value != greatest)
        case "<":
            return value < greatest
        case "<=":
            return value <= greatest
        case ">":
            return value > least
        case _:
            return value >= least
