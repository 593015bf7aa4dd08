"""The records of the log: every way in which a snapshot can change, as frozen values.

A record is encoded with MessagePack; its tag names the record and its version
(`docs/formats/log.md`). A tag that this version does not know is refused, never skipped: whoever
skips a change reads a wrong snapshot. Records change only by a new tag; old tags stay readable. A
value inside a record may gain a field with a default: old records then read as before, and older
versions refuse the field.

Catalogue records change schemas, tables, virtual warehouses, settings; table records change the
rows, bitmaps, files and index runs of one table. `apply.py` says what each of them means.
"""

from __future__ import annotations

import msgspec

from storage.errors import CorruptData
from storage.partitions.scheme import Partition, Partitioning
from storage.schema import Check, Column, EnumType, Key, StructType, TableSchema

__all__ = [
    "AddBitmaps",
    "AddColumn",
    "AddFiles",
    "AddIndexRuns",
    "AddPartition",
    "AddRows",
    "AdvanceSequence",
    "AlterVirtualWarehouse",
    "Bitmap",
    "CatalogueChange",
    "ChangeSetting",
    "ClusterBy",
    "ClusterTable",
    "CommentOn",
    "CreateSchema",
    "CreateSequence",
    "CreateTable",
    "CreateTag",
    "CreateType",
    "CreateVirtualWarehouse",
    "DropColumn",
    "DropPartition",
    "DropSchema",
    "DropSequence",
    "DropTable",
    "DropTag",
    "DropType",
    "DropVirtualWarehouse",
    "EndCollection",
    "IndexRun",
    "MoveHorizon",
    "PinBranch",
    "PlanCollection",
    "RemoveBitmaps",
    "RemoveFiles",
    "RemoveIndexRuns",
    "RemoveRows",
    "RenameColumn",
    "RenameTable",
    "SetTableOptions",
    "TableChange",
    "TableDefinition",
    "UnpinBranch",
    "VirtualWarehouse",
    "decode_catalogue_changes",
    "decode_table_changes",
    "encode_changes",
]


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a record: frozen, no unknown fields."""


# --- values ---------------------------------------------------------------------------------------


class ClusterBy(_Value, frozen=True):
    """The sort order of a table's micropartitions. `order` is "lexical" or "zorder"."""

    column_ids: tuple[int, ...]
    order: str = "lexical"

    @property
    def text(self) -> str:
        """As the file set names it: `lexical 4 1`."""
        return " ".join([self.order, *map(str, self.column_ids)])


class TableDefinition(_Value, frozen=True):
    """A table as it is created: identity, first schema version, physical options, checks.

    `comment` is the table's, `column_comments` have column ids.
    """

    id: int
    schema_id: int
    name: str
    schema: TableSchema
    cluster_by: ClusterBy | None = None
    options: dict[str, int | str] = {}
    checks: tuple[Check, ...] = ()
    comment: str | None = None
    column_comments: dict[int, str] = {}
    keys: tuple[Key, ...] = ()
    partitioning: Partitioning | None = None


class VirtualWarehouse(_Value, frozen=True):
    """The lasting settings of a virtual warehouse.

    Attributes:
        size: workers per cluster; worker_cpus: of each, also its Polars threads.
        cache_bytes: local file cache of each worker.
        worker_memory_bytes: what a worker's process may take; None: it is not limited.
        node_type: where the workers run; a name of `RaySettings.node_types`.
        min_clusters, max_clusters: while it is awake.
        scaling_policy: "standard" adds a cluster when queries wait, "economy" when one more would
            be kept busy.
        max_concurrency: queries that a cluster runs at a time; None: one per worker.
        auto_suspend_s: it gives its workers back after so long without a query; None: never.
        auto_resume: a query wakes it.
        statement_timeout_s, queue_timeout_s: of each query, all of it and waiting for a worker;
            None: what the client says.
        max_queued: queries that may wait; more are refused.
    """

    name: str
    size: int
    worker_cpus: float
    cache_bytes: int
    min_clusters: int = 1
    max_clusters: int = 1
    scaling_policy: str = "standard"
    auto_suspend_s: int | None = None
    worker_memory_bytes: int | None = None
    node_type: str = "default"
    max_concurrency: int | None = None
    auto_resume: bool = True
    statement_timeout_s: float | None = None
    queue_timeout_s: float | None = None
    max_queued: int = 1000
    comment: str | None = None


