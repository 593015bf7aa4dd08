"""The binder's view of the database: tables of snapshots, types, and the scans of a query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.messages import Session
from actors.observed import Observed
from actors.planner import Latest, Version
from actors.temporary import TEMPORARY, is_foreign, temporary_schema
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from storage.objects.options import StoreOptions
from storage.schema import SqlType, plain_type
from storage.snapshot.model import PUBLIC, Snapshot, TableState
from warehouse.algebra.types import TEXT, AnyType, NumericType
from warehouse.binder.context import TableSource
from warehouse.binder.objects import SystemObjects
from warehouse.binder.types import resolve_type
from warehouse.catalogue_tables.functions import SessionObjects
from warehouse.catalogue_tables.observed import is_observed, observed_table
from warehouse.catalogue_tables.partition_records import PARTITIONS, partitions_table
from warehouse.catalogue_tables.relations import find_relation
from warehouse.catalogue_tables.server import DATABASE
from warehouse.catalogue_tables.system_tables import system_table
from warehouse.planning.files import FoundFiles, find_files
from warehouse.planning.versions import Parameters, version_of
from warehouse.syntax.cursor import Cursor
from warehouse.syntax.keywords import OWN_SCHEMA
from warehouse.syntax.tree import AsOf
from warehouse.syntax.types import TypeGrammar

__all__ = [
    "GIVEN",
    "LOCATION",
    "NoTables",
    "SnapshotCatalogue",
    "Source",
    "dotted_name",
    "find_table",
    "own_schema",
    "table_path",
    "target_schema",
    "visible_schemas",
]


GIVEN = "given rows"  # the input of rows that are in memory
LOCATION = "\x01location"  # the column of a scan that says where a row is: no column's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an input of a query reads: a table's state in one snapshot.

    `name`: as the statement says it; None for a table of the system's.
    """

    table: TableState
    schema: str
    version: Version
    lsn: int
    name: tuple[str, ...] | None


def find_table(snapshot: Snapshot, name: tuple[str, ...], session: Session) -> TableState:
    """The table that a name means. Raises UnknownObject with the nearest name."""
    if len(name) > 2:
        raise NotYet(f"{'.'.join(name)}: other databases are not available")
    schema = own_schema(name[0], session) if len(name) == 2 else None
    path = (schema,) if schema else table_path(session)
    if schema is not None and is_foreign(schema, session):
        raise InvalidRequest("cannot access temporary tables of other sessions", "0A000")
    for candidate in path:
        if schema and snapshot.schema_id(schema) is None and schema != temporary_schema(session):
            hint = nearest(schema, visible_schemas(snapshot, session).values())
            if is_observed(name):
                hint = f"; {'.'.join(name)}() is a function, with parentheses"
            raise UnknownObject(
                f"table {'.'.join(name)} does not exist: there is no schema {schema}{hint}", "42P01"
            )
        table = snapshot.find_table(name[-1], candidate)
        if table is not None:
            return table
    ids = {snapshot.schema_id(candidate) for candidate in path}
    known = [table.name for table in snapshot.tables.values() if table.schema_id in ids]
    raise UnknownObject(
        f"table {'.'.join(name)} does not exist at LSN {snapshot.lsn}{nearest(name[-1], known)}",
        "42P01",
    )


def dotted_name(text: str) -> tuple[str, ...]:
    """The name of a table in a text, as SQL reads it. Raises SqlSyntaxError."""
    grammar = Cursor(text)
    name = grammar.dotted_name("the name of a table")
    if grammar.token.kind != "end":
        grammar.fail("expected nothing after the name of the table")
    return name


def own_schema(name: str, session: Session) -> str:
    """The schema that a name means: `pg_temp` is that of the session's temporary tables."""
    return (temporary_schema(session) or name) if name == TEMPORARY else name


def table_path(session: Session) -> tuple[str, ...]:
    """The schemas that a table's name is looked up in: temporary tables come first."""
    own = temporary_schema(session)
    return session.schema_path if own is None else (own, *session.schema_path)


