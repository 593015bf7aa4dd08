"""Which columns tell the rows of a relation apart, as far as its form says so."""

from __future__ import annotations

from warehouse.algebra.expressions import ColumnRef, Literal
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
    Values,
    Window,
)

__all__ = ["unique"]


def unique(relation: Relation, columns: frozenset[int] = frozenset()) -> bool:
    """Is there at most one row for each combination of these columns (of none: at all)?

    False where it is not known. NULLs count as equal.
    """
    match relation:
        case Empty():
            return True
        case Values(rows=rows):
            return len(rows) <= 1
        case Aggregate(keys=keys, sets=None):
            return {key.id for key, _ in keys} <= columns
        case Distinct(keys=()):
            own = {column.id for column in relation.columns}
            return own <= columns or unique(relation.input, columns)
        case Limit(count=Literal(value=int(count)), ties=()) if count <= 1:
            return True
        case Filter() | Sort() | Distinct() | Limit() | Window():
            return unique(relation.input, columns)
        case Project():
            return unique(relation.input, _below(relation, columns))
        case Join(kind="semi" | "anti" | "mark" | "single"):
            return unique(relation.left, columns)
        case Join(kind="inner" | "left"):
            return unique(relation.left, columns) and unique(relation.right, columns)
        case _:
            return False


def _below(node: Project, columns: frozenset[int]) -> frozenset[int]:
    """The columns of the input that these ones are."""
    return frozenset(
        expr.id
        for column, expr in node.items
        if column.id in columns and isinstance(expr, ColumnRef)
    )
