"""Rewriting: rows of a table that move to new micropartitions, and what was deleted meanwhile.

1. A task reads rows of one snapshot, each with the location that it has there.
2. They are sorted in the table's order, cut, and written as micropartitions, with a run of each
   key's index.
3. The commit exchanges what was read for what was written. Rows that others have deleted since the
   snapshot are deleted where they are now (`source_map.py`): it refuses nobody, and is never too
   late.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyroaring import FrozenBitMap

from storage.delete_bitmap import DeleteBitmap, position_array
from storage.delta import upgrade
from storage.ids import Ids
from storage.ingest import IngestedFile, Progress, order_names, split, write_slices
from storage.micropartition import clustering
from storage.micropartition.live_rows import unused
from storage.objects.base import ObjectStore
from storage.primary_key import Words, locations_in
from storage.snapshot.model import TableState
from storage.source_map import SourceMap
from storage.target import IngestTarget

__all__ = ["Rewritten", "living", "write_again"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What deltas and files became.

    Attributes:
        gone: their ids.
        files: the new ones.
        deleted: by id, the positions that were left out.
        moved: where the rows went.
    """

    gone: tuple[int, ...]
    files: tuple[IngestedFile, ...]
    deleted: Mapping[int, FrozenBitMap]
    moved: SourceMap


def living(rows: pa.Table, file_id: int, version: int, table: TableState) -> pa.Table:
    """The living rows of a file or delta in the table's newest schema, with one more column, the
    last: where each is."""
    if version != table.schema.version:
        rows = upgrade(rows, table.schema_version(version).columns, table.columns)
    where = locations_in(file_id, np.arange(rows.num_rows))
    rows = rows.append_column(unused("location", rows.column_names), pa.array(where))
    bitmap = table.bitmaps.get(file_id)
    return rows if bitmap is None else rows.filter(pa.array(_kept(bitmap, rows.num_rows)))


def _kept(bitmap: DeleteBitmap, row_count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    keep = np.ones(row_count, dtype=np.bool_)
    keep[position_array(bitmap.bitmap)] = False
    return keep


async def write_again(
    store: ObjectStore,
    table: TableState,
    gone: Iterable[int],
    parts: AsyncIterable[list[pa.Table]],
    target: IngestTarget,
    *,
    ids: Ids,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Rewritten:
    """Write rows as micropartitions; commits nothing.

    Args:
        gone: the files and deltas that they come from.
        parts: what is sorted and cut together, as `living` gives it, of one partition; as many as
            fill one file are in memory at a time, at least one.
        target: the table's, with the order of its rows.
        progress: called with the rows stored so far.
    Raises: what the store raises, and what `parts` raises.
    """
    files: list[IngestedFile] = []
    sources: list[Words] = []
    before = 0

    def told(rows_done: int) -> None:
        if progress is not None:
            progress(before + rows_done)

    async def write(slices: list[pa.Table]) -> None:
        nonlocal before
        files.extend(
            await write_slices(store, slices, target, ids=ids, scratch=scratch, progress=told)
        )
        before += sum(one.num_rows for one in slices)

    waiting: list[pa.Table] = []  # small parts are written side by side
    async for part in parts:
        if sum(rows.num_rows for rows in (*waiting, *part)) > target.rows_max and waiting:
            await write(waiting)
            waiting = []
        slices, found = await asyncio.to_thread(_slices, part, target)
        waiting += slices
        sources += found
    if waiting:
        await write(waiting)
    known = tuple(gone)
    return Rewritten(
        gone=known,
        files=tuple(files),
        deleted={i: table.bitmaps[i].bitmap for i in known if i in table.bitmaps},
        moved=SourceMap.of(sources),
    )


def _slices(part: list[pa.Table], target: IngestTarget) -> tuple[list[pa.Table], list[Words]]:
    """Rows sorted and cut, and of each slice where they were."""
    rows = pa.concat_tables(part)
    location = rows.column_names[-1]
    if target.cluster_by is not None and rows.num_rows:
        names = order_names(target.schema, target.cluster_by)
        rows = clustering.sort(rows, names, target.cluster_by.order)
    found = rows[location].to_numpy().astype(np.uint64)
    slices = split(rows.drop_columns([location]), target.schema, None, target.rows_max)
    edges = np.cumsum([0, *(one.num_rows for one in slices)])
    return slices, [found[a:b] for a, b in pairwise(edges)]
