"""What travels between clients, primary, coordinators and workers: frozen, picklable values.

Every request carries its `Session`; every write its ingest token. A `Fragment` names everything a
worker needs (files, bitmap versions, deltas, program), so that workers hold no snapshot and any
worker can run any fragment.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from storage.exports import ExportTarget
from storage.schema import Check, Column, EnumType, SqlType, StructType
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.files import FileRow
from storage.snapshot.model import IngestToken, Receipt
from storage.snapshot.ranges import ColumnRange
from storage.sources_scan import SourceScan
from storage.target import IngestTarget

__all__ = [
    "AdvanceSequence",
    "AppendFiles",
    "AppendRows",
    "CommentOnTable",
    "CommitReply",
    "DeleteRows",
    "DeltaRun",
    "DropSchema",
    "DropTable",
    "DropType",
    "DropWarehouse",
    "FileInput",
    "Fragment",
    "FragmentResult",
    "NewColumn",
    "NewIdentity",
    "NewKey",
    "NewSchema",
    "NewTable",
    "NewType",
    "NewWarehouse",
    "Operation",
    "Output",
    "QueryReply",
    "QueryStats",
    "ScanInput",
    "Session",
    "SessionFunction",
    "Statement",
    "TableInfo",
    "Transaction",
    "TruncateTable",
    "WriteMode",
    "WriteRows",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFunction:
    """A Python function that SQL of a session may call, over Arrow arrays.

    `code`: the function, as cloudpickle wrote it.
    """

    arguments: tuple[SqlType, ...]
    returns: SqlType
    code: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who asks, and how names and settings are read.

    Attributes:
        id: of one connection, for its temporary tables (`actors.temporary`); empty: it has none.
        directory: what relative paths of files begin at, absolute; empty: there are none.
    """

    id: str = ""
    user: str = "mobula"
    schema_path: tuple[str, ...] = ("public",)
    settings: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, SessionFunction] = field(default_factory=dict)
    directory: str = ""


# --- writes ---------------------------------------------------------------------------------------


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
class AdvanceSequence:
    """Take `count` values from a sequence, for whoever called `Primary.reserve`."""

    sequence_id: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendRows:
    """A small append: rows in the table's logical Arrow types, as `storage.delta` encodes them.

    `table_id` and `schema_version` are those the rows were fitted to.
    """

    table_id: int
    schema_version: int
    row_count: int
    rows: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendFiles:
    """A large append: micropartitions that are already in the store, by reference."""

    table_id: int
    files: tuple[FileRow, ...]


