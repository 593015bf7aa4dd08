"""The condition of a join, taken apart: equalities between the sides, conditions on one side, rest.

A conjunct that is wrapped in `is true` counts as the conjunct itself, except for joins that tell
NULL from false (`null_aware`): there it is *strict*, a row on the right for which it is NULL is as
good as absent. That is how a correlated WHERE comes into the condition of a NOT IN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import polars as pl

from warehouse.algebra.expressions import Call, ColumnRef, Expr, conjuncts
from warehouse.execution.keys import comparable_pair
from warehouse.execution.lowered import Context, Lowered
from warehouse.execution.stability import is_stable
from warehouse.execution.value import raised

__all__ = ["Condition", "Key", "references", "take_apart"]


@dataclass(frozen=True, slots=True)
class Key:
    """An equality: `left` over the left frame, `right` over the right one, of one Polars type.

    Attributes:
        null_safe: IS NOT DISTINCT FROM: NULL equals NULL.
        strict: never NULL, or as good as false where it is.
        conjunct: the equality itself.
        columns: of the right side, if the key there is a plain column.
        steady: both sides give the same each time they are computed, and no error.
    """

    left: pl.Expr
    right: pl.Expr
    null_safe: bool
    strict: bool
    conjunct: Expr
    columns: frozenset[int]
    steady: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """The parts; `nullable` are those of the others that are not strict.

    `left`, `right` refer to columns of that side only (`right` also holds constants); `rest` to
    both. Each part is true, or the row does not match.
    """

    keys: list[Key] = field(default_factory=list)
    left: list[Expr] = field(default_factory=list)
    right: list[Expr] = field(default_factory=list)
    rest: list[Expr] = field(default_factory=list)
    nullable: list[Expr] = field(default_factory=list)


def take_apart(
    condition: Expr | None, left: Lowered, right: Lowered, context: Context
) -> Condition:
    """Sort the conjuncts by what they refer to."""
    parts = Condition()
    for conjunct, wrapped in _unwrapped(condition, False):
        key = _key(conjunct, wrapped, left, right, context)
        if key is not None:
            parts.keys.append(key)
            continue
        used = references(conjunct)
        if not used & left.columns.keys():
            parts.right.append(conjunct)
        elif not used & right.columns.keys():
            parts.left.append(conjunct)
        else:
            parts.rest.append(conjunct)
        if not wrapped and context.lower(conjunct, {**left.columns, **right.columns}).nullable:
            parts.nullable.append(conjunct)
    return parts


def _unwrapped(condition: Expr | None, wrapped: bool) -> Iterator[tuple[Expr, bool]]:
    for conjunct in conjuncts(condition):
        if isinstance(conjunct, Call) and conjunct.fn == "is true":
            yield from _unwrapped(conjunct.args[0], True)
        else:
            yield conjunct, wrapped


def _key(
    conjunct: Expr, wrapped: bool, left: Lowered, right: Lowered, context: Context
) -> Key | None:
    found = _equality(conjunct)
    if found is None:
        return None
    first, second, null_safe = found
    sides = references(first), references(second)
    if sides[0] <= right.columns.keys() and sides[1] <= left.columns.keys():
        first, second = second, first
        sides = sides[1], sides[0]
    elif not (sides[0] <= left.columns.keys() and sides[1] <= right.columns.keys()):
        return None
    if not (sides[0] and sides[1]):
        return None
    one, other = context.lower(first, left.columns), context.lower(second, right.columns)
    pair = comparable_pair(one, other)
    if pair is None:
        return None
    ours = raised(replace(one, expr=pair[0]))
    theirs = raised(replace(other, expr=pair[1]))
    strict = null_safe or wrapped or not (one.nullable or other.nullable)
    plain = frozenset([second.id]) if isinstance(second, ColumnRef) else frozenset()
    steady = one.fault is None and other.fault is None and is_stable(conjunct)
    return Key(ours, theirs, null_safe, strict, conjunct, plain, steady)


def _equality(conjunct: Expr) -> tuple[Expr, Expr, bool] | None:
    """Both sides, and whether NULL equals NULL."""
    if not isinstance(conjunct, Call):
        return None
    if len(conjunct.args) == 2 and _named(conjunct.fn, "="):
        return conjunct.args[0], conjunct.args[1], False
    if len(conjunct.args) == 2 and _named(conjunct.fn, "is not distinct"):
        return conjunct.args[0], conjunct.args[1], True
    if conjunct.fn == "not" and isinstance(conjunct.args[0], Call):
        inner = conjunct.args[0]
        if _named(inner.fn, "is distinct"):
            return inner.args[0], inner.args[1], True
    return None


def _named(fn: str, name: str) -> bool:
    return fn == name or fn.startswith(f"{name}(")


def references(expr: Any) -> set[int]:
    """The ids of all columns in an expression."""
    if isinstance(expr, ColumnRef):
        return {expr.id}
    if isinstance(expr, tuple):
        return set().union(*map(references, expr)) if expr else set()
    if isinstance(expr, msgspec.Struct):
        fields = [getattr(expr, name) for name in expr.__struct_fields__ if name != "type"]
        return set().union(*map(references, fields)) if fields else set()
    return set()
