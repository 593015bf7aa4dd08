"""Arrays: elements, slices, lengths, and arrays made of others.

An array has one dimension and begins at 1. PostgreSQL's empty array has no dimension: its length
and bounds are NULL.
"""

from __future__ import annotations

import polars as pl

from storage.errors import InternalError
from storage.schema import SCALED_PRECISION_MAX, ArrayType, DecimalType
from warehouse.algebra.types import AnyType
from warehouse.execution.logic import unified
from warehouse.execution.ranges import type_range
from warehouse.execution.scaled import canonical
from warehouse.execution.value import Value, carrier
from warehouse.functions.calendar import fault_where
from warehouse.functions.registry import scalar, table_function

__all__ = ["element_type", "element_value", "held", "held_value"]

_SIZE_MAX = 134_217_727


def element_type(array: Value | AnyType) -> AnyType:
    """The type of the elements."""
    kind = array.type if isinstance(array, Value) else array
    if not isinstance(kind, ArrayType):
        raise InternalError(f"an array was expected, not {kind}")
    return kind.element


def held(value: Value, kind: AnyType) -> pl.Expr:
    """A value as an array of elements of type `kind` holds it."""
    return held_value(value, kind).expr.cast(carrier_in_array(kind))


def held_value(value: Value, kind: AnyType) -> Value:
    """A value as an element of type `kind`, for kernels."""
    return canonical(unified([value], kind)[0])


def carrier_in_array(kind: AnyType) -> pl.DataType:
    """The carrier of an element."""
    found: pl.DataType = carrier(ArrayType(element=kind)).inner  # type: ignore[arg-type]
    return found


def element_value(expr: pl.Expr, kind: AnyType) -> Value:
    """An element taken out of an array."""
    wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
    return Value(expr=expr, type=kind, range=None if wide else type_range(kind), wide=wide)


@scalar("subscript(anyarray,int4) -> anyelement", native=False)
def subscript(array: Value, index: Value, *, kind: AnyType) -> Value:
    """The element at an index from 1; NULL where there is none."""
    place = pl.when(index.expr >= 1).then(index.expr - 1)
    return element_value(array.expr.list.get(place, null_on_oob=True), kind)


@scalar("slice(anyarray,int4,int4) -> anyarray", native=False, strict=False)
def slice_of(array: Value, low: Value, high: Value, *, kind: AnyType) -> Value:
    """From `low` to `high`, both included; the constant NULL is an open end."""
    count = array.expr.list.len().cast(pl.Int64)
    first = pl.lit(1, dtype=pl.Int64) if _is_open(low) else pl.max_horizontal(low.expr, 1)
    last = count if _is_open(high) else pl.min_horizontal(high.expr, count)
    length = pl.max_horizontal(last - first + 1, pl.lit(0, dtype=pl.Int64))
    known = array.expr.is_not_null()
    for bound in (low, high):
        known = known & (pl.lit(True) if _is_open(bound) else bound.expr.is_not_null())
    sliced = array.expr.list.slice(first - 1, length)
    return Value(expr=pl.when(known).then(sliced), type=kind)


def _is_open(bound: Value) -> bool:
    return bound.constant and bound.literal is None


@scalar("array_length(anyarray,int4) -> int4", "array_upper(anyarray,int4) -> int4")
def array_length(array: pl.Expr, dimension: pl.Expr) -> pl.Expr:
    """Of the dimension 1, if there is any element."""
    count = array.list.len().cast(pl.Int64)
    return pl.when((dimension == 1) & (count > 0)).then(count)


@scalar("array_lower(anyarray,int4) -> int4")
def array_lower(array: pl.Expr, dimension: pl.Expr) -> pl.Expr:
    """1, if there is any element."""
    return pl.when((dimension == 1) & (array.list.len() > 0)).then(pl.lit(1, dtype=pl.Int64))


@scalar("array_ndims(anyarray) -> int4")
def array_ndims(array: pl.Expr) -> pl.Expr:
    """1, if there is any element."""
    return pl.when(array.list.len() > 0).then(pl.lit(1, dtype=pl.Int64))


@scalar("array_dims(anyarray) -> text")
def array_dims(array: pl.Expr) -> pl.Expr:
    """`[1:n]`, if there is any element."""
    return pl.when(array.list.len() > 0).then(pl.format("[1:{}]", array.list.len()))


@scalar("cardinality(anyarray) -> int4")
def cardinality(array: pl.Expr) -> pl.Expr:
    """The number of elements."""
    return array.list.len().cast(pl.Int64)


def _joined(parts: list[pl.Expr], kind: AnyType) -> Value:
    return Value(expr=pl.concat_list(parts).cast(carrier(kind)), type=kind)


