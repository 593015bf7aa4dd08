"""Which Arrow types assign to which SQL types, before any value is looked at.

Only kinds that hold the same sort of value assign: exact numbers to exact numbers, texts to texts.
UUID and JSON also come as text, because no frame has types of their own for them everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.types as pat

from storage.schema import (
    ArrayType,
    CharType,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    StructType,
    VarCharType,
    is_integer,
)

__all__ = ["is_assignable", "is_text", "reason"]


def is_text(found: pa.DataType) -> bool:
    """Any Arrow type of texts."""
    return bool(pat.is_string(found) or pat.is_large_string(found) or pat.is_string_view(found))


def _is_bytes(found: pa.DataType) -> bool:
    return bool(
        pat.is_binary(found)
        or pat.is_large_binary(found)
        or pat.is_binary_view(found)
        or pat.is_fixed_size_binary(found)
    )


def _is_number(found: pa.DataType) -> bool:
    return bool(pat.is_integer(found) or pat.is_floating(found))


def _is_exact(found: pa.DataType) -> bool:
    return bool(pat.is_integer(found) or pat.is_decimal(found))


def _is_timestamp(found: pa.DataType) -> bool:
    return bool(pat.is_date(found) or (pat.is_timestamp(found) and found.tz is None))


def _is_zoned(found: pa.DataType) -> bool:
    return bool(pat.is_timestamp(found) and found.tz is not None)


def _is_interval(found: pa.DataType) -> bool:
    return bool(pat.is_interval(found) or pat.is_duration(found) or pat.is_struct(found))


def _is_uuid(found: pa.DataType) -> bool:
    return is_text(found) or _is_bytes(found)


def _is_list(found: pa.DataType) -> bool:
    return bool(
        pat.is_list(found)
        or pat.is_large_list(found)
        or pat.is_fixed_size_list(found)
        or pat.is_list_view(found)
        or pat.is_large_list_view(found)
    )


_SOURCES: dict[Kind, Callable[[pa.DataType], bool]] = {
    Kind.BOOLEAN: pat.is_boolean,
    Kind.REAL: _is_number,
    Kind.DOUBLE: _is_number,
    Kind.TEXT: is_text,
    Kind.DATE: _is_timestamp,
    Kind.TIME: pat.is_time,
    Kind.TIMESTAMP: _is_timestamp,
    Kind.TIMESTAMPTZ: _is_zoned,
    Kind.INTERVAL: _is_interval,
    Kind.BYTEA: _is_bytes,
    Kind.UUID: _is_uuid,
    Kind.JSON: is_text,
    Kind.JSONB: is_text,
}


def is_assignable(found: pa.DataType, wanted: SqlType) -> bool:
    """Whether values of an Arrow type may assign; elements and fields are not looked at."""
    match wanted:
        case VarCharType() | CharType() | EnumType():
            return is_text(found)
        case DecimalType():
            return _is_exact(found)
        case ArrayType():
            return _is_list(found)
        case StructType():
            return bool(pat.is_struct(found))
        case ScalarType(kind):
            return _is_exact(found) if is_integer(wanted) else bool(_SOURCES[kind](found))


def reason(found: pa.DataType, wanted: SqlType) -> str:
    """Why a type does not assign, and what to do."""
    if pat.is_floating(found) and (is_integer(wanted) or isinstance(wanted, DecimalType)):
        return (
            "no exact conversion; cast the column first "
            "(pandas turns integers with missing values into floats: use its Int64)"
        )
    if _is_zoned(found):
        return "a time zone would be lost; convert to UTC and drop the zone first"
    if isinstance(wanted, ScalarType) and wanted.kind is Kind.TIMESTAMPTZ and _is_timestamp(found):
        return "which time zone is it in? give the column one first"
    return "no such assignment; cast the column first"
