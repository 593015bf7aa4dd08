"""From text to one statement: what writes, versions, scripts, and what is no statement."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import Statement
from actors.planner import AtLsn, AtTimestamp, Latest, Parsed
from storage.errors import InvalidRequest, SqlSyntaxError
from warehouse.planning.parse import TEXT_CHARACTERS_MAX, StatementParser, split_statements


def parse(sql: str, *parameters: Any) -> Parsed:
    return StatementParser().parse(Statement(sql=sql, parameters=parameters))


@pytest.mark.parametrize("sql", ["SELECT 'a", 'SELECT "a', "SELECT $$a", "SELECT (1", "SELECT /*"])
def test_unfinished_texts_are_syntax_errors(sql: str) -> None:
    with pytest.raises(SqlSyntaxError):
        parse(sql)


@pytest.mark.parametrize("sql", ["", "  ", ";", "-- nothing", "/* nothing */ ;"])
def test_an_empty_statement_is_refused(sql: str) -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        parse(sql)


def test_several_statements_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="2 statements"):
        parse("SELECT 1; SELECT 2")
    assert parse("SELECT 1;").writes is False


def test_a_deep_statement_is_refused_not_crashed() -> None:
    with pytest.raises(InvalidRequest, match="nested too deeply") as caught:
        parse("SELECT " + "(" * 5000 + "1" + ")" * 5000)
    assert caught.value.sqlstate == "54001"


def test_a_huge_statement_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="characters"):
        parse("SELECT '" + "x" * TEXT_CHARACTERS_MAX + "'")


def test_split_statements_respects_strings_comments_and_dollar_quotes() -> None:
    script = """
        SELECT 'a;b'; -- one; comment
        SELECT "x;y" /* ; */ FROM t;;
        SELECT $$a;b$$
    """
    assert split_statements(script) == [
        "SELECT 'a;b'",
        'SELECT "x;y" /* ; */ FROM t',
        "SELECT $$a;b$$",
    ]
    assert split_statements("  -- nothing\n") == []


def test_versions_of_as_of() -> None:
    found = parse(
        "SELECT * FROM a AS OF LSN $1 x, a AS OF TIMESTAMP '1970-01-01 00:00:01.5' y, "
        "a AS OF TIMESTAMP '1970-01-01T02:00:00+01:00' z, a",
        41,
    )
    assert found.versions == {Latest(), AtLsn(41), AtTimestamp(1500), AtTimestamp(3_600_000)}
    assert parse("SELECT 1").versions == {Latest()}


@pytest.mark.parametrize(
    "clause", ["LSN 'x'", "LSN 1.5", "TIMESTAMP 'yesterday'", "TIMESTAMP 5", "TIMESTAMP ''"]
)
def test_bad_versions_are_refused(clause: str) -> None:
    with pytest.raises(InvalidRequest, match="AS OF"):
        parse(f"SELECT * FROM t AS OF {clause}")


@pytest.mark.parametrize(
    ("sql", "writes"),
    [
        ("CREATE TABLE t (a INT)", True),
        ("DROP TABLE t", True),
        ("INSERT INTO t VALUES (1)", True),
        ("CALL flush()", True),
        ("SELECT 1", False),
        ("VALUES (1)", False),
        ("EXPLAIN SELECT 1", False),
        ("SHOW TABLES", False),
        ("DESCRIBE t", False),
        ("CREATE TABLE t AS SELECT 1", True),
        ("CREATE SCHEMA s", True),
        ("CREATE TYPE e AS ENUM ('a')", True),
        ("COMMENT ON TABLE t IS 'x'", True),
        ("COPY t FROM 'x.csv'", True),
        ("COPY t TO 'x.csv'", False),
        ("DELETE FROM t", True),
        ("UPDATE t SET a = 1", True),
        ("CREATE VIEW v AS SELECT 1", True),
        ("DROP BRANCH b", True),
        ("WITH q AS (SELECT 1) INSERT INTO t SELECT * FROM q", True),
        ("SHOW search_path", False),
    ],
)
def test_what_writes(sql: str, writes: bool) -> None:
    assert parse(sql).writes is writes


def test_trees_of_recent_texts_are_kept() -> None:
    parser = StatementParser()
    first = parser.parse(Statement(sql="SELECT $1", parameters=(1,)))
    again = parser.parse(Statement(sql="SELECT $1", parameters=("x",)))
    assert again.tree is first.tree
    assert again.statement.parameters == ("x",)
