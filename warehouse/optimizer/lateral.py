"""Lateral joins become plain ones.

Innermost first, so that the right side of the join at hand has none. In this order:

1. a right side that refers to nothing on the left: a plain join;
2. `pull`: the conditions that correlate rise into the join's own; no work is added;
3. an inner join whose right side only filters, computes and unnests for the left row: the left
   rows themselves pass through it (`FROM t, LATERAL unnest(t.items)`);
4. `push`: the right side is computed for the distinct values of the columns that it needs, and
   joined with the left side on those, where NULL equals NULL.

In a null-aware join a condition that has been pulled up must not make the comparison NULL: a row
for which the WHERE of the subquery is NULL is not among its rows. It is wrapped in `is true`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from storage.errors import NotYet
from warehouse.algebra.expressions import Case, ColumnRef, Expr, both, conjuncts
from warehouse.algebra.relations import (
    Cte,
    CteScan,
    Distinct,
    Empty,
    Filter,
    Join,
    Project,
    Relation,
    Sample,
    Scan,
    Sort,
    Unnest,
    Values,
    WorkingTable,
)
from warehouse.algebra.types import BIGINT, BOOLEAN
from warehouse.algebra.walk import (
    Ids,
    expressions,
    free_columns,
    map_inputs,
    narrow,
    nodes,
    replace,
    substitute,
    with_fresh_columns,
)
from warehouse.optimizer.logic import (
    FALSE,
    TRUE,
    call,
    identical,
    is_true,
    is_volatile,
    null_unless,
)
from warehouse.optimizer.pull import Pulled, Puller
from warehouse.optimizer.push import Pushed, Pusher
from warehouse.optimizer.rows import one_row

__all__ = ["LateralRemover"]

Share = Callable[[Cte], int]  # adds a common table expression, gives its number


class LateralRemover:
    """Removes the lateral joins of a tree without Subquery expressions."""

    def __init__(self, ids: Ids, share: Share) -> None:
        self.ids = ids
        self._share = share

    def remove(self, node: Relation) -> Relation:
        """The same rows and columns, without lateral joins.

        Raises:
            NotYet: a recursive query refers outwards, or a sample would have to be taken twice.
        """
        node = map_inputs(node, self.remove)
        if not isinstance(node, Join):
            return node
        free = free_columns(node.right)
        needed = [column for column in node.left.columns if column.id in free]
        if not needed:
            return replace(node, lateral=False) if node.lateral else node
        if node.kind in ("right", "full"):
            raise NotYet(f"LATERAL on the right of a {node.kind.upper()} JOIN is not supported")
        right = node.right.input if isinstance(node.right, Sort) else node.right
        node = replace(node, right=right, lateral=False)
        as_set = node.kind in ("semi", "anti", "mark")
        pulled = Puller(free, self.ids).pull(right, as_set=as_set)
        if pulled is not None:
            return self._met(node, pulled)
        return self._through(node) or self._by_domain(node, needed)

    # -- after `pull` or `push`: the rows of the left side meet those of the right

    def _met(self, join: Join, pulled: Pulled) -> Relation:
        parts = [substitute(part, pulled.items) for part in conjuncts(join.condition)]
        if pulled.one_row or isinstance(pulled.relation, Empty):
            return self._met_one(join, pulled, parts)
        on = [is_true(part) for part in pulled.on] if join.null_aware else pulled.on
        condition = both([*on, *parts])
        right = pulled.relation
        if join.kind in ("semi", "anti", "mark"):
            return replace(join, right=right, condition=condition)
        items = pulled.items
        if items and join.kind != "inner":
            there = self.ids.column(BOOLEAN)
            kept = tuple((column, column) for column in right.columns)
            right = Project(right, (*kept, (there, TRUE)))
            met = call("is not null", there)
            items = {key: null_unless(met, expr) for key, expr in items.items()}
        joined = Join(join.kind, join.left, right, condition)
        return _shown(joined, join.columns, items)

    def _met_one(self, join: Join, pulled: Pulled, parts: list[Expr]) -> Relation:
        """The right side is one row for each on the left: its conditions are those of a filter."""
        conditional = parts or pulled.after or isinstance(pulled.relation, Empty)
        if join.kind in ("left", "single") and conditional:
            pulled, parts = self._renamed(join, pulled, parts)
        rows = join.left
        after = pulled.after
        if isinstance(pulled.relation, Empty):
            after = (*pulled.on, *after)
        else:
            sure = not pulled.on and one_row(pulled.relation)
            kind = "inner" if sure else "left"
            rows = Join(kind, join.left, pulled.relation, both(pulled.on))
        there, matched = both(after), both(parts)
        if join.kind in ("semi", "anti", "mark"):
            return self._tested(join, rows, there, matched)
        condition = both([part for part in (there, matched) if part is not None])
        items = {column.id: pulled.items.get(column.id, column) for column in join.right.columns}
        if condition is None:
            return _shown(rows, join.columns, items)
        if join.kind == "inner":
            return _shown(Filter(rows, condition), join.columns, items)
        items = {key: null_unless(condition, expr) for key, expr in items.items()}
        return _shown(rows, join.columns, items)

    def _renamed(self, join: Join, pulled: Pulled, parts: list[Expr]) -> tuple[Pulled, list[Expr]]:
        """With other ids on the right, so that the join's columns can be computed from them."""
        relation, fresh = with_fresh_columns(pulled.relation, self.ids)
        items = {column.id: pulled.items.get(column.id, column) for column in join.right.columns}
        renamed = dataclasses.replace(
            pulled,
            relation=relation,
            on=tuple(substitute(part, fresh) for part in pulled.on),
            items={key: substitute(expr, fresh) for key, expr in items.items()},
            after=tuple(substitute(part, fresh) for part in pulled.after),
        )
        return renamed, [substitute(part, fresh) for part in parts]

    def _tested(
        self, join: Join, rows: Relation, there: Expr | None, matched: Expr | None
    ) -> Relation:
        """Semi, anti and mark joins with one row: is it there, and does it match?"""
        both_true = both([part for part in (there, matched) if part is not None]) or TRUE
        if join.kind == "semi":
            return narrow(Filter(rows, both_true), join.columns)
        found = is_true(both_true)
        if join.null_aware and matched is not None:
            found = matched if there is None else _case(there, matched)
        if join.kind == "anti":
            return narrow(Filter(rows, call("not", found)), join.columns)
        assert join.mark is not None
        return _shown(rows, join.columns, {join.mark.id: found})

    # -- the left rows themselves pass through the right side

    def _through(self, join: Join) -> Relation | None:
        free = frozenset(column.id for column in join.left.columns)
        if join.kind == "inner" and _row_wise(join.right, free):
            columns = join.left.columns
            mapping = {column.id: column for column in columns}
            pusher = Pusher(columns, lambda: (join.left, mapping), self.ids, distinct=False)
            rows, _ = pusher.push(join.right)
            rows = rows if join.condition is None else Filter(rows, join.condition)
            return narrow(rows, join.columns)
        if join.kind == "left" and join.condition is None:
            return self._outer_unnest(join)
        return None

    def _outer_unnest(self, join: Join) -> Relation | None:
        """LEFT JOIN LATERAL unnest(…) ON true, perhaps with computed columns."""
        node, items = join.right, {}
        if isinstance(node, Project):
            items = {column.id: expr for column, expr in node.items}
            node = node.input
        if not isinstance(node, Unnest) or not isinstance(node.input, Empty):
            return None
        number = node.ordinality or self.ids.column(BIGINT)
        unnested = replace(node, input=join.left, ordinality=number, outer=True)
        if not node.outer:
            there = call("is not null", number)
            ours = {column.id for column in join.left.columns}
            items = {
                key: null_unless(there, expr)
                if not isinstance(expr, ColumnRef) or expr.id in ours
                else expr
                for key, expr in items.items()
            }
        return _shown(unnested, join.columns, items)

    # -- the right side for the distinct values of what it needs

    def _by_domain(self, join: Join, needed: list[ColumnRef]) -> Relation:
        left, source = self._twice(join.left)

        def instance() -> Pushed:
            copy, fresh = with_fresh_columns(source, self.ids)
            mapping = {column.id: self.ids.copy(column) for column in needed}
            by_place = dict(zip((c.id for c in left.columns), copy.columns, strict=True))
            items = tuple((mapping[c.id], fresh.get(c.id, by_place[c.id])) for c in needed)
            return Distinct(Project(copy, items)), mapping

        rows, mapping = Pusher(needed, instance, self.ids).push(join.right)
        same = tuple(identical(column, mapping[column.id]) for column in needed)
        return self._met(replace(join, left=left), Pulled(rows, same))

    def _twice(self, relation: Relation) -> tuple[Relation, Relation]:
        """The relation, and a source of copies of its rows: itself, or a new table expression."""
        inside = list(nodes(relation))
        if all(isinstance(node, _CHEAP) and not _unsteady(node) for node in inside):
            return relation, relation
        bound = free_columns(relation) or any(isinstance(n, WorkingTable) for n in inside)
        if bound:
            if any(_unsteady(node) for node in inside):
                raise NotYet("a correlated subquery over random rows is not supported here")
            return relation, relation
        copy, _ = with_fresh_columns(relation, self.ids)
        number = self._share(Cte("", copy))
        outputs = tuple(map(self.ids.copy, relation.columns))
        return CteScan(number, relation.columns), CteScan(number, outputs)


_CHEAP = (Scan, Values, CteScan, Project, Filter, Empty)


def _unsteady(node: Relation) -> bool:
    return isinstance(node, Sample) or any(is_volatile(expr) for expr in expressions(node))


def _row_wise(node: Relation, free: frozenset[int]) -> bool:
    """Does what depends on the left row only filter, compute and unnest?"""
    match node:
        case Filter(input=below) | Project(input=below) | Unnest(input=below):
            return not free_columns(below) & free or _row_wise(below, free)
        case _:
            return False


def _case(there: Expr, matched: Expr) -> Expr:
    return Case(type=BOOLEAN, branches=((there, matched),), default=FALSE)


def _shown(rows: Relation, columns: tuple[ColumnRef, ...], items: dict[int, Expr]) -> Relation:
    """Exactly these columns, some of them computed."""
    if not any(column.id in items for column in columns):
        return narrow(rows, columns)
    return Project(rows, tuple((column, items.get(column.id, column)) for column in columns))
