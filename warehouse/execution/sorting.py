"""Sort and Limit: plain sorts and slices, which Polars turns into top-k by itself."""

from __future__ import annotations

import polars as pl

from storage.errors import InvalidRequest
from warehouse.algebra.expressions import Expr
from warehouse.algebra.relations import Limit, Project, Recursive, Relation, Sort
from warehouse.execution.keys import order_of
from warehouse.execution.lowered import Context, Lowered, constants, narrowed
from warehouse.execution.relations import lower_relation
from warehouse.execution.value import raised

__all__ = ["constant_of", "lower_limit", "lower_sort"]

ROWS_MAX = 2**32 - 2  # Polars numbers rows by 32 bits
RUN = "run"


def lower_sort(node: Sort, context: Context) -> Lowered:
    """The input in the order of the keys."""
    below = lower_relation(node.input, context)
    order = order_of(node.keys, below, context)
    if not order.by:
        return below
    frame = below.frame.sort(order.by, descending=order.descending, nulls_last=order.nulls_last)
    return Lowered(frame, below.columns)


def lower_limit(node: Limit, context: Context) -> Lowered:
    """Rows `offset` to `offset + count` of the input, with the ties of the last one if asked."""
    count = _rows(node.count, context, "LIMIT must not be negative", "2201W")
    offset = _rows(node.offset, context, "OFFSET must not be negative", "2201X") or 0
    below = _at_most(node, context, None if count is None else offset + count)
    if count is None:
        return Lowered(below.frame.slice(offset), below.columns) if offset else below
    if node.ties and count:
        return _with_ties(node, below, context, offset, count)
    return Lowered(below.frame.slice(offset, count), below.columns)


def constant_of(expr: Expr, context: Context) -> object:
    """The Python value of the carrier of an expression without columns."""
    value = context.lower(expr, {})
    if value.constant and value.fault is None:
        return value.literal
    return constants([raised(value)]).item()


def _rows(expr: Expr | None, context: Context, message: str, sqlstate: str) -> int | None:
    found = None if expr is None else constant_of(expr, context)
    if found is None:
        return None
    assert isinstance(found, int)
    if found < 0:
        raise InvalidRequest(message, sqlstate)
    return min(found, ROWS_MAX)


def _at_most(node: Limit, context: Context, rows: int | None) -> Lowered:
    """The input, of which only the first rows are wanted: a recursion stops when it has them."""
    below: Relation = node.input
    while isinstance(below, Project):
        below = below.input
    if rows is not None and not node.ties and isinstance(below, Recursive):
        from warehouse.execution.recursion import first_rows

        context = first_rows(below, context, rows)
    return lower_relation(node.input, context)


def _with_ties(node: Limit, below: Lowered, context: Context, offset: int, count: int) -> Lowered:
    """The input is sorted: equal keys stand together, as one run."""
    order = order_of(node.ties, below, context)
    if not order.by:
        return Lowered(below.frame.slice(offset), below.columns)
    run = pl.struct([key.alias(f"k{i}") for i, key in enumerate(order.by)]).rle_id()
    numbered = below.frame.with_columns(run.alias(RUN))
    last = pl.col(RUN).get(offset + count - 1, null_on_oob=True)
    kept = numbered.filter((pl.col(RUN) <= last).fill_null(True)).slice(offset)
    return narrowed(kept, below.columns)
