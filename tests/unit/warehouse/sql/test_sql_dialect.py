"""A rule and a tree for every statement and clause that is ours; the rest is refused by name."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from actors.messages import Statement
from actors.planner import Latest
from storage.errors import NotYet
from storage.snapshot.model import Snapshot
from warehouse.sql.dialect import (
    AsOf,
    CallProcedure,
    CreateTable,
    DescribeTable,
    DropTables,
    Explain,
    LaterWrite,
    Mobula,
    ShowObjects,
)
from warehouse.sql.planner import SqlPlanner


def parse(sql: str) -> exp.Expr:
    tree = sqlglot.parse_one(sql, dialect=Mobula)
    assert not tree.find(exp.Command)
    return tree


@pytest.mark.parametrize(
    ("sql", "alias"),
    [
        ("SELECT * FROM orders AS OF LSN 41", ""),
        ("SELECT * FROM orders AS OF LSN 41 o", "o"),
        ("SELECT * FROM orders AS OF LSN 41 AS o", "o"),
        ("SELECT * FROM public.orders as of lsn 41 AS o WHERE 1 = 1", "o"),
        ("SELECT * FROM x, orders AS OF LSN 41 AS o", "o"),
        ("SELECT * FROM x JOIN orders AS OF LSN 41 AS o ON x.a = o.a", "o"),
    ],
)
def test_as_of_stands_between_the_name_and_the_alias(sql: str, alias: str) -> None:
    table = next(t for t in parse(sql).find_all(exp.Table) if t.name == "orders")
    clause = table.args["version"]
    assert isinstance(clause, AsOf)
    assert (clause.args["kind"], clause.this.this) == ("LSN", "41")
    assert table.alias == alias


def test_as_of_timestamp_has_a_text() -> None:
    clause = parse("SELECT * FROM t AS OF TIMESTAMP '2026-11-20 10:00:00' AS x").find(AsOf)
    assert clause is not None
    assert (clause.args["kind"], clause.this.this) == ("TIMESTAMP", "2026-11-20 10:00:00")


def test_quoted_of_is_an_alias() -> None:
    table = parse('SELECT * FROM t AS "of"').find(exp.Table)
    assert table is not None
    assert table.alias == "of"
    assert table.args.get("version") is None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM t AS OF 41",
        "SELECT * FROM t AS OF LSN",
        "SELECT * FROM t x AS OF LSN 4",
        "SELECT * FROM (SELECT 1) AS OF LSN 4",
    ],
)
def test_misplaced_as_of_does_not_parse(sql: str) -> None:
    with pytest.raises(sqlglot.ParseError):
        parse(sql)


@pytest.mark.parametrize(
    "clauses",
    [
        "CLUSTER BY (a, b) WITH (micropartition_rows = 131072)",
        "WITH (micropartition_rows = 131072) CLUSTER BY (a, b)",
    ],
)
def test_create_table_takes_its_clauses_in_any_order(clauses: str) -> None:
    tree = parse(
        'CREATE TABLE IF NOT EXISTS public.t (a INT NOT NULL, b DECIMAL(15,2) NULL, "E x" '
        f"timestamp without time zone) {clauses}"
    )
    assert isinstance(tree, CreateTable)
    assert tree.args["exists"]
    assert [c.name for c in tree.expressions] == ["a", "b", "E x"]
    assert [c.args.get("nullable") for c in tree.expressions] == [False, True, None]
    assert [c.name for c in tree.args["cluster"].expressions] == ["a", "b"]
    assert tree.args["cluster"].args["order"] == "lexical"
    assert [(o.name, o.args["value"].this) for o in tree.args["options"]] == [
        ("micropartition_rows", "131072")
    ]


def test_cluster_by_zorder() -> None:
    tree = parse("CREATE TABLE t (a INT, b INT) CLUSTER BY ZORDER (a, b)")
    assert tree.args["cluster"].args["order"] == "zorder"


def test_a_column_may_be_called_like_a_clause() -> None:
    tree = parse("CREATE TABLE t (check INT, cluster TEXT, lsn BIGINT)")
    assert [c.name for c in tree.expressions] == ["check", "cluster", "lsn"]


@pytest.mark.parametrize(
    ("sql", "refused"),
    [
        ("CREATE TABLE t (a INT, PRIMARY KEY (a))", "PRIMARY KEY"),
        ("CREATE TABLE t (a INT) PARTITION BY HASH (a) PARTITIONS 4", "PARTITION BY"),
        ("CREATE TABLE t AS SELECT 1", "CREATE TABLE AS"),
        ("CREATE TABLE t (a INT, UNIQUE (a), b INT)", "UNIQUE"),
    ],
)
def test_refused_table_clauses_parse_and_are_named(sql: str, refused: str) -> None:
    assert parse(sql).args["refused"] == [refused]


def test_refused_column_clauses_parse_and_are_named() -> None:
    tree = parse("CREATE TABLE t (a INT PRIMARY KEY, b INT DEFAULT 5 * (2 + 1) NOT NULL, c TEXT)")
    refused = [c.args.get("refused") for c in tree.expressions]
    assert refused == ["PRIMARY KEY", "DEFAULT", None]


def test_statements_of_ours_have_their_own_nodes() -> None:
    call = parse("CALL compact('orders', 5)")
    assert isinstance(call, CallProcedure)
    assert [a.this for a in call.expressions] == ["orders", "5"]
    assert isinstance(parse("CALL flush()"), CallProcedure)
    show = parse("SHOW tables")
    assert isinstance(show, ShowObjects)
    assert show.args["kind"] == "TABLES"
    for sql in ("DESCRIBE t", "DESCRIBE TABLE t", "DESC public.t"):
        assert isinstance(parse(sql), DescribeTable)
    drop = parse("DROP TABLE IF EXISTS t")
    assert isinstance(drop, DropTables)
    assert drop.args["exists"]
    explain = parse("EXPLAIN ANALYZE WITH q AS (SELECT 1) SELECT * FROM q")
    assert isinstance(explain, Explain)
    assert explain.args["analyze"]
    assert not parse("EXPLAIN SELECT 1").args["analyze"]


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("CREATE WAREHOUSE bi", "CREATE WAREHOUSE"),
        ("ALTER WAREHOUSE bi SET size = 2", "ALTER WAREHOUSE"),
        ("DROP WAREHOUSE bi", "DROP WAREHOUSE"),
        ("USE WAREHOUSE bi", "USE WAREHOUSE"),
        ("CREATE BRANCH trial", "CREATE BRANCH"),
        ("DIFF BRANCH trial", "DIFF BRANCH"),
        ("MERGE BRANCH trial", "MERGE BRANCH"),
        ("DROP BRANCH trial", "DROP BRANCH"),
        ("CLONE TABLE a TO b", "CLONE TABLE"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("UNDROP TABLE a", "UNDROP TABLE"),
        ("COPY t FROM 'x.parquet'", "COPY"),
        ("ATTACH 'x' AS y", "ATTACH"),
        ("CREATE STREAM s ON TABLE t", "CREATE STREAM"),
        ("ARCHIVE TABLE t", "ARCHIVE TABLE"),
        ("UPDATE t SET a = 1", "UPDATE"),
        ("DELETE FROM t", "DELETE"),
        ("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "MERGE"),
        ("UPSERT INTO t VALUES (1)", "UPSERT"),
        ("BEGIN", "BEGIN"),
        ("COMMIT", "COMMIT"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE OR REPLACE"),
        ("CREATE INDEX i ON t (a)", "CREATE INDEX"),
        ("CREATE SCHEMA s", "CREATE SCHEMA"),
        ("CREATE SEQUENCE s", "CREATE SEQUENCE"),
        ("ALTER TABLE t ADD COLUMN a INT", "ALTER TABLE"),
        ("DROP VIEW v", "DROP VIEW"),
        ("SET search_path = x", "SET"),
        ("SHOW search_path", "SHOW SEARCH_PATH"),
        ("SELECT * FROM t ARCHIVED", "ARCHIVED"),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "DELETE"),
        ("EXPLAIN INSERT INTO t VALUES (1)", "EXPLAIN"),
    ],
)
def test_statements_of_later_versions_are_refused_by_name(sql: str, name: str) -> None:
    planner = SqlPlanner()
    snapshot = Snapshot(database_id="d", branch_id="main")
    with pytest.raises(NotYet, match=name):
        planner.plan(planner.parse(Statement(sql=sql)), {Latest(): snapshot})


@pytest.mark.parametrize(
    "sql", ["DELETE FROM t", "UPDATE t SET a = 1", "CREATE VIEW v AS SELECT 1", "DROP BRANCH b"]
)
def test_later_writes_are_known_to_write(sql: str) -> None:
    parsed = SqlPlanner().parse(Statement(sql=sql))
    assert parsed.writes
    assert isinstance(parsed.tree, LaterWrite)


def test_procedures_may_have_a_schema() -> None:
    call = parse("CALL mobula.checkpoint()")
    assert isinstance(call, CallProcedure)
    assert [part.name for part in call.args["name"]] == ["mobula", "checkpoint"]


def test_an_explicit_alias_may_be_called_archived() -> None:
    table = parse("SELECT * FROM t AS archived").find(exp.Table)
    assert table is not None
    assert table.alias == "archived"
