"""`Definitions`: what a snapshot defines, without its rows, and the OIDs and names of it all.

Most commits bring rows and leave the definitions as they are. So definitions are compared with
those of recent snapshots (part by part; parts that are the same object cost nothing) and, with
everything that was made of them, used again until something is created, altered or dropped. What
is kept holds no snapshot.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

from actors.messages import Session
from actors.temporary import TEMPORARY_PREFIX, is_foreign, temporary_schema
from storage.partitions.scheme import Partitioning
from storage.schema import ArrayType, Check, Column, EnumType, Key, SqlType, StructType
from storage.snapshot.model import PUBLIC, Snapshot, TableState, UserType
from warehouse.catalogue_tables import oids
from warehouse.catalogue_tables.relations import relations
from warehouse.catalogue_tables.type_names import by_name, type_oid, typmod
from warehouse.functions.quoting import quoted_identifier

__all__ = [
    "Attribute",
    "DefinedSequence",
    "DefinedTable",
    "Definitions",
    "RelationRow",
    "definitions_of",
    "key_columns",
    "path_of",
    "qualified",
    "searched",
]

KEPT_MAX = 8


@dataclass(frozen=True, slots=True)
class DefinedTable:
    """A table without its rows."""

    id: int
    schema_id: int
    name: str
    columns: tuple[Column, ...]
    checks: tuple[Check, ...]
    keys: tuple[Key, ...]
    comment: str | None
    column_comments: Mapping[int, str]
    partitioning: Partitioning | None


@dataclass(frozen=True, slots=True)
class DefinedSequence:
    """A sequence without its state."""

    id: int
    schema_id: int
    name: str
    increment: int
    low: int
    high: int


class Attribute(NamedTuple):
    """A row of pg_attribute. `column`: of a table's column, what is known besides."""

    name: str
    number: int
    type_oid: int
    typmod: int
    dimensions: int
    not_null: bool
    column: Column | None = None


@dataclass(frozen=True, slots=True)
class RelationRow:
    """A row of pg_class. `table`: of a table of the user's."""

    oid: int
    schema_oid: int
    schema: str
    name: str
    kind: str
    type_oid: int
    attributes: tuple[Attribute, ...]
    table: DefinedTable | None = None

    @property
    def temporary(self) -> bool:
        """Is it the session's own, gone when the session ends?"""
        return self.schema.startswith(TEMPORARY_PREFIX)


