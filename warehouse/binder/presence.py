"""Whole rows of the side of an outer join that may be missing: `t`, `t.*` are NULL where it is.

A row of columns that are all NULL and no row look alike once they are joined. What tells them apart
is a column that is true in every row of the table: it is asked for when a whole row is, and put
over the table when the SELECT is bound.
"""

from __future__ import annotations

from dataclasses import dataclass

from warehouse.algebra import relations as algebra
from warehouse.algebra.expressions import Call, Case, ColumnRef, Expr, Literal
from warehouse.algebra.relations import Relation
from warehouse.algebra.types import BOOLEAN
from warehouse.algebra.walk import map_inputs

__all__ = ["Presence", "placed", "where_present"]


@dataclass(frozen=True, slots=True)
class Presence:
    """A column that is true where the table has a row, and the columns that it goes beside."""

    column: ColumnRef
    beside: frozenset[int]


def where_present(presence: ColumnRef, row: Expr) -> Expr:
    """The row, NULL where there is none."""
    there = Call(type=BOOLEAN, fn="is not null", args=(presence,))
    return Case(type=row.type, branches=((there, row),), default=Literal(type=row.type, value=None))


def placed(relation: Relation, presence: Presence) -> Relation | None:
    """The tree with the column over the lowest node that has the table's columns; None without."""
    if not presence.beside <= {column.id for column in _made_by(relation)}:
        found = False

        def below(node: Relation) -> Relation:
            nonlocal found
            made = None if found else placed(node, presence)
            found = found or made is not None
            return node if made is None else made

        changed = map_inputs(relation, below)
        return changed if found else None
    items: list[tuple[ColumnRef, Expr]] = [(column, column) for column in relation.columns]
    items.append((presence.column, Literal(type=BOOLEAN, value=True)))
    return algebra.Project(input=relation, items=tuple(items))


def _made_by(relation: Relation) -> tuple[ColumnRef, ...]:
    """The columns of a node, if none of its inputs has them all already."""
    below = {column.id for node in relation.inputs for column in node.columns}
    return tuple(column for column in relation.columns if column.id not in below)
