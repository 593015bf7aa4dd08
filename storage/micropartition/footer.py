"""The footer of a micropartition: is this file what the catalogue says that it is?"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import CorruptData, ObjectMissing
from storage.micropartition.physical import UUID, is_scaled
from storage.micropartition.writer import FORMAT_VERSION
from storage.schema import ArrayType, SqlType, StructType, TableSchema, arrow_type

__all__ = ["check_footer"]


def check_footer(path: Path, schema: TableSchema, name: str) -> pq.FileMetaData:
    """The footer of a file that is said to be micropartition `name` of that schema version.

    Raises:
        ObjectMissing: there is no such file.
        CorruptData: it is no Parquet file, not of this format, or not of that schema.
    """
    try:
        footer = pq.read_metadata(path)
    except FileNotFoundError as error:
        raise ObjectMissing(f"{name}: the file is not there") from error
    except (pa.ArrowException, OSError) as error:
        raise CorruptData(f"{name}: the footer does not decode: {error}") from error
    metadata = {k.decode(): v.decode() for k, v in (footer.metadata or {}).items()}
    _expect(name, "format", FORMAT_VERSION, metadata.get("mobula.format"))
    _expect(name, "schema version", str(schema.version), metadata.get("mobula.schema_version"))
    ids = json.dumps([c.id for c in schema.columns])
    _expect(name, "column ids", ids, metadata.get("mobula.column_ids"))
    stored = footer.schema.to_arrow_schema()
    _expect(name, "column names", schema.names, stored.names)
    for column, field in zip(schema.columns, stored, strict=True):
        if not _holds(column.type, field.type):
            raise CorruptData(f"{name}: column {column.name} has the unexpected type {field.type}")
    return footer


def _expect(name: str, what: str, expected: object, found: object) -> None:
    if expected != found:
        raise CorruptData(f"{name}: expected {what} {expected}, found {found}")


def _holds(sql_type: SqlType, stored: pa.DataType) -> bool:
    """True if a Parquet reader may return `stored` for a column of the type."""
    match sql_type:
        case ArrayType(element):
            listed = pa.types.is_list(stored) or pa.types.is_large_list(stored)
            return bool(listed and _holds(element, stored.value_type))
        case StructType(_, fields):
            if not pa.types.is_struct(stored) or stored.num_fields != len(fields):
                return False
            return all(
                stored[position].name == name and _holds(kind, stored[position].type)
                for position, (name, kind) in enumerate(fields)
            )
        case _ if is_scaled(sql_type):
            return bool(pa.types.is_signed_integer(stored))
    logical = arrow_type(sql_type)
    if pa.types.is_large_string(logical):
        return bool(pa.types.is_string(stored) or pa.types.is_large_string(stored))
    if pa.types.is_large_binary(logical):
        return bool(pa.types.is_binary(stored) or pa.types.is_large_binary(stored))
    if sql_type == UUID and isinstance(stored, pa.UuidType):
        return True
    return bool(stored == logical)
