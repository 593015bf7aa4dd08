"""Correlated conditions pulled up: the cheap way to undo a correlation.

A relation R that refers outwards is split into a relation R' that does not, and what has to be
done with its rows once they have met the outer row: conditions to join `on`, and `items`, columns
of R to be computed then. It works where the outer references stand in filters and projections:

- conditions rise through filters, projections, inner joins and the left sides of other joins;
- through aggregates, windows, DISTINCT and LIMIT only equalities `outer = inner` rise: the inner
  side becomes a key of the groups or partitions. For one outer row just one group remains;
- an aggregate without keys has a row even where its input has none: then R' is outer joined
  (`one_row`), the counts are zero for a row without match, and what is projected or filtered above
  it waits until after the join.

`None` means that this way is closed; `push` then has another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from warehouse.algebra.expressions import (
    AggregateCall,
    Call,
    ColumnRef,
    Expr,
    Literal,
    SortKey,
    WindowCall,
    both,
    conjuncts,
)
from warehouse.algebra.relations import (
    Aggregate,
    Distinct,
    Empty,
    Filter,
    Join,
    Limit,
    Project,
    Relation,
    Sort,
    Unnest,
    Values,
    Window,
)
from warehouse.algebra.walk import (
    Ids,
    columns_used,
    expressions,
    free_columns,
    map_expressions,
    substitute,
)
from warehouse.algebra.walk import replace as changed
from warehouse.optimizer.logic import operator
from warehouse.optimizer.rows import limit_as_filter, without_order
from warehouse.optimizer.subqueries import values_as_union

__all__ = ["Calls", "Equality", "Pulled", "Puller", "group_defaults"]

# Aggregates that are not NULL over no rows: zero, and all bits of `grouping`.
_ON_NOTHING = ("count", "regr_count", "approx_count_distinct", "grouping")


@dataclass(frozen=True, slots=True)
class Pulled:
    """What `Puller` found.

    Attributes:
        relation: R', without outer references.
        on: conditions over outer columns and those of R'.
        items: columns of R that are computed after the join, by id; the others are in R'.
        one_row: R is one row for each outer row: R' by a left join on `on`.
        after: with one_row, conditions for that row to be there, over R' and outer columns.
    """

    relation: Relation
    on: tuple[Expr, ...] = ()
    items: dict[int, Expr] = field(default_factory=dict)
    one_row: bool = False
    after: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Equality:
    """A condition `outer = key`, either way round: its sides, and the position of the key."""

    condition: Call
    inner: int
    key: Expr

    @property
    def outer(self) -> Expr:
        return self.condition.args[1 - self.inner]

    def with_key(self, key: Expr) -> Expr:
        """The condition over another expression for the key."""
        args = list(self.condition.args)
        args[self.inner] = key
        return changed(self.condition, args=tuple(args))


Calls = tuple[tuple[ColumnRef, AggregateCall], ...]


def group_defaults(calls: Calls, ids: Ids) -> tuple[Calls, dict[int, Expr]]:
    """The aggregates of groups that may be missing, and what to show for some of them then.

    An aggregate that is not NULL over no rows gets a new column, from which its own is computed.
    """
    made: list[tuple[ColumnRef, AggregateCall]] = []
    items: dict[int, Expr] = {}
    for column, call in calls:
        name = operator(call.fn)
        if name not in _ON_NOTHING:
            made.append((column, call))
            continue
        # In the grouping set () no argument of `grouping` is grouped by: all its bits are set.
        value = (1 << len(call.args)) - 1 if name == "grouping" else 0
        nothing = Literal(type=column.type, value=value)
        fresh = ids.copy(column)
        made.append((fresh, call))
        items[column.id] = Call(type=column.type, fn="coalesce", args=(fresh, nothing))
    return tuple(made), items


class Puller:
    """Pulls references to the columns `outer` out of relations without subqueries and laterals."""

    def __init__(self, outer: Iterable[int], ids: Ids) -> None:
        self.outer = frozenset(outer)
        self.ids = ids

    def pull(self, relation: Relation, *, as_set: bool = False) -> Pulled | None:
        """See the module. `as_set`: it does not matter how often a row comes."""
        if not self._open(relation):
            return Pulled(relation)
        match relation:
            case Filter():
                return self._filter(relation, as_set)
            case Project():
                return self._project(relation, as_set)
            case Join():
                return self._join(relation, as_set)
            case Distinct():
                return (
                    self.pull(relation.input, as_set=True)
                    if (as_set and not relation.keys)
                    else self._distinct(relation)
                )
            case Aggregate(sets=sets) if sets is None or () not in sets:
                return self._aggregate(relation)
            case Window():
                return self._window(relation)
            case Sort():
                return self._sort(relation)
            case Limit():
                return self._limit(relation)
            case Unnest():
                return self._unnest(relation)
            case Values(rows=rows) if len(rows) == 1:
                return self.pull(values_as_union(relation, self.ids))
            case _:
                return None

    # -- what refers outwards

    def _open(self, relation: Relation) -> bool:
        return bool(free_columns(relation) & self.outer)

    def _refers(self, *exprs: Expr | None) -> bool:
        return any(columns_used(expr) & self.outer for expr in exprs)

    def _split(self, parts: Iterable[Expr]) -> tuple[list[Expr], list[Expr]]:
        """Those that stay inside, those that refer outwards."""
        inside: list[Expr] = []
        outside: list[Expr] = []
        for part in parts:
            (outside if self._refers(part) else inside).append(part)
        return inside, outside

    def _rows(self, relation: Relation, *, as_set: bool = False) -> Pulled | None:
        below = self.pull(relation, as_set=as_set)
        return None if below is None or below.one_row else below

    # -- nodes through which any condition rises

    def _filter(self, node: Filter, as_set: bool) -> Pulled | None:
        below = self.pull(node.input, as_set=as_set)
        if below is None:
            return None
        parts = [substitute(part, below.items) for part in conjuncts(node.predicate)]
        if below.one_row:
            return replace(below, after=(*below.after, *parts))
        inside, outside = self._split(parts)
        kept = both(inside)
        relation = below.relation if kept is None else Filter(below.relation, kept)
        return replace(below, relation=relation, on=(*below.on, *outside))

    def _project(self, node: Project, as_set: bool) -> Pulled | None:
        below = self.pull(node.input, as_set=as_set)
        if below is None:
            return None
        computed = [(column, substitute(expr, below.items)) for column, expr in node.items]
        if below.one_row or isinstance(below.relation, Empty):
            return replace(
                below,
                items={column.id: expr for column, expr in computed},
                one_row=True,
                on=below.on if below.one_row else (),
                after=below.after if below.one_row else below.on,
            )
        items = {column.id: expr for column, expr in computed if self._refers(expr)}
        kept = [(column, expr) for column, expr in computed if column.id not in items]
        needed = set().union(*map(columns_used, (*below.on, *items.values())))
        needed -= {column.id for column, _ in kept}
        passed = [(column, column) for column in below.relation.columns if column.id in needed]
        relation = Project(below.relation, (*kept, *passed))
        return replace(below, relation=relation, items=items)

    def _join(self, node: Join, as_set: bool) -> Pulled | None:
        if node.lateral:
            return None
        loose = as_set and node.kind == "semi" and self._open_beside_left(node)
        if node.kind == "inner" or loose:
            return self._inner(node, as_set)
        if node.kind not in ("left", "semi", "anti", "mark") or self._open(node.right):
            return None
        left = self._rows(node.left, as_set=as_set)
        if left is None:
            return None
        joined = map_expressions(node, lambda expr: substitute(expr, left.items))
        if any(self._refers(expr) for expr in expressions(joined)):
            return None
        return replace(left, relation=changed(joined, left=left.relation))

    def _open_beside_left(self, node: Join) -> bool:
        return self._open(node.right) or self._refers(node.condition)

    def _inner(self, node: Join, as_set: bool) -> Pulled | None:
        left = self._rows(node.left, as_set=as_set)
        right = self._rows(node.right, as_set=as_set or node.kind == "semi")
        if left is None or right is None:
            return None
        items = {**left.items, **right.items}
        parts = [substitute(part, items) for part in conjuncts(node.condition)]
        inside, outside = self._split(parts)
        relation = Join("inner", left.relation, right.relation, both(inside))
        return Pulled(relation, (*left.on, *right.on, *outside), items)

    def _unnest(self, node: Unnest) -> Pulled | None:
        below = self._rows(node.input)
        if below is None:
            return None
        made = map_expressions(node, lambda expr: substitute(expr, below.items))
        if any(self._refers(expr) for expr in expressions(made)):
            return None
        return replace(below, relation=changed(made, input=below.relation))

    def _sort(self, node: Sort) -> Pulled | None:
        below = self.pull(node.input)
        if below is None or below.one_row:
            return below
        keys = self._order(node.keys, below)
        if keys is None:
            return None
        return replace(below, relation=Sort(below.relation, keys)) if keys else below

    def _order(self, keys: Iterable[SortKey], below: Pulled) -> tuple[SortKey, ...] | None:
        """The keys over R'; None if one of them refers outwards."""
        made = tuple(changed(key, expr=substitute(key.expr, below.items)) for key in keys)
        return None if self._refers(*(key.expr for key in made)) else made

    # -- nodes through which equalities rise

    def equalities(self, on: Iterable[Expr]) -> list[Equality | Expr] | None:
        """Each condition as an equality of an outer and an inner side, or as one on outer columns.

        None if one is neither.
        """
        found: list[Equality | Expr] = []
        for condition in on:
            if columns_used(condition) <= self.outer:
                found.append(condition)
                continue
            if not (
                isinstance(condition, Call)
                and operator(condition.fn) in ("=", "is not distinct")
                and len(condition.args) == 2
            ):
                return None
            inner = 1 if self._refers(condition.args[0]) else 0
            outer_side, key = condition.args[1 - inner], condition.args[inner]
            if self._refers(key) or not columns_used(outer_side) <= self.outer:
                return None
            found.append(Equality(condition, inner, key))
        return found

    def _grouped(self, relation: Relation) -> tuple[Pulled, list[Equality | Expr]] | None:
        below = self._rows(relation)
        equalities = None if below is None else self.equalities(below.on)
        if below is None or equalities is None:
            return None
        return below, equalities

    def _aggregate(self, node: Aggregate) -> Pulled | None:
        found = self._grouped(node.input)
        if found is None:
            return None
        below, equalities = found
        made = map_expressions(node, lambda expr: substitute(expr, below.items))
        if self._refers(*expressions(made)):
            return None
        assert isinstance(made, Aggregate)
        keys = list(made.keys)
        on: list[Expr] = []
        added: list[int] = []
        for equality in equalities:
            if isinstance(equality, Equality):
                key = self.ids.column(equality.key.type)
                added.append(len(keys))
                keys.append((key, equality.key))
                on.append(equality.with_key(key))
            else:
                on.append(equality)
        sets = made.sets and tuple((*chosen, *added) for chosen in made.sets)
        if node.keys or node.sets is not None:
            return Pulled(Aggregate(below.relation, tuple(keys), made.calls, sets), tuple(on))
        calls, items = group_defaults(made.calls, self.ids)
        return Pulled(Aggregate(below.relation, tuple(keys), calls), tuple(on), items, one_row=True)

    def _distinct(self, node: Distinct) -> Pulled | None:
        found = self._grouped(node.input)
        if found is None:
            return None
        below, equalities = found
        order = self._order(node.order, below)
        keys = tuple(substitute(key, below.items) for key in node.keys)
        if order is None or self._refers(*keys) or not self._constant(below):
            return None
        items: list[tuple[ColumnRef, Expr]] = [
            (column, column) for column in node.columns if column.id not in below.items
        ]
        on: list[Expr] = []
        added: list[ColumnRef] = []
        for equality in equalities:
            if isinstance(equality, Equality):
                key = self.ids.column(equality.key.type)
                added.append(key)
                items.append((key, equality.key))
                on.append(equality.with_key(key))
            else:
                on.append(equality)
        if keys and _beyond(items, (*keys, *(key.expr for key in order))):
            return None
        rows = Project(below.relation, tuple(items))
        if not keys:
            return replace(below, relation=Distinct(rows), on=tuple(on))
        first = tuple(SortKey(key) for key in added) if order else ()
        relation = Distinct(rows, (*added, *keys), (*first, *order))
        return replace(below, relation=relation, on=tuple(on))

    def _constant(self, below: Pulled) -> bool:
        """Do the columns that are computed later depend on the outer row alone?"""
        return all(columns_used(expr) <= self.outer for expr in below.items.values())

    def _window(self, node: Window) -> Pulled | None:
        found = self._grouped(node.input)
        if found is None:
            return None
        below, equalities = found
        keys = tuple(part.key for part in equalities if isinstance(part, Equality))
        calls = []
        for column, call in node.calls:
            made = substitute(call, below.items)
            assert isinstance(made, WindowCall)
            calls.append((column, changed(made, partition=(*made.partition, *keys))))
        if self._refers(*(call for _, call in calls)):
            return None
        return replace(below, relation=Window(below.relation, tuple(calls)))

    def _limit(self, node: Limit) -> Pulled | None:
        one = self.pull(node.input)
        if one is not None and one.one_row:
            plain = isinstance(node.count, Literal) and (node.count.value or 0) > 0
            return one if plain and node.offset is None else None
        rows, order = without_order(node.input)
        found = self._grouped(rows)
        if found is None or self._refers(node.count, node.offset):
            return None
        below, equalities = found
        keys = self._order(order, below)
        ties = self._order(node.ties, below)
        if keys is None or ties is None:
            return None
        partition = tuple(part.key for part in equalities if isinstance(part, Equality))
        bounds = changed(node, ties=ties)
        relation = limit_as_filter(bounds, below.relation, keys, partition, self.ids)
        return replace(below, relation=relation)


def _beyond(items: Iterable[tuple[ColumnRef, Expr]], exprs: Iterable[Expr]) -> set[int]:
    """Ids that the expressions use and the items do not have."""
    return set().union(*map(columns_used, exprs)) - {column.id for column, _ in items}
