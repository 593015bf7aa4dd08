"""The keys of a table that is made: `NewKey`, by names, as `schema.Key`, by ids."""

from __future__ import annotations

from actors.operations import NewTable
from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.schema import Key, TableSchema

__all__ = ["keys_of_table", "primary_columns"]


def keys_of_table(operation: NewTable, schema: TableSchema) -> tuple[Key, ...]:
    """The keys with ids from 1, the primary key first.

    Raises:
        InvalidRequest: several primary keys (42P16), a name of two constraints (42710), a column
            twice in a key (42701).
        UnknownObject: a column (42703).
    """
    keys = sorted(operation.keys, key=lambda key: not key.primary)
    if sum(key.primary for key in keys) > 1:
        raise InvalidRequest(
            f'multiple primary keys for table "{operation.name}" are not allowed', "42P16"
        )
    names = [*(check.name for check in operation.checks), *(key.name for key in keys)]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InvalidRequest(
            f'constraint "{repeated}" for relation "{operation.name}" already exists', "42710"
        )
    return tuple(
        Key(
            id=number,
            name=key.name,
            column_ids=_ids(key.columns, schema, operation.name),
            primary=key.primary,
        )
        for number, key in enumerate(keys, 1)
    )


def primary_columns(operation: NewTable) -> frozenset[str]:
    """The columns of the primary key, which are NOT NULL."""
    return frozenset(name for key in operation.keys if key.primary for name in key.columns)


def _ids(names: tuple[str, ...], schema: TableSchema, table: str) -> tuple[int, ...]:
    ids: list[int] = []
    for name in names:
        column = schema.find(name)
        if column is None:
            hint = nearest(name, schema.names)
            raise UnknownObject(f'column "{name}" named in key does not exist{hint}', "42703")
        if column.id in ids:
            raise InvalidRequest(
                f'table "{table}": column "{name}" appears twice in a key', "42701"
            )
        ids.append(column.id)
    if not ids:
        raise InvalidRequest(f'table "{table}": a key has no columns', "42601")
    return tuple(ids)
