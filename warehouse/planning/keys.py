"""PRIMARY KEY and UNIQUE of CREATE TABLE: which keys the table gets, and what they are called.

As PostgreSQL does: the primary key comes first; constraints on the same columns are one, with the
name that one of them says; the others are called after table and columns (`t_pkey`, `t_a_b_key`).
The name of a key is one of a relation, its index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from actors.operations import NewKey
from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.schema import ArrayType, Kind, ScalarType, SqlType, StructType, type_name
from storage.snapshot.model import Snapshot
from warehouse.syntax.commands import CreateTable, KeyDef

__all__ = ["relation_names", "table_keys"]


def table_keys(
    tree: CreateTable, kinds: Sequence[SqlType], checks: Collection[str], taken: Collection[str]
) -> tuple[NewKey, ...]:
    """The keys of a table.

    Args:
        kinds: the types of its columns.
        checks: names of its CHECK constraints.
        taken: names of relations in its schema.
    Raises:
        InvalidRequest: two primary keys (42P16), a column twice (42701), a name that is taken
            (42P07, 42710).
        UnknownObject: a column (42703), a type without an order (42704).
    """
    columns = dict(zip((column.name for column in tree.columns), kinds, strict=True))
    written = [key for column in tree.columns for key in column.keys]
    written = sorted([*written, *tree.keys], key=lambda key: (not key.primary, key.at))
    if sum(key.primary for key in written) > 1:
        raise InvalidRequest(
            f'multiple primary keys for table "{tree.name[-1]}" are not allowed', "42P16"
        )
    for key in written:
        _check_columns(key, columns)
    used = {*taken, tree.name[-1]}
    return tuple(_named(_merged(written), tree.name[-1], set(checks), used))


def relation_names(snapshot: Snapshot, schema: str) -> set[str]:
    """The names of tables, sequences and keys in a schema."""
    schema_id = snapshot.schema_id(schema)
    tables = [table for table in snapshot.tables.values() if table.schema_id == schema_id]
    found = {key.name for table in tables for key in table.keys}
    found |= {table.name for table in tables}
    return found | {s.name for s in snapshot.sequences.values() if s.schema_id == schema_id}


def _check_columns(key: KeyDef, columns: Mapping[str, SqlType]) -> None:
    what = "primary key" if key.primary else "unique"
    for position, name in enumerate(key.columns):
        if name not in columns:
            raise UnknownObject(
                f'column "{name}" named in key does not exist{nearest(name, columns)}', "42703"
            )
        if name in key.columns[:position]:
            raise InvalidRequest(f'column "{name}" appears twice in {what} constraint', "42701")
        if _is_without_order(columns[name]):
            raise UnknownObject(
                f'column "{name}": type {type_name(columns[name])} cannot be part of a key, its'
                " values have no order",
                "42704",
            )


def _is_without_order(kind: SqlType) -> bool:
    match kind:
        case ScalarType(Kind.JSON):
            return True
        case ArrayType(element):
            return _is_without_order(element)
        case StructType(_, fields):
            return any(_is_without_order(field) for _, field in fields)
        case _:
            return False


def _merged(written: Sequence[KeyDef]) -> list[KeyDef]:
    """Constraints on the same columns as one; a name that only a later one has is kept."""
    found: dict[tuple[str, ...], KeyDef] = {}
    for key in written:
        first = found.setdefault(key.columns, key)
        if first.name is None and key.name is not None:
            found[key.columns] = KeyDef(first.at, key.name, first.columns, first.primary)
    return list(found.values())


def _named(
    keys: Sequence[KeyDef], table: str, checks: set[str], used: set[str]
) -> Iterator[NewKey]:
    for key in keys:
        name = key.name
        if name is None:
            parts = (table, "pkey") if key.primary else (table, *key.columns, "key")
            name = _free("_".join(parts), used | checks)
        elif name in used:
            raise InvalidRequest(f'relation "{name}" already exists', "42P07")
        elif name in checks:
            raise InvalidRequest(
                f'constraint "{name}" for relation "{table}" already exists', "42710"
            )
        used.add(name)
        yield NewKey(name=name, columns=key.columns, primary=key.primary)


def _free(name: str, taken: Collection[str]) -> str:
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}{number}"
    return free