class Definitions:
    """The definitions of one snapshot or several, and what follows from them.

    `kept`: what other modules have made of them, by names of their own.
    """

    def __init__(self, snapshot: Snapshot, parts: tuple[Any, ...]) -> None:
        self.parts = parts
        self.database_id = snapshot.database_id
        self.schemas: Mapping[int, str] = dict(parts[0])
        self.tables = [DefinedTable(*part) for part in parts[1]]
        self.types: list[UserType] = list(parts[2])
        self.sequences = [DefinedSequence(*part) for part in parts[3]]
        self.kept: dict[Any, Any] = {}
        self._types: dict[SqlType, tuple[int, int, int]] = {}

    @functools.cached_property
    def schema_oids(self) -> Mapping[str, int]:
        """By name, those of the system among them."""
        own = {name: oids.schema_oid(number) for number, name in self.schemas.items()}
        return {
            "pg_catalog": oids.CATALOGUE_SCHEMA,
            "information_schema": oids.INFORMATION_SCHEMA,
            **own,
        }

    @functools.cached_property
    def user_types(self) -> Mapping[str, tuple[int, int]]:
        """OIDs of types and of their arrays, by the names that `EnumType` and `StructType` have."""
        found = {}
        for kind in self.types:
            schema = self.schemas[kind.schema_id]
            name = kind.name if schema == PUBLIC else f"{schema}.{kind.name}"
            found[name] = (oids.object_oid(kind.id), oids.array_oid(kind.id))
        return found

    @functools.cached_property
    def relations(self) -> list[RelationRow]:
        """Every row of pg_class: the system's relations, tables, indexes, composite types,
        sequences."""
        return [
            *_system_relations(),
            *self._tables(),
            *self._indexes(),
            *self._composites(),
            *self._sequences(),
        ]

    @functools.cached_property
    def owners(self) -> Mapping[int, tuple[DefinedTable, Column]]:
        """The identity column of each sequence that belongs to one, by the sequence's id."""
        return {
            column.identity.sequence_id: (table, column)
            for table in self.tables
            for column in table.columns
            if column.identity is not None
        }

    def attribute(self, name: str, number: int, kind: SqlType) -> Attribute:
        """A column of a type of ours, nullable."""
        return Attribute(name, number, *self._type(kind), not_null=False)

    def _type(self, kind: SqlType) -> tuple[int, int, int]:
        """OID, modifier and dimensions."""
        found = self._types.get(kind)
        if found is None:
            oid = type_oid(kind, self.user_types)
            found = self._types[kind] = (oid, typmod(kind), int(isinstance(kind, ArrayType)))
        return found

    def _tables(self) -> Iterator[RelationRow]:
        for table in self.tables:
            schema = self.schemas[table.schema_id]
            yield RelationRow(
                oid=oids.object_oid(table.id),
                schema_oid=oids.schema_oid(table.schema_id),
                schema=schema,
                name=table.name,
                kind="r",
                type_oid=oids.row_type_oid(table.id),
                attributes=tuple(self._column(column) for column in table.columns),
                table=table,
            )

    def _indexes(self) -> Iterator[RelationRow]:
        for table in self.tables:
            for key in table.keys:
                yield RelationRow(
                    oid=oids.index_oid(table.id, key.id),
                    schema_oid=oids.schema_oid(table.schema_id),
                    schema=self.schemas[table.schema_id],
                    name=key.name,
                    kind="i",
                    type_oid=0,
                    attributes=tuple(
                        self.attribute(column.name, number, column.type)
                        for number, column in enumerate(key_columns(table, key), 1)
                    ),
                )

    def _column(self, column: Column) -> Attribute:
        not_null = not column.nullable or column.identity is not None
        return Attribute(column.name, column.id, *self._type(column.type), not_null, column)

    def _composites(self) -> Iterator[RelationRow]:
        for kind in self.types:
            if isinstance(kind.definition, StructType):
                yield RelationRow(
                    oid=oids.composite_oid(kind.id),
                    schema_oid=oids.schema_oid(kind.schema_id),
                    schema=self.schemas[kind.schema_id],
                    name=kind.name,
                    kind="c",
                    type_oid=oids.object_oid(kind.id),
                    attributes=tuple(
                        self.attribute(name, number, field)
                        for number, (name, field) in enumerate(kind.definition.fields, 1)
                    ),
                )

    def _sequences(self) -> Iterator[RelationRow]:
        for sequence in self.sequences:
            yield RelationRow(
                oid=oids.object_oid(sequence.id),
                schema_oid=oids.schema_oid(sequence.schema_id),
                schema=self.schemas[sequence.schema_id],
                name=sequence.name,
                kind="S",
                type_oid=0,
                attributes=(),
            )

    def states(self, snapshot: Snapshot) -> Iterator[TableState]:
        """The tables as a snapshot with these definitions has them."""
        return (snapshot.tables[table.id] for table in self.tables)

    @property
    def enums(self) -> Iterator[tuple[UserType, tuple[str, ...]]]:
        """The ENUMs with their labels."""
        for kind in self.types:
            if isinstance(kind.definition, EnumType):
                yield kind, kind.definition.labels

    # --- names ------------------------------------------------------------------------------------

    @functools.cached_property
    def named_types(self) -> list[tuple[str, str, int, str]]:
        """Types that are not PostgreSQL's own: schema, name, OID and what to show behind the name.

        An array is listed under its element's name.
        """
        found = []
        for kind in self.types:
            schema = self.schemas[kind.schema_id]
            found.append((schema, kind.name, oids.object_oid(kind.id), ""))
            found.append((schema, kind.name, oids.array_oid(kind.id), "[]"))
        for table in self.tables:
            schema = self.schemas[table.schema_id]
            found.append((schema, table.name, oids.row_type_oid(table.id), ""))
            found.append((schema, table.name, oids.row_array_oid(table.id), "[]"))
        return found

    def visible(self, path: tuple[str, ...]) -> frozenset[int]:
        """OIDs of the relations that their names mean without a schema."""
        found: frozenset[int] = self._once(("visible", path), lambda: self._visible_relations(path))
        return found

    def _visible_relations(self, path: tuple[str, ...]) -> frozenset[int]:
        first: dict[str, int] = {}
        by_schema: dict[str, list[RelationRow]] = {}
        for row in self.relations:
            by_schema.setdefault(row.schema, []).append(row)
        for schema in searched(path):
            for row in by_schema.get(schema, ()):
                first.setdefault(row.name, row.oid)
        return frozenset(first.values())

    def visible_types(self, path: tuple[str, ...]) -> frozenset[int]:
        """OIDs of the types that are not PostgreSQL's own and are known without a schema."""
        taken = {row.display for row in by_name().values()} | set(by_name())
        first: dict[tuple[str, str], int] = {}
        for schema in searched(path):
            for own, name, oid, suffix in self.named_types:
                if own == schema and name not in taken:
                    first.setdefault((name, suffix), oid)
        return frozenset(first.values())

    def type_names(self, path: tuple[str, ...]) -> Mapping[int, str]:
        """How `format_type` shows types that are not PostgreSQL's own."""

        def make() -> Mapping[int, str]:
            visible = self.visible_types(path)
            return {
                oid: qualified(schema, name, visible=oid in visible) + suffix
                for schema, name, oid, suffix in self.named_types
            }

        found: Mapping[int, str] = self._once(("type names", path), make)
        return found

    def _once(self, key: Any, make: Any) -> Any:
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]


