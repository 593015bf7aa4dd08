"""Compaction: files of a table rewritten, each by itself or sorted together.

1. A file of which many rows are gone is written anew by itself, so that it covers no more of the
   table's order than before; of one without a row nothing is left. The rows of one file are in
   memory at a time.
2. Files that are to be sorted together are divided first: a few rows of each say which ranges of
   the order have as many rows as one new file (`micropartition/ranges.py`), and the rows of every
   file go to their ranges, on the disk. Then range after range is sorted and written. So memory
   has one file or one range at a time, however many files there are.

Which files those are, `compaction_plan.py` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.compaction_plan import RewriteTask
from storage.delta import upgrade
from storage.errors import CorruptData
from storage.ids import Ids
from storage.ingest import FILE_BYTES_MAX, Progress, order_names
from storage.micropartition import reader
from storage.micropartition.ranges import Ranges
from storage.micropartition.writer import checksum_of
from storage.objects.base import ObjectStore
from storage.rewrite import Rewritten, living, write_again
from storage.schema import Column
from storage.snapshot.model import TableState
from storage.target import IngestTarget

__all__ = ["compact"]

SAMPLE_ROWS = 100_000  # of all files together
FULL_SHARE = 0.9  # of a file, that a range is meant to fill: few are then larger than one
_DIVIDED = pa.ipc.IpcWriteOptions(compression="lz4")


async def compact(
    store: ObjectStore,
    table: TableState,
    task: RewriteTask,
    target: IngestTarget,
    *,
    ids: Ids,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Rewritten:
    """Write the living rows of files of `table` as new ones; commits nothing.

    Args:
        target: the table's, with the order of its rows.
        scratch: directory for temporary files.
    Raises: what the store raises; CorruptData naming the object of a file that is not what it was.
    """
    target = dataclasses.replace(target, level=task.level)
    with tempfile.TemporaryDirectory(prefix="mobula-compact-", dir=scratch) as directory:
        work = _Work(store, table, task, target, Path(directory))
        parts = work.one_by_one() if task.kind == "holes" else work.ranges()
        return await write_again(
            store,
            table,
            task.file_ids,
            parts,
            target,
            ids=ids,
            scratch=Path(directory),
            progress=progress,
        )


class _Work:
    """The rows of one task, as they are read."""

    def __init__(
        self,
        store: ObjectStore,
        table: TableState,
        task: RewriteTask,
        target: IngestTarget,
        directory: Path,
    ) -> None:
        wanted = pc.is_in(
            table.files.table["file_id"], value_set=pa.array(task.file_ids, pa.int64())
        )
        columns = ["file_id", "name", "checksum", "schema_version", "row_count", "size_bytes"]
        self._files = table.files.table.select(columns).filter(wanted).to_pylist()
        self._store = store
        self._table = table
        self._target = target
        self._directory = directory

    async def one_by_one(self) -> AsyncIterator[list[pa.Table]]:
        """The living rows of one file after the other."""
        for file in self._files:
            await self._fetch(file)
            yield [await asyncio.to_thread(self._living, file)]

    async def ranges(self) -> AsyncIterator[list[pa.Table]]:
        """The living rows of all files, a range of the table's order at a time."""
        count = self._range_count()
        if count == 1:
            yield [rows async for (rows,) in self.one_by_one()]
            return
        for file in self._files:
            await self._fetch(file)
        ranges = await asyncio.to_thread(self._ranges, count)
        await asyncio.to_thread(self._divide, ranges)
        for number in range(ranges.count):
            if rows := await asyncio.to_thread(self._range, number):
                yield rows

    def _range_count(self) -> int:
        if self._target.cluster_by is None:
            return 1
        rows = sum(file["row_count"] for file in self._files)
        deleted = self._table.bitmaps
        rows -= sum(deleted[i].deleted_count for f in self._files if (i := f["file_id"]) in deleted)
        size_bytes = sum(file["size_bytes"] for file in self._files)
        full = max(rows / self._target.rows_max, size_bytes / FILE_BYTES_MAX)
        return 1 if full <= 1 else int(full / FULL_SHARE) + 1

    async def _fetch(self, file: dict[str, Any]) -> None:
        path = self._path(file)
        await self._store.fetch(file["name"], path)
        found = await asyncio.to_thread(checksum_of, path)
        if found != file["checksum"]:  # written anew, the damage would look sound
            raise CorruptData(f"{file['name']}: checksum {found}, expected {file['checksum']}")

    def _living(self, file: dict[str, Any]) -> pa.Table:
        """The rows of a file that is here, which goes."""
        path = self._path(file)
        version = file["schema_version"]
        rows = reader.read(path, self._table.schema_version(version), file["name"])
        path.unlink()
        return living(rows, file["file_id"], version, self._table)

    def _ranges(self, count: int) -> Ranges:
        order = self._target.cluster_by
        assert order is not None
        names = order_names(self._target.schema, order)
        columns = tuple(c for name in names if (c := self._table.schema.find(name)) is not None)
        step = max(sum(file["row_count"] for file in self._files) // SAMPLE_ROWS, 1)
        sample = pa.concat_tables([self._sampled(file, columns, step) for file in self._files])
        return Ranges(sample, names, order.order, count)

    def _sampled(self, file: dict[str, Any], columns: tuple[Column, ...], step: int) -> pa.Table:
        """Every so many rows of a file, in the newest columns of the order."""
        schema = self._table.schema_version(file["schema_version"])
        own = tuple(c for c in schema.columns if any(c.id == wanted.id for wanted in columns))
        rows = reader.read(self._path(file), schema, file["name"], own or schema.columns[:1])
        places = pa.array(range(step // 2, rows.num_rows, step), pa.int64())
        return upgrade(rows.take(places), own or schema.columns[:1], columns)

    def _divide(self, ranges: Ranges) -> None:
        """The rows of all files, each to the file of its range."""
        with contextlib.ExitStack() as stack:
            writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
            for file in self._files:
                rows = self._living(file)
                numbers = ranges.of(rows)
                for number in np.unique(numbers).tolist():
                    part = rows.filter(pa.array(numbers == number))
                    if number not in writers:
                        writer = pa.ipc.new_stream(
                            str(self._range_path(number)), part.schema, options=_DIVIDED
                        )
                        writers[number] = stack.enter_context(writer)
                    writers[number].write_table(part)

    def _range(self, number: int) -> list[pa.Table]:
        """The rows of a range, from its file, which goes; none if it has no rows."""
        path = self._range_path(number)
        if not path.exists():
            return []
        with pa.OSFile(str(path)) as data, pa.ipc.open_stream(data) as stream:
            rows = stream.read_all()
        path.unlink()
        return [rows]

    def _path(self, file: dict[str, Any]) -> Path:
        return self._directory / f"file-{file['file_id']}"

    def _range_path(self, number: int) -> Path:
        return self._directory / f"range-{number}"
