"""pg_type and pg_enum: PostgreSQL's own types and those that CREATE TYPE and CREATE TABLE make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from storage.schema import EnumType
from warehouse.catalogue_tables import oids
from warehouse.catalogue_tables.definitions import Definitions
from warehouse.catalogue_tables.rows import Builder, Rows, Subject, rows_of
from warehouse.catalogue_tables.type_names import ARRAY_IO, ENUM_IO, RECORD_IO, type_rows

__all__ = ["BUILDERS"]

_NAMES = (
    "oid", "typname", "typnamespace", "typlen", "typbyval", "typtype", "typcategory",
    "typispreferred", "typdelim", "typrelid", "typelem", "typarray", "typalign", "typstorage",
    "typcollation", "typinput", "typoutput", "typreceive", "typsend", "typmodin", "typmodout",
)  # fmt: skip


def _types(subject: Subject) -> Rows:
    found = [*_system_types(), *_user_types(subject.definitions), *_row_types(subject.definitions)]
    return rows_of(
        _NAMES,
        found,
        typowner=oids.OWNER_OID,
        typisdefined=True,
        typnotnull=False,
        typtypmod=-1,
        **dict.fromkeys(("typsubscript", "typanalyze", "typbasetype", "typndims"), 0),
    )


def _system_types() -> Iterator[tuple[Any, ...]]:
    for row in type_rows():
        yield (
            row.oid, row.name, oids.CATALOGUE_SCHEMA, row.length, row.by_value, row.kind,
            row.category, row.preferred, row.delimiter, 0, row.element, row.array, row.alignment,
            row.storage, row.collation, *(oid for _, oid in row.functions),
        )  # fmt: skip


def _user_types(known: Definitions) -> Iterator[tuple[Any, ...]]:
    for kind in known.types:
        oid, array = oids.object_oid(kind.id), oids.array_oid(kind.id)
        schema = oids.schema_oid(kind.schema_id)
        if isinstance(kind.definition, EnumType):
            yield (
                oid, kind.name, schema, 4, True, "e", "E", False, ",", 0, 0, array, "i", "p", 0,
                *(number for _, number in ENUM_IO),
            )  # fmt: skip
            yield _array(array, kind.name, schema, oid, "i")
        else:
            yield _composite(oid, kind.name, schema, oids.composite_oid(kind.id), array)
            yield _array(array, kind.name, schema, oid, "d")


def _row_types(known: Definitions) -> Iterator[tuple[Any, ...]]:
    for table in known.tables:
        oid, array = oids.row_type_oid(table.id), oids.row_array_oid(table.id)
        schema = oids.schema_oid(table.schema_id)
        yield _composite(oid, table.name, schema, oids.object_oid(table.id), array)
        yield _array(array, table.name, schema, oid, "d")


def _composite(oid: int, name: str, schema: int, relation: int, array: int) -> tuple[Any, ...]:
    return (
        oid, name, schema, -1, False, "c", "C", False, ",", relation, 0, array, "d", "x", 0,
        *(number for _, number in RECORD_IO),
    )  # fmt: skip


def _array(oid: int, name: str, schema: int, element: int, alignment: str) -> tuple[Any, ...]:
    return (
        oid, f"_{name}", schema, -1, False, "b", "A", False, ",", 0, element, 0, alignment, "x", 0,
        *(number for _, number in ARRAY_IO),
    )  # fmt: skip


def _enums(subject: Subject) -> Rows:
    found = []
    for kind, labels in subject.definitions.enums:
        for position, label in enumerate(labels, 1):
            oid = oids.check_oid(kind.id, position)
            found.append((oid, oids.object_oid(kind.id), float(position), label))
    return rows_of(("oid", "enumtypid", "enumsortorder", "enumlabel"), found)


BUILDERS: dict[str, Builder] = {"pg_enum": _enums, "pg_type": _types}
