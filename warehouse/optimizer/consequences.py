"""What equal columns say of each other: from `a = b AND a < 5` follows `b < 5`.

Both sides of a join are then filtered, and the micropartitions of both are pruned, though the query
says it of one side only: `facts.day = days.day AND days.day = '2026-01-31'`. Only comparisons with
a constant are carried over, between columns of one type, which compare alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from warehouse.algebra.expressions import Call, ColumnRef, Expr, Literal, Parameter
from warehouse.algebra.walk import substitute

__all__ = ["consequences"]

_COMPARISONS = ("=", "<", "<=", ">", ">=")


def consequences(parts: Sequence[Expr]) -> list[Expr]:
    """What follows from the conjuncts and is none of them."""
    constants = [(column, part) for part in parts if (column := _compared(part)) is not None]
    if not constants:
        return []
    classes = _classes(parts)
    found: list[Expr] = []
    for column, part in constants:
        for other in classes.get(column.id, ()):
            if other.id != column.id:
                made = substitute(part, {column.id: other})
                if made not in parts and made not in found:
                    found.append(made)
    return found


def _compared(part: Expr) -> ColumnRef | None:
    """The column that is compared with a constant."""
    match part:
        case (
            Call(fn=fn, args=(ColumnRef() as column, Literal() | Parameter()))
            | Call(fn=fn, args=(Literal() | Parameter(), ColumnRef() as column))
        ) if fn in _COMPARISONS:
            return column
    return None


def _classes(parts: Iterable[Expr]) -> dict[int, list[ColumnRef]]:
    """By column id, all columns that are equal to it, itself among them."""
    classes: dict[int, list[ColumnRef]] = {}
    for part in parts:
        match part:
            case Call(fn="=", args=(ColumnRef() as a, ColumnRef() as b)) if a.type == b.type:
                one = classes.setdefault(a.id, [a])
                other = classes.setdefault(b.id, [b])
                if one is not other:
                    one += other
                    for column in other:
                        classes[column.id] = one
    return classes
