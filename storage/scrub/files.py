"""A micropartition against what the catalogue says of it, and the keys of its live rows.

1. Size and checksum of the whole object. If they are others, nothing of the file is believed.
2. The footer belongs to the object: name, format, schema, decimal scales, rows, stripes, tail.
3. Stripe by stripe, every column's statistics are computed again and must be the catalogue's; so
   are the keys of the first and the last row in the file's order.
4. On the way the keys of the live rows are made, and what no key may have is noticed; of a
   partitioned table also which partition takes each live row.

One stripe is in memory, and the keys of the whole file: 16 or 24 bytes for each row and key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.delete_bitmap import DeleteBitmap, position_array
from storage.errors import CorruptData
from storage.micropartition import statistics, writer
from storage.micropartition.footer import check_footer
from storage.micropartition.physical import is_scaled, to_logical
from storage.micropartition.writer import checksum_of, metadata_of
from storage.primary_key.words import Mask
from storage.schema import Column, TableSchema, arrow_type
from storage.scrub.row_keys import KeyColumns, LiveKeys
from storage.scrub.row_partitions import RowPartitions
from storage.snapshot.changes import ClusterBy
from storage.snapshot.files import ColumnStatistics, has_bounds

__all__ = ["CheckedRows", "FileToCheck", "beyond", "check_bytes", "check_file", "live_mask"]

FOOTER_TRAILER_BYTES = 8  # its length (4, little-endian) and the magic PAR1


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToCheck:
    """A micropartition as the catalogue has it.

    Attributes:
        row: of the `FileSet`.
        schema: the version that it was written with.
        deleted: its deleted rows.
        keys: of the table.
        partitions: of the table, if it has some.
    """

    row: Mapping[str, Any]
    schema: TableSchema
    deleted: DeleteBitmap | None
    keys: tuple[KeyColumns, ...]
    partitions: RowPartitions | None = None

    @property
    def name(self) -> str:
        return str(self.row["name"])

    @property
    def id(self) -> int:
        return int(self.row["file_id"])


@dataclass(slots=True, kw_only=True)
class CheckedRows:
    """What was found in rows of a file or delta: faults as (expected, found), their number, how
    many of them are live, and the live ones' keys."""

    faults: list[tuple[str, str]] = field(default_factory=list)
    row_count: int = 0
    live_count: int = 0
    keys: list[LiveKeys] = field(default_factory=list)


