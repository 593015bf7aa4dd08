"""CREATE and DROP of schemas and of user-defined types: what they change in the catalogue.

A column holds its type itself, so a type that is used cannot go: DROP TYPE, and DROP SCHEMA …
CASCADE for uses outside the schema, are refused and name the use.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from actors.operations import (
    DropSchema,
    DropType,
    NewSchema,
    NewType,
)
from actors.primary.resolved import Resolved, known_schema, qualified
from actors.primary.tables import drop_changes
from actors.temporary import TEMPORARY_PREFIX
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from storage.schema import EnumType, SqlType, StructType, named_types
from storage.snapshot import changes as c
from storage.snapshot.changes import CatalogueChange
from storage.snapshot.model import PUBLIC, Snapshot, UserType

__all__ = ["create_schema", "create_type", "drop_schema", "drop_type"]

_SYSTEM = "pg_"
_INFORMATION = "information_schema"
LABEL_BYTES_MAX = 63


def create_schema(operation: NewSchema, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`."""
    name = operation.name
    if name.startswith(_SYSTEM) and not (operation.temporary and name.startswith(TEMPORARY_PREFIX)):
        raise InvalidRequest(
            f'unacceptable schema name "{name}": the prefix "{_SYSTEM}" is reserved for system '
            "schemas",
            "42939",
        )
    if snapshot.schema_id(name) is not None or name == _INFORMATION:
        if operation.if_not_exists:
            return Resolved(kind="create_schema")
        raise InvalidRequest(f'schema "{name}" already exists', "42P06")
    change = c.CreateSchema(id=snapshot.next_id, name=name)
    return Resolved(kind="create_schema", catalogue=(change,))


def drop_schema(operation: DropSchema, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`."""
    name = operation.name
    if operation.if_exists and snapshot.schema_id(name) is None:
        return Resolved(kind="drop_schema")
    schema_id = known_schema(snapshot, name)
    if name == PUBLIC:
        raise NotYet(f"schema {PUBLIC} cannot be dropped: every database has it")
    tables = [t for t in snapshot.tables.values() if t.schema_id == schema_id]
    types = [t for t in snapshot.types.values() if t.schema_id == schema_id]
    held = [f"table {name}.{t.name}" for t in tables] + [f"type {name}.{t.name}" for t in types]
    if held and not operation.cascade:
        raise InvalidRequest(
            f"cannot drop schema {name} because other objects depend on it: {_listed(held)}; "
            "drop them first, or use DROP SCHEMA … CASCADE",
            "2BP01",
        )
    gone = {t.id for t in tables} | {t.id for t in types}
    for user_type in types:
        _check_unused(user_type, name, snapshot, gone)
    changes: list[CatalogueChange] = [change for t in tables for change in drop_changes(t)]
    changes += [c.DropType(id=t.id) for t in types]
    changes.append(c.DropSchema(id=schema_id))
    return Resolved(kind="drop_schema", catalogue=tuple(changes))


def create_type(operation: NewType, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`."""
    schema_id = known_schema(snapshot, operation.schema)
    name = operation.name
    if (
        snapshot.find_type(name, operation.schema) is not None
        or snapshot.find_table(name, operation.schema) is not None
    ):
        raise InvalidRequest(f'type "{name}" already exists', "42710")
    match operation.definition:
        case EnumType(_, labels):
            _check_labels(labels)
        case StructType(_, fields):
            _check_fields(fields, snapshot)
    known = msgspec.structs.replace(operation.definition, name=qualified(operation.schema, name))
    change = c.CreateType(id=snapshot.next_id, schema_id=schema_id, name=name, definition=known)
    return Resolved(kind="create_type", catalogue=(change,))


def drop_type(operation: DropType, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`."""
    if operation.if_exists and snapshot.schema_id(operation.schema) is None:
        return Resolved(kind="drop_type")
    known_schema(snapshot, operation.schema)
    found = snapshot.find_type(operation.name, operation.schema)
    if found is None:
        if operation.if_exists:
            return Resolved(kind="drop_type")
        shown = qualified(operation.schema, operation.name)
        hint = nearest(operation.name, [t.name for t in snapshot.types.values()])
        raise UnknownObject(f'type "{shown}" does not exist{hint}', "42704")
    _check_unused(found, operation.schema, snapshot, {found.id})
    return Resolved(kind="drop_type", catalogue=(c.DropType(id=found.id),))


# --- checks ---------------------------------------------------------------------------------------


def _check_labels(labels: tuple[str, ...]) -> None:
    if not labels:
        raise NotYet("an ENUM without labels is not available yet")
    for label in labels:
        if not 0 < len(label.encode()) <= LABEL_BYTES_MAX:
            raise InvalidRequest(
                f'invalid enum label "{label}": labels are 1 to {LABEL_BYTES_MAX} bytes', "42602"
            )
        if labels.count(label) > 1:
            raise InvalidRequest(f'enum label "{label}" is given twice', "23505")


def _check_fields(fields: tuple[tuple[str, SqlType], ...], snapshot: Snapshot) -> None:
    if not fields:
        raise NotYet("a composite type without attributes is not available yet")
    names = [name for name, _ in fields]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InvalidRequest(f'column "{repeated}" specified more than once', "42701")
    known = [found.definition for found in snapshot.types.values()]
    for _, kind in fields:
        for part in named_types(kind):
            if part not in known:
                raise UnknownObject(f'type "{part.name}" does not exist', "42704")


def _check_unused(user_type: UserType, schema: str, snapshot: Snapshot, gone: set[int]) -> None:
    """Raises InvalidRequest if anything that stays has the type."""
    uses = list(_uses(user_type, snapshot, gone))
    if uses:
        shown = qualified(schema, user_type.name)
        raise InvalidRequest(
            f"cannot drop type {shown} because other objects depend on it: {_listed(uses)}; "
            "drop them first",
            "2BP01",
        )


def _uses(user_type: UserType, snapshot: Snapshot, gone: set[int]) -> Iterator[str]:
    for table in snapshot.tables.values():
        if table.id in gone:
            continue
        for column in table.columns:
            if user_type.definition in named_types(column.type):
                shown = qualified(snapshot.schemas[table.schema_id], table.name)
                yield f"column {column.name} of table {shown}"
    for other in snapshot.types.values():
        if other.id not in gone and user_type.definition in named_types(other.definition):
            yield f"type {other.definition.name}"


def _listed(things: list[str]) -> str:
    shown = ", ".join(things[:5])
    return shown if len(things) <= 5 else f"{shown} and {len(things) - 5} more"
