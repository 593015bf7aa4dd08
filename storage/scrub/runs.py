"""An index run, read back whole: its bytes, and that a search in it finds what it has.

1. Size and checksum of the object are those of the catalogue; header, trailer and size fit.
2. It has as many keys as the catalogue says, of the kind of its key.
3. Its entries are in ascending order of their keys, and no two have the same key.
4. The directory leads each key to its bucket, and no bucket is larger than the trailer says: a
   search that trusts both would pass by what is elsewhere.
5. The file ids of its locations are those that the trailer says.

It is mapped, and gone through a slice at a time. Where its entries lead is for `keys.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from storage.errors import CorruptData
from storage.primary_key import Run, Words, file_ids_of, open_run
from storage.primary_key.entries import NO_FILES, Entries
from storage.snapshot.changes import IndexRun

__all__ = ["checked_run"]

SLICE_ENTRIES = 1 << 18


def checked_run(path: Path, run: IndexRun, exact: bool) -> Run:
    """A run, mapped; its file goes.

    Args: exact: what the keys of its key are.
    Raises CorruptData: it is not what the catalogue says, or not in order.
    """
    try:
        size = path.stat().st_size
        if size != run.size_bytes:
            raise CorruptData(f"{run.name}: {size} bytes, expected {run.size_bytes}")
        opened = open_run(path, run.name, first_file_id=run.first_file_id)
    finally:
        path.unlink()
    opened.verify(run.checksum)
    if len(opened) != run.key_count:
        raise CorruptData(f"{run.name}: {len(opened)} keys, expected {run.key_count}")
    if opened.entries.exact != exact:
        kinds = ("exact", "hashed") if exact else ("hashed", "exact")
        raise CorruptData("{}: expected {} keys, found {} ones".format(run.name, *kinds))
    _check_entries(opened)
    return opened


def _check_entries(run: Run) -> None:
    entries = run.entries
    directory = entries.directory
    if (directory[1:] < directory[:-1]).any():
        raise CorruptData(f"{run.name}: the directory is not ascending")
    largest = int((directory[1:] - directory[:-1]).max())
    if largest > entries.bucket_max:
        raise CorruptData(
            f"{run.name}: a bucket has {largest} entries, expected {entries.bucket_max} at most"
        )
    last: Words | None = None
    found = NO_FILES
    for start in range(0, len(entries), SLICE_ENTRIES):
        rows = entries.rows[start : start + SLICE_ENTRIES]
        _check_order(run, rows, last)
        _check_buckets(run, rows, start)
        ids = file_ids_of(rows[:, -1])
        least, most = int(ids.min()), int(ids.max())
        found = (least, most) if found == NO_FILES else (min(least, found[0]), max(most, found[1]))
        last = rows[-1:].copy()
        run.release(start + len(rows))
    if found != entries.file_ids:
        raise CorruptData(f"{run.name}: file ids {found}, expected {entries.file_ids}")


def _check_order(run: Run, rows: Words, last: Words | None) -> None:
    """Args: last: the entry before these."""
    keys = rows[:, :-1] if last is None else np.concatenate([last, rows])[:, :-1]
    before, after = keys[:-1], keys[1:]
    ascending = before[:, 0] < after[:, 0]
    if not run.entries.exact:
        ascending |= (before[:, 0] == after[:, 0]) & (before[:, 1] < after[:, 1])
    if not ascending.all():
        raise CorruptData(f"{run.name}: the keys are not ascending")


def _check_buckets(run: Run, rows: Words, start: int) -> None:
    """Each entry is where the directory has its bucket."""
    entries: Entries = run.entries
    buckets = (rows[:, 0] >> np.uint64(64 - entries.bits)).astype(np.int64)
    at = np.arange(start, start + len(rows))
    fits = (entries.directory.take(buckets) <= at) & (at < entries.directory.take(buckets + 1))
    if not fits.all():
        raise CorruptData(f"{run.name}: the directory leads past a key")
