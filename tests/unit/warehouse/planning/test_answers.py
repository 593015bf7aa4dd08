"""What PostgreSQL means, planned and run: values, types and errors of whole statements."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from storage.errors import InvalidRequest
from tests.unit.warehouse.planning.database import Database

BIG = 2**62


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sum(a)", 3_999_999_993),
        ("sum(b)", Decimal(2 * BIG + 3)),
        ("sum(b * 1)", Decimal(2 * BIG + 3)),
        ("sum(b) FILTER (WHERE a > 0)", Decimal(2 * BIG)),
        ("sum(DISTINCT b)", Decimal(BIG + 3)),
        ("sum(d)", Decimal("-1.30")),
        ("sum(a) / 2", 1_999_999_996),
        ("sum(a) FILTER (WHERE a > 2000000000)", None),
        ("coalesce(sum(a) FILTER (WHERE FALSE), 0)", 0),
        ("count(*)", 3),
        ("count(d)", 2),
        ("avg(a)", (4_000_000_000 - 7) / 3),
        ("sum(d) / count(d)", -0.65),
        ("sum(CASE WHEN s = 'apple' THEN 1 ELSE 0 END)", 1),
        ("bool_or(a < 0)", True),
        ("bool_and(a < 0)", False),
    ],
)
def test_aggregates(database: Database, expression: str, expected: Any) -> None:
    assert database.rows(f"SELECT {expression} FROM items") == [(expected,)]


def test_window_sums_do_not_wrap(database: Database) -> None:
    sql = "SELECT sum(b) OVER (), sum(a) OVER (ORDER BY a) FROM items ORDER BY 2"
    total = Decimal(2 * BIG + 3)
    assert database.rows(sql) == [(total, -7), (total, 3_999_999_993), (total, 3_999_999_993)]


def test_a_sum_of_integers_that_does_not_fit_is_an_error(database: Database) -> None:
    values = ", ".join(["(9223372036854775807)"] * 3)
    assert database.rows(f"SELECT sum(column1) FROM (VALUES {values}) v(column1)") == [
        (Decimal(3 * (2**63 - 1)),)
    ]


def test_result_types_are_those_of_postgresql(database: Database) -> None:
    table = database.sql(
        "SELECT a, b, d, f, s, t, sum(a), sum(b), count(*), max(a) AS m FROM items"
        " GROUP BY a, b, d, f, s, t"
    )
    assert [field.type for field in table.schema] == [
        pa.int32(), pa.int64(), pa.decimal128(15, 2), pa.float64(), pa.large_string(),
        pa.date32(), pa.int64(), pa.decimal128(38, 0), pa.int64(), pa.int32(),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("5 / 2", 2),
        ("-5 / 2", -2),
        ("5 / -2", -2),
        ("-5 % 3", -2),
        ("5 % -3", 2),
        ("(1 + 4) / (3 - 1)", 2),
        ("5 / 2.0", 2.5),
        ("1.0 / 3", 1 / 3),
        ("5 / CAST(2 AS DOUBLE PRECISION)", 2.5),
        ("7 / 2 * 2", 6),
        ("CAST(2.5 AS INT)", 3),
        ("CAST(-2.5 AS INT)", -3),
        ("CAST(CAST(2.5 AS DOUBLE PRECISION) AS INT)", 2),
        ("CAST(CAST(3.5 AS DOUBLE PRECISION) AS BIGINT)", 4),
        ("CAST(1.25 AS DECIMAL(5, 1))", Decimal("1.3")),
        ("CAST(-1.25 AS DECIMAL(5, 1))", Decimal("-1.3")),
        ("CAST('-1.505' AS DECIMAL(5, 2))", Decimal("-1.51")),
        ("CAST(1.5 AS DECIMAL)", Decimal("1.5")),
        ("CAST('12' AS INT) + 1", 13),
        ("CAST(2000000000 AS BIGINT) * 2", 4_000_000_000),
        ("CAST('abcdef' AS VARCHAR(3))", "abc"),
        ("length('abc') - 5", -2),
        ("position('z' IN 'abc') - 1", -1),
        ("position('b' IN CAST(NULL AS TEXT))", None),
        ("extract(year FROM DATE '2026-03-01') * 1000000000", 2_026_000_000_000),
        ("DATE '2026-03-01' - DATE '2026-02-01'", 28),
        ("DATE '2026-03-01' + 1", datetime.date(2026, 3, 2)),
        ("DATE '2026-03-01' - INTERVAL '90' DAY", datetime.datetime(2025, 12, 1)),
        ("DATE '2026-03-01' > '2026-02-28'", True),
        ("1 = '1'", True),
        ("1.50 IN ('1.5', '2')", True),
        (r"E'a\nb'", "a\nb"),
        ("'it''s'", "it's"),
        ("X'41'", b"A"),
        ("power(2, 10)", 1024),
        ("NULL", None),
    ],
)
def test_expressions(database: Database, expression: str, expected: Any) -> None:
    assert database.rows(f"SELECT {expression}") == [(expected,)]
    assert database.rows(f"SELECT {expression} AS x FROM days") == [(expected,)]


def test_nulls_sort_as_the_greatest(database: Database) -> None:
    up = [s for (s,) in database.rows("SELECT s FROM items ORDER BY s")]
    down = [s for (s,) in database.rows("SELECT s FROM items ORDER BY s DESC")]
    assert up == ["apple", "banana", None]
    assert down == [None, "banana", "apple"]
    first = database.rows("SELECT s FROM items ORDER BY s NULLS FIRST LIMIT 1")
    assert first == [(None,)]
    ranks = database.rows("SELECT s, rank() OVER (ORDER BY s DESC) FROM items ORDER BY 2")
    assert ranks == [(None, 1), ("banana", 2), ("apple", 3)]


def test_where_without_from_filters(database: Database) -> None:
    assert database.rows("SELECT 1 WHERE 1 = 2") == []
    assert database.rows("SELECT x FROM (SELECT 1 AS x WHERE 1 = 1) q") == [(1,)]


def test_bare_values(database: Database) -> None:
    table = database.sql("VALUES (1, 'a'), (2, 'b')")
    assert table.column_names == ["column1", "column2"]
    assert table.num_rows == 2


def test_parameters_are_values(database: Database) -> None:
    sql = "SELECT a FROM items WHERE t = $1 AND d > $2 AND s <> $3"
    day = datetime.date(2026, 1, 1)
    assert database.rows(sql, day, Decimal("1.00"), "'; --") == [(2_000_000_000,)]


@pytest.mark.parametrize(
    ("sql", "sqlstate", "message"),
    [
        ("SELECT CAST('abc' AS INT)", "22P02", 'invalid input syntax for type integer: "abc"'),
        ("SELECT CAST(3000000000 AS INT)", "22003", "integer out of range"),
        ("SELECT CAST(2000000000 AS INT) * 2", "22003", "integer out of range"),
        ("SELECT a + a FROM items", "22003", "integer out of range"),
        ("SELECT b * 4 FROM items", "22003", "bigint out of range"),
        ("SELECT 1 / (a - a) FROM items", "22012", "division by zero"),
        ("SELECT a FROM items WHERE a = 'x'", "22P02", 'type integer: "x"'),
        ("SELECT a FROM items WHERE s > 5", "42883", "character varying > integer (line 1,"),
        ("SELECT a, sum(b) FROM items", "42803", 'column "items.a" must appear in the GROUP BY'),
        ("SELECT DATE 'someday' FROM items", "22007", 'type date: "someday"'),
        ("SELECT no_such_function(a) FROM items", "42883", "no_such_function(integer) does not"),
        ("SELECT (SELECT a FROM items)", "21000", "more than one row"),
    ],
)
def test_statements_that_end_in_an_error(
    database: Database, sql: str, sqlstate: str, message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        database.sql(sql)
    assert caught.value.sqlstate == sqlstate
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT to_char(t, 'Month') FROM items WHERE a < 0", [("January  ",)]),
        ("SELECT mode() WITHIN GROUP (ORDER BY a) FROM items", [(2_000_000_000,)]),
        ("SELECT count(*) FROM items TABLESAMPLE SYSTEM (100)", [(3,)]),
        ("SELECT 1 FROM items i, LATERAL (SELECT 1 FROM days d WHERE d.a = i.a) x", []),
        ("SELECT CAST(f AS DECIMAL(5, 1)) FROM items ORDER BY 1 LIMIT 1", [(Decimal("1.5"),)]),
        ("SELECT s FROM items WHERE s LIKE s ORDER BY 1", [("apple",), ("banana",)]),
        ("SELECT s FROM items WHERE s SIMILAR TO s ORDER BY 1", [("apple",), ("banana",)]),
        ("SELECT s FROM items WHERE a = ANY (SELECT a + 1 - 1 FROM days) OR a < 0", [(None,)]),
    ],
)
def test_more_of_the_language(database: Database, sql: str, rows: list[tuple[Any, ...]]) -> None:
    assert database.rows(sql) == rows


def test_deep_expressions_are_refused_and_long_ones_are_not(database: Database) -> None:
    total = "SELECT " + " + ".join(["1"] * 150)
    assert database.rows(total) == [(150,)]
    with pytest.raises(InvalidRequest) as caught:
        database.sql("SELECT " + "-(" * 900 + "1" + ")" * 900 + " FROM items")
    assert caught.value.sqlstate == "54001"


def test_a_column_in_two_keys_of_nested_joins(database: Database) -> None:
    """Keys that a join adds for itself may not reach the joins around it."""
    sql = (
        "SELECT count(*) FROM days a JOIN days b ON a.a = b.a AND a.t = b.t"
        " JOIN days c ON c.a = a.a AND c.a = b.a + 0 JOIN days d ON d.a = c.a AND d.a = a.a + 0"
        " LEFT JOIN days e ON e.a = d.a AND e.a = c.a AND e.a = b.a"
        " LEFT JOIN days f ON f.a = e.a AND f.a = d.a AND f.a = c.a"
    )
    assert database.rows(sql) == [(1,)]
