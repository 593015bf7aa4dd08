"""Flush: the deltas of a table become sorted micropartitions of level 0.

1. Every delta of one snapshot is decoded; its deleted rows are left out.
2. The rows are sorted in the table's order and cut, each row with the location that it had.
3. The slices are written and uploaded, with a run of each key's index.

The commit exchanges deltas for files and carries over what was deleted meanwhile (`source_map.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyroaring import FrozenBitMap

from storage.delete_bitmap import position_array
from storage.delta import decode_rows, upgrade
from storage.flush_policy import FlushPolicy
from storage.ids import Ids
from storage.ingest import IngestedFile, split, write_slices
from storage.micropartition import clustering
from storage.micropartition.live_rows import unused
from storage.names import log_name
from storage.objects.base import ObjectStore
from storage.primary_key import locations_in
from storage.snapshot.model import TableState
from storage.source_map import SourceMap
from storage.target import IngestTarget

__all__ = ["Flushed", "flush", "flush_is_due"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """What the deltas became.

    `deleted`: by delta id, the positions that were left out; `moved`: where the rows went.
    """

    delta_ids: tuple[int, ...]
    files: tuple[IngestedFile, ...]
    deleted: dict[int, FrozenBitMap]
    moved: SourceMap


def flush_is_due(policy: FlushPolicy, table: TableState, times: int = 1) -> bool:
    """Whether to flush a table now. Args: times: of the policy's bounds."""
    deltas = table.deltas
    return (
        len(deltas) >= policy.deltas_max * times
        or sum(d.row_count for d in deltas) >= policy.rows_max * times
        or sum(len(d.rows) for d in deltas) >= policy.bytes_max * times
    )


async def flush(
    store: ObjectStore,
    table: TableState,
    target: IngestTarget,
    *,
    ids: Ids,
    scratch: Path | None = None,
) -> Flushed:
    """Write the rows of all deltas of `table` as micropartitions; commits nothing.

    Args: target: the table's, with the order of its rows.
    Raises: what the store raises; CorruptData naming the log object of a delta.
    """
    slices, moved = await asyncio.to_thread(_slices, table, target)
    files = await write_slices(store, slices, target, ids=ids, scratch=scratch)
    bitmaps = {d.id: table.bitmaps[d.id] for d in table.deltas if d.id in table.bitmaps}
    return Flushed(
        delta_ids=tuple(d.id for d in table.deltas),
        files=tuple(files),
        deleted={delta_id: bitmap.bitmap for delta_id, bitmap in bitmaps.items()},
        moved=moved,
    )


def _slices(table: TableState, target: IngestTarget) -> tuple[list[pa.Table], SourceMap]:
    """The living rows, sorted and cut, and where each was and goes."""
    location = unused("location", table.schema.names)
    rows = pa.concat_tables(_living(table, location))
    if target.cluster_by is not None and rows.num_rows:
        schema = target.schema
        columns = [schema.by_id(column_id) for column_id in target.cluster_by.column_ids]
        names = [column.name for column in columns if column is not None]
        rows = clustering.sort(rows, names, target.cluster_by.order)
    found = rows[location].to_numpy().astype(np.uint64)
    slices = split(rows.drop_columns([location]), target.schema, None, target.rows_max)
    edges = np.cumsum([0, *(part.num_rows for part in slices)])
    return slices, SourceMap.of([found[a:b] for a, b in pairwise(edges)])


def _living(table: TableState, location: str) -> Sequence[pa.Table]:
    """The living rows of each delta. Args: location: a column for where each row is."""
    parts = []
    for delta in table.deltas:
        rows = decode_rows(delta.rows, f"{log_name(delta.lsn)} table {table.name}")
        if delta.schema_version != table.schema.version:
            old = table.schema_version(delta.schema_version).columns
            rows = upgrade(rows, old, table.columns)
        where = locations_in(delta.id, np.arange(rows.num_rows))
        rows = rows.append_column(location, pa.array(where))
        bitmap = table.bitmaps.get(delta.id)
        if bitmap is not None:
            keep = np.ones(rows.num_rows, dtype=np.bool_)
            keep[position_array(bitmap.bitmap)] = False
            rows = rows.filter(pa.array(keep))
        parts.append(rows)
    return parts
