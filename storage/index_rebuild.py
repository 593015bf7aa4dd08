"""Runs made anew from the data, when an index is lost: the key columns of every file are read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import CorruptData
from storage.key_rows import keys_in
from storage.micropartition.physical import to_logical
from storage.primary_key import (
    LiveRows,
    Run,
    WrittenRun,
    locations_in,
    merge_runs,
    open_run,
    write_run,
)
from storage.schema import Column

__all__ = ["run_of_file", "run_of_files"]

OPEN_MAX = 64


def run_of_file(
    path: Path, name: str, file_id: int, columns: tuple[Column, ...], target: Path
) -> None:
    """Write the run of one key of one micropartition.

    Args:
        path, name: the file on this machine, which goes, and the object that it is.
        columns: of the key, as of the file's schema version; at least one must be in it.
        target: where the run goes; its locations have the file's id.
    Raises CorruptData: the file does not decode, or two of its rows have the same key.
    """
    try:
        stored = pq.read_table(path, columns=[c.name for c in columns], partitioning=None)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise CorruptData(f"{name}: the key columns do not decode: {error}") from error
    finally:
        path.unlink()
    rows = pa.table({c.name: to_logical(stored[c.name], c.type) for c in columns})
    found = keys_in(rows, columns)
    if (twice := found.keys.duplicates()) is not None:
        first, second = (int(found.positions()[position]) for position in twice)
        names = ", ".join(c.name for c in columns)
        raise CorruptData(f"{name}: rows {first} and {second} have the same key ({names})")
    write_run(target, found.keys, locations_in(file_id, found.positions()))


def run_of_files(parts: Iterable[Path], target: Path, rows: LiveRows) -> WrittenRun:
    """Merge the runs of files, which go, into one. Args: rows: those that are there.

    No more than `OPEN_MAX` are mapped at a time: a process may not have that many open files.
    """
    left = deque(parts)
    while len(left) > OPEN_MAX:
        some = [_taken(left.popleft()) for _ in range(OPEN_MAX)]
        merged = target.with_name(f"{target.name}-{len(left)}")
        merge_runs(some, merged, rows)
        left.append(merged)
    return merge_runs([_taken(part) for part in left], target, rows)


def _taken(part: Path) -> Run:
    """A run, mapped; its file goes."""
    opened = open_run(part)
    part.unlink()
    return opened
