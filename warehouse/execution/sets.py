"""Set operations and DISTINCT: rows are equal where all columns are, NULL equalling NULL.

INTERSECT and EXCEPT are semi and anti joins over all columns. Their ALL forms count how often each
row occurs on either side, and repeat it min(l, r) or max(l - r, 0) times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl

from storage.errors import InternalError
from warehouse.algebra.relations import Distinct, SetOperation
from warehouse.execution.keys import aligned, any_of, equality_key, order_of
from warehouse.execution.lowered import (
    Context,
    Lowered,
    column_name,
    column_of,
    materialised,
    narrowed,
)
from warehouse.execution.relations import lower_relation
from warehouse.execution.value import Value, raised

__all__ = ["distinct_rows", "lower_distinct", "lower_set_operation", "matched"]


def lower_distinct(node: Distinct, context: Context) -> Lowered:
    """Distinct rows; with keys, the first row of each."""
    below = lower_relation(node.input, context)
    if not node.keys:
        return distinct_rows(below)
    order = order_of(node.order, below, context)
    frame = below.frame
    names = []
    for i, key in enumerate(node.keys):
        value = context.lower(key, below.columns)
        names.append(f"k{i}")
        frame = frame.with_columns(equality_key(_checked(value)).alias(names[-1]))
    if order.by:
        frame = frame.sort(
            order.by,
            descending=order.descending,
            nulls_last=order.nulls_last,
            maintain_order=True,
        )
    kept = frame.unique(subset=names, keep="first", maintain_order=True)
    return narrowed(kept, below.columns)


def _checked(value: Value) -> Value:
    return Value(raised(value), value.type, value.range, value.nullable, value.wide)


def distinct_rows(below: Lowered) -> Lowered:
    """Each row once."""
    if not below.columns:
        return Lowered(below.frame.head(1), {})
    keys = {key: equality_key(value) for key, value in below.columns.items()}
    if all(keys[key] is below.columns[key].expr for key in keys):
        return Lowered(below.frame.unique(), below.columns)
    marked = below.frame.with_columns([expr.alias(f"k{key}") for key, expr in keys.items()])
    # Equal values may look different: the first row is the one to show.
    kept = marked.unique(subset=[f"k{key}" for key in keys], keep="first")
    return narrowed(kept, below.columns)


def lower_set_operation(node: SetOperation, context: Context) -> Lowered:
    """UNION, INTERSECT or EXCEPT, with or without ALL."""
    left, right = _same_carriers(
        node, lower_relation(node.left, context), lower_relation(node.right, context)
    )
    if node.kind == "union":
        frame = pl.concat([left.frame, right.frame], how="vertical")
        both = Lowered(frame, _union_columns(left, right))
        return both if node.all else distinct_rows(both)
    if node.kind not in ("intersect", "except"):
        raise InternalError(f"no set operation {node.kind}")
    if not node.outputs:
        return _of_nothing(node, left, right)
    if node.all:
        return _counted(node.kind, left, right)
    return _joined(distinct_rows(left), right, "semi" if node.kind == "intersect" else "anti")


def _same_carriers(node: SetOperation, left: Lowered, right: Lowered) -> tuple[Lowered, Lowered]:
    """Both sides under the outputs' names."""
    ours: dict[int, Value] = {}
    theirs: dict[int, Value] = {}
    columns = zip(node.outputs, node.left.columns, node.right.columns, strict=True)
    for output, one, other in columns:
        pair = aligned([left.columns[one.id], right.columns[other.id]])
        ours[output.id], theirs[output.id] = pair
    return materialised(left.frame, ours), materialised(right.frame, theirs)


def _union_columns(left: Lowered, right: Lowered) -> Mapping[int, Value]:
    return {
        key: column_of(key, any_of([value, right.columns[key]]))
        for key, value in left.columns.items()
    }


def _joined(left: Lowered, right: Lowered, how: Literal["semi", "anti"]) -> Lowered:
    found = matched(left.frame, right.frame, list(left.columns.values()), how)
    return narrowed(found, left.columns)


def matched(
    left: pl.LazyFrame, right: pl.LazyFrame, values: Sequence[Value], how: Literal["semi", "anti"]
) -> pl.LazyFrame:
    """The rows on the left that have (or lack) an equal one on the right.

    `values` are columns of both. Adds columns to compare by.
    """
    keys = {f"k{i}": equality_key(value) for i, value in enumerate(values)}
    plain = [value.expr.meta.output_name() for value in values]
    if all(key is value.expr for key, value in zip(keys.values(), values, strict=True)):
        return left.join(right, on=plain, how=how, nulls_equal=True)
    made = [key.alias(name) for name, key in keys.items()]
    ours, theirs = left.with_columns(made), right.select(made)
    return ours.join(theirs, on=list(keys), how=how, nulls_equal=True)


def _counted(kind: str, left: Lowered, right: Lowered) -> Lowered:
    """Each row as often as the ALL form says; of equal rows any one is repeated."""
    keys = {column_name(key): equality_key(value) for key, value in left.columns.items()}
    grouped = [expr.alias(f"k_{name}") for name, expr in keys.items()]
    on = [f"k_{name}" for name in keys]
    ours = left.frame.group_by(grouped).agg(
        *[pl.col(name).first() for name in keys], pl.len().cast(pl.Int64).alias("ours")
    )
    theirs = right.frame.group_by(grouped).agg(pl.len().cast(pl.Int64).alias("theirs"))
    other = pl.col("theirs").fill_null(0)
    both = ours.join(theirs, on=on, how="left", nulls_equal=True)
    if kind == "intersect":
        times = pl.min_horizontal(pl.col("ours"), other)
    else:
        times = pl.max_horizontal(pl.col("ours") - other, pl.lit(0, dtype=pl.Int64))
    copies = both.with_columns(pl.int_ranges(0, times).alias("copy")).explode(
        "copy", empty_as_null=False
    )
    return narrowed(copies, left.columns)


def _of_nothing(node: SetOperation, left: Lowered, right: Lowered) -> Lowered:
    """Rows without columns are all equal."""
    ours = left.frame.select(pl.len().cast(pl.Int64).alias("ours"))
    theirs = right.frame.select(pl.len().cast(pl.Int64).alias("theirs"))
    here, there = pl.col("ours"), pl.col("theirs")
    if not node.all:
        here, there = here.clip(0, 1), there.clip(0, 1)
        if node.kind == "except":
            there = pl.when(there > 0).then(here).otherwise(0)
    times = pl.min_horizontal(here, there) if node.kind == "intersect" else here - there
    both = pl.concat([ours, theirs], how="horizontal")
    rows = both.select(pl.int_ranges(0, times.clip(0)).alias("copy"))
    return narrowed(rows.explode("copy", empty_as_null=False), {})
