"""Predicates moved towards the rows they speak of.

`_push(node, predicates)` gives the node with the predicates applied, each as low as it may go:
through projections by substitution, into the sides of joins where the kind of join allows it,
below groupings and windows if it speaks of keys alone, into both sides of set operations. On the
way, a comma join gets its condition, an outer join whose missing rows a predicate would drop
anyway becomes an inner one, what all branches of an OR have in common leaves the OR, and a column
that is equal to another is compared with the same constants (`consequences`).

A predicate that may fail (`1 / x > 2`) stays above everything that drops rows, so that it sees no
row that it would not have seen; but an equality between two sides joins them: the alternative is
every pair of their rows. Volatile predicates stay where they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from warehouse.algebra.expressions import Call, ColumnRef, Expr, both
from warehouse.algebra.relations import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Project,
    Query,
    Relation,
    SetOperation,
    Sort,
    Unnest,
    Window,
)
from warehouse.algebra.walk import columns_used, map_inputs, replace, substitute
from warehouse.optimizer.consequences import consequences
from warehouse.optimizer.logic import is_volatile, operator
from warehouse.optimizer.predicates import factored, implied, may_fault, rejects_null

__all__ = ["pushed_down"]

Parts = list[Expr]


def pushed_down(query: Query) -> Query:
    """The query with its predicates as low as they may go. It has no subqueries."""
    ctes = {
        number: replace(cte, relation=_push(cte.relation, [])) for number, cte in query.ctes.items()
    }
    return replace(query, relation=_push(query.relation, []), ctes=ctes)


def _push(node: Relation, parts: Parts, above: Parts | None = None) -> Relation:
    """`above`: predicates that are applied further up; rows they drop need not be made."""
    above = above or []
    match node:
        case Filter(input=below, predicate=predicate):
            return _push(below, [*factored(predicate), *parts], above)
        case Join():
            return _join(node, parts, above)
        case _:
            lower, upper = _split(node, parts)
            return _filtered(_below(node, lower, [*upper, *above]), upper)


def _filtered(node: Relation, parts: Parts) -> Relation:
    predicate = both(parts)
    return node if predicate is None else Filter(node, predicate)


def _ids(columns: Iterable[ColumnRef]) -> set[int]:
    return {column.id for column in columns}


def _movable(part: Expr) -> bool:
    return not may_fault(part) and not is_volatile(part)


# -- nodes with one input, and set operations


def _split(node: Relation, parts: Parts) -> tuple[Parts, Parts]:
    """The predicates that go below the node, those that stay above."""
    lower: Parts = []
    upper: Parts = []
    for part in parts:
        (lower if _passes(node, part) else upper).append(part)
    return lower, upper


def _passes(node: Relation, part: Expr) -> bool:
    used = columns_used(part)
    match node:
        case Project(items=items):
            exprs = {column.id: expr for column, expr in items if column.id in used}
            if all(isinstance(expr, ColumnRef) for expr in exprs.values()):
                return not is_volatile(part)
            return _movable(substitute(part, exprs))
        case Sort():
            return not is_volatile(part)
        case Distinct(keys=()):
            return _movable(part)
        case Distinct(keys=keys):
            return _movable(part) and bool(used) and used <= _plain(keys)
        case Aggregate(keys=keys, sets=sets):
            chosen = range(len(keys)) if sets is None else _in_all(sets)
            known = {keys[place][0].id: keys[place][1] for place in chosen}
            return bool(used) and used <= known.keys() and _movable(substitute(part, known))
        case Window(calls=calls):
            common = set.intersection(*(_plain(call.partition) for _, call in calls))
            return _movable(part) and bool(used) and used <= common
        case SetOperation():
            return _movable(part)
        case Unnest(input=below):
            return _movable(part) and used <= _ids(below.columns)
        case _:
            return False


def _plain(exprs: Iterable[Expr]) -> set[int]:
    return {expr.id for expr in exprs if isinstance(expr, ColumnRef)}


def _in_all(sets: tuple[tuple[int, ...], ...]) -> set[int]:
    return set.intersection(*map(set, sets)) if sets else set()


def _below(node: Relation, parts: Parts, above: Parts) -> Relation:
    """The node over inputs with the predicates, which are over the node's columns."""
    match node:
        case Project(items=items):
            mapping: Mapping[int, Expr] = {column.id: expr for column, expr in items}
            moved = [substitute(part, mapping) for part in parts]
            seen = [substitute(part, mapping) for part in above]
            return replace(node, input=_push(node.input, moved, seen))
        case Aggregate(keys=keys):
            grouped: Mapping[int, Expr] = {column.id: expr for column, expr in keys}
            moved = [substitute(part, grouped) for part in parts]
            return replace(node, input=_push(node.input, moved))
        case SetOperation(left=left, right=right):
            sides = []
            for side in (left, right):
                names = dict(zip((c.id for c in node.outputs), side.columns, strict=True))
                sides.append(_push(side, [substitute(part, names) for part in parts]))
            return replace(node, left=sides[0], right=sides[1])
        case _:
            return map_inputs(node, lambda below: _push(below, parts))


