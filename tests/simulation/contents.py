"""What a snapshot of Mobula's holds, read row by row: files and deltas, less what is deleted.

Shares with Mobula's own reading the decoding of a delta and of a column, and nothing else. What a
file or delta holds is remembered, for it never changes.
"""

from __future__ import annotations

import io
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq

from storage.container import checksum
from storage.delta import decode_rows
from storage.errors import CorruptData
from storage.micropartition.physical import to_logical
from storage.objects import ObjectStore
from storage.snapshot.model import Snapshot, TableState
from tests.simulation.model import Row

__all__ = ["Contents"]

COLUMNS = ("id", "value")


class Contents:
    """Reads snapshots. One for a world: all its processes read the same objects."""

    def __init__(self) -> None:
        self._files: dict[str, list[Row]] = {}
        self._deltas: dict[tuple[str, int, int], list[Row]] = {}

    async def of(self, snapshot: Snapshot, store: ObjectStore) -> dict[str, Counter[Row]]:
        """By table name. Raises what the store raises; CorruptData."""
        return {
            table.name: Counter(await self.rows(table, store)) for table in snapshot.tables.values()
        }

    async def rows(self, table: TableState, store: ObjectStore) -> list[Row]:
        found: list[Row] = []
        for file in table.files.table.select(["file_id", "name", "checksum"]).to_pylist():
            rows = await self._file(file["name"], file["checksum"], table, store)
            found += _living(rows, table, file["file_id"])
        for delta in table.deltas:
            known = (table.name, table.id, delta.id)
            if delta.lsn >= 1 << 62:  # of an open transaction: it may be made anew
                rows = _rows(decode_rows(delta.rows, table.name))
            elif (rows := self._deltas.get(known, [])) == []:
                rows = self._deltas[known] = _rows(decode_rows(delta.rows, table.name))
            found += _living(rows, table, delta.id)
        return found

    async def _file(
        self, name: str, expected: str, table: TableState, store: ObjectStore
    ) -> list[Row]:
        if name not in self._files:
            data = await store.get(name)
            if checksum(data) != expected:
                raise CorruptData(f"{name}: checksum {checksum(data)}, expected {expected}")
            stored = pq.read_table(io.BytesIO(data), partitioning=None)
            columns = {c.name: to_logical(stored[c.name], c.type) for c in table.columns}
            self._files[name] = _rows(pa.table(columns))
        return self._files[name]


def _rows(table: pa.Table) -> list[Row]:
    return list(zip(*(table[column].to_pylist() for column in COLUMNS), strict=True))


def _living(rows: list[Row], table: TableState, file_id: int) -> list[Row]:
    bitmap = table.bitmaps.get(file_id)
    if bitmap is None:
        return rows
    deleted = set(bitmap.bitmap)
    return [row for position, row in enumerate(rows) if position not in deleted]
