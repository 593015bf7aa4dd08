"""What an operator's inputs are divided by, so that rows that meet each other are in one part.

Groups, DISTINCT and set operations: by what makes rows equal. Windows: by PARTITION BY. Joins: by
the equalities of the condition; where the join tells NULL from false, only by those that are never
NULL, or else by the only one there is, and then every part gets a row of the other side with NULL
there, if one exists, and some row, so that it knows what else it would have to ask.

Keys are hashed as execution compares them (`keys.equality_key`, `keys.comparable_pair`): of one
Polars type on both sides, NaN as NaN, -0 as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from warehouse.algebra.expressions import Expr
from warehouse.algebra.relations import Aggregate, Distinct, Join, Relation, SetOperation, Window
from warehouse.execution.join_conditions import Condition, Key, take_apart
from warehouse.execution.keys import aligned, equality_key
from warehouse.execution.lowered import Context, Lowered
from warehouse.execution.relations import filtered
from warehouse.execution.stability import is_stable
from warehouse.execution.value import Value, raised

__all__ = ["Division", "Side", "division_of", "part_of"]

PART = "part"


@dataclass(frozen=True, slots=True)
class Side:
    """How one input is divided.

    Attributes:
        keys: over its frame; as many as the other side has, of the same types.
        unmatched: "kept", "dropped" or "spread": what becomes of rows with a NULL among the keys
            where NULL equals nothing. Those that stay may be in any part.
        everywhere: rows that every part has besides its own.
    """

    keys: tuple[pl.Expr, ...]
    unmatched: str = "kept"
    everywhere: pl.LazyFrame | None = field(default=None)


Division = tuple[Side, ...]


def division_of(node: Relation, inputs: Sequence[Lowered], context: Context) -> Division | None:
    """For each input of the operator; None if it needs all rows at once."""
    dividing = _DIVISIONS.get(type(node))
    return None if dividing is None else dividing(node, inputs, context)


def part_of(side: Side, frame: pl.LazyFrame, parts: int, seed: int) -> pl.LazyFrame:
    """The frame with the number of each row's part as the column `PART`.

    Args: seed: another one divides the rows of one part again.
    """
    names = [f"part{i}" for i in range(len(side.keys))]
    made = [key.alias(name) for key, name in zip(side.keys, names, strict=True)]
    keys: Any = pl.struct(names) if len(names) > 1 else pl.col(names[0])
    found = frame.with_columns(made)
    missing = pl.any_horizontal([pl.col(name).is_null() for name in names])
    if side.unmatched == "dropped":
        found = found.filter(missing.not_())
    number = keys.hash(seed)
    if side.unmatched == "spread" and seed:
        everything = pl.struct(pl.all().exclude(names)).hash(seed)
        number = pl.when(missing).then(everything).otherwise(number)
    return found.with_columns((number % parts).cast(pl.Int32).alias(PART)).drop(names)


# --- one input ------------------------------------------------------------------------------------


def _of_exprs(exprs: Sequence[Expr], below: Lowered, context: Context) -> Division | None:
    """By values that are computed of each row; constants divide nothing."""
    values = [context.lower(expr, below.columns) for expr in exprs]
    known = [
        Value(raised(value), value.type, value.range, value.nullable, value.wide)
        for value in values
        if not (value.constant and value.fault is None)
    ]
    if not known or not all(is_stable(expr) for expr in exprs):
        return None
    return (Side(tuple(equality_key(value) for value in known)),)


def _aggregate(node: Aggregate, inputs: Sequence[Lowered], context: Context) -> Division | None:
    """Of one grouping set at most."""
    positions = range(len(node.keys)) if node.sets is None else node.sets[0]
    if node.sets is not None and len(node.sets) > 1:
        return None
    return _of_exprs([node.keys[i][1] for i in positions], inputs[0], context)


def _distinct(node: Distinct, inputs: Sequence[Lowered], context: Context) -> Division | None:
    return _of_exprs(node.keys or node.columns, inputs[0], context)


def _window(node: Window, inputs: Sequence[Lowered], context: Context) -> Division | None:
    """Of calls with one PARTITION BY."""
    return _of_exprs(node.calls[0][1].partition, inputs[0], context)


# --- two inputs -----------------------------------------------------------------------------------


def _set_operation(
    node: SetOperation, inputs: Sequence[Lowered], context: Context
) -> Division | None:
    columns = zip(node.left.columns, node.right.columns, strict=True)
    pairs = [aligned([inputs[0].columns[a.id], inputs[1].columns[b.id]]) for a, b in columns]
    keys = [(equality_key(one), equality_key(other)) for one, other in pairs]
    return _sides(keys, inputs)


def _join(node: Join, inputs: Sequence[Lowered], context: Context) -> Division | None:
    left, right = inputs
    condition = take_apart(node.condition, left, right, context)
    usable = [key for key in condition.keys if key.steady]
    unsure = [key for key in condition.keys if not key.strict]
    if not (node.null_aware and (unsure or condition.nullable)):
        return _by_keys(node, usable, inputs)
    strict = [key for key in usable if key.strict]
    if strict:
        return _by_keys(node, strict, inputs)
    if len(condition.keys) == 1 == len(usable) and not (condition.nullable or condition.rest):
        return _with_nulls(usable[0], inputs, condition, context)
    return None


def _by_keys(node: Join, keys: Sequence[Key], inputs: Sequence[Lowered]) -> Division | None:
    found = _sides([(key.left, key.right) for key in keys], inputs)
    if found is None or any(key.null_safe for key in keys):
        return found
    left, right = _UNMATCHED[node.kind]
    return Side(found[0].keys, left), Side(found[1].keys, right)


# What becomes of rows on the left and right whose keys match nothing. Of joins that tell NULL from
# false as well: their keys are strict here.
_UNMATCHED = {
    "inner": ("dropped", "dropped"),
    "semi": ("dropped", "dropped"),
    "left": ("spread", "dropped"),
    "anti": ("spread", "dropped"),
    "mark": ("spread", "dropped"),
    "single": ("spread", "dropped"),
    "right": ("dropped", "spread"),
    "full": ("spread", "spread"),
}


def _with_nulls(
    key: Key, inputs: Sequence[Lowered], condition: Condition, context: Context
) -> Division | None:
    found = _sides([(key.left, key.right)], inputs)
    if found is None:
        return None
    below = filtered(inputs[1], condition.right, context).frame
    missing = below.filter(key.right.is_null()).head(1)
    everywhere = pl.concat([missing, below.head(1)])
    return found[0], Side(found[1].keys, "kept", everywhere)


def _sides(keys: Sequence[tuple[pl.Expr, pl.Expr]], inputs: Sequence[Lowered]) -> Division | None:
    """By keys of both sides; None without any, or where their types differ."""
    same = [pair for pair in keys if _type(pair[0], inputs[0]) == _type(pair[1], inputs[1])]
    if not same:
        return None
    return Side(tuple(one for one, _ in same)), Side(tuple(other for _, other in same))


def _type(key: pl.Expr, side: Lowered) -> pl.DataType:
    return side.frame.select(key.alias("key")).collect_schema()["key"]


_DIVISIONS: dict[type[Relation], Callable[[Any, Sequence[Lowered], Context], Division | None]] = {
    Aggregate: _aggregate,
    Distinct: _distinct,
    Join: _join,
    SetOperation: _set_operation,
    Window: _window,
}
