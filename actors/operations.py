"""What a transaction may do: operations, as frozen, picklable values.

Clients make them, the primary resolves them (`actors.primary.resolve`). Those that say "the
primary's own" never travel.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.partitions.rows import PartitionCounts
from storage.partitions.scheme import Partition, PartitionKind
from storage.primary_key import Keys, OpenRun, Words
from storage.rewrite import Rewritten
from storage.schema import Check, EnumType, SqlType, StructType
from storage.snapshot.changes import IndexRun, VirtualWarehouse
from storage.snapshot.files import FileRow

__all__ = [
    "AddPartitions",
    "AdvanceSequence",
    "AlterWarehouse",
    "AppendFiles",
    "AppendRows",
    "ChangeSetting",
    "ClusterTable",
    "Collect",
    "CommentOnTable",
    "DeleteRows",
    "DropPartitions",
    "DropSchema",
    "DropTable",
    "DropType",
    "DropWarehouse",
    "ExchangePartition",
    "ExchangeRows",
    "ExchangeRuns",
    "LoadFiles",
    "NewColumn",
    "NewIdentity",
    "NewKey",
    "NewPartitioning",
    "NewSchema",
    "NewTable",
    "NewType",
    "NewWarehouse",
    "Operation",
    "SetTableOptions",
    "TruncateTable",
    "WriteMode",
    "WriteOperation",
    "WriteRows",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIdentity:
    """GENERATED ALWAYS or BY DEFAULT AS IDENTITY, with the options of its sequence.

    What is None is as PostgreSQL has it: counting up from 1 to the largest value of the column's
    type, or down from -1 to the smallest.
    """

    always: bool
    start: int | None = None
    increment: int = 1
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewColumn:
    """A column of CREATE TABLE, before it has an id. `default`: see `schema.Column`."""

    name: str
    type: SqlType
    nullable: bool = True
    default: str | None = None
    identity: NewIdentity | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """PRIMARY KEY or UNIQUE of CREATE TABLE, its columns by name; see `schema.Key`."""

    name: str
    columns: tuple[str, ...]
    primary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPartitioning:
    """PARTITION BY of CREATE TABLE, its columns by name; see `scheme.Partitioning`. Partitions have
    no ids yet."""

    kind: PartitionKind
    columns: tuple[str, ...]
    parts: tuple[Partition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTable:
    """CREATE TABLE. `cluster_by` holds column names; `order` is "lexical" or "zorder".

    `checks` and `keys` have distinct names; whoever plans the statement names those that it leaves
    unnamed. Columns of the primary key become NOT NULL.
    `rows`: the table's first rows, fitted to its columns, whose ids count from 1 in their order,
    and to schema version 1; their `table_id` is not looked at. If the table exists already
    (`if_not_exists`), they are left out.
    """

    schema: str
    name: str
    columns: tuple[NewColumn, ...]
    cluster_by: tuple[str, ...] = ()
    order: str = "lexical"
    options: Mapping[str, int | str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    keys: tuple[NewKey, ...] = ()
    comment: str | None = None
    if_not_exists: bool = False
    partitioning: NewPartitioning | None = None
    rows: AppendRows | AppendFiles | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable:
    """DROP TABLE."""

    schema: str
    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchema:
    """CREATE SCHEMA. `temporary`: of a session's temporary tables (`actors.temporary`)."""

    name: str
    if_not_exists: bool = False
    temporary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropSchema:
    """DROP SCHEMA. Without `cascade` it must be empty; with it, all that it holds goes too."""

    name: str
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewType:
    """CREATE TYPE … AS ENUM (…) or AS (…). The name inside the definition is
    filled in by the primary."""

    schema: str
    name: str
    definition: EnumType | StructType


