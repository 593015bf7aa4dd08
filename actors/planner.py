"""What the coordinator and the primary need to know of SQL, as a protocol.

The implementation lives in `warehouse.sql` and is injected by `connect`: this package never parses
SQL. A statement is parsed first (`Parsed` says which snapshots it wants), the caller resolves those
versions against the log, and `plan` turns the statement into one of the plans below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from actors.messages import Operation, QueryStats, Statement
from storage.schema import Column, SqlType
from storage.snapshot.files import FileSet
from storage.snapshot.model import Snapshot, TableState

__all__ = [
    "AtLsn",
    "AtTimestamp",
    "CallPlan",
    "ExplainPlan",
    "InsertPlan",
    "Latest",
    "Parsed",
    "Plan",
    "PlannedScan",
    "Planner",
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

    `predicate`: conjunction for this scan as Polars SQL, or None (see `messages.ScanInput`).
    """

    alias: str
    table: TableState
    columns: tuple[Column, ...]
    files: FileSet
    predicate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """A SELECT as SQL text in Polars' dialect over the aliases of its scans.

    `result_types`: per output column the declared SQL type, or None to take Polars' own.
    """

    sql: str
    scans: tuple[PlannedScan, ...]
    result_names: tuple[str, ...]
    result_types: tuple[SqlType | None, ...]


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
