"""The indexes of a database's tables on this machine: opened, merged, and made anew if lost.

1. Opening a table's index fetches its runs, maps them into memory, and adds the keys of its deltas:
   no data file is read.
   Those of many partitions lie side by side, so that a write with keys of all is one search.
2. A run that is missing or damaged is no loss: the runs of the table are made anew from the key
   columns of its files, and `rebuilt` says what the catalogue has to exchange.
3. Merges keep few runs (`KeyIndex.due_merges`).

Runs are files in a directory of our own, and only as long as it takes to open them.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from actors.primary.settler import settle_now
from storage.delta import decode_rows
from storage.errors import CorruptData
from storage.ids import Ids
from storage.index_rebuild import run_of_file, run_of_files
from storage.key_rows import RowKeys, indexed, keys_in
from storage.names import log_name
from storage.objects import ObjectStore
from storage.primary_key import (
    LiveIds,
    LiveRows,
    MappedPages,
    OpenRun,
    PlacedRun,
    Run,
    TableIndex,
    WrittenRun,
    merge_runs,
    open_run,
    side_by_side,
)
from storage.schema import Key
from storage.snapshot.changes import IndexRun
from storage.snapshot.files import FileSet
from storage.snapshot.model import Delta, TableState

__all__ = ["TOGETHER_MIN", "Exchanged", "Indexes"]

FETCHES_MAX = 8
TOGETHER_MIN = 8  # partitions; runs of fewer are searched one by one

# by key and partition: names of runs that go, and the one in their place, if there are files
Exchanged = dict[tuple[int, int], tuple[tuple[str, ...], OpenRun | None]]


class Indexes:
    """Of one primary; one event loop."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        ids: Ids,
        name_prefix: Callable[[], str],
        budget_bytes: int,
        scratch: Path | None = None,
    ) -> None:
        """Args:
        name_prefix: what the name of a new run begins with (`names.index_prefix`).
        budget_bytes: of pages of runs that may be mapped at a time.
        scratch: directory for temporary files; None: the system's.
        """
        self._store = store
        self._scratch = scratch
        self._ids = ids
        self._prefix = name_prefix
        self._pages = MappedPages(budget_bytes)
        self._directory: Path | None = None  # made when it is first needed
        self._cleanup: weakref.finalize[..., Indexes] | None = None
        self._fetches = asyncio.Semaphore(FETCHES_MAX)
        self.rebuilt: dict[int, Exchanged] = {}

    async def open(self, table: TableState) -> TableIndex:
        """The index of a table. Raises what the store raises."""
        try:
            runs = await self.open_runs(table.index_runs)
        except CorruptData:
            runs = await self._rebuild(table)
        index = TableIndex.of(table, await self.together(runs), self._pages)
        return await asyncio.to_thread(_with_deltas, index, table)

    async def open_runs(self, runs: Iterable[IndexRun]) -> dict[int, list[OpenRun]]:
        """Runs, fetched and mapped, by key id. Raises CorruptData, ObjectMissing."""
        found: dict[int, list[OpenRun]] = {}
        for run, opened in await asyncio.gather(*(self._open_run(run) for run in runs)):
            found.setdefault(run.key_id, []).append((run, opened))
        return found

    async def together(self, runs: dict[int, list[OpenRun]]) -> dict[int, list[OpenRun]]:
        """The same runs; those of a key that are of many partitions side by side, which makes it
        cheap to search in all of them."""
        return {key_id: await self._together(own) for key_id, own in runs.items()}

    async def _together(self, runs: list[OpenRun]) -> list[OpenRun]:
        if len({run.partition for run, _ in runs}) < TOGETHER_MIN:
            return runs
        opened = [opened for _, opened in runs]
        placed = await asyncio.to_thread(_side_by_side, opened, self._path())
        return [(run, found) for (run, _), found in zip(runs, placed, strict=True)]

    async def merged(self, key_id: int, runs: Sequence[PlacedRun], rows: LiveRows) -> OpenRun:
        """One run, uploaded and opened, with what several of one partition have of the rows that
        are there."""
        path = self._path()
        written = await asyncio.to_thread(merge_runs, [placed.run for placed in runs], path, rows)
        first = runs[0]
        return await self.published(path, written, key_id, first.generation, first.partition)

    async def published(
        self, path: Path, written: WrittenRun, key_id: int, generation: int, partition: int
    ) -> OpenRun:
        """A run that was written to `path` as an object, opened; the file goes."""
        run = IndexRun(
            name=f"{self._prefix()}{self._ids.new()}.run",
            checksum=written.checksum,
            size_bytes=written.size_bytes,
            key_count=written.key_count,
            generation=generation,
            key_id=key_id,
            partition=partition,
        )
        await self._store.put_file(run.name, path)
        return run, await asyncio.to_thread(_opened, path, run)

    def path(self) -> Path:
        """For a file that is soon removed again."""
        return self._path()

    def close(self) -> None:
        """Remove the directory; open runs stay readable."""
        if self._cleanup is not None:
            self._cleanup()

    def _path(self) -> Path:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="mobula-index-", dir=self._scratch))
            self._cleanup = weakref.finalize(self, shutil.rmtree, self._directory, True)
        return self._directory / self._ids.new()

    async def _open_run(self, run: IndexRun) -> OpenRun:
        path = self._path()
        async with self._fetches:
            await self._store.fetch(run.name, path)
        return run, await asyncio.to_thread(_checked, path, run)

    async def _rebuild(self, table: TableState) -> dict[int, list[OpenRun]]:
        """Runs of every key, from the table's files."""
        exchanged = self.rebuilt[table.id] = await self.made_anew(table)
        runs: dict[int, list[OpenRun]] = {}
        for (key_id, _), (_, run) in exchanged.items():
            runs.setdefault(key_id, []).extend([run] if run else [])
        return runs

    async def made_anew(self, table: TableState) -> Exchanged:
        """One run for each key and partition, from the table's files, uploaded and opened; and what
        it replaces.

        Raises CorruptData, ObjectMissing: a file does not decode, or is not there; names it.
        """
        exchanged: Exchanged = {}
        by_partition = table.files.by_partition()
        for key in table.keys:
            runs = [run for run in table.index_runs if run.key_id == key.id]
            for number in sorted({run.partition for run in runs} | by_partition.keys()):
                gone = tuple(run.name for run in runs if run.partition == number)
                files = by_partition.get(number, FileSet.empty())
                exchanged[key.id, number] = (gone, await self._rebuilt(table, key, files, number))
        return exchanged

    async def _rebuilt(
        self, table: TableState, key: Key, of: FileSet, partition: int
    ) -> OpenRun | None:
        parts = []
        wanted = ["file_id", "name", "lsn_added"]
        files = of.table.select(wanted).to_pylist()
        columns = table.key_columns(key)
        for file in files:
            data, part = self._path(), self._path()
            await self._store.fetch(file["name"], data)
            await asyncio.to_thread(run_of_file, data, file["name"], file["file_id"], columns, part)
            parts.append(part)
        if not parts:
            return None
        path = self._path()
        rows = LiveRows(LiveIds.of(f["file_id"] for f in files), table.bitmaps)
        written = await asyncio.to_thread(run_of_files, parts, path, rows)
        generation = max(file["lsn_added"] for file in files)
        return await self.published(path, written, key.id, generation, partition)


