"""Statements that are no queries, as the text says them; those that change rows are in
`modifications_tree.py`."""

from __future__ import annotations

from typing import Any

from warehouse.syntax.partitions_tree import PartitionBy
from warehouse.syntax.tree import Node, QueryNode, TypeName

__all__ = [
    "AlterSystem",
    "AlterTableCluster",
    "AlterTableOptions",
    "CallNode",
    "CheckDef",
    "ColumnDef",
    "CommentNode",
    "CopyNode",
    "CreateSchema",
    "CreateTable",
    "CreateTableAs",
    "CreateType",
    "Describe",
    "DescribeWarehouse",
    "Drop",
    "Explain",
    "IdentityDef",
    "KeyDef",
    "LaterWrite",
    "Show",
    "Vacuum",
]


class IdentityDef(Node, frozen=True):
    """GENERATED ALWAYS | BY DEFAULT AS IDENTITY; what its parentheses leave out is None."""

    always: bool
    start: int | None = None
    increment: int = 1
    low: int | None = None
    high: int | None = None


class CheckDef(Node, frozen=True):
    """[CONSTRAINT name] CHECK (expression); `text` as it was written."""

    name: str | None
    expr: Any
    text: str


class KeyDef(Node, frozen=True):
    """[CONSTRAINT name] PRIMARY KEY or UNIQUE, of a column or of the table."""

    name: str | None
    columns: tuple[str, ...]
    primary: bool


class ColumnDef(Node, frozen=True):
    """A column of CREATE TABLE; `default` as it was written."""

    name: str
    type: TypeName
    nullable: bool = True
    default: str | None = None
    default_expr: Any = None
    identity: IdentityDef | None = None
    checks: tuple[CheckDef, ...] = ()
    keys: tuple[KeyDef, ...] = ()
    collation: tuple[str, ...] = ()


class CreateTable(Node, frozen=True):
    """CREATE [TEMP] TABLE; `cluster` is (order, columns), order "lexical" or "zorder"."""

    name: tuple[str, ...]
    columns: tuple[ColumnDef, ...]
    checks: tuple[CheckDef, ...] = ()
    exists: bool = False
    temporary: bool = False
    cluster: tuple[str, tuple[str, ...]] | None = None
    options: tuple[tuple[str, Any], ...] = ()
    keys: tuple[KeyDef, ...] = ()
    partition: PartitionBy | None = None


class CreateTableAs(Node, frozen=True):
    """CREATE TABLE name [(columns)] AS query [WITH NO DATA]."""

    name: tuple[str, ...]
    query: QueryNode
    columns: tuple[str, ...] = ()
    exists: bool = False
    temporary: bool = False
    cluster: tuple[str, tuple[str, ...]] | None = None
    options: tuple[tuple[str, Any], ...] = ()
    data: bool = True
    partition: PartitionBy | None = None


class CreateSchema(Node, frozen=True):
    """CREATE SCHEMA [IF NOT EXISTS] name."""

    name: str
    exists: bool = False


class CreateType(Node, frozen=True):
    """CREATE TYPE name AS ENUM (labels) or AS (fields)."""

    name: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    fields: tuple[tuple[str, TypeName], ...] = ()


class Drop(Node, frozen=True):
    """DROP kind names; `kind`: "table", "schema", "type"."""

    kind: str
    names: tuple[tuple[str, ...], ...]
    exists: bool = False
    cascade: bool = False


class AlterTableCluster(Node, frozen=True):
    """ALTER TABLE [IF EXISTS] name CLUSTER BY …; `cluster` as of CREATE TABLE, None: NONE."""

    name: tuple[str, ...]
    cluster: tuple[str, tuple[str, ...]] | None
    exists: bool = False


class AlterSystem(Node, frozen=True):
    """ALTER SYSTEM SET name = value, a text; or RESET name: None."""

    name: str
    value: str | None = None


class AlterTableOptions(Node, frozen=True):
    """ALTER TABLE [IF EXISTS] name SET (options) or RESET (names)."""

    name: tuple[str, ...]
    options: tuple[tuple[str, Any], ...] = ()
    reset: tuple[str, ...] = ()
    exists: bool = False


class Vacuum(Node, frozen=True):
    """VACUUM, or ANALYZE alone, of tables, each with columns; of none: of all. VACUUM ANALYZE is no
    more than VACUUM."""

    tables: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    vacuum: bool = True
    full: bool = False


class CommentNode(Node, frozen=True):
    """COMMENT ON kind name IS text; `kind`: "table", "column", "schema"."""

    kind: str
    name: tuple[str, ...]
    text: str | None


class CopyNode(Node, frozen=True):
    """COPY table (columns) | (query) FROM | TO 'path' WITH (options)."""

    path: str
    reads: bool
    table: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    query: QueryNode | None = None
    options: tuple[tuple[str, Any], ...] = ()


class Describe(Node, frozen=True):
    """DESCRIBE [TABLE] name."""

    name: tuple[str, ...]


class DescribeWarehouse(Node, frozen=True):
    """DESCRIBE WAREHOUSE name."""

    name: str


class Show(Node, frozen=True):
    """SHOW TABLES, SCHEMAS, WAREHOUSES [LIKE pattern], or a setting by its name."""

    kind: str
    pattern: str | None = None


class Explain(Node, frozen=True):
    """EXPLAIN [ANALYZE] query, or of a statement that changes rows."""

    query: Any
    analyze: bool = False


class CallNode(Node, frozen=True):
    """CALL [schema.]name(constants)."""

    name: tuple[str, ...]
    args: tuple[Any, ...]


class LaterWrite(Node, frozen=True):
    """A statement that changes the database and is not available yet; `what` is its name.

    It parses, so that a virtual warehouse can refuse it as a write before anything else.
    """

    what: str
