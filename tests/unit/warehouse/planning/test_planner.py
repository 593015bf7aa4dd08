"""Statements that are no queries: DDL, INSERT, SHOW, DESCRIBE, CALL, EXPLAIN; the plan cache."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from actors.messages import DropTable, NewColumn, NewTable, QueryStats, Statement
from actors.planner import CallPlan, InsertPlan, Latest, Planner, RowsPlan, WritePlan
from storage.errors import InternalError, InvalidRequest, NotYet, UnknownObject
from storage.schema import DecimalType, Kind, ScalarType, VarCharType
from tests.unit.warehouse.planning.database import Database, snapshot_of
from warehouse.planning.planner import SqlPlanner


def operation(database: Database, sql: str) -> Any:
    plan = database.plan(sql)
    assert isinstance(plan, WritePlan)
    (found,) = plan.operations
    return found


def shown(database: Database, sql: str) -> list[tuple[Any, ...]]:
    plan = database.plan(sql)
    assert isinstance(plan, RowsPlan)
    return list(zip(*(c.to_pylist() for c in plan.rows.columns), strict=True))


def inserted(database: Database, sql: str, *parameters: Any) -> tuple[tuple[str, ...], list[Any]]:
    plan = database.plan(sql, *parameters)
    assert isinstance(plan, InsertPlan)
    return plan.columns, database.rows(sql, *parameters)


def test_the_planner_is_one() -> None:
    planner: Planner = SqlPlanner()
    with pytest.raises(InternalError, match="no snapshot"):
        planner.plan(planner.parse(Statement(sql="SELECT 1")), {})


# --- CREATE and DROP ------------------------------------------------------------------------------


def test_create_table(database: Database) -> None:
    found = operation(
        database,
        """CREATE TABLE IF NOT EXISTS Sales (Id BIGINT NOT NULL, "Day" DATE, amount NUMERIC(15,2))
           CLUSTER BY ZORDER ("Day", id) WITH (micropartition_rows = 131072)""",
    )
    assert found == NewTable(
        schema="public",
        name="sales",
        columns=(
            NewColumn(name="id", type=ScalarType(kind=Kind.BIGINT), nullable=False),
            NewColumn(name="Day", type=ScalarType(kind=Kind.DATE)),
            NewColumn(name="amount", type=DecimalType(precision=15, scale=2)),
        ),
        cluster_by=("Day", "id"),
        order="zorder",
        options={"micropartition_rows": 131072},
        if_not_exists=True,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BOOLEAN", Kind.BOOLEAN),
        ("BOOL", Kind.BOOLEAN),
        ("SMALLINT", Kind.SMALLINT),
        ("INT2", Kind.SMALLINT),
        ("INTEGER", Kind.INTEGER),
        ("INT", Kind.INTEGER),
        ("INT4", Kind.INTEGER),
        ("BIGINT", Kind.BIGINT),
        ("INT8", Kind.BIGINT),
        ("REAL", Kind.REAL),
        ("FLOAT4", Kind.REAL),
        ("DOUBLE PRECISION", Kind.DOUBLE),
        ("FLOAT8", Kind.DOUBLE),
        ("FLOAT", Kind.DOUBLE),
        ("TEXT", Kind.TEXT),
        ("VARCHAR", Kind.TEXT),
        ("STRING", Kind.TEXT),
        ("DATE", Kind.DATE),
        ("TIMESTAMP", Kind.TIMESTAMP),
        ("TIMESTAMP WITHOUT TIME ZONE", Kind.TIMESTAMP),
        ("BYTEA", Kind.BYTEA),
    ],
)
def test_types(database: Database, text: str, expected: Kind) -> None:
    (column,) = operation(database, f"CREATE TABLE n (c {text})").columns
    assert column.type == ScalarType(kind=expected)


def test_types_with_arguments(database: Database) -> None:
    columns = operation(
        database, "CREATE TABLE n (a VARCHAR(10), b DECIMAL(38, 0), c NUMERIC(5))"
    ).columns
    assert [c.type for c in columns] == [
        VarCharType(length=10),
        DecimalType(precision=38, scale=0),
        DecimalType(precision=5, scale=0),
    ]


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ("a NUMERIC", InvalidRequest, "needs a precision and a scale"),
        ("a DECIMAL(39, 2)", InvalidRequest, "precision of 1 to 38"),
        ("a DECIMAL(5, 6)", InvalidRequest, "scale of 0 to the precision"),
        ("a VARCHAR(0)", InvalidRequest, "at least 1"),
        ("a CHAR(3)", NotYet, r"CHAR\(n\)"),
        ("a TIMESTAMPTZ", NotYet, "TIMESTAMPTZ"),
        ("a TIMESTAMP WITH TIME ZONE", NotYet, "TIMESTAMPTZ"),
        ("a TIMESTAMP(3)", NotYet, "precision"),
        ("a UUID", NotYet, "UUID"),
        ("a INT[]", NotYet, "arrays"),
        ("a JSONB", NotYet, "JSONB"),
        ("a SERIAL", NotYet, "SERIAL"),
        ("a nonsense", InvalidRequest, "unknown type"),
        ("a INT, A BIGINT", InvalidRequest, "column a is given twice"),
        ("a INT PRIMARY KEY", NotYet, "column a: PRIMARY KEY"),
        ("a INT DEFAULT 5", NotYet, "column a: DEFAULT"),
        ("a INT CHECK (a > 5)", NotYet, "column a: CHECK"),
        ("a INT UNIQUE", NotYet, "column a: UNIQUE"),
        ("a INT REFERENCES b (c)", NotYet, "column a: REFERENCES"),
        ("a INT GENERATED ALWAYS AS IDENTITY", NotYet, "column a: GENERATED"),
        ("a INT, PRIMARY KEY (a)", NotYet, "PRIMARY KEY"),
        ("a INT, FOREIGN KEY (a) REFERENCES b (c)", NotYet, "FOREIGN KEY"),
    ],
)
def test_columns_that_are_refused(
    database: Database, columns: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        database.plan(f"CREATE TABLE n ({columns})")


@pytest.mark.parametrize(
    ("clauses", "error", "message"),
    [
        ("CLUSTER BY (b)", UnknownObject, "CLUSTER BY b: no such column; there are a"),
        ("CLUSTER BY (a, a)", InvalidRequest, "names a twice"),
        ("WITH (rows = 5)", InvalidRequest, "unknown table option rows"),
        ("WITH (micropartition_rows = 0)", InvalidRequest, "expected 1 to"),
        ("WITH (micropartition_rows = 'x')", InvalidRequest, "expected 1 to"),
        ("PARTITION BY HASH (a) PARTITIONS 4", NotYet, "PARTITION BY"),
        ("AS SELECT 1 AS a", NotYet, "CREATE TABLE AS"),
    ],
)
def test_clauses_that_are_refused(
    database: Database, clauses: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        database.plan(f"CREATE TABLE n (a INT) {clauses}")


def test_drop_table(database: Database) -> None:
    assert operation(database, "DROP TABLE Items") == DropTable(schema="public", name="items")
    assert operation(database, "DROP TABLE IF EXISTS nope") == DropTable(
        schema="public", name="nope", if_exists=True
    )
    with pytest.raises(UnknownObject, match="did you mean items"):
        database.plan("DROP TABLE itens")


# --- SHOW, DESCRIBE, CALL -------------------------------------------------------------------------


def test_show_and_describe(database: Database) -> None:
    (days, items) = shown(database, "SHOW TABLES")
    assert days[:5] == ("public", "days", 1, 1, 0)
    assert items[:5] == ("public", "items", 3, 1, 1)
    assert items[5] > 0
    assert shown(database, "SHOW SCHEMAS") == [("public", 2)]
    assert shown(database, "SHOW WAREHOUSES") == []
    assert shown(database, "DESCRIBE TABLE Items") == [
        ("a", "INTEGER", True, 2),
        ("b", "BIGINT", True, None),
        ("d", "DECIMAL(15,2)", True, None),
        ("f", "DOUBLE PRECISION", True, None),
        ("s", "VARCHAR(20)", True, None),
        ("t", "DATE", True, 1),
    ]
    with pytest.raises(UnknownObject):
        database.plan("DESCRIBE nope")


def test_call(database: Database) -> None:
    plan = database.plan("CALL Compact('items', 5, 1.5, NULL, DATE '2026-01-01', $1)", "x")
    assert plan == CallPlan(
        procedure="compact",
        arguments=("items", 5, Decimal("1.5"), None, datetime.date(2026, 1, 1), "x"),
    )
    with pytest.raises(InvalidRequest, match="no constant"):
        database.plan("CALL compact(items)")


# --- INSERT ---------------------------------------------------------------------------------------


def test_insert_values(database: Database) -> None:
    columns, rows = inserted(
        database,
        "INSERT INTO items (t, a, d, s)"
        " VALUES ('2026-05-06', 1 + 1, '-1.505', 'x'), (NULL, $1, '2', NULL)",
        7,
    )
    assert columns == ("t", "a", "d", "s")
    assert rows == [
        (datetime.date(2026, 5, 6), 2, Decimal("-1.505"), "x"),
        (None, 7, Decimal("2.000"), None),
    ]


def test_insert_without_a_list_fills_the_first_columns(database: Database) -> None:
    columns, rows = inserted(database, "INSERT INTO items VALUES (1, 2)")
    assert columns == ("a", "b")
    assert rows == [(1, 2)]


def test_insert_of_expressions_and_of_queries(database: Database) -> None:
    columns, rows = inserted(
        database,
        "INSERT INTO items (a, s) VALUES (1, upper('x')), ((SELECT max(a) FROM days), 'y')",
    )
    assert columns == ("a", "s")
    assert sorted(rows, key=lambda row: str(row[1])) == [(1, "X"), (1, "y")]
    columns, rows = inserted(database, "INSERT INTO days (a, t) SELECT a, t FROM items WHERE a < 0")
    assert (columns, rows) == (("a", "t"), [(-7, datetime.date(2026, 1, 1))])


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("INSERT INTO nope VALUES (1)", UnknownObject, "table nope"),
        ("INSERT INTO items (z) VALUES (1)", UnknownObject, "column z of table items"),
        ("INSERT INTO items (a, a) VALUES (1, 2)", InvalidRequest, "twice"),
        ("INSERT INTO items (a) VALUES (1, 2)", InvalidRequest, "2 values for 1 columns"),
        ("INSERT INTO items (a, b) VALUES (1)", InvalidRequest, "names 2 columns"),
        ("INSERT INTO items VALUES (1), (1, 2)", InvalidRequest, "same length"),
        ("INSERT INTO items VALUES (DEFAULT)", NotYet, "DEFAULT"),
        ("INSERT INTO items VALUES (foo)", InvalidRequest, "names a column, foo"),
        ("INSERT INTO items DEFAULT VALUES", NotYet, "DEFAULT"),
        ("INSERT INTO items VALUES (1) RETURNING a", NotYet, "RETURNING"),
        ("INSERT INTO items VALUES (1) ON CONFLICT DO NOTHING", NotYet, "CONFLICT"),
    ],
)
def test_inserts_that_are_refused(
    database: Database, sql: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        database.plan(sql)


# --- EXPLAIN and the cache ------------------------------------------------------------------------


def test_explain_says_what_is_read_and_run(database: Database) -> None:
    lines = database.explain("EXPLAIN SELECT sum(b) FROM items WHERE t > '2026-03-01'")
    assert lines[:7] == [
        "scan public.items at LSN 7 as items",
        "  columns: b, t",
        "  micropartitions: 0 of 1",
        "  stripes: 0 of 1",
        "  rows in micropartitions: 0 of 2",
        "  deltas: 1 with 1 rows",
        "  pruned by: \"t\" > CAST('2026-03-01' AS DATE)",
    ]
    assert lines[7] == "one worker runs"
    assert any("HUGEINT" in line for line in lines)
    assert not any("statistics" in line for line in lines)


def test_explain_analyze_adds_the_statistics(database: Database) -> None:
    lines = database.explain(
        "EXPLAIN ANALYZE SELECT 1", QueryStats(rows_scanned=3, execute_ms=1.25)
    )
    assert lines[0] == "no table is read"
    assert "  rows_scanned: 3" in lines
    assert "  execute_ms: 1.2" in lines


def test_a_plan_is_used_again_until_a_commit_or_other_parameters(database: Database) -> None:
    sql = "SELECT a FROM items WHERE a = $1"
    first = database.plan(sql, 1)
    assert database.plan(sql, 1) is first
    assert database.plan(sql, True) is not first
    assert database.plan(sql, Decimal("1")) is not first
    assert database.plan(sql, Decimal("1.0")) is not database.plan(sql, Decimal("1"))
    tables = database.snapshots[Latest()].tables.values()
    database.snapshots[Latest()] = snapshot_of(*tables, lsn=8)
    assert database.plan(sql, 1) is not first
