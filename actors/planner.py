"""What the coordinator and the primary need to know of SQL, as a protocol.

The implementation lives in `warehouse.planning` and is injected by `connect`: this package never
parses SQL. A statement is parsed first (`Parsed` says which snapshots it wants), the caller
resolves those versions against the log, and `plan` turns the statement into one of the plans below.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from actors.fragments import QueryStats
from actors.messages import Statement
from actors.observed import Observed
from actors.operations import NewTable, Operation
from actors.program import Program
from storage.exports import ExportTarget
from storage.micropartition.inputs import Chosen
from storage.partitions.scheme import Partition
from storage.schema import Column
from storage.snapshot.files import FileSet
from storage.snapshot.model import Snapshot, TableState
from storage.snapshot.ranges import ColumnRange
from storage.sources_format import SourceReading
from storage.sources_scan import SourceScan
from storage.target import RowRules

__all__ = [
    "AddPartitionsPlan",
    "AtLsn",
    "AtTimestamp",
    "CallPlan",
    "CopyFromPlan",
    "CopyToPlan",
    "CreateAsPlan",
    "ExchangePartitionPlan",
    "ExplainPlan",
    "GivenRows",
    "InsertPlan",
    "Latest",
    "ModifyPlan",
    "OnConflictPlan",
    "Parsed",
    "Plan",
    "PlannedScan",
    "Planner",
    "QueryPlan",
    "RowAction",
    "RowLayout",
    "RowsPlan",
    "SourcePlan",
    "VacuumPlan",
    "Verb",
    "Version",
    "WritePlan",
]


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest snapshot the reader has."""


@dataclass(frozen=True, slots=True)
class AtLsn:
    """AS OF LSN n."""

    lsn: int


@dataclass(frozen=True, slots=True)
class AtTimestamp:
    """AS OF TIMESTAMP: the greatest TSO not above this wall time (ms since 1970, UTC)."""

    unix_ms: int


