"""What the coordinator and the primary need to know of SQL, as a protocol.

The implementation lives in `warehouse.planning` and is injected by `connect`: this package never parses
SQL. A statement is parsed first (`Parsed` says which snapshots it wants), the caller resolves those
versions against the log, and `plan` turns the statement into one of the plans below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl
import pyarrow as pa

from actors.messages import Operation, QueryStats, Statement
from storage.errors import MobulaError
from storage.schema import Column
from storage.snapshot.files import FileSet
from storage.snapshot.model import Snapshot, TableState
from storage.snapshot.ranges import ColumnRange

__all__ = [
    "AtLsn",
    "AtTimestamp",
    "CallPlan",
    "ExplainPlan",
    "InputFrame",
    "InsertPlan",
    "Latest",
    "Parsed",
    "Plan",
    "PlannedScan",
    "Planner",
    "Program",
    "QueryPlan",
    "RowsPlan",
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
class Parsed:
    """A parsed statement.

    Attributes:
        writes: True for DDL, DML and CALL: only the primary takes it.
        versions: the snapshots that `plan` wants; always contains `Latest()`.
        tree: the planner's own form of the statement.
    """

    statement: Statement
    writes: bool
    versions: frozenset[Version]
    tree: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedScan:
    """One table of a query: its state at one snapshot and what pruning left of it.

    `predicate`: the conditions that pruned it, as text for EXPLAIN, or None.
    """

    alias: str
    table: TableState
    columns: tuple[Column, ...]
    files: FileSet
    predicate: str | None = None


@dataclass(frozen=True, slots=True)
class InputFrame:
    """The rows of one input on a worker: a column per column of the scan, under its name, as
    `storage.micropartition.reader.scan` returns them.

    `ranges`: see `messages.ScanInput`.
    """

    frame: pl.LazyFrame
    columns: tuple[Column, ...]
    ranges: Mapping[int, ColumnRange]


class Program(Protocol):
    """A planned query as a worker runs it. Can be pickled."""

    def build(self, inputs: Mapping[str, InputFrame]) -> pl.LazyFrame:
        """The query's rows over its inputs, by the aliases of the scans.

        May run parts of the query at once. Raises InvalidRequest, NotYet, PolarsError.
        """
        ...

    def arrow(self, found: pl.DataFrame) -> pa.Table:
        """What `build` gave, collected, in the types of the query. Raises InvalidRequest."""
        ...

    def translated(self, error: pl.exceptions.PolarsError) -> MobulaError:
        """An error of Polars, raised by `build` or while its result was collected, as ours."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """A SELECT as a program over the aliases of its scans."""

    program: Program
    scans: tuple[PlannedScan, ...]
    result_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainPlan:
    """EXPLAIN [ANALYZE] of a query."""

    query: QueryPlan
    analyze: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsPlan:
    """A statement answered from the catalogue alone (SHOW, DESCRIBE)."""

    rows: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePlan:
    """A statement that is a transaction (DDL)."""

    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertPlan:
    """INSERT INTO table (columns) query: the query's columns are those, in that order."""

    table: TableState
    columns: tuple[str, ...]
    query: QueryPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """CALL procedure(arguments)."""

    procedure: str
    arguments: tuple[Any, ...]


Plan = QueryPlan | ExplainPlan | RowsPlan | WritePlan | InsertPlan | CallPlan


class Planner(Protocol):
    """Parses, binds and plans. Stateless towards the database; may cache."""

    def parse(self, statement: Statement) -> Parsed:
        """Raises SqlSyntaxError (with position), InvalidRequest, NotYet."""
        ...

    def plan(self, parsed: Parsed, snapshots: Mapping[Version, Snapshot]) -> Plan:
        """Bind against the snapshots and plan. Raises UnknownObject, InvalidRequest, NotYet."""
        ...

    def explain(self, query: QueryPlan, stats: QueryStats | None) -> pa.Table:
        """The plan as lines of text in one column, `QUERY PLAN`; with `stats` for ANALYZE."""
        ...
