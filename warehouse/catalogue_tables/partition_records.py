"""What `mobula.partitions()` shows: a row for each partition of each table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pyarrow as pa

from storage.partitions.health import PartitionHealth, partition_health
from storage.schema import Column, SqlType, arrow_schema
from storage.snapshot.model import TableState
from warehouse.algebra import types
from warehouse.catalogue_tables.partitions import key_text
from warehouse.catalogue_tables.system_tables import table_of

__all__ = ["PARTITIONS", "partitions_table"]

PARTITIONS = "partitions"
_NUMBER = -1000  # of the table: beyond those of what is observed
_FIELDS: tuple[tuple[str, SqlType], ...] = (
    ("schema_name", types.TEXT),
    ("table_name", types.TEXT),
    ("partition_key", types.TEXT),
    ("partition_name", types.TEXT),
    ("bounds", types.TEXT),
    *(
        (field.name, types.BIGINT)
        for field in dataclasses.fields(PartitionHealth)
        if field.name not in ("name", "bounds")
    ),
)


def partitions_table(tables: Iterable[tuple[str, TableState]]) -> TableState:
    """The rows of `mobula.partitions()`. Args: tables: with the names of their schemas."""
    rows = [
        (
            schema,
            table.name,
            key_text(table.partitioning, table.columns),
            *dataclasses.astuple(health),
        )
        for schema, table in tables
        if table.partitioning is not None
        for health in partition_health(table)
    ]
    columns = tuple(
        Column(id=number, name=name, type=kind) for number, (name, kind) in enumerate(_FIELDS, 1)
    )
    schema = arrow_schema(columns)
    arrays = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(schema)]
    return table_of(_NUMBER, PARTITIONS, columns, pa.Table.from_arrays(arrays, schema=schema))