# -- joins


def _join(node: Join, parts: Parts, above: Parts) -> Relation:
    node = _simplified(node, [*parts, *above])
    ours, theirs = _ids(node.left.columns), _ids(node.right.columns)
    if node.kind == "inner":
        return _inner(node, parts, above)
    upper: Parts = []
    left: Parts = []
    right: Parts = []
    for part in parts:
        used = columns_used(part)
        if node.kind not in ("right", "full") and used and used <= ours and _movable(part):
            left.append(part)
        elif node.kind == "right" and used and used <= theirs and _movable(part):
            right.append(part)
        else:
            upper.append(part)
    condition: Parts = []
    for part in [] if node.condition is None else factored(node.condition):
        used = columns_used(part)
        if _restricts_right(node) and used and used <= theirs and _movable(part):
            right.append(part)
        elif node.kind in ("semi", "right") and used and used <= ours and _movable(part):
            left.append(part)
        else:
            condition.append(part)
    if _restricts_right(node):
        follows = consequences([*left, *condition])
        right += [part for part in follows if columns_used(part) <= theirs and part not in right]
    seen = [] if node.kind in ("right", "full") else _of(ours, [*upper, *above])
    joined = replace(
        node,
        left=_push(node.left, left, seen),
        right=_push(node.right, right),
        condition=both(condition),
        null_aware=node.null_aware and bool(condition),
    )
    return _filtered(joined, upper)


def _restricts_right(node: Join) -> bool:
    """May a condition on the right side alone filter that side? Not where NULL counts as well."""
    return node.kind in ("left", "semi", "single", "anti", "mark") and not node.null_aware


def _of(columns: Collection[int], parts: Parts) -> Parts:
    return [part for part in parts if columns_used(part) <= set(columns)]


def _inner(node: Join, parts: Parts, above: Parts) -> Relation:
    ours, theirs = _ids(node.left.columns), _ids(node.right.columns)
    left: Parts = []
    right: Parts = []
    condition: Parts = []
    upper: Parts = []
    written = [] if node.condition is None else factored(node.condition)
    follows = consequences([*written, *parts])
    for place, part in enumerate([*written, *parts, *follows]):
        used = columns_used(part)
        if used and _movable(part) and (used <= ours or used <= theirs):
            (left if used <= ours else right).append(part)
            continue
        if place < len(written) or (used and _joins(part)):
            condition.append(part)
        else:
            upper.append(part)
        for side, ids in ((left, ours), (right, theirs)):
            alone = implied(part, ids)
            if alone is not None and alone not in side and _movable(alone):
                side.append(alone)
    seen = [*condition, *upper, *above]
    joined = replace(
        node,
        left=_push(node.left, left, _of(ours, seen)),
        right=_push(node.right, right, _of(theirs, seen)),
        condition=both(condition),
    )
    return _filtered(joined, upper)


def _joins(part: Expr) -> bool:
    """May a predicate over both sides become the condition?"""
    equality = isinstance(part, Call) and operator(part.fn) in ("=", "is not distinct")
    return not is_volatile(part) and (equality or not may_fault(part))


def _simplified(node: Join, parts: Parts) -> Join:
    """An inner or one-sided join, if the predicates drop the rows that the outer one would add."""
    if node.kind not in ("left", "right", "full"):
        return node
    ours, theirs = _ids(node.left.columns), _ids(node.right.columns)
    keeps_left = any(rejects_null(part, ours) for part in parts)
    keeps_right = any(rejects_null(part, theirs) for part in parts)
    kinds = {
        ("left", False, True): "inner",
        ("left", True, True): "inner",
        ("right", True, False): "inner",
        ("right", True, True): "inner",
        ("full", True, False): "left",
        ("full", False, True): "right",
        ("full", True, True): "inner",
    }
    return replace(node, kind=kinds.get((node.kind, keeps_left, keeps_right), node.kind))
