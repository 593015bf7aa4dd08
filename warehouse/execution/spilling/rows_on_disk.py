"""`StoredRows`: rows of a relation in files of the spill space, written as they are computed.

The files are Arrow IPC, compressed by LZ4, which keep every carrier as it is. Rows are written
whole or divided by a number that each row has; those with equal numbers keep their order. Polars
holds only a small batch for each file that is open, so memory does not depend on how many rows
there are.
"""

from __future__ import annotations

import contextlib
import errno
import math
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import polars as pl

from storage.errors import Cancelled
from storage.spill_space import SpillSpace

__all__ = ["StoredRows", "divided", "joined", "stored"]

BATCH_ROWS = 8_192
BATCH_ROWS_MIN = 256
BATCHES_BYTES = 32 << 20  # of all open files together
FILE_SHARE = 16  # of memory, what the rows of a file take: blocks are made of whole files
FILE_BYTES_MIN = 64 << 10
OPEN_FILES_MAX = 64  # that we keep open beside Polars
PART = "part"
_NO_SPACE = f"os error {errno.ENOSPC}"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file. `size_bytes`: about what its rows take in memory."""

    path: Path
    row_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Rows in files, in the order of the files."""

    schema: pl.Schema
    files: tuple[StoredFile, ...]

    @property
    def row_count(self) -> int:
        """How many rows."""
        return sum(file.row_count for file in self.files)

    @property
    def size_bytes(self) -> int:
        """About what they take in memory."""
        return sum(file.size_bytes for file in self.files)

    @property
    def row_bytes(self) -> float:
        """About what one of them takes."""
        return self.size_bytes / max(self.row_count, 1)

    def frame(self) -> pl.LazyFrame:
        """The rows; a frame that reads the files when it runs."""
        if not self.files:
            return pl.LazyFrame(schema=self.schema)
        return pl.scan_ipc([file.path for file in self.files], glob=False)

    def blocks(self, size_bytes: int) -> list[StoredRows]:
        """The rows in pieces of about this size, at least one file each."""
        found: list[list[StoredFile]] = []
        held = 0
        for file in self.files:
            if not found or held + file.size_bytes > size_bytes:
                found.append([])
                held = 0
            found[-1].append(file)
            held += file.size_bytes
        return [StoredRows(self.schema, tuple(files)) for files in found]

    def remove(self) -> None:
        """Delete the files. Frames that are open already keep reading."""
        for file in self.files:
            file.path.unlink(missing_ok=True)


def joined(schema: pl.Schema, several: Iterable[StoredRows]) -> StoredRows:
    """The rows of all, one after the other."""
    return StoredRows(schema, tuple(file for rows in several for file in rows.files))


def stored(frame: pl.LazyFrame, space: SpillSpace) -> StoredRows:
    """The rows of a frame, computed now.

    Raises: PolarsError with the fault of a row; OutOfMemory (53100): the disk is full.
    """
    schema = frame.collect_schema()
    if not len(schema):
        raise ValueError("a frame without columns has no rows to keep")
    return _written(frame, schema, space, None).get(0, StoredRows(schema, ()))


def divided(frame: pl.LazyFrame, part: pl.Expr, space: SpillSpace) -> Mapping[int, StoredRows]:
    """The rows by the number that `part` gives them; numbers without rows are absent.

    Args: part: Int32, never NULL, the same each time it is computed.
    Errors as of `stored`.
    """
    return _written(frame, frame.collect_schema(), space, part)


def _written(
    frame: pl.LazyFrame, schema: pl.Schema, space: SpillSpace, part: pl.Expr | None
) -> dict[int, StoredRows]:
    with contextlib.closing(_Folder(space, is_divided=part is not None)) as folder:
        target = pl.PartitionBy(
            folder.path,
            file_path_provider=folder.place,
            key=None if part is None else {PART: part},
            include_key=None if part is None else False,
            approximate_bytes_per_file=max(FILE_BYTES_MIN, space.limits.memory_bytes // FILE_SHARE),
        )
        _sink(frame, target, _batch_rows(schema, space.limits.partitions), space)
    space.wrote(folder.path)
    return {
        number: StoredRows(schema, tuple(_files([found[index] for index in sorted(found)])))
        for number, found in sorted(folder.paths.items())
    }


class _Folder:
    """Opens the files of one sink, since Polars asks for them from its threads.

    Polars gets open files, not paths: it would make a path, directories included, after the query
    has failed and its space is closed. It writes to copies of their descriptors.
    """

    def __init__(self, space: SpillSpace, *, is_divided: bool) -> None:
        self.path = space.folder()
        self.paths: dict[int, dict[int, Path]] = {}  # by number and index
        self._space = space
        self._is_divided = is_divided
        self._opened: deque[IO[bytes]] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def place(self, given: Any) -> IO[bytes]:
        """The next file of a number."""
        with self._lock:
            return self._place(given)

    def _place(self, given: Any) -> IO[bytes]:
        if self._closed:  # the sink has failed, and one of its threads does not know yet
            raise Cancelled("the query is over")
        self._space.check()
        number = int(given.partition_keys.item()) if self._is_divided else 0
        index = given.index_in_partition
        path = self.path / f"{number}.{index}.arrow"
        self.paths.setdefault(number, {})[index] = path
        while len(self._opened) >= OPEN_FILES_MAX:
            self._opened.popleft().close()
        self._opened.append(path.open("wb", buffering=0))
        return self._opened[-1]

    def close(self) -> None:
        """Close the files; Polars has its own descriptors."""
        with self._lock:
            self._closed = True
            while self._opened:
                self._opened.popleft().close()


def _sink(frame: pl.LazyFrame, target: pl.PartitionBy, rows: int, space: SpillSpace) -> None:
    try:
        frame.sink_ipc(
            target,
            compression="lz4",
            record_batch_size=rows,
            maintain_order=True,
            engine="streaming",
            optimizations=pl.QueryOptFlags(join_order=False),
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        if _NO_SPACE in str(error) or getattr(error, "errno", None) == errno.ENOSPC:
            raise space.full("the disk is full") from error
        raise


def _files(paths: list[Path]) -> Iterable[StoredFile]:
    """Each with what it holds: the rows are counted, their size is that of a batch of them."""
    if not paths:
        return
    sample = pl.scan_ipc(paths[0], glob=False).head(BATCH_ROWS).collect()
    width = sample.estimated_size() / max(sample.height, 1)
    for path in paths:
        count = pl.scan_ipc(path, glob=False).select(pl.len()).collect().item()
        yield StoredFile(path, count, max(math.ceil(count * width), path.stat().st_size))


def _batch_rows(schema: pl.Schema, files: int) -> int:
    width = 16 * max(len(schema), 1)
    return max(BATCH_ROWS_MIN, min(BATCH_ROWS, BATCHES_BYTES // (files * width)))
