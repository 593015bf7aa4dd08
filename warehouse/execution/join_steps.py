"""What joins of all kinds are made of: hash joins, numbered rows, keys that match nothing.

One Polars join either takes NULL = NULL for all keys or for none; where a condition has both, the
null-safe keys become structs of one field, which are never NULL themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from warehouse.algebra.expressions import Expr, Literal, both
from warehouse.algebra.types import BOOLEAN
from warehouse.execution.join_conditions import Condition, Key
from warehouse.execution.lowered import Context, Lowered
from warehouse.execution.relations import filtered
from warehouse.execution.value import Value, raised

__all__ = ["ROW", "computed", "constant_key", "equi_join", "gated", "nullable", "numbered", "pairs"]

ROW = "row"


def pairs(left: Lowered, right: Lowered, condition: Condition, context: Context) -> Lowered:
    """All pairs for which the condition is true. Keeps a column ROW of the left frame."""
    left = filtered(left, condition.left, context)
    right = filtered(right, condition.right, context)
    if condition.keys:
        frame = equi_join(left.frame, right.frame, condition.keys, "inner")
    else:
        frame = left.frame.join(right.frame, how="cross")
    return filtered(Lowered(frame, {**left.columns, **right.columns}), condition.rest, context)


def numbered(lowered: Lowered, name: str = ROW) -> Lowered:
    """With a number per row. The frame is cached: both of its readers must see equal numbers."""
    return Lowered(lowered.frame.with_row_index(name).cache(), lowered.columns)


def nullable(columns: Mapping[int, Value]) -> dict[int, Value]:
    """Columns of a side whose rows may be missing."""
    return {key: replace(value, nullable=True) for key, value in columns.items()}


def gated(keys: Sequence[Key], gate: Sequence[Expr], left: Lowered, context: Context) -> list[Key]:
    """Keys that match nothing for left rows that fail the gate; at least one key.

    Without any, all rows have the same one: every left row meets every right row.
    """
    found = list(keys) or [constant_key()]
    condition = both(tuple(gate))
    if condition is None:
        return found
    passed = raised(context.lower(condition, left.columns))
    first = found[0]
    ours = pl.struct(first.left.alias("key")) if first.null_safe else first.left
    theirs = pl.struct(first.right.alias("key")) if first.null_safe else first.right
    kept = pl.when(passed).then(ours)
    return [replace(first, left=kept, right=theirs, null_safe=False), *found[1:]]


def constant_key() -> Key:
    """One that all rows share."""
    one = pl.lit(1, dtype=pl.UInt8)
    return Key(one, one, False, True, Literal(type=BOOLEAN, value=True), frozenset())


def computed(keys: Sequence[Key]) -> bool:
    """Does `equi_join` add columns for them? Also for a column that is in two keys."""
    if any(not (_plain(key.left) and _plain(key.right)) for key in keys):
        return True
    sides = ([key.left for key in keys], [key.right for key in keys])
    return any(len({expr.meta.output_name() for expr in side}) < len(keys) for side in sides)


def _plain(expr: pl.Expr) -> bool:
    return expr.meta.is_column()


def equi_join(
    left: pl.LazyFrame, right: pl.LazyFrame, keys: Sequence[Key], how: Any
) -> pl.LazyFrame:
    """A hash join that keeps the columns of both sides; computed keys are columns l<i>, r<i>."""
    null_safe = all(key.null_safe for key in keys)
    names: tuple[list[str], list[str]] = ([], [])
    made: tuple[list[pl.Expr], list[pl.Expr]] = ([], [])
    for i, key in enumerate(keys):
        for side, expr, prefix in ((0, key.left, "l"), (1, key.right, "r")):
            if key.null_safe and not null_safe:
                expr = pl.struct(expr.alias("key"))  # noqa: PLW2901
            name = expr.meta.output_name() if _plain(expr) else ""
            if not name or name in names[side]:
                name = f"{prefix}{i}"
                made[side].append(expr.alias(name))
            names[side].append(name)
    if made[0]:
        left = left.with_columns(made[0])
    if made[1]:
        right = right.with_columns(made[1])
    if how in ("semi", "anti"):
        right = right.select(names[1])
    return left.join(
        right,
        left_on=names[0],
        right_on=names[1],
        how=how,
        nulls_equal=null_safe,
        coalesce=None if how in ("semi", "anti") else False,
    )
