"""A snapshot: the whole database at one LSN, as immutable values.

A snapshot is a pure function of a checkpoint and the log behind it (`apply.py`); nothing else makes
one. Snapshots share what they have in common, so keeping many costs little.

The small values in it (`msgspec.Struct`) stand in checkpoints as they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from storage.delete_bitmap import DeleteBitmap
from storage.errors import CorruptData
from storage.partitions.scheme import Partitioning
from storage.schema import Check, Column, EnumType, Key, StructType, TableSchema
from storage.snapshot.changes import Bitmap, ClusterBy, IndexRun, VirtualWarehouse
from storage.snapshot.files import FileSet, has_bounds
from storage.snapshot.graveyard import Grave

__all__ = [
    "PRIVATE_LSN",
    "PUBLIC",
    "PUBLIC_ID",
    "Delta",
    "IngestToken",
    "Receipt",
    "Sequence",
    "Snapshot",
    "TableState",
    "UserType",
]

PUBLIC = "public"  # the schema that every database has
PUBLIC_ID = 1
PRIVATE_LSN = 1 << 62  # of what an open transaction has written: no log object has it


class IngestToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a write repeatable: a writer's name and its own sequence number, from 1."""

    writer: str
    sequence: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a commit returns. `row_counts` has one number per operation of the transaction."""

    lsn: int
    tso: int
    row_counts: tuple[int, ...]


class Delta(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows committed in the log and not yet flushed; see `changes.AddRows`."""

    id: int
    lsn: int
    schema_version: int
    row_count: int
    rows: bytes
    partitions: tuple[tuple[int, int], ...] = ()

    def slices(self) -> Iterator[tuple[int, int, int]]:
        """The partitions that have rows, each with the first of them and the one behind the last; a
        delta of a table without partitions is one slice, of partition 0."""
        start = 0
        for partition, count in self.partitions or ((0, self.row_count),):
            yield partition, start, start + count
            start += count


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """One table at one snapshot. Deltas and files share one id space (`next_file_id`)."""

    id: int
    schema_id: int
    name: str
    schemas: tuple[TableSchema, ...]  # every version, oldest first
    cluster_by: ClusterBy | None = None
    options: Mapping[str, int | str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    keys: tuple[Key, ...] = ()
    partitioning: Partitioning | None = None
    comment: str | None = None
    column_comments: Mapping[int, str] = field(default_factory=dict)  # by column id
    next_column_id: int
    next_file_id: int = 1
    deltas: tuple[Delta, ...] = ()
    files: FileSet = field(default_factory=FileSet.empty)
    bitmaps: Mapping[int, DeleteBitmap] = field(default_factory=dict)  # by id of file or delta
    index_runs: tuple[IndexRun, ...] = ()

    @property
    def schema(self) -> TableSchema:
        """The newest schema version."""
        return self.schemas[-1]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.schemas[-1].columns

    def schema_version(self, version: int) -> TableSchema:
        """The schema as of that version. Raises KeyError."""
        for schema in self.schemas:
            if schema.version == version:
                return schema
        raise KeyError(version)

    @property
    def primary_key(self) -> Key | None:
        return next((key for key in self.keys if key.primary), None)

    @property
    def sort_order(self) -> ClusterBy | None:
        """The order of rows in files: as CLUSTER BY says, else by the primary key if it has one
        that statistics can bound."""
        if self.cluster_by is not None or self.primary_key is None:
            return self.cluster_by
        columns = self.key_columns(self.primary_key)
        if not all(has_bounds(column.type) for column in columns):
            return None
        return ClusterBy(column_ids=self.primary_key.column_ids)

    def key_columns(self, key: Key) -> tuple[Column, ...]:
        """The columns of a key, in its order."""
        found = tuple(self.schema.by_id(column_id) for column_id in key.column_ids)
        return tuple(column for column in found if column is not None)

    @property
    def stored_row_count(self) -> int:
        """Rows of files and deltas, deleted ones included."""
        return self.files.row_count + sum(d.row_count for d in self.deltas)

    @property
    def row_count(self) -> int:
        """Live rows: files and deltas less deleted positions."""
        return self.stored_row_count - sum(b.deleted_count for b in self.bitmaps.values())

    def deleted_count(self, number: int) -> int:
        """Deleted rows of a file or delta."""
        found = self.bitmaps.get(number)
        return 0 if found is None else found.deleted_count

    def stored_row_counts(self, ids: Collection[int]) -> dict[int, int]:
        """By id, rows of these files and deltas, deleted ones included; ids not there are left
        out."""
        found = self.files.row_counts(ids)
        for wanted in ids:
            position = bisect_left(self.deltas, wanted, key=lambda delta: delta.id)
            if position < len(self.deltas) and self.deltas[position].id == wanted:
                found[wanted] = self.deltas[position].row_count
        return found

    def deleting(self, bitmaps: Iterable[Bitmap], source: str) -> TableState:
        """With the positions in `bitmaps` deleted, besides those that are already.

        Raises:
            CorruptData: naming `source`: a bitmap does not decode, is of no file or delta of the
                table, or has a position that it does not have.
        """
        added = tuple(bitmaps)
        merged = dict(self.bitmaps)
        row_counts = self.stored_row_counts([b.file_id for b in added if b.file_id not in merged])
        for bitmap in added:
            number, what = bitmap.file_id, f"{source} table {self.name} file {bitmap.file_id}"
            old = merged.get(number)
            if old is not None:
                merged[number] = old.merged(bitmap.positions, what)
            elif number in row_counts:
                merged[number] = DeleteBitmap.decode(
                    number, row_counts[number], bitmap.positions, what
                )
            else:
                raise CorruptData(f"{what}: rows are deleted of a file that is not live")
        return replace(self, bitmaps=merged)


class UserType(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A type made by CREATE TYPE: an ENUM or a composite. Columns hold `definition` itself."""

    id: int
    schema_id: int
    name: str
    definition: EnumType | StructType


class Sequence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sequence of values in [low, high].

    Those before `next_value` (in the direction of `increment`) may have been handed out; none of
    them ever is again, so there may be gaps.
    """

    id: int
    schema_id: int
    name: str
    next_value: int
    increment: int
    low: int = -(1 << 63)
    high: int = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The database at `lsn`. LSN 0 is the empty database before its first group."""

    database_id: str
    branch_id: str
    lsn: int = 0
    tso: int = 0
    epoch: int = 0
    checksum: str = ""  # of the log object at `lsn`: the next one must name it
    next_id: int = PUBLIC_ID + 1  # schemas, tables, types and sequences share one id space
    schemas: Mapping[int, str] = field(default_factory=lambda: {PUBLIC_ID: PUBLIC})
    tables: Mapping[int, TableState] = field(default_factory=dict)
    types: Mapping[int, UserType] = field(default_factory=dict)
    sequences: Mapping[int, Sequence] = field(default_factory=dict)
    virtual_warehouses: Mapping[str, VirtualWarehouse] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    # writer -> sequence -> first receipt
    tokens: Mapping[str, Mapping[int, Receipt]] = field(default_factory=dict)
    horizon: int = 0  # versions below can no longer be opened
    graveyard: tuple[Grave, ...] = ()  # what newer versions do not read, by LSN
    planned: frozenset[str] = frozenset()  # objects that the collector is about to delete
    collected: frozenset[str] = frozenset()  # deleted ones that an upload could still name
    upload_floor: int = 0  # no commit names an object whose upload began before this LSN
    branch_pins: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)

    def schema_id(self, name: str) -> int | None:
        """The id of the schema of that name, or None."""
        return next((i for i, known in self.schemas.items() if known == name), None)

    def find_table(self, name: str, schema: str = PUBLIC) -> TableState | None:
        """The table of that name, or None. Names are compared exactly (already folded)."""
        schema_id = self.schema_id(schema)
        for table in self.tables.values():
            if table.name == name and table.schema_id == schema_id:
                return table
        return None

    def find_type(self, name: str, schema: str = PUBLIC) -> UserType | None:
        """The user-defined type of that name, or None."""
        schema_id = self.schema_id(schema)
        for found in self.types.values():
            if found.name == name and found.schema_id == schema_id:
                return found
        return None
