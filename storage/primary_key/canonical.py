"""From the columns of a key to its words: which types a key may have, and their canonical bytes.

A key of one column that a 64-bit integer carries is exact (`keys.py`). Every other key is hashed:
the canonical bytes of its columns, back to back in the order of the key, through XXH3-128. Values
that are equal in SQL have the same canonical bytes, others never; `docs/formats/index.md` lists
them. They are in indexes for ever, so they must not change.

The bytes of all rows are made at once, by numpy and Arrow; only the hash is called row by row.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from storage.errors import InternalError, InvalidRequest, NotYet
from storage.micropartition.physical import scale_of, scaled
from storage.primary_key.keys import Keys, mixed
from storage.schema import (
    ArrayType,
    CharType,
    Column,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    StructType,
    VarCharType,
    arrow_type,
    is_integer,
    type_name,
)

__all__ = ["check_key_types", "integers", "is_carried", "is_exact", "keys_of"]

Block = npt.NDArray[np.uint8]  # shape (rows, bytes of each)

_TIMES = (Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)
_NOT_A_NUMBER = np.uint64(0x7FF8000000000000)


def check_key_types(columns: tuple[Column, ...]) -> None:
    """Refuse columns that no key can have.

    Raises:
        NotYet: a column is an INTERVAL, JSONB, an array or a composite.
        InvalidRequest: a column is JSON, which has no equality (42704, as PostgreSQL says).
    """
    for column in columns:
        match column.type:
            case ScalarType(Kind.JSON):
                raise InvalidRequest(
                    f'column "{column.name}" is JSON, which has no equality, so it cannot be part '
                    "of a key: keep what identifies the row in a column of its own",
                    "42704",
                )
            case ScalarType(Kind.JSONB | Kind.INTERVAL) | ArrayType() | StructType():
                raise NotYet(
                    f'column "{column.name}": {type_name(column.type)} cannot be part of a key yet'
                )


def is_exact(columns: tuple[Column, ...]) -> bool:
    """True if keys of these columns are exact, False if they are hashed."""
    return len(columns) == 1 and is_carried(columns[0].type)


def keys_of(rows: pa.Table, columns: tuple[Column, ...]) -> Keys:
    """The keys of rows.

    Args:
        rows: has the columns under their names, in the types of `schema.arrow_type`.
        columns: of the key, in its order; at least one.
    Raises:
        InvalidRequest, NotYet: as `check_key_types`.
        InternalError: a column is NULL somewhere, or of another Arrow type.
    """
    check_key_types(columns)
    arrays = [_array(rows, column) for column in columns]
    if is_exact(columns):
        return Keys(mixed(integers(arrays[0], columns[0].type)))
    return _hashed(_canonical(arrays, columns))


def _array(rows: pa.Table, column: Column) -> pa.Array:
    values = rows.column(column.name)
    if values.type != arrow_type(column.type):
        raise InternalError(
            f"key column {column.name} is {values.type}, expected {arrow_type(column.type)}"
        )
    if values.null_count:
        raise InternalError(f"key column {column.name} has {values.null_count} NULLs")
    return values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)


def is_carried(sql_type: SqlType) -> bool:
    """True if a 64-bit integer carries the type's values."""
    match sql_type:
        case ScalarType(kind):
            return is_integer(sql_type) or kind is Kind.DATE or kind in _TIMES
        case _:
            return scale_of(sql_type) is not None


def integers(array: pa.Array, sql_type: SqlType) -> npt.NDArray[np.int64]:
    """Values of a carried type, none of them NULL: scaled, or counted in days or microseconds."""
    if scale_of(sql_type) is not None:
        carried = scaled(array)
    elif sql_type == ScalarType(Kind.DATE):
        carried = array.view(pa.int32()).cast(pa.int64())
    elif is_integer(sql_type):
        carried = array.cast(pa.int64())
    else:
        carried = array.view(pa.int64())
    found: npt.NDArray[np.int64] = carried.to_numpy(zero_copy_only=False)
    return found


def _hashed(canonical: pa.Array) -> Keys:
    """XXH3-128 (seed 0) of each element, whose canonical form is big-endian."""
    values = canonical.to_numpy(zero_copy_only=False).tolist()
    digests = b"".join(map(xxhash.xxh3_128_digest, values))
    words = np.frombuffer(digests, ">u8").reshape(-1, 2).T.astype(np.uint64)
    return Keys(words[0], words[1])


# --- canonical bytes ------------------------------------------------------------------------------


def _canonical(arrays: list[pa.Array], columns: tuple[Column, ...]) -> pa.Array:
    """The canonical bytes of each row, as an array of large_binary or fixed_size_binary."""
    parts: list[Block | pa.Array] = []
    for array, column in zip(arrays, columns, strict=True):
        parts += _parts(array, column.type)
    merged: list[pa.Array] = []
    for is_block, group in groupby(parts, lambda part: isinstance(part, np.ndarray)):
        found = list(group)
        merged += [_fixed(found)] if is_block else found
    if len(merged) == 1:
        return merged[0]
    joined = [part.cast(pa.large_binary()) for part in merged]
    return pc.binary_join_element_wise(*joined, pa.scalar(b"", pa.large_binary()))


def _fixed(blocks: list[Block]) -> pa.Array:
    """Blocks side by side, as an array of byte strings of one length."""
    block = np.ascontiguousarray(np.hstack(blocks))
    count, width = block.shape
    return pa.Array.from_buffers(pa.binary(width), count, [None, pa.py_buffer(block)])


def _parts(array: pa.Array, sql_type: SqlType) -> list[Block | pa.Array]:
    """The canonical bytes of a column: blocks, and arrays of large_binary, to be put in a row."""
    match sql_type:
        case _ if is_carried(sql_type):
            return [_bytes_of(integers(array, sql_type).astype("<i8"))]
        case ScalarType(Kind.BOOLEAN):
            return [_bytes_of(array.cast(pa.uint8()).to_numpy())]
        case ScalarType(Kind.REAL | Kind.DOUBLE):
            return [_bytes_of(_doubles(array))]
        case ScalarType(Kind.UUID) | DecimalType():
            return [_fixed_bytes(array, 16)]
        case ScalarType(Kind.TEXT | Kind.BYTEA) | VarCharType() | CharType() | EnumType():
            values = array.cast(pa.large_binary())
            lengths = pc.binary_length(values).to_numpy(zero_copy_only=False)
            return [_bytes_of(lengths.astype("<u4")), values]
        case _:
            raise InternalError(f"{type_name(sql_type)} has no canonical bytes")


def _bytes_of(values: npt.NDArray[np.generic]) -> Block:
    """The bytes of numbers, a row of them for each."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.itemsize)


def _fixed_bytes(array: pa.Array, width: int) -> Block:
    """The bytes of an array whose values have `width` bytes each."""
    if len(array) == 0:
        return np.empty((0, width), np.uint8)
    data = np.frombuffer(array.buffers()[1], np.uint8)
    return data[array.offset * width : (array.offset + len(array)) * width].reshape(-1, width)


def _doubles(array: pa.Array) -> npt.NDArray[np.generic]:
    """The bits of floating-point numbers: 0.0 has one sign, and NaN is one value."""
    numbers = array.cast(pa.float64()).to_numpy(zero_copy_only=False) + 0.0
    bits = numbers.view(np.uint64)
    return np.where(np.isnan(numbers), _NOT_A_NUMBER, bits).astype("<u8")
