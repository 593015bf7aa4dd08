"""Turning rows into micropartitions in the store, in parallel and in bounded memory.

1. Rows are fitted to the table (`target.py`) and gathered in a buffer of bounded size.
2. A full buffer is divided by partitions, sorted if the table is clustered, and cut into slices of
   at most so many rows and so many (estimated) file bytes.
3. A few encoders at a time write slices to temporary files, in threads, and upload them.

4. A table with keys gets a run of each key's index for each file, made of the same rows.

The result is files, for one commit to refer to. Until that commit nobody sees them; a load that
fails leaves objects that nothing refers to, and the collector removes them.

The same functions run in the caller's process and inside Ray tasks, one per source file: apart from
the store, which each process opens for itself, arguments are plain picklable values.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from storage.errors import InternalError
from storage.ids import Ids
from storage.key_rows import RowKeys, row_keys
from storage.micropartition import clustering, writer
from storage.objects.base import ObjectStore
from storage.objects.options import StoreOptions
from storage.partitions.routing import NOWHERE, partition_columns, partitions_of
from storage.partitions.rows import parted
from storage.primary_key import write_run
from storage.schema import TableSchema
from storage.snapshot.changes import ClusterBy, IndexRun
from storage.snapshot.files import FileRow
from storage.sources_format import PARQUET_READING, SourceReading
from storage.sources_rows import fitted_rows
from storage.target import MICROPARTITION_ROWS, IngestTarget

__all__ = [
    "BUFFER_BYTES",
    "FILE_BYTES_MAX",
    "IngestedFile",
    "load_file",
    "order_names",
    "slices_of",
    "split",
    "write_slices",
    "write_table",
]

FILE_BYTES_MAX = 64 << 20
BUFFER_BYTES = 256 << 20
ENCODERS = 2
SMALL_BYTES = 4 << 20  # of files that spend more time on their way than in the making,
UPLOADS = 8  # and of which so many are uploaded at a time
SAMPLE_SLICES = 8
SAMPLE_SLICE_ROWS = 8192

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestedFile:
    """A micropartition in the store, and the runs of its keys by key id.

    Locations in a run are in file 0; `generation` is 0. Commit says what they are.
    """

    row: FileRow
    runs: Mapping[int, IndexRun] = field(default_factory=dict)


def split(
    table: pa.Table,
    schema: TableSchema,
    cluster_by: ClusterBy | None = None,
    rows_max: int = MICROPARTITION_ROWS,
    bytes_max: int = FILE_BYTES_MAX,
) -> list[pa.Table]:
    """Rows in clustering order, cut into nearly equal slices, each fit for one micropartition.

    Args:
        table: in `arrow_schema(schema.columns)`.
        rows_max: of a slice.
        bytes_max: of a slice's file, as estimated by encoding a sample.
    Returns: slices in order; none for an empty table.
    """
    if table.num_rows == 0:
        return []
    if cluster_by is not None:
        table = clustering.sort(table, order_names(schema, cluster_by), cluster_by.order)
    limit = min(rows_max, _rows_within(table, schema, bytes_max))
    count = -(-table.num_rows // limit)
    edges = [table.num_rows * part // count for part in range(count + 1)]
    return [table.slice(a, b - a) for a, b in pairwise(edges)]


async def write_table(
    store: ObjectStore,
    table: pa.Table,
    target: IngestTarget,
    *,
    ids: Ids,
    encoders: int = ENCODERS,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> list[IngestedFile]:
    """Write rows as micropartitions and upload them.

    Args:
        table: in `arrow_schema(target.schema.columns)` (see `fit`).
        encoders: micropartitions in the making at any time; each holds its slice and a file.
        scratch: directory for temporary files; None: the system's.
        progress: called with the number of rows uploaded so far, in the event loop's thread.
    Returns: files in the order of the rows.
    Raises: what the store raises; then no file is returned, though objects may exist.
    """
    slices = await asyncio.to_thread(slices_of, table, target)
    return await write_slices(
        store, slices, target, ids=ids, encoders=encoders, scratch=scratch, progress=progress
    )


async def write_slices(
    store: ObjectStore,
    slices: Sequence[pa.Table],
    target: IngestTarget,
    *,
    ids: Ids,
    encoders: int = ENCODERS,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> list[IngestedFile]:
    """Write slices that `split` has made, a micropartition each; see `write_table`."""
    async with _encoding(
        store, target, ids=ids, encoders=encoders, scratch=scratch, progress=progress
    ) as pool:
        for rows in slices:
            await pool.submit(rows)
        return await pool.finish()


async def load_file(
    store: ObjectStore,
    url: str,
    target: IngestTarget,
    *,
    ids: Ids,
    reading: SourceReading = PARQUET_READING,
    source_options: StoreOptions | None = None,
    buffer_bytes: int = BUFFER_BYTES,
    encoders: int = ENCODERS,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> list[IngestedFile]:
    """Stream one source file (`sources.expand_source` finds them) into micropartitions.

    Args:
        reading: how the file is read; by default as Parquet.
        source_options: how to enter the source's S3 server.
        buffer_bytes: Arrow memory gathered before it is sorted and cut; more memory, wider order.
        encoders, scratch, progress: as for `write_table`.
    Raises:
        InvalidRequest: the file does not read, or its rows do not fit; names file and position.
        Unavailable: a server does not answer.
    """
    async with _encoding(
        store, target, ids=ids, encoders=encoders, scratch=scratch, progress=progress
    ) as pool:
        parts = fitted_rows(url, source_options, target, reading)
        buffers = _buffers(parts, target, buffer_bytes)
        while (rows := await asyncio.to_thread(next, buffers, None)) is not None:
            slices = await asyncio.to_thread(slices_of, rows, target)
            del rows  # sorting has copied them
            for part in slices:
                await pool.submit(part)
        return await pool.finish()


# --- cutting --------------------------------------------------------------------------------------


def order_names(schema: TableSchema, cluster_by: ClusterBy) -> list[str]:
    """The columns that rows are sorted by, most significant first."""
    columns = [schema.by_id(column_id) for column_id in cluster_by.column_ids]
    if None in columns:
        raise InternalError(f"clustering by columns {cluster_by.column_ids}: not all exist")
    return [column.name for column in columns if column is not None]


def slices_of(table: pa.Table, target: IngestTarget) -> list[pa.Table]:
    """`split`, as a target has it: every slice has rows of one partition.

    Raises InvalidRequest (23514): a row has no partition.
    """
    parts = parted(table, target.partitioning, target.schema, target.table_name, target.attached)
    return [
        one
        for part in parts
        for one in split(part, target.schema, target.cluster_by, target.rows_max)
    ]


def _partition(rows: pa.Table, target: IngestTarget) -> int:
    """The partition of a slice: that of its first row."""
    if target.partitioning is None:
        return NOWHERE
    columns = partition_columns(target.partitioning, target.schema)
    found = int(partitions_of(target.partitioning, rows.slice(0, 1), columns)[0])
    if found == NOWHERE:
        raise InternalError(f"table {target.table_name}: a slice of rows without a partition")
    return found


def _rows_within(table: pa.Table, schema: TableSchema, bytes_max: int) -> int:
    """How many rows make a file of about `bytes_max`, at least 1."""
    if table.nbytes <= bytes_max:
        return int(table.num_rows)
    step = max(table.num_rows // SAMPLE_SLICES, 1)
    starts = range(0, table.num_rows, step)
    sample = pa.concat_tables([table.slice(s, min(step, SAMPLE_SLICE_ROWS)) for s in starts])
    encoded = writer.encoded_bytes(sample, schema)
    return max(bytes_max * int(sample.num_rows) // encoded, 1)


def _buffers(
    fitted: Iterator[pa.Table], target: IngestTarget, buffer_bytes: int
) -> Iterator[pa.Table]:
    """Fitted rows, in tables of about `buffer_bytes` each.

    Without clustering a table also ends when it fills a micropartition: gathering more gains
    nothing.
    """
    parts: list[pa.Table] = []
    rows = size_bytes = 0
    for part in fitted:
        parts.append(part)
        rows += part.num_rows
        size_bytes += part.nbytes
        filled = target.cluster_by is None and rows >= target.rows_max
        if filled or size_bytes >= buffer_bytes:
            yield _drained(parts)
            rows = size_bytes = 0
    if parts:
        yield _drained(parts)


def _drained(parts: list[pa.Table]) -> pa.Table:
    """One table of all parts, which the list then no longer keeps alive."""
    table = pa.concat_tables(parts)
    parts.clear()
    return table


# --- encoding -------------------------------------------------------------------------------------


class _Pool:
    """Slices being encoded and uploaded, at most `encoders` at a time; `submit` waits for room.
    Small ones make room for others while they are uploaded."""

    def __init__(
        self,
        store: ObjectStore,
        target: IngestTarget,
        *,
        ids: Ids,
        encoders: int,
        directory: Path,
        progress: Progress | None,
    ) -> None:
        self._store = store
        self._target = target
        self._ids = ids
        self._directory = directory
        self._progress = progress
        self._room = asyncio.Semaphore(encoders)
        self._uploads = asyncio.Semaphore(UPLOADS)
        self._threads = ThreadPoolExecutor(encoders, "mobula-encoder")
        self._tasks: list[asyncio.Task[IngestedFile]] = []
        self._rows_done = 0

    async def submit(self, rows: pa.Table) -> None:
        """Start a slice when there is room. Raises the error of an earlier slice."""
        await self._room.acquire()
        for task in self._tasks:
            if task.done():
                task.result()
        self._tasks.append(asyncio.create_task(self._run(rows)))

    async def finish(self) -> list[IngestedFile]:
        """All files, in the order of `submit`. Raises the first error."""
        return await asyncio.gather(*self._tasks)

    async def abandon(self) -> None:
        """Stop what is still running and wait for it, threads included: they write files."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def _run(self, rows: pa.Table) -> IngestedFile:
        try:
            file = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._encode, rows
            )
            del rows
            small = file.row.size_bytes <= SMALL_BYTES
            if small:
                await self._uploads.acquire()
            else:
                await self._upload(file)
        finally:
            self._room.release()
        if small:
            try:
                await self._upload(file)
            finally:
                self._uploads.release()
        self._rows_done += file.row.row_count
        if self._progress is not None:
            self._progress(self._rows_done)
        return file

    async def _upload(self, file: IngestedFile) -> None:
        for name in (file.row.name, *(run.name for run in file.runs.values())):
            path = self._path(name)
            await self._store.put_file(name, path)
            path.unlink()

    def _encode(self, rows: pa.Table) -> IngestedFile:
        """The files of one slice, in the directory."""
        target = self._target
        name = target.object_name(self._ids)
        number = _partition(rows, target)
        row = writer.write(
            rows,
            target.schema,
            name,
            self._path(name),
            level=target.level,
            partition=str(number) if number else None,
            sort=target.cluster_by,
        )
        keys = row_keys(rows, target.schema, target.keys, target.table_name)
        return IngestedFile(
            row=row, runs={k: self._run_of(k, found, number) for k, found in keys.items()}
        )

    def _run_of(self, key_id: int, keys: RowKeys, partition: int) -> IndexRun:
        name = self._target.run_name(self._ids)
        locations = keys.positions().astype(np.uint64)  # in file 0: its commit numbers it
        written = write_run(self._path(name), keys.keys, locations)
        return IndexRun(
            name=name,
            checksum=written.checksum,
            size_bytes=written.size_bytes,
            key_count=written.key_count,
            generation=0,
            key_id=key_id,
            partition=partition,
        )

    def _path(self, name: str) -> Path:
        return self._directory / Path(name).name


@asynccontextmanager
async def _encoding(
    store: ObjectStore,
    target: IngestTarget,
    *,
    ids: Ids,
    encoders: int,
    scratch: Path | None,
    progress: Progress | None,
) -> AsyncIterator[_Pool]:
    # `abandon` waits for encoders; only a second cancellation meanwhile may leave one writing.
    with tempfile.TemporaryDirectory(
        prefix="mobula-ingest-", dir=scratch, ignore_cleanup_errors=True
    ) as directory:
        place = Path(directory)
        pool = _Pool(store, target, ids=ids, encoders=encoders, directory=place, progress=progress)
        try:
            yield pool
        finally:
            await pool.abandon()
