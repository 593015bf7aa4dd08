"""The relations of pg_catalog and information_schema: names, columns, and their types here.

A type of PostgreSQL that only its catalogue has becomes the nearest of ours: `oid` and the like
are BIGINT, `name`, `"char"` and everything that is a text at heart is TEXT.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from storage.errors import NotYet, UnknownObject
from storage.nearest import nearest
from storage.schema import ArrayType, Column, SqlType
from warehouse.algebra import types
from warehouse.catalogue_tables import information_schema_columns, pg_catalog_columns

__all__ = ["SYSTEM_SCHEMAS", "SystemColumn", "SystemRelation", "find_relation", "relations"]

SYSTEM_SCHEMAS = ("pg_catalog", "information_schema")

_TYPES: dict[str, SqlType] = {
    **dict.fromkeys(("oid", "regproc", "xid"), types.BIGINT),
    "bool": types.BOOLEAN,
    "int2": types.SMALLINT,
    **dict.fromkeys(("int4", "cardinal_number"), types.INTEGER),
    "int8": types.BIGINT,
    "float4": types.REAL,
    "float8": types.DOUBLE,
    "bytea": types.BYTEA,
    **dict.fromkeys(("timestamptz", "time_stamp"), types.TIMESTAMPTZ),
    "interval": types.INTERVAL,
    "oidvector": ArrayType(element=types.BIGINT),
    "int2vector": ArrayType(element=types.SMALLINT),
}
# The domains of information_schema, by what they are made of.
_DOMAINS = {
    "sql_identifier": "name",
    "character_data": "varchar",
    "yes_or_no": "varchar",
    "cardinal_number": "int4",
    "time_stamp": "timestamptz",
}


@dataclass(frozen=True, slots=True)
class SystemColumn:
    """`type_name`: PostgreSQL's type, domains as what they are made of; `type`: ours."""

    name: str
    type_name: str
    type: SqlType
    nullable: bool


@dataclass(frozen=True, slots=True)
class SystemRelation:
    """`kind`: as in pg_class.relkind, "r" or "v"."""

    schema: str
    name: str
    kind: str
    oid: int
    columns: tuple[SystemColumn, ...]

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns as those of a table."""
        return tuple(
            Column(id=i, name=c.name, type=c.type, nullable=c.nullable)
            for i, c in enumerate(self.columns, 1)
        )


def _column(text: str) -> SystemColumn:
    name, _, kind = text.partition(":")
    nullable = not kind.endswith("!")
    kind = kind.rstrip("!")
    return SystemColumn(name, _DOMAINS.get(kind, kind), _engine_type(kind), nullable)


def _engine_type(name: str) -> SqlType:
    if name.startswith("_"):
        return ArrayType(element=_engine_type(name[1:]))
    return _TYPES.get(name, types.TEXT)


def _read(schema: str, text: str) -> Iterator[SystemRelation]:
    head: list[str] = []
    columns: list[SystemColumn] = []
    for line in [*text.strip().splitlines(), "end of the text"]:
        if line.startswith(" "):
            columns += [_column(part) for part in line.split()]
            continue
        if head:
            name, kind, oid = head
            yield SystemRelation(schema, name, kind, int(oid), tuple(columns))
        head, columns = line.split(), []


@functools.cache
def relations() -> Mapping[tuple[str, str], SystemRelation]:
    """All of them, by schema and name."""
    found = [
        *_read("pg_catalog", pg_catalog_columns.RELATIONS),
        *_read("information_schema", information_schema_columns.RELATIONS),
    ]
    return {(relation.schema, relation.name): relation for relation in found}


def find_relation(
    name: tuple[str, ...], path: Sequence[str], holds: Callable[[str], bool]
) -> SystemRelation | None:
    """The relation that a table's name means; None if it is none of the system's.

    Args:
        path: where a name without a schema is looked for; pg_catalog comes first unless the path
            names it.
        holds: does this schema of the user's have a table of that name?
    Raises:
        NotYet: one that PostgreSQL has and we do not. UnknownObject: nobody has it.
    """
    if len(name) > 1:
        return _qualified(name[-2], name[-1]) if name[-2] in SYSTEM_SCHEMAS else None
    if not name[0].startswith("pg_") and "information_schema" not in path:
        return None
    schemas = path if "pg_catalog" in path else ("pg_catalog", *path)
    for schema in schemas:
        if schema not in SYSTEM_SCHEMAS:
            if holds(schema):
                return None
        elif name[0] in _missing(schema) or (schema, name[0]) in relations():
            return _qualified(schema, name[0])
    return None


def _missing(schema: str) -> frozenset[str]:
    if schema == "pg_catalog":
        return pg_catalog_columns.MISSING
    return information_schema_columns.MISSING


def _qualified(schema: str, name: str) -> SystemRelation:
    found = relations().get((schema, name))
    if found is not None:
        return found
    if name in _missing(schema):
        raise NotYet(f"{schema}.{name} is not available")
    known = [relation.name for relation in relations().values() if relation.schema == schema]
    hint = nearest(name, difflib.get_close_matches(name, known, 3))
    raise UnknownObject(f"table {schema}.{name} does not exist{hint}", "42P01")
