"""From a frame to the operation that writes it: small ones inline, large ones by reference.

The same code runs in a client (append, upsert, …), in the primary (INSERT … SELECT) and in ingest
tasks. Rows for a table with keys come with their keys, so that the primary never decodes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from actors.ingest import Ingest
from actors.messages import TableInfo
from actors.operations import (
    AppendFiles,
    AppendRows,
    WriteMode,
    WriteOperation,
    WriteRows,
)
from storage.delta import encode_rows
from storage.errors import InvalidRequest
from storage.ingest import IngestedFile, Progress
from storage.key_rows import row_keys
from storage.micropartition.writer import ROWS_MAX
from storage.partitions.rows import PartitionCounts, in_order
from storage.schema import TableSchema
from storage.target import IngestTarget, fit

__all__ = [
    "delete_operation",
    "files_operation",
    "fitted_operation",
    "key_schema",
    "refuse_mode",
    "rows_operation",
    "write_operation",
]

COMPRESSION_EXPECTED = 8  # rows of so many times the limit may still be small once compressed


async def write_operation(
    ingest: Ingest,
    info: TableInfo,
    frame: Any,
    *,
    inline_bytes_max: int,
    mode: WriteMode = WriteMode.INSERT,
    progress: Progress | None = None,
) -> WriteOperation:
    """Fit `frame` to the table and make the operation; large frames are uploaded here.

    Args:
        info: identity values that the frame leaves out are reserved in it already.
        frame: polars, pyarrow or pandas.
        inline_bytes_max: encoded rows from this size on become micropartitions.
        mode: for a table with keys; one without takes INSERT alone.
        progress: called with the rows uploaded so far.
    Raises:
        InvalidRequest: the frame does not fit (column, both types), or has a key twice; nothing is
            written.
        Unavailable: the store does not answer; what was uploaded is collected later.
    """
    refuse_mode(info.target, mode)
    rows = await asyncio.to_thread(fit, frame, info.target)
    return await fitted_operation(
        ingest, info, rows, inline_bytes_max=inline_bytes_max, mode=mode, progress=progress
    )


async def fitted_operation(
    ingest: Ingest,
    info: TableInfo,
    rows: pa.Table,
    *,
    inline_bytes_max: int,
    mode: WriteMode = WriteMode.INSERT,
    read_lsn: int | None = None,
    progress: Progress | None = None,
) -> WriteOperation:
    """The operation for rows that are fitted (`target.fit`). See `write_operation`.

    Args: read_lsn: see `WriteRows`.
    """
    # A delta, like a micropartition, has no more rows than a row position can number.
    if rows.nbytes < inline_bytes_max * COMPRESSION_EXPECTED and rows.num_rows <= ROWS_MAX:
        operation = await asyncio.to_thread(rows_operation, info, rows, mode, read_lsn)
        if len(operation.rows or b"") < inline_bytes_max:
            return operation
    files = await ingest.rows(rows, info.target, progress)
    return files_operation(info, files, mode, read_lsn)


def files_operation(
    info: TableInfo,
    files: Sequence[IngestedFile],
    mode: WriteMode = WriteMode.INSERT,
    read_lsn: int | None = None,
) -> AppendFiles:
    """The operation that refers to micropartitions in the store."""
    return AppendFiles(
        table_id=info.table_id,
        files=tuple(file.row for file in files),
        mode=mode,
        runs=tuple(file.runs for file in files) if info.target.keys else (),
        read_lsn=read_lsn if info.target.keys else None,
        partitioning=_version(info.target),
    )


def rows_operation(
    info: TableInfo, rows: pa.Table, mode: WriteMode, read_lsn: int | None = None
) -> AppendRows | WriteRows:
    """The operation that carries rows itself.

    Args:
        rows: fitted (`target.fit`).
        read_lsn: see `WriteRows`.
    Raises InvalidRequest: a key that is NaN or is there twice; a row that no partition takes.
    """
    target = info.target
    rows, partitions = _divided(rows, target)
    if not target.keys:
        return AppendRows(
            table_id=info.table_id,
            schema_version=target.schema.version,
            row_count=rows.num_rows,
            rows=encode_rows(rows),
            partitions=partitions,
            partitioning=_version(target),
        )
    keys = row_keys(rows, target.schema, target.keys, target.table_name)
    return WriteRows(
        table_id=info.table_id,
        schema_version=target.schema.version,
        mode=mode,
        row_count=rows.num_rows,
        rows=encode_rows(rows),
        keys={key_id: found.encode() for key_id, found in keys.items()},
        read_lsn=read_lsn,
        partitions=partitions,
        partitioning=_version(target),
    )


def _divided(
    rows: pa.Table, target: IngestTarget, *, strays: bool = False
) -> tuple[pa.Table, PartitionCounts]:
    """See `in_order`; of a table without partitions the rows as they are."""
    if target.partitioning is None:
        return rows, ()
    return in_order(rows, target.partitioning, target.schema, target.table_name, strays=strays)


def _version(target: IngestTarget) -> int:
    return 0 if target.partitioning is None else target.partitioning.version


def delete_operation(info: TableInfo, keys: pa.Table, read_lsn: int | None = None) -> WriteRows:
    """The operation that deletes rows by primary key.

    Args: keys: in the logical types of the key's columns, under their names (`key_schema`).
    Raises InvalidRequest: a key that is NaN or is there twice, or the table has no primary key.
    """
    target = info.target
    primary = target.primary_key
    if primary is None:
        raise InvalidRequest(_keyless(target, "delete"), "55000")
    keys, partitions = _divided(keys, target, strays=True)
    found = row_keys(keys, target.schema, (primary,), target.table_name)[primary.id]
    return WriteRows(
        table_id=info.table_id,
        schema_version=target.schema.version,
        mode=WriteMode.DELETE,
        row_count=keys.num_rows,
        rows=None,
        keys={primary.id: found.encode()},
        read_lsn=read_lsn,
        partitions=partitions,
        partitioning=_version(target),
    )


def key_schema(target: IngestTarget, what: str) -> TableSchema:
    """The columns of the primary key as a schema of their own. Raises InvalidRequest: none."""
    if target.primary_key is None:
        raise InvalidRequest(_keyless(target, what), "55000")
    columns = tuple(target.schema.by_id(i) for i in target.primary_key.column_ids)
    return TableSchema(
        version=target.schema.version, columns=tuple(c for c in columns if c is not None)
    )


def refuse_mode(target: IngestTarget, mode: WriteMode) -> None:
    """Raises InvalidRequest if the table lacks the primary key that the mode needs."""
    if target.primary_key is None and mode not in (WriteMode.INSERT, WriteMode.IGNORE):
        raise InvalidRequest(_keyless(target, mode.value), "55000")
    if not target.keys and mode is WriteMode.IGNORE:
        raise InvalidRequest(_keyless(target, mode.value), "55000")


def _keyless(target: IngestTarget, what: str) -> str:
    return (
        f"table {target.table_name} has no primary key, which {what} goes by; append adds rows, "
        "SQL's UPDATE and DELETE take predicates"
    )
