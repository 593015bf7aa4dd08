"""The micropartitions of one table at one snapshot, as Arrow columns.

A `FileRow` describes one micropartition when it is written. A `FileSet` holds the rows of all live
files of a table as one Arrow table, so that pruning looks at a hundred thousand files in a few
vectorised comparisons, and so that checkpoints and log records carry the same bytes
(`docs/formats/checkpoint.md`).

Statistics columns are named by column id: `min_7`, `max_7`, `min_exact_7`, `max_exact_7`,
`null_count_7`, `nan_count_7`, `sum_7`. A file that was written before a column existed has nulls
there: "nothing known", which never prunes. Types without an order that bounds could use
(`has_bounds`) have nulls in min and max likewise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.errors import CorruptData, InternalError
from storage.schema import (
    SCALED_PRECISION_MAX,
    ArrayType,
    Column,
    DecimalType,
    Kind,
    ScalarType,
    SqlType,
    StructType,
    arrow_type,
    is_integer,
)

__all__ = [
    "ColumnStatistics",
    "FileRow",
    "FileSet",
    "Mask",
    "Numbers",
    "has_bounds",
    "statistics_type",
]

CHUNKS_MAX = 64  # a FileSet with more Arrow chunks than this is copied into one
SELECTION_FILES_MAX = 16  # a selection of more files is not remembered
SELECTIONS_MAX = 256

Mask = npt.NDArray[np.bool_]
Numbers = tuple[npt.NDArray[np.int64], Mask | None]  # and where they are known; None: everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStatistics:
    """What is known of one column of one micropartition.

    Attributes:
        min, max: bounds of the values that are neither NULL nor NaN, in the column's *statistics
            type* (`statistics_type`); None when there is no such value or no finite bound.
        min_exact, max_exact: False when a long text was cut, so that the bound is not a value.
        null_count, nan_count: rows.
        sum: exact sum of an integer or scaled-decimal column (scaled like min and max), else None.
    """

    min: Any = None
    max: Any = None
    min_exact: bool = True
    max_exact: bool = True
    null_count: int = 0
    nan_count: int = 0
    sum: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One micropartition, as the catalogue keeps it; file id and LSN are given at commit."""

    name: str  # unique object name under data/
    checksum: str  # xxh3-128 of the whole object, 32 hexadecimal characters
    size_bytes: int
    tail_bytes: int  # Bloom filters and footer: one suffix read of this length brings both
    row_count: int
    stripe_count: int
    schema_version: int
    level: int
    partition: str | None
    statistics: Mapping[int, ColumnStatistics]  # by column id
    sort: str | None = None  # how its rows are sorted: `ClusterBy.text`
    first_key: bytes | None = None  # of a lexical order: `micropartition/order_key.py`
    last_key: bytes | None = None


def statistics_type(sql_type: SqlType) -> pa.DataType:
    """The Arrow type of a column's min and max.

    Integers and DECIMAL(p<=18) as (scaled) int64, DECIMAL(p>18) as itself, REAL and DOUBLE as
    float64, texts and ENUM as large_string, others as they are.
    """
    match sql_type:
        case DecimalType(precision, _):
            return pa.int64() if precision <= SCALED_PRECISION_MAX else arrow_type(sql_type)
        case ScalarType(Kind.REAL | Kind.DOUBLE):
            return pa.float64()
        case _:
            return pa.int64() if is_integer(sql_type) else arrow_type(sql_type)


def has_bounds(sql_type: SqlType) -> bool:
    """Whether files have a min and max of a column of the type; a count of NULLs they always have.

    JSON has no order, and of JSONB, INTERVAL, arrays and composites the order is not that of their
    bytes.
    """
    match sql_type:
        case ScalarType(Kind.JSON | Kind.JSONB | Kind.INTERVAL) | ArrayType() | StructType():
            return False
        case _:
            return True


_FIXED = [
    pa.field("file_id", pa.int64(), nullable=False),
    pa.field("lsn_added", pa.int64(), nullable=False),
    pa.field("name", pa.string(), nullable=False),
    pa.field("checksum", pa.string(), nullable=False),
    pa.field("size_bytes", pa.int64(), nullable=False),
    pa.field("tail_bytes", pa.int64(), nullable=False),
    pa.field("row_count", pa.int64(), nullable=False),
    pa.field("stripe_count", pa.int32(), nullable=False),
    pa.field("schema_version", pa.int32(), nullable=False),
    pa.field("level", pa.int8(), nullable=False),
    pa.field("partition", pa.string()),
]
# those that files written by earlier versions do not have
_LATER = [
    pa.field("sort", pa.string()),
    pa.field("first_key", pa.binary()),
    pa.field("last_key", pa.binary()),
]


