"""The SQL types of results, written beside their Arrow types.

An Arrow type does not say all: JSON and TEXT are both `large_string`, an INTERVAL is a struct like
any other. So each field of a result carries its SQL type in its metadata, under `sql_type`, as JSON
with the tags of `storage.schema` and `algebra.types`. Rows that a statement has from the catalogue
alone carry none; then the Arrow type decides.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa

from storage.errors import InternalError
from storage.schema import ArrayType, DecimalType, SqlType, StructType, arrow_type
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    JSONPATH,
    NUMERIC,
    REAL,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    UUID,
    AnyType,
    JsonPathType,
    NumericType,
    RecordType,
    UnknownType,
)

__all__ = ["result_field", "result_type", "sql_type_of"]

_KEY = b"sql_type"
_PLAIN: tuple[AnyType, ...] = (
    BOOLEAN, SMALLINT, INTEGER, BIGINT, REAL, DOUBLE, TEXT, DATE, TIME, TIMESTAMP, TIMESTAMPTZ,
    INTERVAL, BYTEA, UUID,
)  # fmt: skip


def result_type(kind: AnyType) -> pa.DataType:
    """The Arrow type of a column of results."""
    match kind:
        case NumericType():
            return pa.float64()
        case UnknownType() | JsonPathType():
            return pa.large_string()
        case RecordType(fields):
            return pa.struct([(f"f{i}", result_type(f)) for i, f in enumerate(fields, 1)])
        case ArrayType(element):
            return pa.large_list(result_type(element))
        case StructType(_, fields):
            return pa.struct([(name, result_type(inner)) for name, inner in fields])
        case _:
            return arrow_type(kind)


def result_field(name: str, kind: AnyType) -> pa.Field:
    """A column of results: its name, Arrow type and SQL type."""
    return pa.field(name, result_type(kind), metadata={_KEY: msgspec.json.encode(kind)})


def sql_type_of(field: pa.Field) -> AnyType:
    """The SQL type that a field was made for, or else the one that its Arrow type suggests."""
    found = (field.metadata or {}).get(_KEY)
    return _suggested(field.type) if found is None else _decoded(msgspec.json.decode(found))


def _decoded(found: Any) -> AnyType:
    match found["type"]:
        case "unknown":
            return UNKNOWN
        case "numeric":
            return NUMERIC
        case "jsonpath":
            return JSONPATH
        case "record":
            return RecordType(fields=tuple(_decoded(field) for field in found["fields"]))
        case "array":
            # An array of anonymous rows is no type of a column, but one of results.
            return ArrayType(element=_decoded(found["element"]))  # type: ignore[arg-type]
        case _:
            kind: AnyType = msgspec.convert(found, SqlType)
            return kind


def _suggested(kind: pa.DataType) -> AnyType:
    for plain in _PLAIN:
        if kind.equals(result_type(plain)):
            return plain
    if pa.types.is_decimal(kind):
        return DecimalType(precision=kind.precision, scale=kind.scale)
    if pa.types.is_string(kind) or pa.types.is_null(kind):
        return TEXT
    if pa.types.is_integer(kind):
        return BIGINT
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return ArrayType(element=_suggested(kind.value_type))  # type: ignore[arg-type]
    if pa.types.is_struct(kind):
        return StructType(name="", fields=tuple((f.name, _suggested(f.type)) for f in kind))  # type: ignore[misc]
    raise InternalError(f"a column of results is of the Arrow type {kind}")
