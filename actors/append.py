"""From a frame to the operation that appends it: small ones inline, large ones by reference.

The same code runs in a client (append), in the primary (INSERT … SELECT) and in ingest tasks.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pyarrow as pa

from actors.messages import AppendFiles, AppendRows, TableInfo
from storage.delta import encode_rows
from storage.ids import Ids
from storage.ingest import Progress, write_table
from storage.objects import ObjectStore
from storage.target import fit

__all__ = ["append_operation", "rows_operation"]


async def append_operation(
    store: ObjectStore,
    info: TableInfo,
    frame: Any,
    *,
    ids: Ids,
    inline_bytes_max: int,
    progress: Progress | None = None,
) -> AppendRows | AppendFiles:
    """Fit `frame` to the table and make the operation; large frames are uploaded here.

    Args:
        info: identity values that the frame leaves out are reserved in it already.
        frame: polars, pyarrow or pandas.
        inline_bytes_max: encoded rows from this size on become micropartitions.
        progress: called with the rows uploaded so far.
    Raises:
        InvalidRequest: the frame does not fit (column, both types); nothing is written.
        Unavailable: the store does not answer; what was uploaded is collected later.
    """
    rows = await asyncio.to_thread(fit, frame, info.target)
    return await rows_operation(
        store, info, rows, ids=ids, inline_bytes_max=inline_bytes_max, progress=progress
    )


async def rows_operation(
    store: ObjectStore,
    info: TableInfo,
    rows: pa.Table,
    *,
    ids: Ids,
    inline_bytes_max: int,
    progress: Progress | None = None,
) -> AppendRows | AppendFiles:
    """The operation for rows that are fitted (`target.fit`). See `append_operation`."""
    schema = info.target.schema
    if rows.nbytes < inline_bytes_max * 8:  # it may still be small once compressed
        encoded = await asyncio.to_thread(encode_rows, rows)
        if len(encoded) < inline_bytes_max:
            return AppendRows(
                table_id=info.table_id,
                schema_version=schema.version,
                row_count=rows.num_rows,
                rows=encoded,
            )
    files = await write_table(store, rows, info.target, ids=ids, progress=progress)
    return AppendFiles(table_id=info.table_id, files=tuple(files))
