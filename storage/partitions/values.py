"""The values of bounds: from columns to what the catalogue keeps, how they compare, how they read.

A value is kept as what carries it: an integer for the types that a 64-bit integer carries
(`docs/formats/index.md`: moments as microseconds, a DECIMAL(p<=18, s) times 10^s), the digits of
the integer for a larger DECIMAL, else a boolean, a float or a text; bytes and UUIDs in hexadecimal.
They compare as PostgreSQL compares them: texts by their bytes, NaN after every number.
"""

from __future__ import annotations

import datetime
import decimal
import math
import struct
import uuid
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.errors import InternalError, NotYet
from storage.micropartition.physical import scale_of
from storage.partitions.scheme import Bound, BoundValue
from storage.primary_key.canonical import check_key_types, integers, is_carried
from storage.schema import (
    Column,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    type_name,
)

__all__ = [
    "NULL_CODE",
    "Codes",
    "Sortable",
    "bound_value",
    "check_types",
    "code_of",
    "codes",
    "ordered",
    "sortable",
    "text_of",
    "value_text",
]

Codes = npt.NDArray[np.int64]
Sortable = int | bytes

NULL_CODE = 0  # of a row; of every other code it is known where it is among the values

_EPOCH = datetime.datetime(1970, 1, 1)
_EXACT = decimal.Context(prec=80)
_SIGN = 1 << 63


def check_types(columns: Sequence[Column], *, ranges: bool) -> None:
    """Refuse columns that cannot divide a table.

    Args: ranges: by RANGE, which needs an order.
    Raises:
        NotYet, InvalidRequest: as `check_key_types`; an ENUM in RANGE.
    """
    check_key_types(tuple(columns))
    for column in columns:
        if ranges and isinstance(column.type, EnumType):
            raise NotYet(
                f'column "{column.name}": {type_name(column.type)} is an ENUM, which does not '
                "divide a table by RANGE yet; use LIST"
            )


# --- kept -----------------------------------------------------------------------------------------


def bound_value(values: pa.Array, sql_type: SqlType) -> BoundValue:
    """What the catalogue keeps of the one value in an array of the type's Arrow type."""
    if values[0].as_py() is None:
        return None
    if is_carried(sql_type):
        return int(integers(values, sql_type)[0])
    value = values[0].as_py()
    match sql_type:
        case DecimalType(_, scale):
            return str(int(_EXACT.scaleb(value, scale)))
        case ScalarType(Kind.REAL | Kind.DOUBLE):
            return float(value) + 0.0
        case _ if isinstance(value, bytes):
            return value.hex()
        case _ if isinstance(value, bool | str):
            return value
    raise InternalError(f"no bound of {type_name(sql_type)}")


# --- compared -------------------------------------------------------------------------------------


def ordered(values: Sequence[BoundValue], sql_type: SqlType) -> list[Sortable]:
    """Those that are not NULL, once each, ascending, as Python compares them."""
    return sorted({sortable(value, sql_type) for value in values if value is not None})


def code_of(bound: Bound, sql_type: SqlType, known: Sequence[Sortable]) -> int:
    """Where a bound is among the values `known`, all bounds of its column, as `codes` says it."""
    if bound.side:
        return 1 if bound.side < 0 else 2 * len(known) + 3
    if bound.value is None:
        return NULL_CODE
    return 2 * bisect_left(known, sortable(bound.value, sql_type)) + 3


