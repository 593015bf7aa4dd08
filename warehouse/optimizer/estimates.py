"""Expected rows of every kind of relation, bottom-up; see `cardinality`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from storage.snapshot.model import TableState
from warehouse.algebra import relations as algebra
from warehouse.algebra.expressions import Call, ColumnRef, Expr, Literal, conjuncts
from warehouse.algebra.relations import Relation
from warehouse.optimizer.cardinality import (
    OTHER_SHARE,
    UNKNOWN_ROWS,
    Estimate,
    TableStatistics,
    common_values,
    conjunction,
)

__all__ = ["Estimator"]

GROUPS_SHARE = 0.1  # of the rows that become groups, where nothing better is known
ELEMENTS = 10.0  # of an array


class Estimator:
    """Estimates relations of one query; each node once."""

    def __init__(
        self,
        tables: Mapping[str, TableState],
        ctes: Mapping[int, algebra.Cte],
        rows: Mapping[str, float] | None = None,
    ) -> None:
        """Args: rows: of inputs that are no tables, where they are known."""
        self._tables = tables
        self._rows = rows or {}
        self._ctes = ctes
        self._statistics: dict[int, TableStatistics] = {}
        self._known: dict[int, tuple[Relation, Estimate]] = {}

    def of(self, node: Relation) -> Estimate:
        """The estimate of a relation."""
        kept = self._known.get(id(node))
        if kept is None:
            kept = (node, self._estimate(node))
            self._known[id(node)] = kept
        return kept[1]

    def _estimate(self, node: Relation) -> Estimate:
        match node:
            case algebra.Scan():
                return self._scan(node)
            case algebra.Filter(input=below, predicate=predicate):
                return self.of(below).filtered(predicate)
            case algebra.Project():
                return self._project(node)
            case algebra.Join():
                return self._join(node)
            case algebra.Aggregate():
                return self._aggregate(node)
            case algebra.Distinct():
                inside = self.of(node.input)
                keys = node.keys or node.input.columns
                return _plain(_groups(inside.rows, keys, inside), inside)
            case algebra.Values(rows=rows):
                return _plain(len(rows))
            case algebra.Empty():
                return _plain(1.0)
            case _:
                return self._other(node)

    def _other(self, node: Relation) -> Estimate:
        match node:
            case algebra.Window() | algebra.Sort() | algebra.Sample():
                return self.of(node.input)
            case algebra.Limit(count=Literal(value=int(count))):
                below = self.of(node.input)
                return replace(below, rows=max(1.0, min(below.rows, float(count))))
            case algebra.Limit():
                return self.of(node.input)
            case algebra.Unnest():
                below = self.of(node.input)
                return _plain(below.rows * ELEMENTS, below)
            case algebra.SetOperation(kind="union"):
                return _plain(self.of(node.left).rows + self.of(node.right).rows)
            case algebra.SetOperation():
                return _plain(self.of(node.left).rows)
            case algebra.CteScan(cte=number) if number in self._ctes:
                definition = self._ctes[number].relation
                inside = self.of(definition)
                columns = zip(node.outputs, definition.columns, strict=True)
                return _renamed(inside, {new.id: old.id for new, old in columns})
            case _:
                return _plain(UNKNOWN_ROWS)

    def _scan(self, node: algebra.Scan) -> Estimate:
        table = self._tables.get(node.input)
        if table is None:
            return _plain(self._rows.get(node.input, UNKNOWN_ROWS))
        if table.id not in self._statistics:
            self._statistics[table.id] = TableStatistics(table)
        pairs = zip(node.outputs, node.sources, strict=True)
        return self._statistics[table.id].estimate(pairs)

    def _project(self, node: algebra.Project) -> Estimate:
        below = self.of(node.input)
        names = {new.id: old.id for new, old in node.items if isinstance(old, ColumnRef)}
        return _renamed(below, names)

    def _join(self, node: algebra.Join) -> Estimate:
        left, right = self.of(node.left), self.of(node.right)
        if node.kind in ("semi", "anti", "mark"):
            share = {"semi": _semi_share(node, left, right), "anti": OTHER_SHARE}.get(
                node.kind, 1.0
            )
            return replace(left, rows=max(1.0, left.rows * share))
        if node.kind == "single":
            return replace(left, distinct={**left.distinct, **right.distinct})
        rows = left.rows * right.rows
        if node.condition is not None:
            rows *= self._selectivity(node.condition, left, right)
        if node.kind in ("left", "full"):
            rows = max(rows, left.rows)
        if node.kind in ("right", "full"):
            rows = max(rows, right.rows)
        rows = max(1.0, rows)
        return Estimate(
            rows=rows,
            rows_total=max(rows, left.rows_total, right.rows_total),
            distinct={**left.distinct, **right.distinct},
        )

    def _selectivity(self, condition: Expr, left: Estimate, right: Estimate) -> float:
        share, keys, others = 1.0, 1.0, []
        for part in conjuncts(condition):
            match part:
                case Call(fn="=", args=(ColumnRef(id=a), ColumnRef(id=b))):
                    (one, first), (other, second) = _sides(left, right, a, b)
                    count, overlap = common_values(one, first, other, second)
                    keys *= count
                    share *= overlap
                case Call(fn="=" | "is not distinct"):
                    keys *= max(1.0, min(left.rows_total, right.rows_total))
                case _:
                    others.append(part)
        share /= max(1.0, min(keys, left.rows_total, right.rows_total))
        return share * conjunction(others, {})

    def _aggregate(self, node: algebra.Aggregate) -> Estimate:
        below = self.of(node.input)
        keys = [expr for _, expr in node.keys]
        if not keys:
            return _plain(1.0)
        rows = _groups(below.rows, keys, below) * max(1, len(node.sets or (1,)))
        distinct = {
            column.id: below.distinct[expr.id]
            for column, expr in node.keys
            if isinstance(expr, ColumnRef) and expr.id in below.distinct
        }
        total = _groups(below.rows_total, keys, below)
        return Estimate(rows=rows, rows_total=max(rows, total), distinct=distinct)


def _plain(rows: float, below: Estimate | None = None) -> Estimate:
    rows = max(1.0, float(rows))
    distinct = {} if below is None else below.distinct
    return Estimate(rows=rows, rows_total=rows, distinct=distinct)


def _renamed(below: Estimate, names: Mapping[int, int]) -> Estimate:
    return Estimate(
        rows=below.rows,
        rows_total=below.rows_total,
        distinct={new: below.distinct[old] for new, old in names.items() if old in below.distinct},
        tables={new: below.tables[old] for new, old in names.items() if old in below.tables},
        kept={new: below.kept[old] for new, old in names.items() if old in below.kept},
    )


def _sides(
    left: Estimate, right: Estimate, a: int, b: int
) -> tuple[tuple[Estimate, int], tuple[Estimate, int]]:
    if a in right.distinct or b in left.distinct:
        return (right, a), (left, b)
    return (left, a), (right, b)


def _semi_share(node: algebra.Join, left: Estimate, right: Estimate) -> float:
    for part in conjuncts(node.condition):
        match part:
            case Call(fn="=", args=(ColumnRef(id=a), ColumnRef(id=b))):
                own = a if a in {column.id for column in node.left.columns} else b
                share = min(right.rows / left.distinct_of(own), right.rows / right.rows_total)
                return min(1.0, share)
    return OTHER_SHARE


def _groups(rows: float, keys: Sequence[Expr], below: Estimate) -> float:
    """Distinct combinations of the keys among so many rows."""
    count = 1.0
    for key in keys:
        known = below.known_distinct(key.id) if isinstance(key, ColumnRef) else None
        count *= known if known is not None else max(1.0, rows * GROUPS_SHARE)
    return max(1.0, min(rows, count))