def check_bytes(path: Path, row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Whether a file has the size and the checksum that a row of a `FileSet` says."""
    expected = f"{row['size_bytes']} bytes with the checksum {row['checksum']}"
    size = path.stat().st_size
    if size != row["size_bytes"]:
        return expected, f"{size} bytes"
    checksum = checksum_of(path)
    return None if checksum == row["checksum"] else (expected, f"the checksum {checksum}")


def check_file(path: Path, file: FileToCheck) -> CheckedRows:
    """Check a file whose bytes are those that the catalogue says.

    Raises CorruptData: it is no micropartition of the table, or does not decode.
    """
    footer = check_footer(path, file.schema, file.name)
    found = CheckedRows(faults=list(_footer_faults(path, footer, file)))
    found.row_count = footer.num_rows
    live = live_mask(footer.num_rows, file.deleted)
    found.live_count = int(live.sum())
    found.faults += beyond(footer.num_rows, file.deleted)
    found.keys = [LiveKeys(columns) for columns in file.keys]
    columns = [_Computed(column) for column in file.schema.columns]
    first = 0
    ends: list[pa.Table] = []
    for stripe in _stripes(path, file.name):
        ends = [*(ends[:1] or [stripe.slice(0, 1)]), stripe.slice(stripe.num_rows - 1)]
        for computed in columns:
            computed.add(stripe[computed.column.name])
        part = live[first : first + stripe.num_rows]
        for key in found.keys:
            key.add(_logical(stripe, file.schema, key.columns.columns), first, part)
        found.faults += _partition_faults(stripe, file, part)
        first += stripe.num_rows
    for computed in columns:
        found.faults += computed.faults(file.row)
    found.faults += _order_faults(footer, file, ends)
    for key in found.keys:
        found.faults += key.faults()
    return found


def _partition_faults(stripe: pa.Table, file: FileToCheck, live: Mask) -> Iterator[tuple[str, str]]:
    """Live rows of a stripe that are of another partition than the file."""
    if file.partitions is None:
        return
    rows = _logical(stripe, file.schema, file.partitions.columns)
    said = np.full(stripe.num_rows, int(file.row["partition"] or 0))
    if (fault := file.partitions.fault(rows, said, live)) is not None:
        yield fault


def live_mask(count: int, deleted: DeleteBitmap | None) -> Mask:
    """For each of so many rows, whether it is live."""
    live = np.ones(count, np.bool_)
    if deleted is not None:
        positions = position_array(deleted.bitmap)
        live[positions[positions < count]] = False
    return live


def beyond(count: int, deleted: DeleteBitmap | None) -> list[tuple[str, str]]:
    """That a bitmap deletes a row which so many rows do not have."""
    if deleted is None or not deleted.deleted_count or deleted.bitmap.max() < count:
        return []
    return [(f"deleted rows among the {count} that it has", f"row {deleted.bitmap.max()} is one")]


def _stripes(path: Path, name: str) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number)
    except (pa.ArrowException, OSError) as error:
        raise CorruptData(f"{name}: the file does not decode: {error}") from error


def _logical(stripe: pa.Table, schema: TableSchema, columns: Sequence[Column]) -> pa.Table:
    """These columns in their logical types and newest names; NULL where the file has none."""
    arrays = {}
    for column in columns:
        own = schema.by_id(column.id)
        if own is None:
            arrays[column.name] = pa.nulls(stripe.num_rows, arrow_type(column.type))
        else:
            arrays[column.name] = to_logical(stripe[own.name], column.type)
    return pa.table(arrays)


def _footer_faults(
    path: Path, footer: pq.FileMetaData, file: FileToCheck
) -> Iterator[tuple[str, str]]:
    """What the footer says other than the catalogue, or the object's name."""
    said = {k.decode(): v.decode() for k, v in (footer.metadata or {}).items()}
    wanted = metadata_of(file.schema, file.name, None)
    for key in ("mobula.name", "mobula.decimal_scales"):
        if said.get(key) != wanted[key]:
            yield f"{key} {wanted[key]} in the footer", f"{said.get(key)}"
    with path.open("rb") as data:
        data.seek(-FOOTER_TRAILER_BYTES, 2)
        tail = int.from_bytes(data.read(4), "little") + FOOTER_TRAILER_BYTES
    numbers = (
        ("rows", file.row["row_count"], footer.num_rows),
        ("stripes", file.row["stripe_count"], footer.num_row_groups),
        ("bytes of footer", file.row["tail_bytes"], tail),
    )
    for what, expected, found in numbers:
        if expected != found:
            yield f"{expected} {what}, as the catalogue says", f"{found}"


def _order_faults(
    footer: pq.FileMetaData, file: FileToCheck, ends: Sequence[pa.Table]
) -> Iterator[tuple[str, str]]:
    """Where the catalogue says another order of the rows, or other keys of the first and last.

    Args: ends: stripes of one row, the first row's first and the last row's last.
    """
    said = (footer.metadata or {}).get(b"mobula.sort", b"null")
    order = msgspec.json.decode(said, type=ClusterBy | None)
    wanted = file.row.get("sort")
    if wanted is None:  # of a version that did not say it, or unsorted
        return
    text = None if order is None else order.text
    if text != wanted:
        yield f"rows sorted by {wanted}, as the catalogue says", f"{text}"
        return
    found: tuple[bytes | None, bytes | None] = (None, None)
    if order is not None and ends:
        columns = [c for i in order.column_ids if (c := file.schema.by_id(i)) is not None]
        rows = pa.concat_tables(_logical(end, file.schema, columns) for end in (ends[0], ends[-1]))
        found = writer.ends(rows, file.schema, order)
    expected = file.row.get("first_key"), file.row.get("last_key")
    if expected != found:
        keys = ["no key" if k is None else k.hex() for k in (*expected, *found)]
        yield f"rows from {keys[0]} to {keys[1]}, as the catalogue says", f"{keys[2]}, {keys[3]}"


class _Computed:
    """The statistics of one column, from its stripes."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._total: ColumnStatistics | None = None
        self._extremes: list[pa.Array] = []
        self._is_cut = has_bounds(column.type) and _has_length(arrow_type(column.type))

    def add(self, values: pa.ChunkedArray) -> None:
        """One more stripe, as the file holds it."""
        kind = self.column.type
        if has_bounds(kind):
            values = values.cast(pa.int64()) if is_scaled(kind) else to_logical(values, kind)
        if self._is_cut:  # bounds are those of the file, cut once: a stripe's own are no help
            found = pc.min_max(values)
            extremes = pa.array([found["min"].as_py(), found["max"].as_py()], values.type)
            self._extremes.append(extremes.drop_null())
            stripe = ColumnStatistics(null_count=values.null_count)
        else:
            stripe = statistics.compute(values, kind)
        self._total = stripe if self._total is None else statistics.merge(self._total, stripe)

    def faults(self, row: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        """Where the catalogue says something else."""
        said = _said(row, self.column)
        if said is None:
            return
        found = self._whole()
        names = ["null_count", "nan_count"]
        if has_bounds(self.column.type):
            names += ["min", "max", "min_exact", "max_exact", "sum"]
        different = [n for n in names if getattr(said, n) != getattr(found, n)]
        if different:
            expected = ", ".join(f"{name} {getattr(said, name)!r}" for name in different)
            values = ", ".join(f"{name} {getattr(found, name)!r}" for name in different)
            yield f"column {self.column.name}: {expected}, as the catalogue says", values

    def _whole(self) -> ColumnStatistics:
        total = self._total or ColumnStatistics(sum=0 if is_scaled(self.column.type) else None)
        if not self._extremes:
            return total
        bounds = statistics.compute(pa.chunked_array(self._extremes), self.column.type)
        return dataclasses.replace(bounds, null_count=total.null_count)


def _has_length(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))


def _said(row: Mapping[str, Any], column: Column) -> ColumnStatistics | None:
    """What the catalogue says of a column; None if it says nothing."""
    nulls = row.get(f"null_count_{column.id}")
    if nulls is None:
        return None
    total = row.get(f"sum_{column.id}")
    return ColumnStatistics(
        min=row.get(f"min_{column.id}"),
        max=row.get(f"max_{column.id}"),
        min_exact=row.get(f"min_exact_{column.id}", True),
        max_exact=row.get(f"max_exact_{column.id}", True),
        null_count=nulls,
        nan_count=row.get(f"nan_count_{column.id}") or 0,
        sum=None if total is None else int(total),
    )