def _or_empty(array: Value, kind: AnyType) -> pl.Expr:
    return held_array(array, kind).fill_null(pl.lit([], dtype=carrier(kind)))


def held_array(array: Value, kind: AnyType) -> pl.Expr:
    """An array in the carrier of `kind`."""
    return array.expr.cast(carrier(kind))


@scalar(
    "array_append(anycompatiblearray,anycompatible) -> anycompatiblearray",
    "||(anycompatiblearray,anycompatible) -> anycompatiblearray",
    native=False,
    strict=False,
)
def array_append(array: Value, value: Value, *, kind: AnyType) -> Value:
    """The value, even NULL, behind the array; NULL counts as empty."""
    single = pl.concat_list(held(value, element_type(kind)))
    return _joined([_or_empty(array, kind), single], kind)


@scalar(
    "array_prepend(anycompatible,anycompatiblearray) -> anycompatiblearray",
    "||(anycompatible,anycompatiblearray) -> anycompatiblearray",
    native=False,
    strict=False,
)
def array_prepend(value: Value, array: Value, *, kind: AnyType) -> Value:
    """The value, even NULL, before the array; NULL counts as empty."""
    single = pl.concat_list(held(value, element_type(kind)))
    return _joined([single, _or_empty(array, kind)], kind)


@scalar(
    "array_cat(anycompatiblearray,anycompatiblearray) -> anycompatiblearray",
    "||(anycompatiblearray,anycompatiblearray) -> anycompatiblearray",
    native=False,
    strict=False,
)
def array_cat(left: Value, right: Value, *, kind: AnyType) -> Value:
    """One after the other; NULL counts as empty beside an array."""
    both = _joined([_or_empty(left, kind), _or_empty(right, kind)], kind)
    present = left.expr.is_not_null() | right.expr.is_not_null()
    return Value(expr=pl.when(present).then(both.expr), type=kind)


@scalar("trim_array(anyarray,int4) -> anyarray", native=False)
def trim_array(array: Value, count: Value, *, kind: AnyType) -> Value:
    """Without the last elements."""
    size = array.expr.list.len().cast(pl.Int64)
    kept = pl.max_horizontal(size - count.expr, pl.lit(0, dtype=pl.Int64))
    value = Value(expr=array.expr.list.head(kept), type=kind)
    wrong = (count.expr < 0) | (count.expr > size)
    text = "number of elements to trim must be between 0 and "
    return fault_where(value, wrong, "2202E", text, size.cast(pl.String))


@scalar("array_fill(anyelement,_int4) -> anyarray", native=False, strict=False)
def array_fill(value: Value, dimensions: Value, *, kind: AnyType) -> Value:
    """So many times the value. Only one dimension is supported."""
    size = dimensions.expr.list.first().cast(pl.Int64).fill_null(0)
    usable = size.is_between(0, _SIZE_MAX)
    times = pl.when(usable).then(size).otherwise(0)
    filled = held(value, element_type(kind)).repeat_by(times).cast(carrier(kind))
    made = Value(expr=filled, type=kind)
    absent = dimensions.expr.is_null()
    made = made.faulty(absent, "22004", "dimension array or low bound array cannot be null")
    count = dimensions.expr.list.len()
    made = made.faulty(count > 1, "0A000", "arrays of several dimensions are not supported")
    unknown = (count > 0) & dimensions.expr.list.first().is_null()
    made = made.faulty(unknown, "22004", "dimension values cannot be null")
    text = f"array size exceeds the maximum allowed ({_SIZE_MAX})"
    return made.faulty(~usable, "54000", text)


@table_function("unnest(anyarray) -> anyelement", native=False)
def unnest(array: Value, *, kind: AnyType) -> Value:
    """The array itself: a row for each element."""
    return Value(expr=array.expr, type=array.type)


@table_function(
    "generate_subscripts(anyarray,int4) -> int4",
    "generate_subscripts(anyarray,int4,bool) -> int4",
    native=False,
)
def generate_subscripts(
    array: Value, dimension: Value, reverse: Value | None = None, *, kind: AnyType
) -> Value:
    """The indices of the dimension 1, forwards or backwards."""
    count = array.expr.list.len().cast(pl.Int64)
    count = pl.when(dimension.expr == 1).then(count).otherwise(0)
    forwards = pl.int_ranges(1, count + 1, dtype=pl.Int64)
    if reverse is None:
        return Value(expr=forwards, type=kind)
    backwards = pl.int_ranges(count, 0, -1, dtype=pl.Int64)
    chosen = pl.when(reverse.expr).then(backwards).otherwise(forwards)
    return Value(expr=chosen, type=kind)