def codes(values: pa.ChunkedArray, sql_type: SqlType, known: Sequence[Sortable]) -> Codes:
    """Per row, where it is among values: 3, 5, 7, … is the first, second, third of them; 2 before
    the first, 4 between the first and the second, and so on; NULL is `NULL_CODE`."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    found = np.full(len(array), NULL_CODE, np.int64)
    valid = np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False))
    there = array if len(valid) == len(array) else array.drop_null()
    numbers = _numbers(there, sql_type)
    if numbers is not None:
        places = np.array([min(max(x, -_SIGN), _SIGN - 1) for x in known], np.int64)
        before = np.searchsorted(places, numbers)
        equal = before < len(places)
        equal[equal] = places[before[equal]] == numbers[equal]
        found[valid] = 2 * before + 2 + equal
        return found
    distinct = there.dictionary_encode()
    own = [_sortable_plain(value, sql_type) for value in distinct.dictionary.to_pylist()]
    at = [bisect_left(known, value) for value in own]
    made = [2 * i + 2 + (i < len(known) and known[i] == v) for i, v in zip(at, own, strict=True)]
    indices = distinct.indices.to_numpy(zero_copy_only=False)
    found[valid] = np.array(made, np.int64)[indices] if len(indices) else []
    return found


def _numbers(array: pa.Array, sql_type: SqlType) -> npt.NDArray[np.int64] | None:
    """Values as integers of the same order; None: they are none."""
    if is_carried(sql_type):
        return integers(array, sql_type)
    match sql_type:
        case ScalarType(Kind.BOOLEAN):
            return np.asarray(array.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
        case ScalarType(Kind.REAL | Kind.DOUBLE):
            numbers = array.cast(pa.float64()).to_numpy(zero_copy_only=False) + 0.0
            numbers = np.where(np.isnan(numbers), np.nan, numbers)
            bits = numbers.view(np.int64)
            found: npt.NDArray[np.int64] = np.where(bits < 0, bits ^ np.int64(_SIGN - 1), bits)
            return found
    return None


def sortable(value: BoundValue, sql_type: SqlType) -> Sortable:
    """A value that is not NULL, as Python compares it."""
    match value:
        case float():
            plain = math.nan if math.isnan(value) else value + 0.0
            bits = int.from_bytes(struct.pack(">d", plain), signed=True)
            return bits ^ (_SIGN - 1) if bits < 0 else bits
        case str() if _is_bytes(sql_type):
            return bytes.fromhex(value)
        case str() if not isinstance(sql_type, DecimalType):
            return value.encode()
        case None:
            raise InternalError("NULL has no place in an order")
    return int(value)


def _sortable_plain(value: object, sql_type: SqlType) -> Sortable:
    """Of a value as Arrow gives it."""
    if isinstance(value, decimal.Decimal) and isinstance(sql_type, DecimalType):
        return int(_EXACT.scaleb(value, sql_type.scale))
    if isinstance(value, str):
        return value.encode()
    assert isinstance(value, bytes)
    return value


def _is_bytes(sql_type: SqlType) -> bool:
    return sql_type in (ScalarType(Kind.UUID), ScalarType(Kind.BYTEA))


# --- shown ----------------------------------------------------------------------------------------


def text_of(bound: Bound, sql_type: SqlType) -> str:
    """As a statement says it."""
    if bound.side:
        return "MINVALUE" if bound.side < 0 else "MAXVALUE"
    return value_text(bound.value, sql_type)


def value_text(value: BoundValue, sql_type: SqlType) -> str:
    """A value as a literal of SQL: `10`, `'2026-01-01'`, `NULL`."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            return repr(value) if math.isfinite(value) else f"'{_float_name(value)}'"
        case str() if sql_type == ScalarType(Kind.UUID):
            return f"'{uuid.UUID(hex=value)}'"
        case str() if _is_bytes(sql_type):
            return f"'\\x{value}'"
        case str() if not isinstance(sql_type, DecimalType):
            return "'" + value.replace("'", "''") + "'"
    assert isinstance(value, int | str)
    return _carried_text(int(value), sql_type)


def _float_name(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _carried_text(value: int, sql_type: SqlType) -> str:
    match sql_type:
        case DecimalType(_, scale):
            return format(_EXACT.scaleb(decimal.Decimal(value), -scale), "f")
        case ScalarType(Kind.DATE):
            return f"'{(_EPOCH + datetime.timedelta(days=value)).date().isoformat()}'"
        case ScalarType(Kind.TIME):
            return f"'{_moment(value).time().isoformat()}'"
        case ScalarType(Kind.TIMESTAMP):
            return f"'{_moment(value).isoformat(' ')}'"
        case ScalarType(Kind.TIMESTAMPTZ):
            return f"'{_moment(value).isoformat(' ')}+00'"
    assert scale_of(sql_type) is None
    return str(value)


def _moment(microseconds: int) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=microseconds)