class Bitmap(_Value, frozen=True):
    """A serialised RoaringBitmap of deleted row positions of one file or delta."""

    file_id: int
    deleted_count: int
    positions: bytes


class IndexRun(_Value, frozen=True):
    """A run of a key's index: an immutable object under index/ (`docs/formats/index.md`).

    Attributes:
        generation: the LSN as of which it says where keys are; runs of later ones shadow it.
        key_id: of the `schema.Key` that it is for.
        first_file_id: added to the file ids in the run: files get theirs when they are committed.
        partition: that all of its rows are in; 0: the table has none.
    """

    name: str
    checksum: str
    size_bytes: int
    key_count: int
    generation: int
    key_id: int = 1
    first_file_id: int = 0
    partition: int = 0


# --- catalogue records ----------------------------------------------------------------------------


class CreateSchema(_Value, frozen=True, tag="create_schema.1"):
    id: int
    name: str


class DropSchema(_Value, frozen=True, tag="drop_schema.1"):
    id: int


class CreateTable(_Value, frozen=True, tag="create_table.1"):
    table: TableDefinition


class DropTable(_Value, frozen=True, tag="drop_table.1"):
    table_id: int


class RenameTable(_Value, frozen=True, tag="rename_table.1"):
    table_id: int
    name: str


class AddColumn(_Value, frozen=True, tag="add_column.1"):
    table_id: int
    column: Column


class DropColumn(_Value, frozen=True, tag="drop_column.1"):
    table_id: int
    column_id: int


class RenameColumn(_Value, frozen=True, tag="rename_column.1"):
    table_id: int
    column_id: int
    name: str


class CommentOn(_Value, frozen=True, tag="comment_on.1"):
    """On a table, or with `column_id` on a column of it; `comment` None removes it."""

    table_id: int
    column_id: int | None
    comment: str | None


class ClusterTable(_Value, frozen=True, tag="cluster_table.1"):
    """How files are sorted from now on; None: by the primary key, if there is one."""

    table_id: int
    cluster_by: ClusterBy | None


class AddPartition(_Value, frozen=True, tag="add_partition.1"):
    """Of a table by RANGE or LIST; its rows, if it begins with some, follow as a table record."""

    table_id: int
    partition: Partition


class DropPartition(_Value, frozen=True, tag="drop_partition.1"):
    """What it holds is removed by table records."""

    table_id: int
    partition_id: int


class SetTableOptions(_Value, frozen=True, tag="set_table_options.1"):
    """All options that a table has from now on."""

    table_id: int
    options: dict[str, int | str]


class CreateType(_Value, frozen=True, tag="create_type.2"):
    """A user-defined type: an ENUM or a composite."""

    id: int
    schema_id: int
    name: str
    definition: EnumType | StructType


class DropType(_Value, frozen=True, tag="drop_type.1"):
    id: int


class CreateSequence(_Value, frozen=True, tag="create_sequence.1"):
    """`low` and `high` bound its values."""

    id: int
    schema_id: int
    name: str
    start: int
    increment: int
    low: int = -(1 << 63)
    high: int = (1 << 63) - 1


class AdvanceSequence(_Value, frozen=True, tag="advance_sequence.1"):
    """Values before `next_value`, in the direction of the increment, may have been handed out."""

    id: int
    next_value: int


class DropSequence(_Value, frozen=True, tag="drop_sequence.1"):
    id: int


class CreateVirtualWarehouse(_Value, frozen=True, tag="create_virtual_warehouse.1"):
    warehouse: VirtualWarehouse


class AlterVirtualWarehouse(_Value, frozen=True, tag="alter_virtual_warehouse.1"):
    warehouse: VirtualWarehouse


class DropVirtualWarehouse(_Value, frozen=True, tag="drop_virtual_warehouse.1"):
    name: str


class ChangeSetting(_Value, frozen=True, tag="change_setting.1"):
    """`value` None removes the setting."""

    name: str
    value: str | None


class MoveHorizon(_Value, frozen=True, tag="move_horizon.1"):
    """Snapshots below `lsn` may no longer be opened."""

    lsn: int


