"""A delta against what the catalogue says of it, and the keys of its live rows."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from storage.delete_bitmap import DeleteBitmap
from storage.delta import decode_rows
from storage.names import log_name
from storage.partitions.rows import per_row
from storage.primary_key.words import Mask
from storage.schema import Column, TableSchema, arrow_schema, arrow_type
from storage.scrub.files import CheckedRows, beyond, live_mask
from storage.scrub.row_keys import KeyColumns, LiveKeys
from storage.scrub.row_partitions import RowPartitions
from storage.snapshot.model import Delta

__all__ = ["check_delta"]


def check_delta(
    delta: Delta,
    schema: TableSchema,
    deleted: DeleteBitmap | None,
    keys: tuple[KeyColumns, ...],
    partitions: RowPartitions | None = None,
) -> CheckedRows:
    """Args: schema: the version of its rows. Raises CorruptData: they do not decode."""
    rows = decode_rows(delta.rows, log_name(delta.lsn))
    wanted = arrow_schema(schema.columns)
    found = CheckedRows(row_count=rows.num_rows)
    if rows.schema.names != wanted.names or rows.schema.types != wanted.types:
        found.faults.append((f"delta {delta.id} with {_columns(wanted)}", _columns(rows.schema)))
        return found
    if rows.num_rows != delta.row_count:
        expected = f"{delta.row_count} rows in delta {delta.id}, as the catalogue says"
        found.faults.append((expected, f"{rows.num_rows}"))
    for column in schema.columns:
        if not column.nullable and (nulls := rows[column.name].null_count):
            found.faults.append((f"no NULL in column {column.name}", f"{nulls} rows"))
    found.faults += beyond(rows.num_rows, deleted)
    live = live_mask(rows.num_rows, deleted)
    found.live_count = int(live.sum())
    for columns in keys:
        gathered = LiveKeys(columns)
        gathered.add(_newest(rows, schema, columns.columns), 0, live)
        found.faults += gathered.faults()
        found.keys.append(gathered)
    if partitions is not None:
        found.faults += _partition_faults(
            delta, _newest(rows, schema, partitions.columns), live, partitions
        )
    return found


def _newest(rows: pa.Table, schema: TableSchema, columns: Sequence[Column]) -> pa.Table:
    """These columns under their newest names; NULL where the delta has none."""
    arrays = {}
    for column in columns:
        old = schema.by_id(column.id)
        missing = pa.nulls(rows.num_rows, arrow_type(column.type))
        arrays[column.name] = missing if old is None else rows[old.name]
    return pa.table(arrays)


def _partition_faults(
    delta: Delta, rows: pa.Table, live: Mask, partitions: RowPartitions
) -> list[tuple[str, str]]:
    """Where rows are not of the partition whose slice they are in."""
    said = per_row(delta.partitions)
    if len(said) != rows.num_rows:
        return [(f"partitions of the {rows.num_rows} rows of delta {delta.id}", f"of {len(said)}")]
    fault = partitions.fault(rows, said, live)
    return [] if fault is None else [fault]


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
