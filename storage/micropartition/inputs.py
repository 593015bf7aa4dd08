"""What a scan reads, as values: files and deltas with their deleted rows, and a transaction's own.

A row's location is where it is stored: (id of the file or delta << 21) | its row there, 8 bytes.
Rows that a transaction added and that are not committed have none (NULL).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from storage.schema import Column, Kind, ScalarType
from storage.snapshot.ranges import ColumnRange

__all__ = [
    "LOCATION_RANGE",
    "ROW_BITS",
    "Chosen",
    "ScanDelta",
    "ScanFile",
    "ScanGroup",
    "location_column",
]

ROW_BITS = 21
LOCATION_RANGE = ColumnRange(0, (1 << 63) - 1, False)
_LOCATION_ID = 0  # columns of tables have ids from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFile:
    """A micropartition on this machine.

    Attributes:
        bitmap: its deleted positions, if any (`storage.delete_bitmap`).
        row_count: rows in the file, deleted ones too, as the catalogue says; None if not known:
            then it has no bitmap and nobody asks where its rows are.
        file_id: its id; only locations need it.
    """

    path: Path
    bitmap: bytes | None = None
    row_count: int | None = None
    file_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanDelta:
    """Rows of one or more deltas of a schema version, in its logical types.

    Attributes:
        deleted: the positions of deleted rows in `rows`, if any.
        pieces: of each delta, in order, its first row in `rows` and its id; only locations need it.
    """

    rows: pa.Table
    deleted: bytes | None = None
    pieces: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanGroup:
    """What a scan reads of one schema version, whose columns are `columns`."""

    columns: tuple[Column, ...]
    files: tuple[ScanFile, ...] = ()
    deltas: tuple[ScanDelta, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The rows that a scan is asked for by key: `keys`, in `arrow_schema(key)` without NULL."""

    key: tuple[Column, ...]
    keys: pa.Table


def location_column(name: str) -> Column:
    """The column of locations, as if it were one of the table."""
    return Column(id=_LOCATION_ID, name=name, type=ScalarType(Kind.BIGINT))
