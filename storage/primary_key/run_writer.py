"""Writing a run in one pass, slice by slice, in memory that does not grow with its entries.

Only the directory is kept until the end: 4 bytes for every 8 to 16 entries that there may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import xxhash

from storage.errors import InternalError
from storage.objects.os_errors import os_errors
from storage.primary_key.entries import (
    BUCKET_ENTRIES,
    ENTRIES_MAX,
    NO_FILES,
    Directory,
    bucket_bits,
    width_of,
)
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, ROW_BITS
from storage.primary_key.run import PADDING, Trailer, header
from storage.primary_key.words import Words

__all__ = ["RunWriter", "WrittenRun", "entry_rows", "write_run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRun:
    """What `changes.IndexRun` says of a run that was written: checksum as XXH3-128 of the file."""

    checksum: str
    size_bytes: int
    key_count: int


class RunWriter:
    """Writes one run to a path; a context manager, which removes the file after an error."""

    def __init__(self, path: Path, exact: bool, entries_max: int) -> None:
        """Args: entries_max: no more entries will be appended.

        Raises: InvalidRequest, Unavailable: the file cannot be made.
        """
        if entries_max > ENTRIES_MAX:
            raise InternalError(f"{path}: {entries_max} entries are more than {ENTRIES_MAX}")
        self._path = path
        self._exact = exact
        self._counts = np.zeros(1 << bucket_bits(entries_max), np.uint32)
        self._last: tuple[int, ...] = ()
        self._count = 0
        self._file_ids = NO_FILES
        self._size_bytes = 0
        self._digest = xxhash.xxh3_128()
        with os_errors(f"index run {path}"):
            self._file = path.open("wb", buffering=0)
        self._write(header(exact))

    def append(self, rows: Words) -> None:
        """Add entries after all that were added before.

        Args: rows: shape (n, width), C-contiguous, keys ascending, no two of them equal.
        Raises:
            InternalError: they are not in order; nothing is written.
            Unavailable: the disk is full.
        """
        if not len(rows):
            return
        self._check_order(rows)
        self._last = tuple(rows[-1, :-1].tolist())
        self._count += len(rows)
        locations = rows[:, -1]
        least, most = int(locations.min()) >> ROW_BITS, int(locations.max()) >> ROW_BITS
        if self._file_ids != NO_FILES:
            least, most = min(least, self._file_ids[0]), max(most, self._file_ids[1])
        self._file_ids = least, most
        self._count_buckets(rows[:, 0])
        self._write(rows.astype("<u8", copy=False).data.cast("B"))

    def finish(self) -> WrittenRun:
        """Write what comes after the entries, and close the file."""
        directory, bucket_max = self._directory()
        trailer = Trailer(
            count=self._count,
            bits=(len(directory) - 1).bit_length() - 1,
            bucket_max=bucket_max,
            file_ids=self._file_ids,
        )
        self._write(int(MISSING).to_bytes(8, "little"))
        self._write(directory.astype("<u4", copy=False).data.cast("B"))
        self._write(PADDING + trailer.encode(self._exact))
        self._file.close()
        return WrittenRun(
            checksum=self._digest.hexdigest(), size_bytes=self._size_bytes, key_count=self._count
        )

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if error is not None:
            self._path.unlink(missing_ok=True)

    def _check_order(self, rows: Words) -> None:
        high = rows[:, 0]
        ascending = high[:-1] < high[1:]
        if not self._exact:
            ascending |= (high[:-1] == high[1:]) & (rows[:-1, 1] < rows[1:, 1])
        if not ascending.all() or tuple(rows[0, :-1].tolist()) <= self._last:
            raise InternalError(f"{self._path}: the keys are not ascending")

    def _count_buckets(self, high: Words) -> None:
        shift = np.uint64(64 - (len(self._counts).bit_length() - 1))
        buckets = (high >> shift).astype(np.int64)
        first = int(buckets[0])
        counts = np.bincount(buckets - first)
        self._counts[first : first + len(counts)] += counts.astype(np.uint32)

    def _directory(self) -> tuple[Directory, int]:
        """The directory, with fewer buckets if much fewer entries came, and the largest bucket."""
        counts = self._counts
        while len(counts) > 2 and self._count < BUCKET_ENTRIES * len(counts):
            counts = counts[::2] + counts[1::2]
        directory = np.zeros(len(counts) + 1, np.uint32)
        np.cumsum(counts, out=directory[1:], dtype=np.uint32)
        return directory, int(counts.max())

    def _write(self, data: bytes | memoryview) -> None:
        self._digest.update(data)
        self._size_bytes += len(data)
        with os_errors(f"index run {self._path}"):
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]


def entry_rows(keys: Keys, locations: Words) -> Words:
    """Keys and their locations as entries, shape (n, width), in the order of the keys.

    Equal keys stay in the order that they have.
    """
    rows = np.empty((len(keys), width_of(keys.exact)), np.uint64)
    order = keys.sorted_order()
    rows[:, 0] = keys.high.take(order)
    if keys.low is not None:
        rows[:, 1] = keys.low.take(order)
    rows[:, -1] = locations.take(order)
    return rows


def write_run(path: Path, keys: Keys, locations: Words) -> WrittenRun:
    """Write the run of these keys, no two of which are equal, in any order.

    Raises:
        InternalError: two keys are equal (`Keys.duplicates` tells which).
        InvalidRequest, Unavailable: the file cannot be written.
    """
    with RunWriter(path, keys.exact, len(keys)) as writer:
        writer.append(entry_rows(keys, locations))
        return writer.finish()
