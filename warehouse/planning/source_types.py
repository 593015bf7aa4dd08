"""The SQL side of files' columns: types for Arrow's, and names as SQL reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.types as pat

from storage.schema import (
    DECIMAL_PRECISION_MAX,
    ArrayType,
    DecimalType,
    Kind,
    ScalarType,
    SqlType,
)

__all__ = ["folded_names", "sql_type"]

_UNSIGNED_64_DIGITS = 20
_KINDS = {
    pa.bool_(): Kind.BOOLEAN,
    pa.int8(): Kind.SMALLINT,
    pa.int16(): Kind.SMALLINT,
    pa.uint8(): Kind.SMALLINT,
    pa.int32(): Kind.INTEGER,
    pa.uint16(): Kind.INTEGER,
    pa.int64(): Kind.BIGINT,
    pa.uint32(): Kind.BIGINT,
    pa.float16(): Kind.REAL,
    pa.float32(): Kind.REAL,
    pa.float64(): Kind.DOUBLE,
    pa.string(): Kind.TEXT,
    pa.large_string(): Kind.TEXT,
    pa.string_view(): Kind.TEXT,
    pa.binary(): Kind.BYTEA,
    pa.large_binary(): Kind.BYTEA,
    pa.binary_view(): Kind.BYTEA,
    pa.date32(): Kind.DATE,
    pa.date64(): Kind.DATE,
    pa.uuid(): Kind.UUID,
}
_FAMILIES: tuple[tuple[Callable[[pa.DataType], bool], Kind], ...] = (
    (pat.is_time, Kind.TIME),
    (pat.is_duration, Kind.INTERVAL),
    (pat.is_interval, Kind.INTERVAL),
    (pat.is_fixed_size_binary, Kind.BYTEA),
    (lambda found: isinstance(found, pa.JsonType), Kind.JSON),
)


def folded_names(names: Sequence[str]) -> list[str]:
    """The names in lower case, where that keeps them apart: SQL reads unquoted names so."""
    folded = [name.lower() for name in names]
    return folded if len(set(folded)) == len(folded) else list(names)


def sql_type(found: pa.DataType) -> SqlType | None:
    """The SQL type for an Arrow type; None for maps, structs (composites have names), and arrays
    of arrays."""
    if pat.is_dictionary(found):
        return sql_type(found.value_type)
    if pat.is_decimal(found) and 0 <= found.scale <= found.precision <= DECIMAL_PRECISION_MAX:
        return DecimalType(found.precision, found.scale)
    if pat.is_uint64(found):
        return DecimalType(_UNSIGNED_64_DIGITS, 0)
    if pat.is_timestamp(found):
        return ScalarType(Kind.TIMESTAMP if found.tz is None else Kind.TIMESTAMPTZ)
    if pat.is_list(found) or pat.is_large_list(found) or pat.is_fixed_size_list(found):
        element = sql_type(found.value_type)
        return None if element is None or isinstance(element, ArrayType) else ArrayType(element)
    for test, kind in _FAMILIES:
        if test(found):
            return ScalarType(kind)
    return ScalarType(_KINDS[found]) if found in _KINDS else None
