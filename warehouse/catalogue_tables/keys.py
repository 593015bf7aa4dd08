"""PRIMARY KEY and UNIQUE in the catalogue: constraints, and indexes as PostgreSQL has for them.

An index of ours is no relation that anybody reads, but drivers look for keys by it. Operator
classes, of which there are none here, are 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from storage.schema import Column, Key
from warehouse.catalogue_tables import oids
from warehouse.catalogue_tables.definitions import (
    DefinedTable,
    Definitions,
    key_columns,
    qualified,
)
from warehouse.catalogue_tables.rows import Builder, Rows, Subject, rows_of
from warehouse.catalogue_tables.server import DATABASE
from warehouse.catalogue_tables.type_names import by_oid
from warehouse.functions.quoting import quoted_identifier

__all__ = ["BUILDERS", "all_keys", "constraint_texts", "index_texts"]


def all_keys(known: Definitions) -> Iterator[tuple[DefinedTable, Key, list[Column]]]:
    """Every key with its table and columns."""
    for table in known.tables:
        for key in table.keys:
            yield table, key, key_columns(table, key)


def constraint_texts(known: Definitions) -> Mapping[str, str]:
    """By OID of the constraint, what `pg_get_constraintdef` shows."""
    return {
        str(oids.key_oid(table.id, key.id)): (
            f"{'PRIMARY KEY' if key.primary else 'UNIQUE'} ({_names(columns)})"
        )
        for table, key, columns in all_keys(known)
    }


def index_texts(known: Definitions) -> Mapping[str, str]:
    """By OID of the index, what `pg_get_indexdef` shows."""
    return {
        str(oids.index_oid(table.id, key.id)): _definition(known, table, key, columns)
        for table, key, columns in all_keys(known)
    }


def _definition(known: Definitions, table: DefinedTable, key: Key, columns: list[Column]) -> str:
    on = qualified(known.schemas[table.schema_id], table.name, visible=False)
    name = quoted_identifier(key.name)
    return f"CREATE UNIQUE INDEX {name} ON {on} USING btree ({_names(columns)})"


def _names(columns: list[Column]) -> str:
    return ", ".join(quoted_identifier(column.name) for column in columns)


# --- pg_catalog -----------------------------------------------------------------------------------


def _indexes(subject: Subject) -> Rows:
    known = subject.definitions
    collations = {oid: row.collation for oid, row in by_oid().items()}
    names = (
        "indexrelid", "indrelid", "indnatts", "indnkeyatts", "indisprimary", "indkey",
        "indcollation", "indclass", "indoption",
    )  # fmt: skip
    found = []
    for table, key, columns in all_keys(known):
        count = len(columns)
        types = [known.attribute("", 0, column.type).type_oid for column in columns]
        found.append(
            (oids.index_oid(table.id, key.id), oids.object_oid(table.id), count, count, key.primary,
             list(key.column_ids), [collations.get(t, 0) for t in types], [0] * count, [0] * count)
        )  # fmt: skip
    return rows_of(
        names,
        found,
        **dict.fromkeys(
            ("indisunique", "indimmediate", "indisvalid", "indisready", "indislive"), True
        ),
        **dict.fromkeys(
            ("indnullsnotdistinct", "indisexclusion", "indisclustered", "indcheckxmin",
             "indisreplident"), False,
        ),
    )  # fmt: skip


def _index_list(subject: Subject) -> Rows:
    known = subject.definitions
    return rows_of(
        ("schemaname", "tablename", "indexname", "indexdef"),
        (
            (known.schemas[t.schema_id], t.name, key.name, _definition(known, t, key, columns))
            for t, key, columns in all_keys(known)
        ),
    )


# --- information_schema ---------------------------------------------------------------------------


def _column_usage(subject: Subject) -> Rows:
    known = subject.definitions
    found = [
        (known.schemas[t.schema_id], known.schemas[t.schema_id], key.name, t.name, c.name, number)
        for t, key, columns in all_keys(known)
        for number, c in enumerate(columns, 1)
    ]
    names = (
        "constraint_schema", "table_schema", "constraint_name", "table_name", "column_name",
        "ordinal_position",
    )  # fmt: skip
    return rows_of(names, found, constraint_catalog=DATABASE, table_catalog=DATABASE)


def _table_usage(subject: Subject) -> Rows:
    known = subject.definitions
    found = [
        (known.schemas[t.schema_id], known.schemas[t.schema_id], t.name, key.name)
        for t, key, _ in all_keys(known)
    ]
    names = ("constraint_schema", "table_schema", "table_name", "constraint_name")
    return rows_of(names, found, constraint_catalog=DATABASE, table_catalog=DATABASE)


BUILDERS: dict[str, Builder] = {
    "constraint_table_usage": _table_usage,
    "key_column_usage": _column_usage,
    "pg_index": _indexes,
    "pg_indexes": _index_list,
}