def _opened(path: Path, run: IndexRun) -> Run:
    """A run that is here, mapped; its file goes."""
    try:
        return open_run(path, run.name, first_file_id=run.first_file_id)
    finally:
        path.unlink(missing_ok=True)


def _side_by_side(runs: Sequence[Run], path: Path) -> list[Run]:
    """In one mapping; its file goes."""
    try:
        return side_by_side(runs, path)
    finally:
        path.unlink(missing_ok=True)


def _checked(path: Path, run: IndexRun) -> Run:
    """The same for one that was fetched. Raises CorruptData."""
    opened = _opened(path, run)
    opened.verify(run.checksum)
    return opened


def _with_deltas(index: TableIndex, table: TableState) -> TableIndex:
    for delta in table.deltas:
        index = index.added(delta.id, indexed(_delta_keys(delta, table)))
    settle_now([index])
    return index


def _delta_keys(delta: Delta, table: TableState) -> dict[int, RowKeys]:
    rows = decode_rows(delta.rows, f"{log_name(delta.lsn)} table {table.name}")
    names = {c.id: c.name for c in table.schema_version(delta.schema_version).columns}
    renamed = rows.rename_columns(
        {names[c.id]: c.name for c in table.columns if c.id in names and names[c.id] != c.name}
    )
    return {key.id: keys_in(renamed, table.key_columns(key)) for key in table.keys}
