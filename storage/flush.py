"""Flush: the deltas of a table become sorted micropartitions of level 0."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow as pa

from storage.delta import decode_rows
from storage.flush_policy import FlushPolicy
from storage.ids import Ids
from storage.ingest import Progress
from storage.names import log_name
from storage.objects.base import ObjectStore
from storage.rewrite import Rewritten, living, write_again
from storage.snapshot.model import Delta, TableState
from storage.target import IngestTarget

__all__ = ["flush", "flush_is_due", "fullness"]


def fullness(policy: FlushPolicy, table: TableState) -> float:
    """How much of what the policy allows the deltas of a table are: a flush is due from 1 on.

    How old they are, whoever saw them come knows.
    """
    deltas = table.deltas
    if not deltas:
        return 0.0
    return max(
        len(deltas) / policy.deltas_max,
        sum(d.row_count for d in deltas) / policy.rows_max,
        sum(len(d.rows) for d in deltas) / policy.bytes_max,
    )


def flush_is_due(policy: FlushPolicy, table: TableState, times: int = 1) -> bool:
    """Whether to flush a table now. Args: times: of the policy's bounds."""
    return fullness(policy, table) >= times


async def flush(
    store: ObjectStore,
    table: TableState,
    target: IngestTarget,
    *,
    ids: Ids,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Rewritten:
    """Write the rows of all deltas of `table` as micropartitions; commits nothing.

    Args: target: the table's, with the order of its rows.
    Raises: what the store raises; CorruptData naming the log object of a delta.
    """
    gone = [delta.id for delta in table.deltas]
    parts = _living(table)
    return await write_again(
        store, table, gone, parts, target, ids=ids, scratch=scratch, progress=progress
    )


async def _living(table: TableState) -> AsyncIterator[list[pa.Table]]:
    """The living rows of all deltas at once."""
    yield await asyncio.to_thread(lambda: [_rows(delta, table) for delta in table.deltas])


def _rows(delta: Delta, table: TableState) -> pa.Table:
    rows = decode_rows(delta.rows, f"{log_name(delta.lsn)} table {table.name}")
    return living(rows, delta.id, delta.schema_version, table)
