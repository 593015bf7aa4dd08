"""What is known of a relation's rows: how many there are at most, and their order."""

from __future__ import annotations

from warehouse.algebra.expressions import (
    Call,
    Expr,
    Literal,
    SortKey,
    WindowCall,
    both,
)
from warehouse.algebra.relations import (
    Aggregate,
    Distinct,
    Empty,
    Filter,
    Limit,
    Project,
    Relation,
    Sort,
    Values,
    Window,
)
from warehouse.algebra.types import BIGINT
from warehouse.algebra.walk import Ids, columns_used, narrow, replace
from warehouse.optimizer.logic import at_most, call, either, more_than, plus

__all__ = ["limit_as_filter", "one_row", "single_row", "without_order"]


def one_row(relation: Relation) -> bool:
    """Is there always exactly one row?"""
    match relation:
        case Empty():
            return True
        case Aggregate(keys=keys, sets=sets):
            return sets == ((),) or (not keys and sets is None)
        case Values(rows=rows):
            return len(rows) == 1
        case Project(input=below) | Sort(input=below) | Window(input=below):
            return one_row(below)
        case _:
            return False


def single_row(relation: Relation) -> bool:
    """Is there never more than one row?"""
    match relation:
        case Limit(count=Literal(value=int(count)), ties=()) if count <= 1:
            return True
        case (
            Project(input=below)
            | Filter(input=below)
            | Sort(input=below)
            | Window(input=below)
            | Limit(input=below)
            | Distinct(input=below)
        ):
            return single_row(below)
        case _:
            return one_row(relation)


def without_order(relation: Relation) -> tuple[Relation, tuple[SortKey, ...]]:
    """The rows, and the order they come in, over columns that the returned relation has.

    It has the columns of the given one, and after them those that the order needs besides.
    """
    match relation:
        case Sort(input=below, keys=keys):
            return below, keys
        case Distinct(order=order) if order:
            return relation, order
        case Filter(input=below):
            rows, order = without_order(below)
            return Filter(rows, relation.predicate), order
        case Limit(input=below):
            rows, order = without_order(below)
            return (replace(relation, input=Sort(rows, order)), order) if order else (relation, ())
        case Project(input=below, items=items):
            rows, order = without_order(below)
            wanted = set().union(*(columns_used(key.expr) for key in order))
            missing = wanted - {column.id for column, _ in items}
            extra = tuple((column, column) for column in rows.columns if column.id in missing)
            return Project(rows, (*items, *extra)), order
        case _:
            return relation, ()


def limit_as_filter(
    limit: Limit, below: Relation, order: tuple[SortKey, ...], partition: tuple[Expr, ...], ids: Ids
) -> Relation:
    """LIMIT and OFFSET within every partition of `below`, by the numbers of its rows.

    The result has the columns of `below`, and the number.
    """
    calls = []
    number = ids.column(BIGINT)
    calls.append((number, WindowCall(BIGINT, "row_number()", (), partition, order)))
    upper = number
    if limit.ties:
        upper = ids.column(BIGINT)
        calls.append((upper, WindowCall(BIGINT, "rank()", (), partition, limit.ties)))
    parts: list[Expr] = []
    start: Expr = Literal(type=BIGINT, value=0)
    if limit.offset is not None and limit.offset != Literal(type=BIGINT, value=None):
        start = limit.offset
        if not isinstance(start, Literal):
            start = Call(type=BIGINT, fn="coalesce", args=(start, Literal(type=BIGINT, value=0)))
        parts.append(more_than(number, start))
    if limit.count is not None and limit.count != Literal(type=BIGINT, value=None):
        enough = at_most(upper, plus(start, limit.count))
        known = isinstance(limit.count, Literal)
        parts.append(enough if known else either(call("is null", limit.count), enough))
    predicate = both(parts)
    if predicate is None:
        return below
    return narrow(Filter(Window(below, tuple(calls)), predicate), below.columns)
