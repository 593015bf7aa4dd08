"""Semi-join reduction: the side of a join that is worth it sees only keys that the other side has.

A subquery over a large table is often grouped by the column that it is joined on: `WHERE quantity <
(SELECT avg(…) FROM lineitem l WHERE l.part = p.part)` groups all of lineitem, for a few parts.
Where the left side of a join is expected to be much smaller than what the right side would have to
group or compare,

    left JOIN aggregate(big) ON k   becomes   left' JOIN aggregate(big SEMI JOIN left' ON k) ON k

left' being a common table expression, so that it is computed once. The same for EXISTS and NOT
EXISTS with more than equalities in their condition. Groups that are left out are groups that no
left row would have met.

Source: Bernstein and Chiu, Using Semi-Joins to Solve Relational Queries, 1981.
"""

from __future__ import annotations

from collections.abc import Mapping

from storage.snapshot.model import TableState
from warehouse.algebra import relations as algebra
from warehouse.algebra.expressions import Call, ColumnRef, Expr, both, conjuncts
from warehouse.algebra.relations import Cte, CteScan, Join, Query, Relation
from warehouse.algebra.types import BOOLEAN, is_integer, is_text
from warehouse.algebra.walk import Ids, map_inputs, replace
from warehouse.optimizer.estimates import Estimator

__all__ = ["reduced"]

ROWS_MIN = 100_000.0  # of the right side's input: below, two scans cost more than they save
SHARE_MAX = 0.1  # rows on the left per row of that input
_KINDS = ("inner", "left", "single", "semi", "anti", "mark")

_Pair = tuple[ColumnRef, ColumnRef]


def reduced(query: Query, tables: Mapping[str, TableState]) -> Query:
    """The query with its joins reduced where statistics say that it pays."""
    reducer = _Reducer(query, tables)
    relation = reducer.visit(query.relation)
    if not reducer.made:
        return query
    return replace(
        query,
        relation=relation,
        ctes={**query.ctes, **reducer.made},
        next_id=reducer.ids.next_id,
    )


class _Reducer:
    def __init__(self, query: Query, tables: Mapping[str, TableState]) -> None:
        self.ids = Ids(query.next_id)
        self.made: dict[int, Cte] = {}
        self._first = max(query.ctes, default=-1) + 1
        self._estimator = Estimator(tables, query.ctes)

    def visit(self, node: Relation) -> Relation:
        """The tree below changed first: a reduced left side may be smaller still."""
        if isinstance(node, Join) and node.kind in _KINDS and not node.null_aware:
            target = self._target(node)
            if target is not None:
                return self._reduce(node, target)
        return map_inputs(node, self.visit)

    def _target(self, node: Join) -> tuple[Relation, list[_Pair]] | None:
        """What on the right to reduce, by which columns; None if there is nothing to gain."""
        pairs = _equalities(node)
        if not pairs:
            return None
        found: tuple[Relation, list[_Pair]] | None
        if node.kind in ("semi", "anti", "mark") and len(pairs) < len(conjuncts(node.condition)):
            found = (node.right, pairs)
        else:
            found = _grouped(node.right, pairs)
        if found is None:
            return None
        rows = self._estimator.of(found[0]).rows
        small = self._estimator.of(node.left).rows < SHARE_MAX * rows
        return found if small and rows >= ROWS_MIN else None

    def _reduce(self, node: Join, target: tuple[Relation, list[_Pair]]) -> Relation:
        below, pairs = target
        left = self.visit(node.left)
        number = self._first + len(self.made)
        self.made[number] = Cte(name="reduction", relation=left)
        ours = CteScan(cte=number, outputs=left.columns)
        fresh = {column.id: self.ids.column(column.type) for column in left.columns}
        theirs = CteScan(cte=number, outputs=tuple(fresh[c.id] for c in left.columns))
        equal = [
            Call(type=BOOLEAN, fn="=", args=(inner, fresh[outer.id])) for outer, inner in pairs
        ]
        semi = Join(kind="semi", left=self.visit(below), right=theirs, condition=both(list(equal)))
        right = _replaced(node.right, below, semi)
        return replace(node, left=ours, right=right)


def _equalities(node: Join) -> list[_Pair]:
    """(left column, right column) of the condition's plain equalities."""
    left = {column.id for column in node.left.columns}
    found = []
    for part in conjuncts(node.condition):
        match part:
            case Call(fn="=", args=(ColumnRef() as a, ColumnRef() as b)) if _is_one_type(a, b):
                if a.id in left and b.id not in left:
                    found.append((a, b))
                elif b.id in left and a.id not in left:
                    found.append((b, a))
    return found


def _grouped(right: Relation, pairs: list[_Pair]) -> tuple[Relation, list[_Pair]] | None:
    """The input of the grouping at the top of `right`, if the joined columns are keys of it."""
    names: dict[int, ColumnRef] = {inner.id: inner for _, inner in pairs}
    node = right
    while isinstance(node, algebra.Project | algebra.Filter):
        if isinstance(node, algebra.Project):
            items = {column.id: expr for column, expr in node.items}
            sources = {key: items[column.id] for key, column in names.items()}
            names = {key: expr for key, expr in sources.items() if isinstance(expr, ColumnRef)}
        node = node.input
    if not isinstance(node, algebra.Aggregate) or node.sets is not None:
        return None
    keys = {column.id: expr for column, expr in node.keys}
    found: list[_Pair] = []
    for outer, inner in pairs:
        column = names.get(inner.id)
        expr: Expr | None = None if column is None else keys.get(column.id)
        if isinstance(expr, ColumnRef):
            found.append((outer, expr))
    return (node.input, found) if found else None


def _replaced(node: Relation, old: Relation, new: Relation) -> Relation:
    if node is old:
        return new
    return map_inputs(node, lambda below: _replaced(below, old, new))


def _is_one_type(left: ColumnRef, right: ColumnRef) -> bool:
    a, b = left.type, right.type
    return a == b or (is_integer(a) and is_integer(b)) or (is_text(a) and is_text(b))
