"""From text to one statement: errors with positions, parameters, versions, scripts."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from actors.messages import Statement
from actors.planner import AtLsn, AtTimestamp, Latest, Parsed
from storage.errors import InvalidRequest, NotYet, SqlSyntaxError
from warehouse.sql.parse import TEXT_CHARACTERS_MAX, StatementParser, split_statements
from warehouse.sql.polars_sql import polars_sql


def parse(sql: str, *parameters: Any) -> Parsed:
    return StatementParser().parse(Statement(sql=sql, parameters=parameters))


@pytest.mark.parametrize(
    ("sql", "line", "column", "near"),
    [
        ("SELECT a FRM t WHERE", 1, 14, "t"),
        ("SELECT a\nFROM t\nWHERE a = = 1", 3, 11, "="),
        ("foo bar", 1, 1, "foo"),
        ("CREATE TABLE t (a INT,)", 1, 23, ")"),
    ],
)
def test_syntax_errors_have_a_position(sql: str, line: int, column: int, near: str) -> None:
    with pytest.raises(SqlSyntaxError) as caught:
        parse(sql)
    assert f"line {line}, column {column} near {near!r}" in str(caught.value)
    assert sql.splitlines()[line - 1].strip() in str(caught.value)
    assert caught.value.sqlstate == "42601"


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


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (5, "5"),
        (-5, "(-5)"),
        (2**70, str(2**70)),
        (0.1, "CAST(0.1e0 AS DOUBLE)"),
        (1e-07, "CAST(1e-07 AS DOUBLE)"),
        (float("inf"), "CAST('inf' AS DOUBLE)"),
        (Decimal("1.50"), "CAST(1.50 AS DECIMAL(3, 2))"),
        (Decimal("-0.005"), "CAST((-0.005) AS DECIMAL(3, 3))"),
        ("it's; DROP TABLE t --", "'it''s; DROP TABLE t --'"),
        (b"\x00A", "X'0041'"),
        (datetime.date(2026, 1, 2), "CAST('2026-01-02' AS DATE)"),
        (
            datetime.datetime(2026, 1, 2, 3, 4, 5, 6),
            "CAST('2026-01-02 03:04:05.000006' AS TIMESTAMP)",
        ),
    ],
)
def test_parameters_become_typed_literals(value: Any, sql: str) -> None:
    assert polars_sql(parse("SELECT $1", value).tree) == f"SELECT {sql}"


def test_a_parameter_may_be_used_twice() -> None:
    assert polars_sql(parse("SELECT $2, $1, $2", 1, "x").tree) == "SELECT 'x', 1, 'x'"


@pytest.mark.parametrize(
    ("sql", "parameters", "message"),
    [
        ("SELECT $1, $3", (1, 2), r"\$3 is used and 2 parameters were given"),
        ("SELECT $1", (), r"\$1 is used and 0"),
        ("SELECT $1", (1, 2), r"does not use \$2"),
        ("SELECT 1", (1,), r"does not use \$1"),
        ("SELECT $0", (1,), r"\$0 is used"),
        ("SELECT $1", ([1],), "a Python list has no SQL type"),
        ("SELECT $1", (Decimal("NaN"),), "DECIMAL has no NaN"),
    ],
)
def test_parameters_that_do_not_fit(sql: str, parameters: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse(sql, *parameters)


def test_timestamps_with_a_zone_are_not_there_yet() -> None:
    with pytest.raises(NotYet, match="time zone"):
        parse("SELECT $1", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))


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
    ],
)
def test_what_writes(sql: str, writes: bool) -> None:
    assert parse(sql).writes is writes


def test_a_kept_tree_is_not_changed_by_its_uses() -> None:
    parser = StatementParser()
    statement = Statement(sql="SELECT $1", parameters=(1,))
    parser.parse(statement)
    again = parser.parse(Statement(sql="SELECT $1", parameters=("x",)))
    assert polars_sql(again.tree) == "SELECT 'x'"