class PlanCollection(_Value, frozen=True, tag="plan_collection.2"):
    """Objects that the collector is about to delete; no later commit may name them. Nor may it name
    one whose upload began before `upload_floor`, an LSN (`names.begun_lsn`)."""

    names: tuple[str, ...]
    upload_floor: int


class EndCollection(_Value, frozen=True, tag="end_collection.1"):
    """Planned objects that are deleted."""

    names: tuple[str, ...]


class PinBranch(_Value, frozen=True, tag="pin_branch.1"):
    """Another branch reads this one's objects at `lsn`."""

    branch_id: str
    lsn: int


class UnpinBranch(_Value, frozen=True, tag="unpin_branch.1"):
    branch_id: str


class CreateTag(_Value, frozen=True, tag="create_tag.1"):
    name: str
    lsn: int


class DropTag(_Value, frozen=True, tag="drop_tag.1"):
    name: str


CatalogueChange = (
    CreateSchema
    | DropSchema
    | CreateTable
    | DropTable
    | RenameTable
    | AddColumn
    | DropColumn
    | RenameColumn
    | ClusterTable
    | AddPartition
    | DropPartition
    | SetTableOptions
    | CommentOn
    | CreateType
    | DropType
    | CreateSequence
    | AdvanceSequence
    | DropSequence
    | CreateVirtualWarehouse
    | AlterVirtualWarehouse
    | DropVirtualWarehouse
    | ChangeSetting
    | MoveHorizon
    | PlanCollection
    | EndCollection
    | PinBranch
    | UnpinBranch
    | CreateTag
    | DropTag
)


# --- table records --------------------------------------------------------------------------------


class AddRows(_Value, frozen=True, tag="add_rows.1"):
    """A delta: `rows` is one zstd-compressed Arrow IPC stream in the table's logical types.

    `partitions`: of a partitioned table, whose rows come in the order of partitions: the id of each
    that has some, and how many.
    """

    delta_id: int
    schema_version: int
    row_count: int
    rows: bytes
    partitions: tuple[tuple[int, int], ...] = ()


class RemoveRows(_Value, frozen=True, tag="remove_rows.1"):
    """Deltas that a flush has turned into files."""

    delta_ids: tuple[int, ...]


class AddFiles(_Value, frozen=True, tag="add_files.1"):
    """Micropartitions: a `FileSet` as an Arrow IPC stream, ids and LSN already in it."""

    first_file_id: int
    file_count: int
    files: bytes


class RemoveFiles(_Value, frozen=True, tag="remove_files.1"):
    file_ids: tuple[int, ...]


class AddBitmaps(_Value, frozen=True, tag="add_bitmaps.1"):
    """Deleted positions, merged by OR into what the file or delta already has."""

    bitmaps: tuple[Bitmap, ...]


class RemoveBitmaps(_Value, frozen=True, tag="remove_bitmaps.1"):
    file_ids: tuple[int, ...]


class AddIndexRuns(_Value, frozen=True, tag="add_index_runs.1"):
    runs: tuple[IndexRun, ...]


class RemoveIndexRuns(_Value, frozen=True, tag="remove_index_runs.1"):
    names: tuple[str, ...]


TableChange = (
    AddRows
    | RemoveRows
    | AddFiles
    | RemoveFiles
    | AddBitmaps
    | RemoveBitmaps
    | AddIndexRuns
    | RemoveIndexRuns
)


_ENCODER = msgspec.msgpack.Encoder()
_CATALOGUE = msgspec.msgpack.Decoder(tuple[CatalogueChange, ...])
_TABLE = msgspec.msgpack.Decoder(tuple[TableChange, ...])


def encode_changes(changes: tuple[CatalogueChange, ...] | tuple[TableChange, ...]) -> bytes:
    """Records of one section as MessagePack."""
    return _ENCODER.encode(changes)


def decode_catalogue_changes(data: bytes, source: str) -> tuple[CatalogueChange, ...]:
    """Records of a catalogue section. Raises CorruptData naming `source`."""
    try:
        return _CATALOGUE.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptData(f"{source}: the catalogue section does not decode: {error}") from error


def decode_table_changes(data: bytes, source: str) -> tuple[TableChange, ...]:
    """Records of a table section. Raises CorruptData naming `source`."""
    try:
        return _TABLE.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptData(f"{source}: a table section does not decode: {error}") from error