@dataclass(frozen=True, slots=True, kw_only=True)
class DropType:
    """DROP TYPE; refused while a column or another type has it."""

    schema: str
    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentOnTable:
    """COMMENT ON TABLE, or ON COLUMN if `column` is given; `comment` None removes it."""

    schema: str
    table: str
    column: str | None = None
    comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTable:
    """ALTER TABLE … CLUSTER BY; see `NewTable`. No columns: it has no clustering of its own."""

    schema: str
    name: str
    cluster_by: tuple[str, ...]
    order: str = "lexical"
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPartitions:
    """ALTER TABLE … ADD PARTITION, and the first half of ATTACH.

    Attributes:
        parts: without ids.
        version: of the partitioning that they were made for: refused (Conflict) if it is another.
        read_lsn: of the snapshot in which the default partition had none of their rows: refused if
            it has got rows since.
    """

    table_id: int
    parts: tuple[Partition, ...]
    version: int
    read_lsn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropPartitions:
    """ALTER TABLE … DROP PARTITION: partitions go with their rows. `if_exists`: those that are
    there."""

    table_id: int
    names: tuple[str, ...]
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTableOptions:
    """ALTER TABLE … SET (…) and RESET (…): options that get a value, and those that get the
    database's again."""

    schema: str
    name: str
    options: Mapping[str, int | str] = field(default_factory=dict)
    reset: tuple[str, ...] = ()
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangePartition:
    """ALTER TABLE … EXCHANGE PARTITION: what a partition holds and what another table holds change
    places.

    Attributes:
        partition: its name; version: see `AddPartitions`.
        files, other_files: ids of what each of them holds: refused (Conflict) if they have changed,
            or if there are rows that are not flushed.
        runs, other_runs: by key id, one run of each key for them, opened.
    """

    table_id: int
    other_id: int
    partition: str
    version: int
    files: tuple[int, ...]
    other_files: tuple[int, ...]
    runs: Mapping[int, OpenRun]
    other_runs: Mapping[int, OpenRun]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSetting:
    """A setting of the database. `value` None: as the processes' settings have it."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceSequence:
    """Take `count` values from a sequence, for whoever called `Primary.reserve`."""

    sequence_id: int
    count: int


class WriteMode(enum.Enum):
    """What a row does to the row with the same primary key, and what if there is none."""

    INSERT = "insert"  # refused if there is one (23505)
    IGNORE = "ignore"  # left out if there is one, or one with another key of the table
    UPSERT = "upsert"  # replaces it, or is inserted
    UPDATE = "update"  # replaces it; left out if there is none
    DELETE = "delete"  # deletes it


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendRows:
    """A small append: rows in the table's logical Arrow types, as `storage.delta` encodes them.

    `table_id` and `schema_version` are those the rows were fitted to.
    `partitions`, `partitioning`: of a partitioned table, whose rows come in the order of
    partitions: how many each has (`storage.partitions.rows`), and the version that says so.
    """

    table_id: int
    schema_version: int
    row_count: int
    rows: bytes
    partitions: PartitionCounts = ()
    partitioning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendFiles:
    """A large write: micropartitions that are already in the store, by reference.

    Attributes:
        mode: what the rows do in a table with keys; INSERT in one without.
        runs: of each file of a table with keys, the runs of its keys by key id; their locations
            are in file 0.
        read_lsn: see `WriteRows`.
        partitioning: the version that the rows were divided by; 0: the table has no partitions.
    """

    table_id: int
    files: tuple[FileRow, ...]
    mode: WriteMode = WriteMode.INSERT
    runs: tuple[Mapping[int, IndexRun], ...] = ()
    read_lsn: int | None = None
    partitioning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRows:
    """Rows for a table with keys, few enough for the log; no two of them have the same key.

    Attributes:
        table_id, schema_version: those that the rows were fitted to.
        rows: as `storage.delta` encodes them; None for DELETE.
        keys: by key id, the keys of the rows as `storage.key_rows` encodes them; for DELETE of the
            primary key alone.
        read_lsn: the statement read at this LSN: refused (Conflict) if one of the primary keys was
            written since. None: it did not read.
        partitions, partitioning: see `AppendRows`; keys to delete that are of no partition come
            first, as of partition 0.
    """

    table_id: int
    schema_version: int
    mode: WriteMode
    row_count: int
    rows: bytes | None
    keys: Mapping[int, tuple[bytes, bytes | None]]
    read_lsn: int | None = None
    partitions: PartitionCounts = ()
    partitioning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRows:
    """Rows of a table deleted by where they are: of tables without a primary key.

    `positions`: by id of the file or delta, a RoaringBitmap of row positions, as of `read_lsn`.
    Refused (Conflict) if one of the rows is not there any more.
    """

    table_id: int
    positions: Mapping[int, bytes]
    read_lsn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TruncateTable:
    """TRUNCATE: every row leaves; `restart_identity` also begins its identity columns anew."""

    table_id: int
    restart_identity: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRows:
    """A flush or compaction that has written its files: they take the place of the deltas and files
    that it read. The primary's own.

    Attributes:
        kind: "flush" or "compact".
        read_lsn: of the snapshot that it read.
        runs: of its files, opened, by key id; locations are in file 0 and on.
    """

    kind: str
    table_id: int
    read_lsn: int
    rewritten: Rewritten
    runs: Mapping[int, tuple[OpenRun, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRuns:
    """Runs of one key's index that were merged, or made anew: `made` takes the place of `gone`."""

    table_id: int
    key_id: int
    gone: tuple[str, ...]
    made: OpenRun | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """What the collector logs before and after it deletes. The primary's own.

    Attributes:
        horizon: the oldest version that can be opened; None: as it is.
        planned: objects that it is about to delete.
        upload_floor: uploads that began before this LSN are over; None: as it is.
        ended: planned objects that are deleted.
    """

    horizon: int | None = None
    planned: tuple[str, ...] = ()
    upload_floor: int | None = None
    ended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFiles:
    """`AppendFiles` for a table with keys, checked against what was there at an LSN. The primary's
    own (`actors.primary.bulk`).

    Attributes:
        runs: by key id, one for each partition; locations are in file 0 and on.
        gone: locations of the rows that are replaced, as of `checked_lsn`.
        left_out: rows of the files that are not written; locations in file 0 and on.
        checked_lsn: of what they were compared with.
        read_lsn: see `WriteRows`.
        stored_bytes: of the files, and of all runs that were written for them.
        written, late: keys written since `checked_lsn` and since `read_lsn`, by key id; filled in
            when its turn has come.
    """

    table_id: int
    files: tuple[FileRow, ...]
    mode: WriteMode
    runs: Mapping[int, tuple[OpenRun, ...]]
    gone: Words
    left_out: Words
    checked_lsn: int
    stored_bytes: int = 0
    read_lsn: int | None = None
    partitioning: int = 0
    written: Mapping[int, Keys] = field(default_factory=dict)
    late: Mapping[int, Keys] = field(default_factory=dict)


WriteOperation = AppendRows | AppendFiles | WriteRows  # what a frame becomes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWarehouse:
    """CREATE WAREHOUSE, and the same from Python."""

    warehouse: VirtualWarehouse
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterWarehouse:
    """ALTER WAREHOUSE … SET. `changes`: new values of fields of `VirtualWarehouse`, by name."""

    name: str
    changes: Mapping[str, Any]
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropWarehouse:
    """DROP WAREHOUSE."""

    name: str
    if_exists: bool = False


Operation = (
    NewTable
    | DropTable
    | NewSchema
    | DropSchema
    | NewType
    | DropType
    | ClusterTable
    | SetTableOptions
    | CommentOnTable
    | ChangeSetting
    | AdvanceSequence
    | AppendRows
    | AppendFiles
    | WriteRows
    | DeleteRows
    | TruncateTable
    | AddPartitions
    | DropPartitions
    | ExchangePartition
    | ExchangeRows
    | ExchangeRuns
    | LoadFiles
    | Collect
    | NewWarehouse
    | AlterWarehouse
    | DropWarehouse
)