class WriteMode(enum.Enum):
    """What a row does to the row with the same primary key, and what if there is none."""

    INSERT = "insert"  # refused if there is one (23505)
    IGNORE = "ignore"  # left out if there is one, or one with another key of the table
    UPSERT = "upsert"  # replaces it, or is inserted
    UPDATE = "update"  # replaces it; left out if there is none
    DELETE = "delete"  # deletes it


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRows:
    """Rows for a table with keys, few enough for the log; no two of them have the same key.

    Attributes:
        table_id, schema_version: those that the rows were fitted to.
        rows: as `storage.delta` encodes them; None for DELETE.
        keys: by key id, the keys of the rows in their order, as `storage.primary_key` encodes them;
            for DELETE and UPDATE of the primary key alone if no other key is touched.
        read_lsn: the statement read at this LSN: refused (Conflict) if one of the primary keys was
            written since. None: it did not read.
    """

    table_id: int
    schema_version: int
    mode: WriteMode
    row_count: int
    rows: bytes | None
    keys: Mapping[int, bytes]
    read_lsn: int | None = None


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
class NewWarehouse:
    """CREATE WAREHOUSE, and the same from Python."""

    warehouse: VirtualWarehouse
    if_not_exists: bool = False


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
    | CommentOnTable
    | AdvanceSequence
    | AppendRows
    | AppendFiles
    | WriteRows
    | DeleteRows
    | TruncateTable
    | NewWarehouse
    | DropWarehouse
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Operations that become durable and visible together, or not at all.

    A client that does not know whether its call succeeded repeats it with the same token and gets
    the first receipt.
    """

    operations: tuple[Operation, ...]
    token: IngestToken | None = None
    session: Session = Session()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """What a client needs to fit rows to a table and to write its micropartitions."""

    table_id: int
    target: IngestTarget


# --- reads ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A SQL statement for the primary or a virtual warehouse.

    Attributes:
        parameters: values of $1, $2, … in order, or by name ($name, :name).
        min_lsn: run on a snapshot at this LSN or later (read your writes).
        timeout_ms: for reaching `min_lsn` and for running.
    """

    sql: str
    parameters: tuple[Any, ...] | Mapping[str, Any] = ()
    min_lsn: int | None = None
    timeout_ms: int = 600_000
    session: Session = Session()
    token: IngestToken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInput:
    """One micropartition of a scan."""

    name: str
    checksum: str
    size_bytes: int
    row_count: int
    stripe_count: int
    schema_version: int
    bitmap: bytes | None = None  # deleted positions, at the fragment's snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaRun:
    """Consecutive deltas of one table, as one Arrow table in logical types of one schema version.

    `key` names the content for ever, so a worker may keep what it has seen. `rows` is an Arrow
    table, or on Ray a reference to one in the node's object store. `ranges`: by column id, what
    is known of its values.
    """

    key: str
    schema_version: int
    row_count: int
    rows: Any
    ranges: Mapping[int, ColumnRange] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanInput:
    """One table of a fragment: the rows `SELECT columns` would see, under the name `alias`.

    Attributes:
        columns: in output order, with the names that the SQL uses (of the newest schema version).
        schemas: each schema version that a file or delta run names, as (version, columns).
        ranges: of each column, by id, what is known of its values in these files and deltas.
        source: files of users instead of a table's files and deltas.
        location: the name of one more column, BIGINT: where a row is.
    """

    alias: str
    columns: tuple[Column, ...]
    schemas: Mapping[int, tuple[Column, ...]]
    files: tuple[FileInput, ...] = ()
    deltas: tuple[DeltaRun, ...] = ()
    ranges: Mapping[int, ColumnRange] = field(default_factory=dict)
    source: SourceScan | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a fragment's rows go. "gather" returns them to the coordinator's caller; partitioned
    outputs ("hash" by `columns` into `partitions`) belong to distributed plans. "export" writes
    them to `export` and returns how many they were."""

    kind: str = "gather"
    columns: tuple[str, ...] = ()
    partitions: int = 1
    export: ExportTarget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """What one worker runs: a program (`actors.planner.Program`) over named inputs."""

    query_id: str
    attempt: int
    program: Any
    inputs: tuple[ScanInput, ...]
    output: Output = Output()
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryStats:
    """What a query cost. Counts are of micropartitions, stripes, rows, requests; sizes in bytes."""

    snapshot_lsn: int = 0
    files_total: int = 0
    files_scanned: int = 0
    stripes_total: int = 0
    stripes_scanned: int = 0
    rows_scanned: int = 0
    bytes_fetched: int = 0
    requests: int = 0
    cache_hits: int = 0
    result_cache_hit: bool = False
    workers: int = 0
    stages: int = 0
    queued_ms: float = 0.0
    plan_ms: float = 0.0
    execute_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentResult:
    """Rows of a fragment as a stream of Arrow batches (here: one table), and what they cost."""

    rows: Any  # pa.Table, or on Ray a reference to one
    stats: QueryStats


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitReply:
    """What a statement that writes returns: its receipt, and what it did (`CREATE TABLE`).

    `temporary`: it made a temporary table, so the session has something to drop at its end.
    """

    receipt: Receipt
    tag: str
    temporary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryReply:
    """Rows for a client (pa.Table, or on Ray a reference to one) and what they cost.

    `names` are those of the columns where they differ from the table's own, which are distinct:
    SQL allows a name twice, Ray's serialisation of Arrow tables does not. `tag`, `receipt`: of a
    statement that is no query, what it did (`COPY 3`, `UPDATE 2`), and if it wrote.
    """

    rows: pa.Table | Any
    stats: QueryStats
    names: tuple[str, ...] = ()
    tag: str = ""
    receipt: Receipt | None = None
