"""How much memory an operator is expected to hold, from the rows that are expected of its inputs.

The numbers are of Polars' streaming engine, measured: what a hash table, a sort or a window takes
per byte of its rows. Scans, filters and projections hold a few morsels, whatever their size, and
count as nothing. Nothing depends on an expectation but where an operator works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl

from storage.schema import SCALED_PRECISION_MAX, DecimalType
from warehouse.algebra.expressions import ColumnRef, Literal
from warehouse.algebra.relations import (
    Aggregate,
    CteScan,
    Distinct,
    Join,
    Limit,
    Project,
    Relation,
    SetOperation,
    Sort,
    Window,
)
from warehouse.execution.value import carrier

__all__ = [
    "BOTH_SIDES",
    "SORTED",
    "WINDOWED",
    "folds",
    "hashed_bytes",
    "sorted_below",
    "state_bytes",
    "width_bytes",
]

TEXT_BYTES = 32  # of a text or BYTEA, with its place; nothing is known of their lengths
ELEMENTS = 8  # of an array
HASHED = 2.5  # bytes of a hash table for each byte in it
ENTRY_BYTES = 8  # and for each of its rows, however narrow
SORTED = 2.5
WINDOWED = 3.5
BOTH_SIDES = 1.5  # outer joins and anti joins keep rows of both sides

# Aggregates whose state is a few numbers for each group. All others keep the group's values.
FOLDED = frozenset(
    {
        *("any_value", "avg", "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or", "count"),
        *("every", "grouping", "max", "min", "regr_count", "stddev", "stddev_pop", "stddev_samp"),
        *("sum", "var_pop", "var_samp", "variance"),
    }
)

Rows = Callable[[Relation], float]


def folds(node: Aggregate) -> bool:
    """Is the state of a group small, however many rows it has?"""
    return all(
        call.fn.partition("(")[0] in FOLDED and not call.distinct and not call.order
        for _, call in node.calls
    )


def hashed_bytes(rows: float, row_bytes: float) -> float:
    """Of a hash table with so many rows of this width; it grows by doubling."""
    return rows * (HASHED * row_bytes + ENTRY_BYTES)


def width_bytes(columns: Iterable[ColumnRef]) -> float:
    """Of a row with these columns, as execution carries them."""
    return sum(_column_bytes(column) for column in columns)


def _column_bytes(column: ColumnRef) -> float:
    kind = column.type
    wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
    return _bytes_of(carrier(kind, wide=wide))


_WIDTHS: Mapping[Any, float] = {
    pl.Boolean: 1,
    pl.Date: 4,
    pl.Enum: 4,
    pl.Float32: 4,
    pl.Int32: 4,
    pl.Decimal: 16,
    pl.String: TEXT_BYTES,
    pl.Binary: TEXT_BYTES,
}


def _bytes_of(dtype: Any) -> float:
    if isinstance(dtype, pl.List):
        return 8 + ELEMENTS * _bytes_of(dtype.inner)
    if isinstance(dtype, pl.Struct):
        return 1 + sum(_bytes_of(field.dtype) for field in dtype.fields)
    return _WIDTHS.get(dtype.base_type(), 8)


def state_bytes(node: Relation, rows: Rows) -> float:
    """What the operator itself holds while it runs. Args: rows: those expected of a relation."""
    match node:
        case Join():
            return _join_bytes(node, rows)
        case Aggregate():
            return _aggregate_bytes(node, rows)
        case Distinct():
            held = node.input if node.keys else node
            return hashed_bytes(rows(held), width_bytes(node.columns))
        case SetOperation(kind="union", all=True):
            return 0.0
        case SetOperation():
            return sum(hashed_bytes(rows(side), width_bytes(side.columns)) for side in node.inputs)
        case Sort():
            return SORTED * rows(node) * width_bytes(node.columns)
        case Limit() if sorted_below(node) is not None:
            return SORTED * min(_wanted(node), rows(node.input)) * width_bytes(node.columns)
        case Window():
            return WINDOWED * rows(node.input) * width_bytes(node.columns)
        case CteScan():
            return rows(node) * width_bytes(node.outputs)
        case _:
            return 0.0


def sorted_below(node: Limit) -> Sort | None:
    """The sort of which only the first rows are wanted: Polars keeps no more of them."""
    below = node.input.input if isinstance(node.input, Project) else node.input
    known = isinstance(node.count, Literal) and node.count.value is not None and not node.ties
    return below if known and isinstance(below, Sort) else None


def _wanted(node: Limit) -> float:
    parts = (node.count, node.offset)
    return float(sum(part.value or 0 for part in parts if isinstance(part, Literal)))


def _join_bytes(node: Join, rows: Rows) -> float:
    sides = [(rows(side), width_bytes(side.columns)) for side in node.inputs]
    if node.kind in ("inner", "semi"):
        return min(hashed_bytes(count, width) for count, width in sides)
    return BOTH_SIDES * sum(count * width for count, width in sides)


def _aggregate_bytes(node: Aggregate, rows: Rows) -> float:
    if folds(node):
        return hashed_bytes(rows(node), width_bytes(node.columns))
    width = width_bytes(node.columns)
    for _, call in node.calls:
        exprs = (*call.args, *(key.expr for key in (*call.order, *call.within)))
        width += sum(_column_bytes(ColumnRef(type=expr.type, id=0)) for expr in exprs)
    return hashed_bytes(rows(node.input), width)
