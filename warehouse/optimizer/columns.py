"""Columns that nothing uses are not computed, grouped or read.

From the outputs downwards, each node keeps of its columns those that the node above asks for.
Where every column decides which rows there are (DISTINCT, set operations but UNION ALL, recursion)
all stay; a relation always keeps one column. A common table expression keeps what any of its
references needs.
"""

from __future__ import annotations

from warehouse.algebra.expressions import ColumnRef, Expr
from warehouse.algebra.relations import (
    Aggregate,
    Cte,
    CteScan,
    Distinct,
    Filter,
    Join,
    Limit,
    Project,
    Query,
    Recursive,
    Relation,
    Sample,
    Scan,
    SetOperation,
    Sort,
    Unnest,
    Values,
    Window,
)
from warehouse.algebra.walk import (
    columns_used,
    expressions,
    map_inputs,
    narrow,
    replace,
    transform_relation,
)

__all__ = ["without_unused_columns"]

Needed = set[int]


def without_unused_columns(query: Query) -> Query:
    """The query without columns that its outputs do not need. It has no subqueries."""
    pruner = _Pruner()
    relation = pruner.prune(query.relation, {column.id for column in query.outputs})
    ctes: dict[int, Cte] = {}
    for number in sorted(query.ctes, reverse=True):
        cte = query.ctes[number]
        columns = cte.relation.columns
        places = pruner.places.setdefault(number, set())
        if not places:
            places.add(0)
        kept = tuple(column for place, column in enumerate(columns) if place in places)
        pruned = pruner.prune(cte.relation, {column.id for column in kept})
        ctes[number] = replace(cte, relation=narrow(pruned, kept))
    ctes = {
        number: replace(cte, relation=pruner.scans(cte.relation))
        for number, cte in sorted(ctes.items())
    }
    return replace(query, relation=pruner.scans(relation), ctes=ctes)


class _Pruner:
    """`places`: by table expression, the positions of its columns that are needed."""

    def __init__(self) -> None:
        self.places: dict[int, set[int]] = {}

    def scans(self, relation: Relation) -> Relation:
        """The references to table expressions with the columns that these have kept."""

        def change(node: Relation) -> Relation:
            if not isinstance(node, CteScan):
                return node
            places = self.places[node.cte]
            kept = tuple(c for place, c in enumerate(node.outputs) if place in places)
            return replace(node, outputs=kept)

        return transform_relation(relation, change)

    def prune(self, node: Relation, needed: Needed) -> Relation:
        """At least the needed ones of the node's columns."""
        match node:
            case Scan() | Values() | CteScan():
                return self._leaf(node, needed)
            case Project(items=items):
                kept = _chosen(items, needed)
                used = set().union(*(columns_used(expr) for _, expr in kept))
                return Project(self.prune(node.input, used), kept)
            case Aggregate():
                return self._aggregate(node, needed)
            case Window(calls=calls):
                live = tuple(pair for pair in calls if pair[0].id in needed)
                if not live:
                    return self.prune(node.input, needed)
                made = replace(node, calls=live)
                return replace(made, input=self.prune(node.input, needed | _used(made)))
            case Filter() | Sort() | Limit() | Sample():
                return self._below(node, needed | _used(node))
            case Unnest():
                number = node.ordinality
                number = number if number is not None and number.id in needed else None
                made_unnest = replace(node, ordinality=number)
                return self._below(made_unnest, needed | _used(node))
            case Distinct(keys=keys):
                every = _ids(node.columns)
                below = self.prune(node.input, needed | _used(node) if keys else every)
                return replace(node, input=below if keys else narrow(below, node.columns))
            case Join():
                return self._join(node, needed)
            case SetOperation():
                return self._set_operation(node, needed)
            case Recursive():
                return map_inputs(node, self._whole)
            case _:
                return node

    def _whole(self, node: Relation) -> Relation:
        return narrow(self.prune(node, _ids(node.columns)), node.columns)

    def _below(self, node: Relation, needed: Needed) -> Relation:
        return map_inputs(node, lambda below: self.prune(below, needed))

    def _leaf(self, node: Scan | Values | CteScan, needed: Needed) -> Relation:
        places = [i for i, column in enumerate(node.outputs) if column.id in needed] or [0]
        if isinstance(node, CteScan):
            self.places.setdefault(node.cte, set()).update(places)
            return node
        outputs = tuple(node.outputs[i] for i in places)
        if isinstance(node, Scan):
            return replace(node, outputs=outputs, sources=tuple(node.sources[i] for i in places))
        rows = tuple(tuple(row[i] for i in places) for row in node.rows)
        return replace(node, outputs=outputs, rows=rows)

    def _aggregate(self, node: Aggregate, needed: Needed) -> Relation:
        calls = tuple(pair for pair in node.calls if pair[0].id in needed)
        if not calls and not node.keys:
            calls = node.calls[:1]
        made = replace(node, calls=calls)
        return replace(made, input=self.prune(node.input, _used(made)))

    def _join(self, node: Join, needed: Needed) -> Relation:
        if node.kind == "mark" and node.mark is not None and node.mark.id not in needed:
            return self.prune(node.left, needed)
        return self._below(node, needed | _used(node))

    def _set_operation(self, node: SetOperation, needed: Needed) -> Relation:
        places = [i for i, column in enumerate(node.outputs) if column.id in needed] or [0]
        if node.kind != "union" or not node.all:
            places = list(range(len(node.outputs)))
        sides = []
        for side in (node.left, node.right):
            kept = tuple(side.columns[i] for i in places)
            sides.append(narrow(self.prune(side, _ids(kept)), kept))
        outputs = tuple(node.outputs[i] for i in places)
        return replace(node, left=sides[0], right=sides[1], outputs=outputs)


def _ids(columns: tuple[ColumnRef, ...]) -> Needed:
    return {column.id for column in columns}


def _used(node: Relation) -> Needed:
    return set().union(*map(columns_used, expressions(node)))


def _chosen(
    items: tuple[tuple[ColumnRef, Expr], ...], needed: Needed
) -> tuple[tuple[ColumnRef, Expr], ...]:
    """The needed items; one that costs nothing if none is."""
    kept = tuple(pair for pair in items if pair[0].id in needed)
    if kept or not items:
        return kept
    plain = [pair for pair in items if isinstance(pair[1], ColumnRef)]
    return tuple(plain[:1]) or items[:1]
