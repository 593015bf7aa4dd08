"""Short ways to write algebra by hand, for tests of plans."""

from __future__ import annotations

from warehouse.algebra.expressions import AggregateCall, Call, ColumnRef, Expr, Literal, Subquery
from warehouse.algebra.relations import Aggregate, Filter, Join, Project, Query, Relation, Scan
from warehouse.algebra.types import BIGINT, BOOLEAN

__all__ = ["Plan", "all_of", "number", "test"]


def test(fn: str, *args: Expr) -> Call:
    """A Boolean call."""
    return Call(type=BOOLEAN, fn=fn, args=args)


def all_of(*parts: Expr) -> Expr:
    """AND."""
    return Call(type=BOOLEAN, fn="and", args=parts)


def number(value: int | None) -> Literal:
    """A BIGINT constant."""
    return Literal(type=BIGINT, value=value)


class Plan:
    """Gives columns ids and labels, and makes the query at the end."""

    def __init__(self) -> None:
        self.labels: dict[int, str] = {}

    def column(self, label: str) -> ColumnRef:
        column = ColumnRef(type=BIGINT, id=len(self.labels) + 1)
        self.labels[column.id] = label
        return column

    def scan(self, table: str, names: str) -> tuple[Scan, dict[str, ColumnRef]]:
        """A scan of columns, named by words, and the columns by name."""
        columns = {name: self.column(name) for name in names.split()}
        return Scan(table, tuple(columns.values()), tuple(columns)), columns

    def aggregate(self, below: Relation, fn: str, arg: Expr | None, label: str) -> Aggregate:
        """One aggregate without keys."""
        call = AggregateCall(BIGINT, fn, () if arg is None else (arg,))
        return Aggregate(below, (), ((self.column(label), call),))

    def project(self, below: Relation, **items: Expr) -> Project:
        return Project(below, tuple((self.column(name), expr) for name, expr in items.items()))

    def scalar(self, relation: Relation) -> Subquery:
        return Subquery(BIGINT, "scalar", relation, relation.columns[:1])

    def exists(self, relation: Relation) -> Subquery:
        return Subquery(BOOLEAN, "exists", relation)

    def member(self, left: Expr, relation: Relation) -> Subquery:
        return Subquery(BOOLEAN, "any", relation, relation.columns[:1], (left,), ("=",))

    def cross(self, *relations: Relation) -> Relation:
        """FROM a, b, c."""
        whole = relations[0]
        for relation in relations[1:]:
            whole = Join("inner", whole, relation)
        return whole

    def where(self, below: Relation, *parts: Expr) -> Filter:
        return Filter(below, parts[0] if len(parts) == 1 else all_of(*parts))

    def query(self, relation: Relation) -> Query:
        columns = relation.columns
        names = tuple(self.labels[column.id] for column in columns)
        return Query(relation, columns, names, {}, self.labels, len(self.labels) + 1)
