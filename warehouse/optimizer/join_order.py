"""Join order from statistics: groups of inner joins in the order that a worker should follow.

Polars follows the order of the plan (`actors/compute/execution.py` says so). Per group of inner
joins, innermost groups first:

1. Collect the relations that the group joins and all conjuncts of its conditions.
2. Columns that a conjunct says are equal, and that have one type, become classes.
3. Estimate each relation (`estimates.py`), order them (`join_graph.py`).
4. Build a left-deep tree in that order with one equality per class and pair; every other conjunct
   stands where its columns have come together.
5. A left join in the group whose right side no other relation asks for waits until the inner joins
   are done, if these are expected to leave fewer rows than its left side has:
   (a LEFT JOIN b) JOIN c is (a JOIN c) LEFT JOIN b.
6. A semi join on top whose condition is on one relation of the group goes down to that relation
   where fewer rows in the joins are worth looking at every row of it.

For inner joins that changes no answer: the equalities written imply those left out and are implied
by them, NULL included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.snapshot.model import TableState
from warehouse.algebra.expressions import Call, ColumnRef, Expr, both, conjuncts
from warehouse.algebra.relations import Filter, Join, Query, Recursive, Relation, SetOperation
from warehouse.algebra.types import BOOLEAN, is_integer, is_text
from warehouse.algebra.walk import columns_used, map_inputs, narrow, replace
from warehouse.optimizer.cardinality import Estimate
from warehouse.optimizer.estimates import Estimator
from warehouse.optimizer.join_graph import JoinGraph

__all__ = ["ordered_joins"]

_Key = tuple[int, int]  # relation by position, column id


def ordered_joins(query: Query, tables: Mapping[str, TableState]) -> Query:
    """The query with every group of inner joins in its best order."""
    order = _Orderer(Estimator(tables, query.ctes))
    ctes = {
        number: replace(cte, relation=order.in_place(cte.relation))
        for number, cte in query.ctes.items()
    }
    return replace(query, relation=order.ordered(query.relation), ctes=ctes)


class _Orderer:
    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator

    def ordered(self, node: Relation) -> Relation:
        if isinstance(node, Join) and node.kind == "semi" and _is_group(node.left):
            return self._semi(node)
        if _is_group(node):
            return self._with_outer(node)
        by_position = isinstance(node, SetOperation | Recursive)
        return map_inputs(node, self.in_place if by_position else self.ordered)

    def in_place(self, node: Relation) -> Relation:
        """Ordered, for a reader that takes columns by position: they stay where they were."""
        found = self.ordered(node)
        same = [c.id for c in found.columns] == [c.id for c in node.columns]
        return found if same else narrow(found, node.columns)

    def _group(self, node: Relation) -> _Group:
        leaves: list[Relation] = []
        parts: list[Expr] = []
        _collect(node, leaves, parts)
        return self._group_of(leaves, parts)

    def _group_of(self, leaves: list[Relation], parts: list[Expr]) -> _Group:
        leaves = [self.ordered(leaf) for leaf in leaves]
        return _Group.of(leaves, parts, [self._estimator.of(leaf) for leaf in leaves])

    def _with_outer(self, node: Relation) -> Relation:
        """A group, its left joins delayed until after the inner joins where those leave less."""
        leaves: list[Relation] = []
        parts: list[Expr] = []
        _collect(node, leaves, parts)
        outer: list[tuple[Join, list[Expr]]] = []
        while (found := self._delayed(leaves, parts)) is not None:
            join, leaves, parts, late = found
            outer.append((join, late))
        result = self._group_of(leaves, parts).written({})
        for join, late in reversed(outer):
            result = replace(join, left=result, right=self.ordered(join.right))
            predicate = both(late)
            result = result if predicate is None else Filter(result, predicate)
        return result

    def _delayed(
        self, leaves: list[Relation], parts: list[Expr]
    ) -> tuple[Join, list[Relation], list[Expr], list[Expr]] | None:
        """One left join that may wait, what the group is without it, and the conditions that wait
        with it."""
        for position, leaf in enumerate(leaves):
            join, own = _unfiltered(leaf)
            late = _waiting(join, parts)
            if late is None:
                continue
            assert isinstance(join, Join)
            inner: list[Relation] = []
            now = [part for part in parts if part not in late]
            _collect(join.left, inner, now)
            fewer = [*leaves[:position], *inner, *leaves[position + 1 :]]
            estimates = [self._estimator.of(one) for one in fewer]
            graph = _Group.of(fewer, now, estimates).graph()
            if graph.rows(graph.all) < min(
                self._estimator.of(one).rows for one in (join.left, leaf)
            ):
                return join, fewer, now, [*own, *late]
        return None

    def _semi(self, node: Join) -> Relation:
        """A chain of semi joins over a group, each at the relation it is about or on top."""
        semis: list[Join] = []
        below: Relation = node
        while isinstance(below, Join) and below.kind == "semi":
            semis.append(replace(below, right=self.ordered(below.right)))
            below = below.left
        group = self._group(below)
        moved: dict[int, list[Join]] = {}
        stay: list[Join] = []
        for semi in reversed(semis):
            position = group.position(semi)
            if position is not None and self._is_worth_it(group, position, semi):
                moved.setdefault(position, []).append(semi)
            else:
                stay.append(semi)
        found = group.written(moved)
        for semi in stay:
            found = replace(semi, left=found)
        return found

    def _is_worth_it(self, group: _Group, position: int, semi: Join) -> bool:
        source = group.estimates[position]
        fewer = self._estimator.of(replace(semi, left=group.leaves[position]))
        before = group.graph()
        group.estimates[position] = dataclasses.replace(source, rows=fewer.rows)
        after = group.graph()
        top = before.cost(before.order()) + before.rows(before.all)
        if after.cost(after.order()) + source.rows < top:
            return True
        group.estimates[position] = source
        return False


def _is_group(node: Relation) -> bool:
    return isinstance(node, Join) and node.kind == "inner" and not node.lateral


def _collect(node: Relation, leaves: list[Relation], parts: list[Expr]) -> None:
    if isinstance(node, Join) and _is_group(node):
        _collect(node.left, leaves, parts)
        _collect(node.right, leaves, parts)
        parts += conjuncts(node.condition)
    else:
        leaves.append(node)


def _unfiltered(leaf: Relation) -> tuple[Relation, list[Expr]]:
    """What conditions stand above, which are about missing rows: `WHERE right.key IS NULL`."""
    own: list[Expr] = []
    while isinstance(leaf, Filter):
        own += conjuncts(leaf.predicate)
        leaf = leaf.input
    return leaf, own


def _waiting(leaf: Relation, parts: Sequence[Expr]) -> list[Expr] | None:
    """The conditions on the right side of a left join; None if others need that side as well."""
    if not (isinstance(leaf, Join) and leaf.kind == "left" and not leaf.lateral):
        return None
    theirs = {column.id for column in leaf.right.columns}
    ours = {column.id for column in leaf.columns}
    late = [part for part in parts if columns_used(part) & theirs]
    return late if all(columns_used(part) <= ours for part in late) else None


@dataclass(slots=True)
class _Group:
    """Relations that may change places.

    Attributes:
        classes: equal columns by relation.
        others: the conjuncts that made no class.
    """

    leaves: list[Relation]
    estimates: list[Estimate]
    classes: list[dict[int, tuple[int, ...]]]
    others: list[Expr]
    columns: dict[int, ColumnRef]
    owners: dict[int, int]

    @classmethod
    def of(cls, leaves: list[Relation], parts: Sequence[Expr], estimates: list[Estimate]) -> _Group:
        columns = {column.id: column for leaf in leaves for column in leaf.columns}
        owners = {c.id: position for position, leaf in enumerate(leaves) for c in leaf.columns}
        classes = _Classes(owners)
        others = [part for part in parts if not classes.add(part)]
        return cls(leaves, estimates, classes.found(), others, columns, owners)

    def graph(self) -> JoinGraph:
        return JoinGraph(tuple(self.estimates), self.classes)

    def position(self, semi: Join) -> int | None:
        """The one relation that a semi join's condition is about."""
        used = columns_used(semi.condition) if semi.condition is not None else set()
        found = {self.owners[key] for key in used if key in self.owners}
        return found.pop() if len(found) == 1 else None

    def written(self, moved: Mapping[int, list[Join]]) -> Relation:
        """The left-deep tree in the best order."""
        graph = self.graph()
        waiting = list(self.others)
        found: Relation | None = None
        joined = 0
        available: set[int] = set()
        for position in graph.order():
            leaf = self._leaf(position, moved)
            conditions = [
                self._equal(key.left, column)
                for key in graph.keys(position, joined)
                for column in key.right
            ]
            reached = {key.right for key in graph.keys(position, joined)}
            conditions += self._inner_equalities(position, reached)
            available |= {column.id for column in leaf.columns}
            ready = [p for p in waiting if columns_used(p) & self.owners.keys() <= available]
            waiting = [p for p in waiting if p not in ready]
            predicate = both([*conditions, *ready])
            if found is None:
                found = leaf if predicate is None else Filter(input=leaf, predicate=predicate)
            else:
                found = Join(kind="inner", left=found, right=leaf, condition=predicate)
            joined |= 1 << position
        assert found is not None
        assert not waiting
        return found

    def _leaf(self, position: int, moved: Mapping[int, list[Join]]) -> Relation:
        leaf = self.leaves[position]
        for semi in moved.get(position, ()):
            leaf = replace(semi, left=leaf)
        return leaf

    def _inner_equalities(self, position: int, reached: set[tuple[int, ...]]) -> list[Expr]:
        """Equal columns of one relation, where no join says so."""
        found = []
        for members in self.classes:
            columns = members.get(position, ())
            if columns not in reached:
                found += [self._equal(columns[0], column) for column in columns[1:]]
        return found

    def _equal(self, left: int, right: int) -> Expr:
        return Call(type=BOOLEAN, fn="=", args=(self.columns[left], self.columns[right]))


