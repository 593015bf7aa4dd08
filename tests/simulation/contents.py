"""What a snapshot of Mobula's holds, read row by row: files and deltas, less what is deleted.

Shares with Mobula's own reading the decoding of a delta and of a column, and nothing else. What a
file or delta holds is remembered, for it never changes.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Awaitable, Callable

import pyarrow as pa
import pyarrow.parquet as pq

from storage.container import checksum as digest
from storage.delta import decode_rows
from storage.errors import CorruptData
from storage.micropartition.physical import to_logical
from storage.objects import ObjectStore
from storage.snapshot.model import Snapshot, TableState
from tests.simulation.model import Row

__all__ = ["Contents", "Fetch", "fetched"]

Fetch = Callable[[str, str, int], Awaitable[bytes]]
"""(name, checksum, size in bytes) -> a micropartition's bytes, verified."""

COLUMNS = ("id", "value")


class Contents:
    """Reads snapshots. One for a world: all its processes read the same objects."""

    def __init__(self) -> None:
        self._files: dict[str, list[Row]] = {}
        self._deltas: dict[bytes, list[Row]] = {}

    async def of(self, snapshot: Snapshot, fetch: Fetch) -> dict[str, Counter[Row]]:
        """By table name. Raises what `fetch` raises."""
        return {
            table.name: Counter(await self.rows(table, fetch)) for table in snapshot.tables.values()
        }

    async def rows(self, table: TableState, fetch: Fetch) -> list[Row]:
        found: list[Row] = []
        wanted = ["file_id", "name", "checksum", "size_bytes"]
        for file in table.files.table.select(wanted).to_pylist():
            file_id = file.pop("file_id")
            found += _living(await self._file(table, fetch, **file), table, file_id)
        for delta in table.deltas:
            if delta.rows not in self._deltas:
                self._deltas[delta.rows] = _rows(decode_rows(delta.rows, table.name))
            found += _living(self._deltas[delta.rows], table, delta.id)
        return found

    async def _file(
        self, table: TableState, fetch: Fetch, name: str, checksum: str, size_bytes: int
    ) -> list[Row]:
        if name not in self._files:
            data = await fetch(name, checksum, size_bytes)
            stored = pq.read_table(io.BytesIO(data), partitioning=None)
            columns = {c.name: to_logical(stored[c.name], c.type) for c in table.columns}
            self._files[name] = _rows(pa.table(columns))
        return self._files[name]


async def fetched(store: ObjectStore, name: str, checksum: str, size_bytes: int) -> bytes:
    """A file of a store on which nothing goes wrong. Raises CorruptData."""
    data = await store.get(name)
    if digest(data) != checksum or len(data) != size_bytes:
        raise CorruptData(f"{name}: is not what the catalogue says")
    return data


def _rows(table: pa.Table) -> list[Row]:
    return list(zip(*(table[column].to_pylist() for column in COLUMNS), strict=True))


def _living(rows: list[Row], table: TableState, file_id: int) -> list[Row]:
    bitmap = table.bitmaps.get(file_id)
    if bitmap is None:
        return rows
    deleted = set(bitmap.bitmap)
    return [row for position, row in enumerate(rows) if position not in deleted]
