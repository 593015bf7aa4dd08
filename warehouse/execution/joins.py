"""Joins of rows with rows: inner, left, right, full, semi, anti.

Equalities become the keys of a hash join. What else the condition says:

- of one side alone: that side is filtered before, or, where its rows stay without a match, their
  keys become NULL, which match nothing;
- of both sides: an inner join filters its pairs. The others number the rows of the left side,
  make the pairs with an inner join, filter them, and put the numbered rows that are left back.

The order of the tree is the order of the joins: whoever collects the frame tells Polars to keep it.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from storage.errors import InternalError
from warehouse.algebra.expressions import conjuncts
from warehouse.algebra.relations import Empty, Join
from warehouse.execution.extremes import MATCHED, by_extremes
from warehouse.execution.join_conditions import Condition, Key, take_apart
from warehouse.execution.join_steps import (
    ROW,
    computed,
    constant_key,
    equi_join,
    gated,
    nullable,
    numbered,
    pairs,
)
from warehouse.execution.lowered import Context, Lowered, narrowed
from warehouse.execution.relations import filtered, lower_relation
from warehouse.execution.uniqueness import unique
from warehouse.execution.value import Value

__all__ = ["lower_join"]


def lower_join(node: Join, context: Context) -> Lowered:
    """Any join that is not lateral."""
    if node.lateral:
        raise InternalError("a lateral join reached execution")
    if node.kind == "inner" and isinstance(node.left, Empty):
        only = lower_relation(node.right, context)
        return filtered(only, conjuncts(node.condition), context)
    left, right = lower_relation(node.left, context), lower_relation(node.right, context)
    if node.kind == "right":
        found = _left(right, left, take_apart(node.condition, right, left, context), context)
        return Lowered(found.frame, {**_some(found, left), **_some(found, right)})
    condition = take_apart(node.condition, left, right, context)
    if node.kind in ("mark", "single") or (node.kind == "anti" and node.null_aware):
        from warehouse.execution.subquery_joins import lower_subquery_join

        return lower_subquery_join(node, left, right, condition, context)
    if node.kind == "inner" and not condition.keys and (unique(node.left) or unique(node.right)):
        # Polars makes a range join of a product and a comparison, which sorts the larger side.
        condition = replace(condition, keys=[constant_key()])
    lowering = _KINDS.get(node.kind)
    if lowering is None:
        raise InternalError(f"no join of kind {node.kind}")
    return lowering(left, right, condition, context)


def _some(found: Lowered, side: Lowered) -> dict[int, Value]:
    return {key: found.columns[key] for key in side.columns}


# --- kinds ----------------------------------------------------------------------------------------


def _inner(left: Lowered, right: Lowered, condition: Condition, context: Context) -> Lowered:
    found = pairs(left, right, condition, context)
    if left.columns and right.columns and not computed(condition.keys):
        return found
    return narrowed(found.frame, found.columns)


def _left(left: Lowered, right: Lowered, condition: Condition, context: Context) -> Lowered:
    columns = {**left.columns, **nullable(right.columns)}
    if not condition.rest:
        right = filtered(right, condition.right, context)
        keys = gated(condition.keys, condition.left, left, context)
        return narrowed(equi_join(left.frame, right.frame, keys, "left"), columns)
    rows = numbered(left)
    matched = pairs(rows, right, condition, context).frame.select(ROW, *right.names)
    return narrowed(rows.frame.join(matched, on=ROW, how="left"), columns)


def _full(left: Lowered, right: Lowered, condition: Condition, context: Context) -> Lowered:
    columns = {**nullable(left.columns), **nullable(right.columns)}
    if not condition.rest:
        keys = gated(condition.keys, condition.left, left, context)
        keys = [_turned(key) for key in keys]
        keys = [_turned(key) for key in gated(keys, condition.right, right, context)]
        return narrowed(equi_join(left.frame, right.frame, keys, "full"), columns)
    ours, theirs = numbered(left), numbered(right, "row_right")
    matched = pairs(ours, theirs, condition, context).frame.cache()
    parts = [
        matched,
        ours.frame.join(matched.select(ROW), on=ROW, how="anti"),
        theirs.frame.join(matched.select("row_right"), on="row_right", how="anti"),
    ]
    return narrowed(pl.concat(parts, how="diagonal"), columns)


def _semi(left: Lowered, right: Lowered, condition: Condition, context: Context) -> Lowered:
    left = filtered(left, condition.left, context)
    return _present(left, right, replace(condition, left=[]), context, "semi")


def _anti(left: Lowered, right: Lowered, condition: Condition, context: Context) -> Lowered:
    return _present(left, right, condition, context, "anti")


def _present(
    left: Lowered, right: Lowered, condition: Condition, context: Context, how: str
) -> Lowered:
    """The left rows with (semi) or without (anti) a match."""
    if condition.rest:
        short = by_extremes(left, right, condition, context)
        if short is not None:
            wanted = pl.col(MATCHED) if how == "semi" else pl.col(MATCHED).not_()
            return narrowed(short.filter(wanted), left.columns)
        rows = numbered(left)
        matched = pairs(rows, right, condition, context).frame.select(ROW)
        found = rows.frame.join(matched, on=ROW, how=how)  # type: ignore[arg-type]
        return narrowed(found, left.columns)
    right = filtered(right, condition.right, context)
    keys = gated(condition.keys, condition.left, left, context)
    if not condition.keys:
        right = Lowered(right.frame.head(1), right.columns)
    return narrowed(equi_join(left.frame, right.frame, keys, how), left.columns)


_KINDS = {"inner": _inner, "left": _left, "full": _full, "semi": _semi, "anti": _anti}


def _turned(key: Key) -> Key:
    return replace(key, left=key.right, right=key.left)