class _Classes:
    """Columns that are equal, by union and find."""

    def __init__(self, owners: Mapping[int, int]) -> None:
        self._owners = owners
        self._parent: dict[_Key, _Key] = {}

    def add(self, conjunct: Expr) -> bool:
        """False if the conjunct is no equality of two relations' columns of one type."""
        match conjunct:
            case Call(fn="=", args=(ColumnRef() as left, ColumnRef() as right)):
                a, b = self._key(left), self._key(right)
                if a is None or b is None or a[0] == b[0] or not _is_one_type(left, right):
                    return False
                self._parent[self._root(a)] = self._root(b)
                return True
        return False

    def found(self) -> list[dict[int, tuple[int, ...]]]:
        classes: dict[_Key, dict[int, tuple[int, ...]]] = {}
        for key in sorted(self._parent):
            members = classes.setdefault(self._root(key), {})
            members[key[0]] = (*members.get(key[0], ()), key[1])
        return list(classes.values())

    def _key(self, column: ColumnRef) -> _Key | None:
        owner = self._owners.get(column.id)
        return None if owner is None else (owner, column.id)

    def _root(self, key: _Key) -> _Key:
        while (parent := self._parent.setdefault(key, key)) != key:
            key = parent
        return key


def _is_one_type(left: ColumnRef, right: ColumnRef) -> bool:
    """Do values of both types join as they are?"""
    a, b = left.type, right.type
    return a == b or (is_integer(a) and is_integer(b)) or (is_text(a) and is_text(b))
