"""Logical columns and their physical form inside a micropartition.

SMALLINT, INTEGER, BIGINT and DECIMAL(p<=18, s), the *scaled* types, are integers in a file: the
value times 10^s (s = 0 for integers), in the narrowest of 8, 16, 32, 64 bits that holds the
column's minimum and maximum. Inside arrays and composites they are 64 bits wide. UUID has Parquet's
own type of that name. Everything else keeps its logical Arrow type. Decoding ignores the width.

Decimals are converted by their bytes, not by arithmetic: an Arrow decimal128 is a little-endian
128-bit two's-complement integer, so for p <= 18 its low 64-bit word is the scaled integer
(Arrow columnar format, fixed-size primitive layout).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.errors import InternalError
from storage.schema import (
    SCALED_PRECISION_MAX,
    ArrayType,
    DecimalType,
    Kind,
    ScalarType,
    SqlType,
    StructType,
    arrow_type,
    is_integer,
)

__all__ = [
    "UUID",
    "by_chunk",
    "encode",
    "is_scaled",
    "mapped",
    "narrow",
    "physical_type",
    "scale_of",
    "scaled",
    "to_logical",
]

WIDTHS = ((pa.int8(), 7), (pa.int16(), 15), (pa.int32(), 31), (pa.int64(), 63))
UUID = ScalarType(Kind.UUID)


def is_scaled(sql_type: SqlType) -> bool:
    """True for the types that are integers in a file."""
    return is_integer(sql_type) or scale_of(sql_type) is not None


def scale_of(sql_type: SqlType) -> int | None:
    """s of a DECIMAL(p<=18, s), else None."""
    match sql_type:
        case DecimalType(precision, scale) if precision <= SCALED_PRECISION_MAX:
            return scale
        case _:
            return None


def physical_type(sql_type: SqlType) -> pa.DataType:
    """The Arrow type that `encode` returns."""
    match sql_type:
        case ArrayType(element):
            return pa.large_list(physical_type(element))
        case StructType(_, fields):
            return pa.struct([(name, physical_type(kind)) for name, kind in fields])
        case _ if is_scaled(sql_type):
            return pa.int64()
        case _:
            return pa.uuid() if sql_type == UUID else arrow_type(sql_type)


def encode(column: pa.ChunkedArray, sql_type: SqlType) -> pa.ChunkedArray:
    """A column in its logical type, as int64 if it is scaled, else as the file holds it."""
    if is_integer(sql_type):
        return column.cast(pa.int64())
    target = physical_type(sql_type)
    if target == column.type:
        return column
    return by_chunk(column, target, lambda chunk: mapped(chunk, sql_type, _encoded))


def narrow(column: pa.ChunkedArray, low: int | None, high: int | None) -> pa.ChunkedArray:
    """An int64 column in the narrowest type for values in [low, high]; None: no value at all."""
    least, most = (0, 0) if low is None or high is None else (low, high)
    for width, bits in WIDTHS:
        if -(1 << bits) <= least and most < (1 << bits):
            return column if width == column.type else pc.cast(column, width, safe=False)
    raise InternalError(f"{least} to {most} does not fit 64 bits")


def to_logical(column: pa.ChunkedArray, sql_type: SqlType) -> pa.ChunkedArray:
    """A column as a file holds it, in its logical type."""
    target = arrow_type(sql_type)
    if isinstance(sql_type, ArrayType | StructType) or scale_of(sql_type) is not None:
        return by_chunk(column, target, lambda chunk: mapped(chunk, sql_type, _decoded))
    return column.cast(target)


# --- arrays, composites and their leaves ----------------------------------------------------------


def by_chunk(
    column: pa.ChunkedArray, target: pa.DataType, convert: Callable[[pa.Array], pa.Array]
) -> pa.ChunkedArray:
    """Every chunk converted to the target type."""
    return pa.chunked_array([convert(chunk) for chunk in column.chunks], target)


def mapped(
    array: pa.Array, sql_type: SqlType, leaf: Callable[[pa.Array, SqlType], pa.Array]
) -> pa.Array:
    """An array whose leaves, those inside arrays and composites too, are what `leaf` makes."""
    match sql_type:
        case ArrayType(element):
            if not pa.types.is_large_list(array.type):
                array = array.cast(pa.large_list(array.type.value_type))
            values = mapped(array.values, element, leaf)
            outer = array.buffers()[:2]
            target = pa.large_list(values.type)
            return pa.Array.from_buffers(
                target, len(array), outer, array.null_count, array.offset, [values]
            )
        case StructType(_, fields):
            children = [
                mapped(array.field(position), kind, leaf)
                for position, (_, kind) in enumerate(fields)
            ]
            names = [
                pa.field(name, child.type)
                for (name, _), child in zip(fields, children, strict=True)
            ]
            return pa.StructArray.from_arrays(children, fields=names, mask=array.is_null())
        case _:
            return leaf(array, sql_type)


def _encoded(array: pa.Array, sql_type: SqlType) -> pa.Array:
    if scale_of(sql_type) is not None:
        return scaled(array)
    if sql_type == UUID:
        return pa.ExtensionArray.from_storage(pa.uuid(), array)
    return array.cast(pa.int64()) if is_integer(sql_type) else array


def _decoded(array: pa.Array, sql_type: SqlType) -> pa.Array:
    target = arrow_type(sql_type)
    if scale_of(sql_type) is not None:
        return _decimal(array.cast(pa.int64()), target)
    return array.cast(target)


def _validity(array: pa.Array) -> tuple[pa.Buffer | None, int]:
    """The array's validity bitmap from its nearest whole byte, and the bits to skip in it."""
    bitmap = array.buffers()[0]
    if array.null_count == 0 or bitmap is None:
        return None, 0
    return bitmap.slice(array.offset // 8), array.offset % 8


def scaled(array: pa.Array) -> pa.Array:
    """decimal128(p<=18, s) as int64: the low words."""
    if array.type.precision > SCALED_PRECISION_MAX:
        raise InternalError(f"{array.type} does not fit 64 bits")
    validity, skip = _validity(array)
    count = len(array) + skip
    if len(array) == 0:
        return pa.array([], pa.int64())
    words = np.frombuffer(array.buffers()[1], np.int64)
    first = 2 * (array.offset - skip)
    low = np.ascontiguousarray(words[first : first + 2 * count : 2])
    buffers = [validity, pa.py_buffer(low)]
    return pa.Array.from_buffers(pa.int64(), len(array), buffers, array.null_count, skip)


def _decimal(array: pa.Array, target: pa.DataType) -> pa.Array:
    """int64 as decimal128(p<=18, s): each word with its sign extended."""
    validity, skip = _validity(array)
    if len(array) == 0:
        return pa.array([], target)
    first = array.offset - skip
    low = np.frombuffer(array.buffers()[1], np.int64)[first : first + len(array) + skip]
    words = np.empty((len(low), 2), np.int64)
    words[:, 0] = low
    words[:, 1] = low >> 63
    buffers = [validity, pa.py_buffer(words)]
    return pa.Array.from_buffers(target, len(array), buffers, array.null_count, skip)
