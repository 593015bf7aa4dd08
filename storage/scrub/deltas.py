"""A delta against what the catalogue says of it, and the keys of its live rows."""

from __future__ import annotations

import pyarrow as pa

from storage.delete_bitmap import DeleteBitmap
from storage.delta import decode_rows
from storage.names import log_name
from storage.schema import TableSchema, arrow_schema, arrow_type
from storage.scrub.files import CheckedRows, beyond, live_mask
from storage.scrub.row_keys import KeyColumns, LiveKeys
from storage.snapshot.model import Delta

__all__ = ["check_delta"]


def check_delta(
    delta: Delta, schema: TableSchema, deleted: DeleteBitmap | None, keys: tuple[KeyColumns, ...]
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
        own = {c.name: schema.by_id(c.id) for c in columns.columns}
        arrays = {
            c.name: pa.nulls(rows.num_rows, arrow_type(c.type)) if old is None else rows[old.name]
            for c in columns.columns
            for old in (own[c.name],)
        }
        gathered = LiveKeys(columns)
        gathered.add(pa.table(arrays), 0, live)
        found.faults += gathered.faults()
        found.keys.append(gathered)
    return found


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
