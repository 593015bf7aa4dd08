"""The joins that subqueries become: mark (IN as a value), null-aware anti (NOT IN), single.

**Mark.** Left rows with a match, flagged by a left join with the distinct keys of the right side.

**NULL or false.** `x IN (…)` is NULL, not false, if it is not true and some row on the right makes
it NULL. With one nullable equality beside strict ones that is: the right side has rows (of the same
strict keys) and x is NULL, or it has such a row with NULL. With several, only pairs where one of
the rows holds a NULL can make it NULL, so only those are formed. Whatever else the condition has,
all pairs are formed and asked.

**Single.** The rows on the right are grouped by the keys, so that each left row meets at most one,
which raises its error when a left row meets a group of several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from storage.errors import InternalError
from warehouse.algebra.expressions import Expr, both
from warehouse.algebra.relations import Join
from warehouse.algebra.types import BOOLEAN
from warehouse.execution.extremes import MATCHED, UNSURE, by_extremes
from warehouse.execution.join_conditions import Condition, Key
from warehouse.execution.join_steps import (
    ROW,
    constant_key,
    equi_join,
    gated,
    nullable,
    numbered,
    pairs,
)
from warehouse.execution.lowered import Context, Lowered, column_name, column_of, exactly, narrowed
from warehouse.execution.relations import filtered
from warehouse.execution.uniqueness import unique
from warehouse.execution.value import Value, fault_text, raised

__all__ = ["lower_subquery_join"]

FLAG = "flag"
HAS_NULL = "has_null"
SEVERAL = "more than one row returned by a subquery used as an expression"


def lower_subquery_join(
    node: Join, left: Lowered, right: Lowered, condition: Condition, context: Context
) -> Lowered:
    """A mark join, a null-aware anti join, or a single join."""
    if node.kind == "single":
        return _single(node, left, right, condition, context)
    aware = node.null_aware and bool(_unsure(condition))
    if aware:
        flagged = _three_valued(left, right, condition, context)
    else:
        flagged = _two_valued(left, right, condition, context)
    if node.kind == "anti":
        return narrowed(flagged.filter(pl.col(FLAG).not_()), left.columns)
    if node.mark is None:
        raise InternalError("a mark join without its column")
    name = column_name(node.mark.id)
    mark = Value(pl.col(name), BOOLEAN, nullable=aware)
    columns = {**left.columns, node.mark.id: column_of(node.mark.id, mark)}
    return narrowed(flagged.rename({FLAG: name}), columns)


def _unsure(condition: Condition) -> list[Expr]:
    """The conjuncts that may make the whole NULL."""
    return [*(key.conjunct for key in condition.keys if not key.strict), *condition.nullable]


# --- marks ----------------------------------------------------------------------------------------


def _two_valued(
    left: Lowered,
    right: Lowered,
    condition: Condition,
    context: Context,
    extra: Sequence[str] = (),
) -> pl.LazyFrame:
    """The left rows with FLAG: is the condition true of some row on the right?

    `extra`: columns of the left frame to keep beside those of the relation.
    """
    if condition.rest:
        short = by_extremes(left, right, condition, context)
        if short is not None:
            return short.select(*left.names, *extra, pl.col(MATCHED).alias(FLAG))
        rows = numbered(left)
        matched = pairs(rows, right, condition, context).frame.select(ROW)
        return _flagged(rows, matched.rename({ROW: "m0"}), [_row_key()], extra)
    below = filtered(right, condition.right, context)
    frame = below.frame if condition.keys else below.frame.head(1)
    keys = gated(condition.keys, condition.left, left, context)
    theirs = exactly(frame, [key.right.alias(f"m{i}") for i, key in enumerate(keys)])
    named = [replace(key, right=pl.col(f"m{i}")) for i, key in enumerate(keys)]
    return _flagged(left, theirs, named, extra)


def _row_key() -> Key:
    return replace(constant_key(), left=pl.col(ROW), right=pl.col("m0"))


def _flagged(
    left: Lowered, matches: pl.LazyFrame, keys: list[Key], extra: Sequence[str]
) -> pl.LazyFrame:
    once = matches.unique().with_columns(pl.lit(True).alias(FLAG))
    joined = equi_join(left.frame, once, keys, "left")
    return joined.select(*left.names, *extra, pl.col(FLAG).fill_null(False))


def _three_valued(
    left: Lowered, right: Lowered, condition: Condition, context: Context
) -> pl.LazyFrame:
    """The left rows with FLAG: true, false, or NULL if the condition is NULL but never true."""
    open_keys = [key for key in condition.keys if not key.strict]
    if not open_keys and condition.nullable == condition.rest:
        short = by_extremes(left, right, condition, context)
        if short is not None:
            flag = _flag(pl.col(MATCHED), pl.col(UNSURE))
            return short.select(*left.names, flag)
    if condition.nullable or condition.rest:
        return _by_all_pairs(left, right, condition, context)
    if len(open_keys) > 1:
        return _by_pairs_with_nulls(left, right, condition, open_keys, context)
    below = filtered(right, condition.right, context)
    strict = [key for key in condition.keys if key.strict]
    key = open_keys[0]
    groups = _null_groups(below, strict, key)
    plain = replace(condition, right=[])
    flagged = _two_valued(left, below, plain, context)
    named = [replace(one, right=pl.col(f"n{i}")) for i, one in enumerate(strict)]
    marked = equi_join(flagged, groups, gated(named, condition.left, left, context), "left")
    unsure = pl.col(HAS_NULL).is_not_null() & (key.left.is_null() | pl.col(HAS_NULL))
    return marked.with_columns(_flag(pl.col(FLAG), unsure))


def _flag(matched: pl.Expr, unsure: pl.Expr) -> pl.Expr:
    """FLAG: true, NULL or false."""
    return pl.when(matched).then(True).when(unsure).then(None).otherwise(False).alias(FLAG)


def _null_groups(right: Lowered, strict: list[Key], key: Key) -> pl.LazyFrame:
    """Per group of strict keys (n0, …) that has rows: HAS_NULL, does the other key have NULL?"""
    nulls = key.right.is_null().alias(HAS_NULL)
    if not strict:
        found = right.frame.select(pl.len().alias("rows"), nulls.any())
        return found.filter(pl.col("rows") > 0).select(HAS_NULL)
    names = [one.right.alias(f"n{i}") for i, one in enumerate(strict)]
    keyed = right.frame.select(*names, nulls)
    return keyed.group_by([f"n{i}" for i in range(len(strict))]).agg(pl.col(HAS_NULL).any())


def _by_pairs_with_nulls(
    left: Lowered, right: Lowered, condition: Condition, open_keys: list[Key], context: Context
) -> pl.LazyFrame:
    rows = numbered(left)
    below = filtered(right, condition.right, context)
    below = Lowered(below.frame.cache(), below.columns)
    ours = pl.any_horizontal([key.left.is_null() for key in open_keys])
    theirs = pl.any_horizontal([key.right.is_null() for key in open_keys])
    strict = Condition(keys=[key for key in condition.keys if key.strict], left=condition.left)
    whole = both([key.conjunct for key in open_keys])
    assert whole is not None
    unsure = []
    for one, other in (
        (rows.frame.filter(ours), below.frame),
        (rows.frame.filter(ours.not_()), below.frame.filter(theirs)),
    ):
        met = pairs(Lowered(one, rows.columns), Lowered(other, below.columns), strict, context)
        value = context.lower(whole, met.columns)
        unsure.append(met.frame.filter(raised(value).is_null()).select(ROW))
    flagged = _two_valued(rows, below, replace(condition, right=[]), context, [ROW])
    maybe = pl.concat(unsure).unique().with_columns(pl.lit(True).alias(HAS_NULL))
    return flagged.join(maybe, on=ROW, how="left").with_columns(
        _flag(pl.col(FLAG), pl.col(HAS_NULL))
    )


def _by_all_pairs(
    left: Lowered, right: Lowered, condition: Condition, context: Context
) -> pl.LazyFrame:
    """Every pair of equal strict keys is asked what the rest of the condition makes of it."""
    open_parts = [key.conjunct for key in condition.keys if not key.strict]
    strict = Condition(keys=[key for key in condition.keys if key.strict])
    for own, kept in (
        (condition.left, strict.left),
        (condition.right, strict.right),
        (condition.rest, strict.rest),
    ):
        for part in own:
            (open_parts if part in condition.nullable else kept).append(part)
    rows = numbered(left)
    met = pairs(rows, right, strict, context)
    whole = both(open_parts)
    assert whole is not None
    asked = met.frame.select(ROW, raised(context.lower(whole, met.columns)).alias("found"))
    found = asked.group_by(ROW).agg(
        pl.col("found").any().alias(FLAG), pl.col("found").is_null().any().alias(HAS_NULL)
    )
    return rows.frame.join(found, on=ROW, how="left").with_columns(
        _flag(pl.col(FLAG), pl.col(HAS_NULL))
    )


# --- single ---------------------------------------------------------------------------------------


def _single(
    node: Join, left: Lowered, right: Lowered, condition: Condition, context: Context
) -> Lowered:
    columns = {**left.columns, **nullable(right.columns)}
    if condition.rest:
        rows = numbered(left)
        met = pairs(rows, right, condition, context)
        once = _once(met.frame, [ROW], right.columns)
        joined = rows.frame.join(once, on=ROW, how="left")
        return narrowed(_refused(joined, right.columns), columns)
    below = filtered(right, condition.right, context)
    if not condition.keys and not condition.left:
        return narrowed(_with_one(left, below, several=not unique(node.right)), columns)
    keys = gated(condition.keys, condition.left, left, context)
    plain = frozenset[int]().union(*(key.columns for key in condition.keys))
    if unique(node.right, plain):
        return narrowed(equi_join(left.frame, below.frame, keys, "left"), columns)
    names = [f"s{i}" for i in range(len(keys))]
    pairs_of = list(zip(keys, names, strict=True))
    grouped = below.frame.with_columns([key.right.alias(name) for key, name in pairs_of])
    once = _once(grouped, names, right.columns)
    named = [replace(key, right=pl.col(name)) for key, name in pairs_of]
    joined = equi_join(left.frame, once, named, "left")
    return narrowed(_refused(joined, right.columns), columns)


def _with_one(left: Lowered, right: Lowered, *, several: bool) -> pl.LazyFrame:
    """Every left row with the only one on the right, or with NULLs.

    `several`: there may be more. It is an error only if there are left rows.
    """
    counted = right.frame.select(
        *[pl.col(name).first() for name in right.names], pl.len().alias("count")
    )
    joined = equi_join(left.frame, counted, [constant_key()], "inner")
    return _refused(joined, right.columns) if several else joined


def _once(frame: pl.LazyFrame, by: list[str], columns: Mapping[int, Value]) -> pl.LazyFrame:
    """One row per group, with the number of its rows as `count`."""
    first = [pl.col(column_name(key)).first() for key in columns]
    return frame.group_by(by).agg(*first, pl.len().alias("count"))


def _refused(frame: pl.LazyFrame, columns: Mapping[int, Value]) -> pl.LazyFrame:
    """Error 21000 where `count` is above one."""
    several = pl.when(pl.col("count") > 1).then(pl.lit(fault_text("21000", SEVERAL)))
    checked = [
        raised(replace(value, fault=several)).alias(column_name(key))
        for key, value in columns.items()
    ]
    return frame.with_columns(checked)
