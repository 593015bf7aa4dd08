"""The index of every table against its data: each live row is found at its place, exactly once.

The data is read file by file and delta by delta, by positions, so that nothing is shared with the
search but the making of a key from a row.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from actors.primary.primary import Primary
from storage.delta import decode_rows
from storage.key_rows import RowKeys, keys_in
from storage.micropartition.physical import to_logical
from storage.objects import ObjectStore
from storage.partitions.routing import PartitionIds, partition_columns, partitions_of
from storage.primary_key import MISSING, TableIndex, locations_in
from storage.schema import Column
from storage.snapshot.model import TableState

__all__ = ["check_index", "check_indexes", "live_rows"]


async def check_indexes(primary: Primary, store: ObjectStore) -> int:
    """The index that the primary has open, and the one that a successor would open. Returns the
    number of live rows of tables with keys. Nobody writes meanwhile but maintenance."""
    count = 0
    sequencer = primary._sequencer
    for table_id in list(sequencer.snapshot.tables):
        table = sequencer.snapshot.tables[table_id]
        if not table.keys:
            continue
        count += await check_index(await primary._indexes.open(table), table, store)
        if table_id in sequencer.state.indexes:
            state = sequencer.state
            known = state.snapshot.tables[table_id]
            await check_index(state.indexes[table_id], known, store)
    return count


async def check_index(index: TableIndex, table: TableState, store: ObjectStore) -> int:
    wanted = {c.name: c for key in table.keys for c in table.key_columns(key)}
    parts = [part async for part in _parts(table, store, tuple(wanted.values()))]
    for key in table.keys:
        live, dead = [], []
        for file_id, rows in parts:
            own = keys_in(rows, table.key_columns(key))
            there = ~_deleted(table, file_id, rows.num_rows)[own.positions()]
            places = locations_in(file_id, own.positions())
            found = index.find(key.id, own.keys, table)
            assert (found[there] == places[there]).all(), (table.name, key.name, file_id)
            if (partitions := _partitions(table, rows)) is not None:
                alone = index.find(key.id, own.keys, table, partitions[own.positions()])
                assert (alone == found).all(), (table.name, key.name, file_id)
            live += _words(own, there)
            dead += list(zip(_words(own, ~there), found[~there], strict=True))
        assert len(set(live)) == len(live), f"{table.name}: {key.name} is there twice"
        known = set(live)
        for word, at in dead:
            assert (at == MISSING) == (word not in known), (table.name, key.name, word)
    return sum(int((~_deleted(table, file_id, rows.num_rows)).sum()) for file_id, rows in parts)


def _partitions(table: TableState, rows: pa.Table) -> PartitionIds | None:
    if table.partitioning is None:
        return None
    return partitions_of(
        table.partitioning, rows, partition_columns(table.partitioning, table.schema)
    )


def _words(keys: RowKeys, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[bytes]:
    own = keys.keys.take(np.flatnonzero(chosen))
    low = np.zeros(len(own), np.uint64) if own.low is None else own.low
    return [h.tobytes() + x.tobytes() for h, x in zip(own.high, low, strict=True)]


def _deleted(
    table: TableState, file_id: int, count: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found = np.zeros(count, np.bool_)
    bitmap = table.bitmaps.get(file_id)
    if bitmap is not None:
        found[list(bitmap.bitmap)] = True
    return found


async def live_rows(table: TableState, store: ObjectStore) -> list[tuple[Any, ...]]:
    """All rows of a table."""
    found: list[tuple[Any, ...]] = []
    async for file_id, rows in _parts(table, store, table.columns):
        there = rows.filter(pa.array(~_deleted(table, file_id, rows.num_rows)))
        found += [tuple(row.values()) for row in there.to_pylist()]
    return found


async def _parts(
    table: TableState, store: ObjectStore, columns: Sequence[Column]
) -> AsyncIterator[tuple[int, pa.Table]]:
    """(file or delta id, these columns) of all that the table has."""
    with tempfile.TemporaryDirectory() as directory:
        for file in table.files.table.select(["file_id", "name"]).to_pylist():
            path = Path(directory) / str(file["file_id"])
            await store.fetch(file["name"], path)
            stored = pq.read_table(path, columns=[c.name for c in columns], partitioning=None)
            yield (
                file["file_id"],
                pa.table({c.name: to_logical(stored[c.name], c.type) for c in columns}),
            )
    for delta in table.deltas:
        rows = decode_rows(delta.rows, table.name)
        yield delta.id, rows.select([c.name for c in columns])