def visible_schemas(snapshot: Snapshot, session: Session) -> dict[int, str]:
    """The schemas by id, without those of other sessions' temporary tables."""
    return {i: name for i, name in snapshot.schemas.items() if not is_foreign(name, session)}


def target_schema(name: tuple[str, ...], session: Session, snapshot: Snapshot) -> str:
    """The schema that something called `name` is made in. Raises UnknownObject (3F000)."""
    if len(name) > 2:
        raise NotYet(f"{'.'.join(name)}: other databases are not available")
    schema = name[0] if len(name) == 2 else _first(session, snapshot)
    if snapshot.schema_id(schema) is None or is_foreign(schema, session):
        hint = nearest(schema, visible_schemas(snapshot, session).values())
        raise UnknownObject(f"schema {schema} does not exist{hint}", "3F000")
    return schema


def _first(session: Session, snapshot: Snapshot) -> str:
    if not session.schema_path:
        return PUBLIC
    for schema in session.schema_path:
        if snapshot.schema_id(schema) is not None:
            return schema
    return session.schema_path[0]


@dataclass(slots=True)
class SnapshotCatalogue:
    """Implements `binder.context.Catalogue` over the snapshots that a statement asked for.

    Every table reference becomes an input of its own; `sources` says what each reads.
    """

    snapshots: Mapping[Version, Snapshot]
    session: Session
    parameters: Parameters = ()
    sources: dict[str, Source] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    store: StoreOptions | None = None
    outside: dict[str, FoundFiles] = field(default_factory=dict)
    observed: Mapping[str, Sequence[Observed]] = field(default_factory=dict)
    _system: SystemObjects | None = None

    @property
    def latest(self) -> Snapshot:
        return self.snapshots[Latest()]

    @property
    def types(self) -> Mapping[tuple[str, str], AnyType]:
        """The types of the newest snapshot."""
        return dict(self._types())

    def _types(self) -> Iterator[tuple[tuple[str, str], AnyType]]:
        for user_type in self.latest.types.values():
            schema = self.latest.schemas[user_type.schema_id]
            yield (schema, user_type.name), user_type.definition

    @property
    def path(self) -> Sequence[str]:
        return self.session.schema_path

    def table(self, name: tuple[str, ...], as_of: AsOf | None) -> TableSource:
        """The table, its name made an input. Raises UnknownObject, InvalidRequest."""
        version = version_of(as_of, self.parameters)
        snapshot = self.snapshots.get(version) or self.latest
        return self._input(self._found(name, version, snapshot))

    def observed_table(self, name: str, *arguments: Any) -> TableSource:
        """What a function of the schema `mobula` gives. Raises UnknownObject (42883)."""
        if name == PARTITIONS:
            table = self._partitions(arguments)
        else:
            table = observed_table(name, self.observed.get(name, ()), self.latest)
        return self._input(
            Source(
                table=table,
                schema=OWN_SCHEMA,
                version=Latest(),
                lsn=self.latest.lsn,
                name=None,
            )
        )

    def _partitions(self, arguments: Sequence[Any]) -> TableState:
        """`mobula.partitions()` of all tables, or of the one that is named."""
        snapshot = self.latest
        schemas = visible_schemas(snapshot, self.session)
        found = [t for t in snapshot.tables.values() if t.schema_id in schemas]
        if arguments:
            (name,) = arguments if len(arguments) == 1 else (None,)
            if not isinstance(name, str):
                raise UnknownObject("mobula.partitions() takes the name of one table", "42883")
            found = [find_table(snapshot, dotted_name(name), self.session)]
        return partitions_table((snapshot.schemas[t.schema_id], t) for t in found)

    def _input(self, source: Source) -> TableSource:
        """A table made an input under a name of its own."""
        schema, state = source.schema, source.table
        wanted, number = state.name, 1
        while wanted in self.sources or wanted == GIVEN:
            number += 1
            wanted = f"{state.name}_{number}"
        self.sources[wanted] = source
        columns = tuple((column.name, plain_type(column.type)) for column in state.columns)
        return TableSource(input=wanted, schema=schema, name=state.name, columns=columns)

    @property
    def is_of_one_snapshot(self) -> bool:
        """Did the statement ask for what another snapshot may answer otherwise, tables apart?"""
        asked = self._system is not None or bool(self.outside)
        return asked or any(source.name is None for source in self.sources.values())

    def again(self, before: Mapping[str, Source]) -> dict[str, Source] | None:
        """What the same statement reads in the snapshots of this catalogue.

        None if a name means another table now, or the table has other columns.
        """
        found = {}
        for wanted, source in before.items():
            snapshot = self.snapshots.get(source.version)
            if snapshot is None or source.name is None:
                return None
            try:
                now = self._found(source.name, source.version, snapshot)
            except UnknownObject:
                return None
            if now.table.id != source.table.id or now.table.columns != source.table.columns:
                return None
            found[wanted] = now
        return found

    def _found(self, name: tuple[str, ...], version: Version, snapshot: Snapshot) -> Source:
        """A table of the system's or of the user's."""
        if len(name) == 3 and name[0] == DATABASE:
            name = name[1:]
        relation = find_relation(
            name,
            self.session.schema_path,
            lambda schema: snapshot.find_table(name[-1], schema) is not None,
        )
        if relation is not None:
            schema, state = relation.schema, system_table(relation, snapshot, self.session)
        else:
            state = find_table(snapshot, name, self.session)
            schema = snapshot.schemas[state.schema_id]
        return Source(
            table=state,
            schema=schema,
            version=version,
            lsn=snapshot.lsn,
            name=None if relation is not None else name,
        )

    @property
    def system(self) -> SystemObjects:
        """Functions and casts that ask the catalogue, at the newest snapshot."""
        if self._system is None:
            self._system = SessionObjects(self.latest, self.session)
        return self._system

    def files(
        self, function: str, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> TableSource:
        """Files in place, an input of their own. Raises InvalidRequest, Unavailable."""
        found = find_files(
            function,
            arguments,
            options,
            directory=self.session.directory,
            store=self.store,
            types=self._type,
        )
        wanted, number = f"'{found.name}'", 1
        while wanted in self.outside or wanted in self.sources:
            number += 1
            wanted = f"'{found.name}' {number}"
        self.outside[wanted] = found
        columns = tuple((column.name, column.type) for column in found.columns)
        texts = found.source.format.kind != "parquet"
        return TableSource(
            input=wanted,
            schema="",
            name=found.name,
            columns=columns,
            held=tuple(TEXT for _ in columns) if texts else None,
        )

    def _type(self, named: Any) -> SqlType:
        """A type by its name, as text or tree. Raises UnknownObject, InvalidRequest."""
        node = named
        if isinstance(named, str):
            grammar = TypeGrammar(named)
            node = grammar.type_name()
            if grammar.token.kind != "end":
                grammar.fail("expected one type")
        kind = resolve_type(node, self.types, self.path)
        if isinstance(kind, NumericType):
            raise InvalidRequest("a column of a file needs a precision: numeric(p, s)", "22023")
        return kind  # type: ignore[return-value]

    def udf(self, name: str) -> tuple[tuple[AnyType, ...], AnyType] | None:
        """Functions of the session."""
        found = self.session.functions.get(name)
        if found is None:
            return None
        self.functions.add(name)
        return found.arguments, found.returns


class NoTables:
    """A catalogue with nothing in it, for expressions that stand alone."""

    types: Mapping[tuple[str, str], AnyType] = {}
    path: Sequence[str] = ()
    system: SystemObjects | None = None

    def table(self, name: tuple[str, ...], as_of: AsOf | None) -> TableSource:
        """There is none."""
        raise UnknownObject(f"table {'.'.join(name)} does not exist", "42P01")

    def files(
        self, function: str, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> TableSource:
        """There are none."""
        raise NotYet(f"{function or 'files in FROM'} is not available here")

    def observed_table(self, name: str, *arguments: Any) -> TableSource:
        """There is none."""
        raise NotYet(f"mobula.{name}() is not available here")

    def udf(self, name: str) -> tuple[tuple[AnyType, ...], AnyType] | None:
        """There is none."""
        return None
