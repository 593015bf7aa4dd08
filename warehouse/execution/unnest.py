"""Unnest: rows by the elements of arrays.

One array is Polars' explode. Several are padded with NULLs to the length of the longest first. An
array of rows may spread over several columns, whose fields are taken after exploding.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from storage.errors import InternalError
from storage.schema import SCALED_PRECISION_MAX, ArrayType, DecimalType, StructType
from warehouse.algebra.expressions import ColumnRef
from warehouse.algebra.relations import Unnest
from warehouse.algebra.types import AnyType, RecordType
from warehouse.execution.lowered import (
    Context,
    Lowered,
    column_of,
    materialised,
)
from warehouse.execution.ranges import type_range
from warehouse.execution.relations import lower_relation
from warehouse.execution.value import Range, Value, carrier, raised

__all__ = ["lower_unnest"]

PLACES = "places"
ORDINALS = Range(1, 2**63 - 1)


def lower_unnest(node: Unnest, context: Context) -> Lowered:
    """The input's columns, repeated, with the elements beside them."""
    below = lower_relation(node.input, context)
    arrays = [context.lower(expr, below.columns) for _, expr in node.items]
    names = [f"x{i}" for i in range(len(arrays))]
    frame = below.frame.with_columns(
        [raised(array).alias(name) for array, name in zip(arrays, names, strict=True)]
    )
    several = len(names) > 1
    exploded = list(names)
    if several or node.ordinality is not None:
        frame = _placed(frame, arrays, names, pad=several)
        exploded.append(PLACES)
    frame = frame.explode(exploded, empty_as_null=node.outer, keep_nulls=node.outer)
    items: dict[int, Value] = dict(below.columns)
    for (outputs, _), array, name in zip(node.items, arrays, names, strict=True):
        items |= _spread(outputs, array, name)
    if node.ordinality is not None:
        number = pl.col(PLACES) + 1
        items[node.ordinality.id] = Value(
            number, node.ordinality.type, ORDINALS, nullable=node.outer
        )
    found = materialised(frame, items)
    return Lowered(found.frame, {**found.columns, **_kept(below)})


def _kept(below: Lowered) -> dict[int, Value]:
    return {key: column_of(key, value) for key, value in below.columns.items()}


def _placed(
    frame: pl.LazyFrame, arrays: Sequence[Value], names: Sequence[str], *, pad: bool
) -> pl.LazyFrame:
    """With the positions of the longest array as PLACES; `pad`: all arrays as long as that."""
    longest = pl.max_horizontal([pl.col(name).list.len() for name in names])
    places = pl.int_ranges(0, longest.cast(pl.Int64).fill_null(0), dtype=pl.Int64)
    frame = frame.with_columns(places.alias(PLACES))
    if not pad:
        return frame
    padded = []
    for array, name in zip(arrays, names, strict=True):
        held = carrier(array.type)
        filled = pl.col(name).fill_null(pl.lit([], dtype=held))
        padded.append(filled.list.gather(pl.col(PLACES), null_on_oob=True).alias(name))
    return frame.with_columns(padded)


def _spread(outputs: tuple[ColumnRef, ...], array: Value, name: str) -> dict[int, Value]:
    """The columns that the elements give."""
    if not isinstance(array.type, ArrayType):
        raise InternalError("unnest of a value that is no array")
    element: AnyType = array.type.element
    fields = _fields(element)
    if len(outputs) == 1 and (not fields or outputs[0].type == element):
        return {outputs[0].id: _known(pl.col(name), outputs[0].type)}
    if len(fields) != len(outputs):
        raise InternalError(f"{len(outputs)} columns for rows of {len(fields)} fields")
    parts = pl.col(name).struct
    return {
        output.id: _known(parts.field(field), output.type)
        for output, field in zip(outputs, fields, strict=True)
    }


def _fields(kind: AnyType) -> list[str]:
    match kind:
        case StructType(_, fields):
            return [name for name, _ in fields]
        case RecordType(fields):
            return [f"f{i}" for i in range(1, len(fields) + 1)]
        case _:
            return []


def _known(expr: pl.Expr, kind: AnyType) -> Value:
    """An element: arrays hold the carrier that the type alone decides."""
    wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
    return Value(expr, kind, None if wide else type_range(kind), wide=wide)