def key_columns(table: DefinedTable, key: Key) -> list[Column]:
    """The columns of a key, in its order."""
    by_id = {column.id: column for column in table.columns}
    return [by_id[number] for number in key.column_ids]


def searched(path: tuple[str, ...]) -> tuple[str, ...]:
    """The schemas that a name is looked for in: pg_catalog comes before those of the path, and
    behind temporary tables, unless the path names it."""
    if "pg_catalog" in path:
        return path
    own = 1 if path and path[0].startswith(TEMPORARY_PREFIX) else 0
    return (*path[:own], "pg_catalog", *path[own:])


def qualified(schema: str, name: str, *, visible: bool) -> str:
    """A name as PostgreSQL shows it: with its schema if it needs one, quoted where needed."""
    own = quoted_identifier(name)
    return own if visible else f"{quoted_identifier(schema)}.{own}"


@functools.cache
def _system_relations() -> tuple[RelationRow, ...]:
    schemas = {
        "pg_catalog": oids.CATALOGUE_SCHEMA,
        "information_schema": oids.INFORMATION_SCHEMA,
    }
    return tuple(
        RelationRow(
            oid=relation.oid,
            schema_oid=schemas[relation.schema],
            schema=relation.schema,
            name=relation.name,
            kind=relation.kind,
            type_oid=0,
            attributes=tuple(
                Attribute(
                    column.name,
                    number,
                    by_name()[column.type_name].oid,
                    -1,
                    int(column.type_name.startswith("_")),
                    not column.nullable,
                )
                for number, column in enumerate(relation.columns, 1)
            ),
        )
        for relation in relations().values()
    )


_kept: list[Definitions] = []
_lock = Lock()


def path_of(session: Session) -> tuple[str, ...]:
    """Where a session looks for names; its temporary tables come first."""
    own = temporary_schema(session)
    return tuple(session.schema_path) if own is None else (own, *session.schema_path)


def definitions_of(snapshot: Snapshot, session: Session) -> Definitions:
    """The definitions that a session sees of a snapshot.

    They are those of an earlier snapshot if that had the same.
    """
    parts = _parts(snapshot, session)
    with _lock:
        for position, known in enumerate(_kept):
            if known.database_id == snapshot.database_id and known.parts == parts:
                _kept.insert(0, _kept.pop(position))
                return known
        found = Definitions(snapshot, parts)
        _kept.insert(0, found)
        del _kept[KEPT_MAX:]
        return found


def _parts(snapshot: Snapshot, session: Session) -> tuple[Any, ...]:
    schemas = {i: name for i, name in snapshot.schemas.items() if not is_foreign(name, session)}
    tables = tuple(
        (
            t.id,
            t.schema_id,
            t.name,
            t.columns,
            t.checks,
            t.keys,
            t.comment,
            t.column_comments,
            t.partitioning,
        )
        for t in snapshot.tables.values()
        if t.schema_id in schemas
    )
    sequences = tuple(
        (s.id, s.schema_id, s.name, s.increment, s.low, s.high)
        for s in snapshot.sequences.values()
        if s.schema_id in schemas
    )
    types = tuple(kind for kind in snapshot.types.values() if kind.schema_id in schemas)
    return tuple(schemas.items()), tables, types, sequences
