"""Partitions in PostgreSQL's catalogue: pg_partitioned_table, `pg_get_partkeydef`.

A partition is no relation of its own here: a table with partitions is one table, of kind `r`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from storage.partitions.scheme import Partitioning
from storage.schema import Column
from warehouse.catalogue_tables import oids
from warehouse.catalogue_tables.definitions import Definitions
from warehouse.catalogue_tables.rows import Builder, Rows, Subject, rows_of
from warehouse.functions.quoting import quoted_identifier

__all__ = ["BUILDERS", "key_text", "partition_key_texts"]

_STRATEGIES = {"hash": "h", "key": "h", "range": "r", "list": "l"}


def key_text(partitioning: Partitioning, columns: Iterable[Column]) -> str:
    """`RANGE (day)`."""
    names = {column.id: quoted_identifier(column.name) for column in columns}
    listed = ", ".join(names[number] for number in partitioning.column_ids)
    return f"{partitioning.kind.upper()} ({listed})"


def partition_key_texts(known: Definitions) -> Mapping[str, str]:
    """By OID of the table, what `pg_get_partkeydef` shows."""
    return {
        str(oids.object_oid(table.id)): key_text(table.partitioning, table.columns)
        for table in known.tables
        if table.partitioning is not None
    }


def _partitioned(subject: Subject) -> Rows:
    names = ("partrelid", "partstrat", "partnatts", "partattrs", "partclass", "partcollation")
    found = []
    for table in subject.definitions.tables:
        if (by := table.partitioning) is not None:
            ids = list(by.column_ids)
            nothing = [0] * len(ids)
            oid = oids.object_oid(table.id)
            found.append((oid, _STRATEGIES[by.kind], len(ids), ids, nothing, nothing))
    return rows_of(names, found, partdefid=0)


BUILDERS: dict[str, Builder] = {"pg_partitioned_table": _partitioned}