def _statistics_fields(column: Column) -> list[pa.Field]:
    counts = [
        pa.field(f"null_count_{column.id}", pa.int64()),
        pa.field(f"nan_count_{column.id}", pa.int64()),
    ]
    if not has_bounds(column.type):
        return counts
    bound = statistics_type(column.type)
    return [
        pa.field(f"min_{column.id}", bound),
        pa.field(f"max_{column.id}", bound),
        pa.field(f"min_exact_{column.id}", pa.bool_()),
        pa.field(f"max_exact_{column.id}", pa.bool_()),
        *counts,
        pa.field(f"sum_{column.id}", pa.decimal128(38, 0)),
    ]


def _statistics_values(column: Column, statistics: ColumnStatistics | None) -> dict[str, Any]:
    if statistics is None:
        return {}
    total = statistics.sum
    return {
        f"min_{column.id}": statistics.min,
        f"max_{column.id}": statistics.max,
        f"min_exact_{column.id}": statistics.min_exact,
        f"max_exact_{column.id}": statistics.max_exact,
        f"null_count_{column.id}": statistics.null_count,
        f"nan_count_{column.id}": statistics.nan_count,
        f"sum_{column.id}": None if total is None else Decimal(total),
    }


@dataclass(frozen=True, slots=True)
class FileSet:
    """The live micropartitions of a table: one row each, immutable.

    `memo` keeps what was computed from the rows (sums by name; by column id, see `ranges.py`); it
    is no part of the value.
    """

    table: pa.Table
    memo: dict[int | str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def empty(cls) -> FileSet:
        return cls(pa.schema(_FIXED + _LATER).empty_table())

    @classmethod
    def of(
        cls, rows: Sequence[FileRow], columns: Iterable[Column], *, first_id: int, lsn: int
    ) -> FileSet:
        """File rows as Arrow; ids are dense from `first_id`.

        Args:
            columns: the table's columns; statistics of other ids are an InternalError.
        """
        known = list(columns)
        schema = pa.schema(_FIXED + _LATER + [f for c in known for f in _statistics_fields(c)])
        ids = {c.id for c in known}
        records = []
        for offset, row in enumerate(rows):
            if unknown := set(row.statistics) - ids:
                raise InternalError(f"{row.name}: statistics of unknown columns {sorted(unknown)}")
            record: dict[str, Any] = {
                "file_id": first_id + offset,
                "lsn_added": lsn,
                "name": row.name,
                "checksum": row.checksum,
                "size_bytes": row.size_bytes,
                "tail_bytes": row.tail_bytes,
                "row_count": row.row_count,
                "stripe_count": row.stripe_count,
                "schema_version": row.schema_version,
                "level": row.level,
                "partition": row.partition,
                "sort": row.sort,
                "first_key": row.first_key,
                "last_key": row.last_key,
            }
            for column in known:
                record |= _statistics_values(column, row.statistics.get(column.id))
            records.append(record)
        return cls(pa.Table.from_pylist(records, schema=schema))

    @classmethod
    def decode(cls, data: bytes, source: str) -> FileSet:
        """From an Arrow IPC stream. Raises CorruptData naming `source`."""
        try:
            table = pa.ipc.open_stream(data).read_all()
        except pa.ArrowException as error:
            raise CorruptData(f"{source}: file rows do not decode: {error}") from error
        for known in _FIXED:
            if table.schema.get_field_index(known.name) < 0:
                raise CorruptData(f"{source}: file rows lack the column {known.name}")
        for later in _LATER:
            if table.schema.get_field_index(later.name) < 0:
                table = table.append_column(later, pa.nulls(table.num_rows, later.type))
        return cls(table)

    def encode(self) -> bytes:
        """As an Arrow IPC stream."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.table.schema) as writer:
            writer.write_table(self.table)
        return bytes(sink.getvalue())

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def names(self) -> list[str]:
        return list(self.table["name"].to_pylist())

    @property
    def row_count(self) -> int:
        return self._sum("row_count")

    def row_counts(self, file_ids: Collection[int]) -> dict[int, int]:
        """By file id, rows of these files; ids that are not there are left out."""
        if not file_ids:
            return {}
        mask = pc.is_in(self.table["file_id"], value_set=pa.array(file_ids, pa.int64()))
        found = self.table.select(["file_id", "row_count"]).filter(mask)
        return dict(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def numbers(self, name: str) -> npt.NDArray[np.int64]:
        """A column that every file has a number in, which is to be read only."""
        memo = f"all numbers of {name}"
        if memo not in self.memo:
            self.memo[memo] = self.table[name].to_numpy().astype(np.int64)
        found: npt.NDArray[np.int64] = self.memo[memo]
        return found

    @property
    def stripe_count(self) -> int:
        return self._sum("stripe_count")

    @property
    def size_bytes(self) -> int:
        return self._sum("size_bytes")

    @property
    def schema_versions(self) -> frozenset[int]:
        """Those that files were written with."""
        if "schema_versions" not in self.memo:
            found = pc.unique(self.table["schema_version"]).to_pylist()
            self.memo["schema_versions"] = frozenset(found)
        versions: frozenset[int] = self.memo["schema_versions"]
        return versions

    @property
    def partitions(self) -> npt.NDArray[np.int64]:
        """Per file, the id of its partition; 0: its table has none."""
        if "partitions" not in self.memo:
            numbers = pc.fill_null(self.table["partition"], "0").cast(pa.int64())
            self.memo["partitions"] = numbers.to_numpy()
        found: npt.NDArray[np.int64] = self.memo["partitions"]
        return found

    def by_partition(self) -> dict[int, FileSet]:
        """The files of each partition that has some, by its id, ascending."""
        if "by partition" not in self.memo:
            numbers = self.partitions
            whole = not len(numbers) or bool((numbers == numbers[0]).all())
            self.memo["by partition"] = (
                {int(number): self for number in numbers[:1]}
                if whole
                else {
                    number: FileSet(self.table.filter(pa.array(numbers == number)))
                    for number in np.unique(numbers).tolist()
                }
            )
        found: dict[int, FileSet] = self.memo["by partition"]
        return found

    def _sum(self, name: str) -> int:
        if name not in self.memo:
            self.memo[name] = int(pc.sum(self.table[name]).as_py() or 0)
        total: int = self.memo[name]
        return total

    def added(self, other: FileSet) -> FileSet:
        """Both sets; the statistics columns are the union."""
        table = pa.concat_tables([self.table, other.table], promote_options="default")
        many = table.column(0).num_chunks > CHUNKS_MAX
        found = FileSet(table.combine_chunks() if many else table)
        if (parts := self._parts_to_keep()) is not None:
            for number, more in other.by_partition().items():
                part = parts.get(number)
                parts[number] = more if part is None else part.added(more)
            found.memo["by partition"] = dict(sorted(parts.items()))
        return found

    def removed(self, file_ids: Iterable[int]) -> FileSet:
        """Without the files of these ids. Raises InternalError for an id that is not there."""
        gone = pa.array(sorted(file_ids), pa.int64())
        mask = pc.is_in(self.table["file_id"], value_set=gone)
        if (pc.sum(mask).as_py() or 0) != len(gone):
            raise InternalError(f"files {gone.to_pylist()} are not all live")
        found = FileSet(self.table.filter(pc.invert(mask)))
        if (parts := self._parts_to_keep()) is not None:
            for number in np.unique(self.partitions[mask.to_numpy()]).tolist():
                table = parts.pop(number).table
                left = table.filter(pc.invert(pc.is_in(table["file_id"], value_set=gone)))
                if left.num_rows:
                    parts[number] = FileSet(left)
            found.memo["by partition"] = dict(sorted(parts.items()))
        return found

    def _parts_to_keep(self) -> dict[int, FileSet] | None:
        """What is known of partitions, for the set after a change, in which most are the same."""
        known: dict[int, FileSet] = self.memo.get("by partition", {})
        return dict(known) if len(known) > 1 else None

    def selected(self, mask: Mask) -> FileSet:
        """The files whose mask is true. A few files are the same object when they are selected
        again: what was computed of them is still known."""
        positions = np.flatnonzero(mask)
        if len(positions) > SELECTION_FILES_MAX:
            return FileSet(self.table.filter(pa.array(mask)))
        known: dict[bytes, FileSet] = self.memo.setdefault("selections", {})
        name = positions.tobytes()
        found = known.get(name)
        if found is None:
            if len(known) >= SELECTIONS_MAX:
                known.clear()
            found = known[name] = FileSet(self.table.take(pa.array(positions)).combine_chunks())
        return found

    def statistic(self, name: str) -> Numbers | None:
        """A column of statistics as numbers, which are to be read only; moments and days are
        counted as Arrow does. None: there is no such column, or it has neither."""
        memo = f"numbers of {name}"
        if memo not in self.memo:
            self.memo[memo] = _numbers(self.table, name)
        found: Numbers | None = self.memo[memo]
        return found

    @property
    def ids(self) -> tuple[int, ...]:
        """Of all files."""
        if "ids" not in self.memo:
            self.memo["ids"] = tuple(self.table["file_id"].to_pylist())
        ids: tuple[int, ...] = self.memo["ids"]
        return ids


def _numbers(table: pa.Table, name: str) -> Numbers | None:
    position = table.schema.get_field_index(name)
    if position < 0:
        return None
    values = table.column(position)
    kind = values.type
    if pa.types.is_date32(kind):
        values = values.cast(pa.int32())
    elif pa.types.is_timestamp(kind):
        values = values.cast(pa.int64())
    elif not pa.types.is_signed_integer(kind):
        return None
    known = None if not values.null_count else values.is_valid().to_numpy()
    return pc.fill_null(values, 0).to_numpy().astype(np.int64), known