Version = Latest | AtLsn | AtTimestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """What a statement that commits with its token is told to have done.

    Attributes:
        tag: `CREATE TABLE`, `INSERT 0`.
        counted: the number of rows follows it.
        moves: its rows may be deleted and inserted again, and be counted as both (UPDATE).
        returning: it returns rows.
        temporary: see `CommitReply`.
    """

    tag: str
    counted: bool = False
    moves: bool = False
    returning: bool = False
    temporary: bool = False

    def rows(self, row_counts: Sequence[int]) -> int:
        """How many rows it wrote, by its receipt."""
        return max(row_counts, default=0) if self.moves else sum(row_counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A parsed statement.

    Attributes:
        writes: True for DDL, DML and CALL: only the primary takes it.
        opens_files: planning it looks at files of users, which may take a while.
        versions: the snapshots that `plan` wants; always contains `Latest()`.
        tree: the planner's own form of the statement.
        observes: names of `observed.OBSERVED`, whose records `plan` wants.
        verb: None: it commits nothing with its token.
    """

    statement: Statement
    writes: bool
    versions: frozenset[Version]
    tree: Any
    opens_files: bool = False
    observes: frozenset[str] = frozenset()
    verb: Verb | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedScan:
    """One table of a query: its state at one snapshot and what pruning left of it.

    Attributes:
        predicate: the conditions that pruned it, as text for EXPLAIN, or None.
        partitions: of the table, ids of those that may have rows that are wanted; None: any.
        location, chosen: see `fragments.ScanInput`.
    """

    alias: str
    table: TableState
    columns: tuple[Column, ...]
    files: FileSet
    predicate: str | None = None
    location: str | None = None
    chosen: Chosen | None = None
    partitions: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRows:
    """Rows that are in memory, as one input of a query: whoever runs the query gives them, in
    `arrow_schema(columns)`."""

    alias: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan:
    """Files of users as one table of a query.

    `columns`: those that the query reads, in the types that the files give (texts are TEXT).
    `ranges`: see `fragments.ScanInput`.
    """

    alias: str
    columns: tuple[Column, ...]
    source: SourceScan
    ranges: Mapping[int, ColumnRange]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """A SELECT as a program over the aliases of its scans, of the files that it reads, and of the
    rows that it is given."""

    program: Program
    scans: tuple[PlannedScan, ...]
    result_names: tuple[str, ...]
    sources: tuple[SourcePlan, ...] = ()
    given: GivenRows | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainPlan:
    """EXPLAIN [ANALYZE] of a query, or of a statement that changes rows.

    `change`: what is done with the query's rows, as lines of text.
    """

    query: QueryPlan
    analyze: bool
    change: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsPlan:
    """A statement answered from the catalogue alone (SHOW, DESCRIBE)."""

    rows: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePlan:
    """A statement that is a transaction (DDL). `tag`: what it does; `temporary`: `CommitReply`."""

    operations: tuple[Operation, ...]
    tag: str
    temporary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertPlan:
    """INSERT INTO table (columns) query: the query's columns are those, in that order.

    Attributes:
        numbered: identity columns of which some rows ask for the next number. The query has one
            more BOOLEAN column for each, behind the others: true where the row asks.
        rules: of the table, for this statement.
        conflict: what is done with rows whose keys the table has.
        returning: over the rows as they are stored, its `GivenRows`.
    """

    table: TableState
    columns: tuple[str, ...]
    query: QueryPlan
    numbered: tuple[str, ...] = ()
    rules: RowRules | None = None
    conflict: OnConflictPlan | None = None
    returning: QueryPlan | None = None


class RowAction(enum.IntEnum):
    """What is done because of a row of a query."""

    NOTHING = 0
    INSERT = 1
    UPDATE = 2
    DELETE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLayout:
    """What the columns of a query mean whose rows say how a table's rows change, in their order.

    Attributes:
        action: of every row; None: the first column says it (INTEGER, a `RowAction`).
        old: the columns of the primary key, as the row has them that is there; of a table without
            one it is a single column, BIGINT, with the row's location.
        new: the columns of the row as it shall be.
        asks: identity columns of which the row asks for the next number, BOOLEAN each.
        extra: what RETURNING wants besides, of the other tables.
    """

    action: RowAction | None
    old: tuple[str, ...]
    new: tuple[str, ...]
    asks: tuple[str, ...] = ()
    extra: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OnConflictPlan:
    """INSERT … ON CONFLICT.

    Attributes:
        arbiters: the keys that decide, as names of columns.
        query: over the rows to insert, its `GivenRows`, whose last column is their position
            (BIGINT), and the table. None: whatever the key, the row is left out.
        layout: of `query`; `extra` is the position.
        moves: see `ModifyPlan`.
        updates: DO UPDATE.
    """

    arbiters: tuple[tuple[str, ...], ...]
    query: QueryPlan | None
    layout: RowLayout | None
    moves: bool = False
    updates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyPlan:
    """UPDATE, DELETE or MERGE.

    Attributes:
        verb: the statement's first word.
        moves: an update may change the primary key: the row leaves, and another one comes.
        once: a row that is met again is an error (21000); else the first match is the one.
        rules, returning: see `InsertPlan`.
    """

    verb: str
    table: TableState
    query: QueryPlan
    layout: RowLayout
    moves: bool
    once: bool
    rules: RowRules | None = None
    returning: QueryPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAsPlan:
    """CREATE TABLE … AS query: the table comes into being with the query's rows.

    Attributes:
        table: its columns are the query's, in that order.
        query: None for WITH NO DATA, or if the table exists and IF NOT EXISTS is said.
        before: operations that come first in the transaction.
        temporary: see `CommitReply`.
    """

    table: NewTable
    query: QueryPlan | None
    before: tuple[Operation, ...] = ()
    temporary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFromPlan:
    """COPY table FROM files."""

    table: TableState
    schema: str
    files: tuple[str, ...]
    reading: SourceReading


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPartitionsPlan:
    """ALTER TABLE … ADD or ATTACH PARTITION.

    Attributes:
        parts: without ids.
        query: the values, in the columns that decide, of rows that may belong to them; None: the
            table has no default partition that could have some.
        source: ATTACH: the files that the rows of the only partition are in.
    """

    table: TableState
    parts: tuple[Partition, ...]
    query: QueryPlan | None
    source: CopyFromPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangePartitionPlan:
    """ALTER TABLE … EXCHANGE PARTITION.

    `query`: the values, in the columns that decide, of rows of `other` that may be out of bounds.
    """

    table: TableState
    partition: Partition
    other: TableState
    query: QueryPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyToPlan:
    """COPY table or query TO a file."""

    query: QueryPlan
    target: ExportTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """CALL procedure(arguments); of one that is about a table, the table's id."""

    procedure: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumPlan:
    """VACUUM, or ANALYZE alone, of tables; `full`: also in their order."""

    table_ids: tuple[int, ...]
    vacuum: bool
    full: bool


Plan = (
    QueryPlan
    | ExplainPlan
    | RowsPlan
    | WritePlan
    | InsertPlan
    | ModifyPlan
    | CreateAsPlan
    | CopyFromPlan
    | AddPartitionsPlan
    | ExchangePartitionPlan
    | CopyToPlan
    | CallPlan
    | VacuumPlan
)


class Planner(Protocol):
    """Parses, binds and plans. Stateless towards the database; may cache."""

    def parse(self, statement: Statement) -> Parsed:
        """Raises SqlSyntaxError (with position), InvalidRequest, NotYet."""
        ...

    def plan(
        self,
        parsed: Parsed,
        snapshots: Mapping[Version, Snapshot],
        observed: Mapping[str, Sequence[Observed]] | None = None,
    ) -> Plan:
        """Bind against the snapshots and plan.

        Args: observed: the records that the statement wants, by name; None where it wants none.
        Raises UnknownObject, InvalidRequest, NotYet.
        """
        ...

    def rules(self, table: TableState, snapshot: Snapshot) -> RowRules | None:
        """The DEFAULT values and CHECK constraints of a table, for one statement that writes to it
        now; None if it has none. Can be pickled."""
        ...

    def rehearsal(self) -> QueryPlan:
        """A small query over nothing but constants. Who plans it and who runs it has loaded by then
        what the first query of a user would have to wait for."""
        ...

    def explain(self, plan: ExplainPlan, stats: QueryStats | None) -> pa.Table:
        """The plan as lines of text in one column, `QUERY PLAN`; with `stats` for ANALYZE."""
        ...
