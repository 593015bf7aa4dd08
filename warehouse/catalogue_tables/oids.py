"""OIDs of objects: the numbers by which the tables of pg_catalog refer to each other.

They follow from the ids of the snapshot, so an object keeps its OID for life, and from one server
to the next. Schemas, tables, types and sequences share one space of ids: id n is OID 16384 + n,
where PostgreSQL's own numbers end. What belongs to one of them (the row type of a table, the array
type of a type) has the same number in another block of 2^28, so these fit 32 bits as PostgreSQL's
do. Defaults, CHECKs and keys, of which a table has many, have 64-bit numbers.
"""

from __future__ import annotations

import zlib

from storage.snapshot.model import PUBLIC_ID

__all__ = [
    "ATTRDEF_CLASS",
    "CATALOGUE_SCHEMA",
    "CONSTRAINT_CLASS",
    "DATABASE_OID",
    "INFORMATION_SCHEMA",
    "NAMESPACE_CLASS",
    "OWNER_OID",
    "RELATION_CLASS",
    "TYPE_CLASS",
    "array_oid",
    "check_oid",
    "composite_oid",
    "default_oid",
    "function_oid",
    "index_oid",
    "key_oid",
    "object_oid",
    "row_array_oid",
    "row_type_oid",
    "schema_oid",
]

# PostgreSQL's own numbers.
CATALOGUE_SCHEMA = 11
INFORMATION_SCHEMA = 12404
OWNER_OID = 10
DATABASE_OID = 5
TYPE_CLASS = 1247
RELATION_CLASS = 1259
ATTRDEF_CLASS = 2604
CONSTRAINT_CLASS = 2606
NAMESPACE_CLASS = 2615
_PUBLIC_SCHEMA = 2200

_FIRST = 16384
_BLOCK = 1 << 28
_WIDE = 1 << 48


def schema_oid(schema_id: int) -> int:
    """Of a schema."""
    return _PUBLIC_SCHEMA if schema_id == PUBLIC_ID else _FIRST + schema_id


def object_oid(object_id: int) -> int:
    """Of a table, type or sequence."""
    return _FIRST + object_id


def array_oid(type_id: int) -> int:
    """Of the array type of a user-defined type."""
    return _BLOCK + _FIRST + type_id


def composite_oid(type_id: int) -> int:
    """Of the pg_class row that describes a composite type."""
    return 2 * _BLOCK + _FIRST + type_id


def row_type_oid(table_id: int) -> int:
    """Of the type of a table's rows."""
    return 3 * _BLOCK + _FIRST + table_id


def row_array_oid(table_id: int) -> int:
    """Of the array type of a table's rows."""
    return 4 * _BLOCK + _FIRST + table_id


def function_oid(signature: str) -> int:
    """Of a function, by the key of its signature: in the block from 2^31 on."""
    return (1 << 31) + (zlib.crc32(signature.encode()) & ((1 << 30) - 1))


def default_oid(table_id: int, column_id: int) -> int:
    """Of the default of a column."""
    return _WIDE + (table_id << 16) + column_id


def check_oid(table_id: int, position: int) -> int:
    """Of a CHECK of a table."""
    return 2 * _WIDE + (table_id << 16) + position


def key_oid(table_id: int, key_id: int) -> int:
    """Of a PRIMARY KEY or UNIQUE of a table."""
    return 3 * _WIDE + (table_id << 16) + key_id


def index_oid(table_id: int, key_id: int) -> int:
    """Of the pg_class row that stands for the index of a key."""
    return 4 * _WIDE + (table_id << 16) + key_id
