"""Carriers: the Polars types that columns have during execution, and how a scan gives them.

| SQL type | Carrier | A Parquet scan gives it |
|---|---|---|
| SMALLINT, INTEGER, BIGINT | Int64 | widened by the scan |
| DECIMAL(p<=18, s) | Int64, scaled by 10^s | widened by the scan |
| DECIMAL(p>18, s) | Decimal(38, s) | widened by the scan |
| BOOLEAN, DATE, REAL, DOUBLE | Boolean, Date, Float32, Float64 | as it is |
| TEXT, VARCHAR, CHAR (no trailing blanks), JSON, JSONB | String | as it is |
| TIME, TIMESTAMP | Time, Datetime("us") | as it is |
| TIMESTAMPTZ | Datetime("us") of UTC, without a zone | as it is: the scan drops the zone |
| INTERVAL | Struct(months Int32, days Int32, microseconds Int64) | as it is |
| BYTEA, UUID (16 bytes) | Binary | as it is |
| ENUM | Enum(labels) | String, cast behind the scan |
| arrays, composites | List, Struct of carriers | as their elements |

Because the scan itself gives all but ENUM, predicates on carriers reach it and skip stripes.
`polars_type` is the older rule, which has DECIMAL(p, s) decoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
import pyarrow as pa

from storage.micropartition.physical import by_chunk, is_scaled, mapped, scale_of, scaled
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
)

__all__ = [
    "carried",
    "carrier_frame",
    "carrier_type",
    "has_enum",
    "polars_type",
    "stored_type",
]

_CARRIERS: dict[Kind, Any] = {
    Kind.BOOLEAN: pl.Boolean(),
    Kind.SMALLINT: pl.Int64(),
    Kind.INTEGER: pl.Int64(),
    Kind.BIGINT: pl.Int64(),
    Kind.REAL: pl.Float32(),
    Kind.DOUBLE: pl.Float64(),
    Kind.TEXT: pl.String(),
    Kind.DATE: pl.Date(),
    Kind.TIME: pl.Time(),
    Kind.TIMESTAMP: pl.Datetime("us"),
    Kind.TIMESTAMPTZ: pl.Datetime("us"),
    Kind.INTERVAL: pl.Struct(
        {"months": pl.Int32(), "days": pl.Int32(), "microseconds": pl.Int64()}
    ),
    Kind.BYTEA: pl.Binary(),
    Kind.UUID: pl.Binary(),
    Kind.JSON: pl.String(),
    Kind.JSONB: pl.String(),
}
DECIMAL_DIGITS = 38


def carrier_type(sql_type: SqlType) -> Any:
    """The Polars type of a column's carrier."""
    return _type(sql_type, enums=True)


def stored_type(sql_type: SqlType) -> Any:
    """What a Parquet scan can give itself: the carrier, with String where it has Enum."""
    return _type(sql_type, enums=False)


def _type(sql_type: SqlType, *, enums: bool) -> Any:
    match sql_type:
        case ScalarType(kind):
            return _CARRIERS[kind]
        case DecimalType(_, scale):
            narrow = scale_of(sql_type) is not None
            return pl.Int64() if narrow else pl.Decimal(DECIMAL_DIGITS, scale)
        case VarCharType() | CharType():
            return pl.String()
        case EnumType(_, labels):
            return pl.Enum(labels) if enums else pl.String()
        case ArrayType(element):
            return pl.List(_type(element, enums=enums))
        case StructType(_, fields):
            return pl.Struct({name: _type(kind, enums=enums) for name, kind in fields})


def has_enum(sql_type: SqlType) -> bool:
    """Whether an ENUM is in it, so that `stored_type` is not yet the carrier."""
    match sql_type:
        case EnumType():
            return True
        case ArrayType(element):
            return has_enum(element)
        case StructType(_, fields):
            return any(has_enum(kind) for _, kind in fields)
        case _:
            return False


def polars_type(sql_type: SqlType) -> Any:
    """The Polars type of a column scanned without carriers: DECIMAL(p, s) exact."""
    match sql_type:
        case DecimalType(precision, scale):
            return pl.Decimal(precision, scale)
        case _:
            return carrier_type(sql_type)


# --- rows in logical Arrow types ------------------------------------------------------------------


def carrier_frame(rows: pa.Table, columns: Iterable[Column]) -> pl.DataFrame:
    """These columns of rows in their logical types, as carriers."""
    made = []
    for column in columns:
        series = pl.Series(column.name, carried(rows[column.name], column.type))
        made.append(series.cast(carrier_type(column.type)) if has_enum(column.type) else series)
    return pl.DataFrame(made)


def carried(column: pa.ChunkedArray, sql_type: SqlType) -> pa.ChunkedArray:
    """A column in its logical type as Arrow of `stored_type`: what Polars takes over as it is."""
    return by_chunk(column, _arrow(sql_type), lambda chunk: mapped(chunk, sql_type, _carried))


def _carried(array: pa.Array, sql_type: SqlType) -> pa.Array:
    if scale_of(sql_type) is not None:
        return scaled(array)
    return array.cast(_arrow(sql_type))


def _arrow(sql_type: SqlType) -> pa.DataType:
    """The Arrow type of `stored_type`."""
    match sql_type:
        case ArrayType(element):
            return pa.large_list(_arrow(element))
        case StructType(_, fields):
            return pa.struct([(name, _arrow(kind)) for name, kind in fields])
        case DecimalType(_, scale) if scale_of(sql_type) is None:
            return pa.decimal128(DECIMAL_DIGITS, scale)
        case ScalarType(Kind.TIMESTAMPTZ):
            return pa.timestamp("us")
        case ScalarType(Kind.UUID):
            return pa.large_binary()
        case _:
            return pa.int64() if is_scaled(sql_type) else arrow_type(sql_type)
