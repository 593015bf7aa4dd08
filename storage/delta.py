"""Rows on their way through the log: a batch of one schema version as compressed bytes.

The bytes are one Zstandard frame around one Arrow IPC stream (`docs/formats/delta.md`). The whole
stream is compressed, not each buffer, because most deltas are small and then the stream's own
metadata is most of it. Equal rows give equal bytes, whatever tables they were slices of: they are
copied into buffers of their own, as a single batch, and the compressor runs on one thread.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import zstandard

from storage.errors import CorruptData, InternalError
from storage.schema import Column, arrow_schema

__all__ = ["decode_rows", "encode_rows", "upgrade"]

LEVEL = 1  # writers wait for it; 3 takes half as long again for 3 % less
STREAM_BYTES_MAX = 4 << 30  # a frame that claims more is damaged; a log object holds 8 MiB


def encode_rows(table: pa.Table) -> bytes:
    """Rows in logical types (`conform`) as the bytes of `changes.AddRows.rows`."""
    rows = table.replace_schema_metadata(None).combine_chunks().take(np.arange(table.num_rows))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return zstandard.ZstdCompressor(level=LEVEL).compress(sink.getvalue())


def decode_rows(data: bytes, source: str) -> pa.Table:
    """The table that `encode_rows` was given. Raises CorruptData naming `source`."""
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= STREAM_BYTES_MAX:
            raise CorruptData(f"{source}: the rows claim {size} bytes, at most {STREAM_BYTES_MAX}")
        stream = zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
        table = pa.ipc.open_stream(stream).read_all()
        table.validate()
    except (zstandard.ZstdError, pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise CorruptData(f"{source}: the rows do not decode: {error}") from error
    return table


def upgrade(table: pa.Table, old: tuple[Column, ...], new: tuple[Column, ...]) -> pa.Table:
    """Rows of one schema version as rows of another, column by column id.

    A renamed column takes its new name, an added one is NULL, a dropped one is left out.

    Args:
        table: in `arrow_schema(old)`, columns in that order.
    Returns: a table in `arrow_schema(new)`.
    Raises:
        InternalError: a column changed its type, or an added one is NOT NULL.
    """
    positions = {column.id: position for position, column in enumerate(old)}
    schema = arrow_schema(new)
    arrays = []
    for column, field in zip(new, schema, strict=True):
        position = positions.get(column.id)
        if position is None:
            if not column.nullable and table.num_rows:
                raise InternalError(f"column {column.name}: added as NOT NULL, old rows have none")
            arrays.append(pa.nulls(table.num_rows, field.type))
        elif table.column(position).type != field.type:
            found = table.column(position).type
            raise InternalError(f"column {column.name}: expected {field.type}, found {found}")
        else:
            arrays.append(table.column(position))
    return pa.Table.from_arrays(arrays, schema=schema)
