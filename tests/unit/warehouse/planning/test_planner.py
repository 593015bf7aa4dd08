"""Statements that are no queries: DDL, INSERT, SHOW, DESCRIBE, CALL, EXPLAIN."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from actors.fragments import QueryStats
from actors.messages import Statement
from actors.operations import (
    DropTable,
    NewColumn,
    NewIdentity,
    NewTable,
    SetTableOptions,
)
from actors.planner import (
    AtLsn,
    CallPlan,
    CreateAsPlan,
    InsertPlan,
    Latest,
    Planner,
    RowsPlan,
    WritePlan,
)
from storage.errors import InternalError, InvalidRequest, NotYet, UnknownObject
from storage.schema import ArrayType, CharType, DecimalType, Kind, ScalarType, VarCharType
from tests.unit.warehouse.planning.database import Database
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
        ("a INTERVAL(3)", NotYet, "precision"),
        ("a SERIAL[]", NotYet, "array of serial"),
        ("a nonsense", UnknownObject, 'type "nonsense" does not exist'),
        ("a INT[][]", NotYet, "more than one dimension"),
        ("a NUMERIC[]", NotYet, "precision"),
        ("a TIMETZ", NotYet, "timetz"),
        ("a CHAR(0)", InvalidRequest, "at least 1"),
        ("a INT DEFAULT 'x'", InvalidRequest, "invalid input syntax"),
        ("a INT DEFAULT b", InvalidRequest, "cannot use column reference in DEFAULT"),
        ("a DATE DEFAULT 5", InvalidRequest, "is of type date but"),
        ("a INT CHECK (b > 5)", UnknownObject, "column b does not exist"),
        ("a INT CHECK (a)", InvalidRequest, "must be type boolean"),
        ("a INT CHECK (sum(a) > 5)", InvalidRequest, "not allowed in check constraints"),
        ("a TEXT GENERATED ALWAYS AS IDENTITY", InvalidRequest, "smallint, integer, or bigint"),
        ("a INT, A BIGINT", InvalidRequest, 'column "a" specified more than once'),
        ("a INT REFERENCES b (c)", NotYet, "column a: REFERENCES"),
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
        ("PARTITION BY HASH (b) PARTITIONS 4", UnknownObject, 'column "b" named in partition key'),
        ("PARTITION BY HASH (a, a)", InvalidRequest, "twice in the partition key"),
        ("PARTITION BY HASH (a) PARTITIONS 0", InvalidRequest, "expected 1 to 8192"),
        ("PARTITION BY KEY ()", InvalidRequest, "needs a primary key"),
        ("PARTITION BY LIST (a) (PARTITION p VALUES LESS THAN (1))", InvalidRequest, "for a list"),
        ("PARTITION BY RANGE (a) (PARTITION p VALUES IN (1))", InvalidRequest, "for a range"),
        (
            "PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (1, 2))",
            InvalidRequest,
            "one value",
        ),
        ("PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (NULL))", InvalidRequest, "NULL"),
        (
            "PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN ('x'))",
            InvalidRequest,
            "input syntax",
        ),
        ("PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (a))", InvalidRequest, "column ref"),
        ("PARTITION BY LIST (a) (PARTITION p VALUES IN ((1, 2)))", InvalidRequest, "type"),
        ("WITH (flush_rows = 1, flush_rows = 2)", InvalidRequest, "given twice"),
        ("WITH (flush_rows = 1.5)", InvalidRequest, "flush_rows = 1.5: expected 1 to"),
        ("WITH (flush_bytes = '1 XB')", InvalidRequest, "1 XB: expected 1 to 17,179,869,184 bytes"),
        ("WITH (flush_bytes = NULL)", InvalidRequest, "null: expected 1 to"),
        ("WITH (flush_age_s = 0)", InvalidRequest, "expected 1 to 2,592,000 seconds"),
        ("WITH (holes_max = -0.5)", InvalidRequest, "holes_max = -0.5: expected 0.01 to 1"),
        ("WITH (holes_max = 'NaN')", InvalidRequest, "holes_max = NaN: expected 0.01 to 1"),
        ("WITH (auto_maintenance = 5)", InvalidRequest, "expected on or off"),
    ],
)
def test_clauses_that_are_refused(
    database: Database, clauses: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        database.plan(f"CREATE TABLE n (a INT) {clauses}")


def test_options_of_tables(database: Database) -> None:
    found = operation(
        database,
        """CREATE TABLE n (a INT) WITH (flush_rows = 1e6, flush_bytes = '64 MB',
           flush_age_s = '5 min', holes_max = .25, level_share_max = 4, auto_maintenance = no)""",
    )
    assert found.options == {
        "flush_rows": 1_000_000,
        "flush_bytes": 64 << 20,
        "flush_age_s": "300",
        "holes_max": "0.25",
        "level_share_max": "4",
        "auto_maintenance": "off",
    }


def test_alter_table_options(database: Database) -> None:
    found = operation(database, "ALTER TABLE items SET (flush_rows = 10, auto_maintenance = on)")
    changes: dict[str, int | str] = {"flush_rows": 10, "auto_maintenance": "on"}
    assert found == SetTableOptions(schema="public", name="items", options=changes)
    found = operation(database, "ALTER TABLE IF EXISTS nope RESET (flush_rows, depth_max)")
    names = ("flush_rows", "depth_max")
    assert found == SetTableOptions(schema="public", name="nope", reset=names, if_exists=True)
    with pytest.raises(InvalidRequest, match="unknown table option flush_row; did you mean"):
        database.plan("ALTER TABLE items RESET (flush_row)")
    with pytest.raises(UnknownObject, match="did you mean items"):
        database.plan("ALTER TABLE itens SET (flush_rows = 10)")
    with pytest.raises(NotYet, match="ALTER TABLE"):
        database.plan("ALTER TABLE items SET SCHEMA other")


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
        ("a", "INTEGER", True, None, None, 2),
        ("b", "BIGINT", True, None, None, None),
        ("d", "DECIMAL(15,2)", True, None, None, None),
        ("f", "DOUBLE PRECISION", True, None, None, None),
        ("s", "VARCHAR(20)", True, None, None, None),
        ("t", "DATE", True, None, None, 1),
    ]
    with pytest.raises(UnknownObject):
        database.plan("DESCRIBE nope")


def test_call(database: Database) -> None:
    plan = database.plan("CALL Compact('items', 5, 1.5, NULL, DATE '2026-01-01', $1)", "x")
    assert plan == CallPlan(
        procedure="compact",
        arguments=("items", 5, Decimal("1.5"), None, datetime.date(2026, 1, 1), "x"),
    )
    with pytest.raises(InvalidRequest, match="column items does not exist"):
        database.plan("CALL compact(items)")
    with pytest.raises(InvalidRequest, match="no constant"):
        database.plan("CALL compact(random())")
    with pytest.raises(InvalidRequest, match="constants, not queries"):
        database.plan("CALL compact((SELECT 1))")


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
        (datetime.date(2026, 5, 6), 2, Decimal("-1.51"), "x"),
        (None, 7, Decimal("2.00"), None),
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
        ("INSERT INTO items VALUES (foo)", InvalidRequest, "column foo does not exist"),
    ],
)
def test_inserts_that_are_refused(
    database: Database, sql: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        database.plan(sql)


def test_insert_of_defaults(database: Database) -> None:
    assert inserted(database, "INSERT INTO items (a) VALUES (DEFAULT)") == (("a",), [(None,)])
    _, rows = inserted(database, "INSERT INTO items DEFAULT VALUES")
    assert len(rows) == 1


def test_create_table_as_takes_the_types_of_the_query(database: Database) -> None:
    plan = database.plan(
        "CREATE TABLE n AS SELECT a, sum(d) AS total, 'x' AS t FROM items GROUP BY a"
    )
    assert isinstance(plan, CreateAsPlan)
    assert [column.name for column in plan.table.columns] == ["a", "total", "t"]
    assert plan.query is not None


def test_types_of_every_kind(database: Database) -> None:
    sql = "a CHAR(3), b TIMESTAMPTZ, c UUID, d INT[], e JSONB, f TIME, g INTERVAL, h JSON"
    columns = operation(database, f"CREATE TABLE n ({sql})").columns
    assert [c.type for c in columns] == [
        CharType(length=3),
        ScalarType(kind=Kind.TIMESTAMPTZ),
        ScalarType(kind=Kind.UUID),
        ArrayType(element=ScalarType(kind=Kind.INTEGER)),
        ScalarType(kind=Kind.JSONB),
        ScalarType(kind=Kind.TIME),
        ScalarType(kind=Kind.INTERVAL),
        ScalarType(kind=Kind.JSON),
    ]


def test_defaults_checks_and_identity(database: Database) -> None:
    found = operation(
        database,
        "CREATE TABLE n (a INT DEFAULT 2 + 3, b BIGINT GENERATED ALWAYS AS IDENTITY (START 5),"
        " CONSTRAINT small CHECK (a < 10), CHECK (b > 0))",
    )
    a, b = found.columns
    assert a.default == "2 + 3"
    assert b.identity == NewIdentity(always=True, start=5, increment=1)
    assert not b.nullable
    assert [(check.name, check.sql) for check in found.checks] == [
        ("small", "a < 10"),
        ("n_b_check", "b > 0"),
    ]


# --- EXPLAIN -----------------------------------------------------------------------------------


def test_explain_says_what_is_read_and_run(database: Database) -> None:
    text = (
        "EXPLAIN SELECT s, sum(b) AS total FROM items JOIN days ON items.a = days.a"
        " WHERE items.t > '2026-03-01' GROUP BY s ORDER BY total DESC LIMIT 3"
    )
    assert "\n".join(database.explain(text)) == EXPLAINED.strip()


def test_explain_without_a_table(database: Database) -> None:
    lines = database.explain("EXPLAIN SELECT 1 AS one")
    assert lines == ["no table is read", "one worker runs", "  Project one#1 := 1", "    Empty"]


def test_explain_shows_versions_and_table_expressions(database: Database) -> None:
    database.snapshots[AtLsn(7)] = database.snapshots[Latest()]
    lines = database.explain(
        "EXPLAIN WITH q AS (SELECT a FROM items AS OF LSN 7) SELECT 1 FROM q x, q y WHERE x.a = y.a"
    )
    assert lines[0] == "scan public.items at LSN 7 (AS OF LSN 7) as items"
    assert "  cte 1 q:" in lines


def test_explain_analyze_adds_the_statistics(database: Database) -> None:
    lines = database.explain(
        "EXPLAIN ANALYZE SELECT 1", QueryStats(rows_scanned=3, execute_ms=1.25)
    )
    assert lines[0] == "no table is read"
    assert "  rows_scanned: 3" in lines
    assert "  execute_ms: 1.2" in lines


EXPLAINED = """
scan public.items at LSN 7 as items
  columns: a, b, s, t
  micropartitions: 0 of 1
  stripes: 0 of 1
  rows in micropartitions: 0 of 2
  deltas: 1 with 1 rows
  pruned by: (t#6 > 2026-03-01)
scan public.days at LSN 7 as days
  columns: a
  micropartitions: 1 of 1
  stripes: 1 of 1
  rows in micropartitions: 1 of 1
  deltas: 0 with 0 rows
  pruned by: nothing
one worker runs
  Limit 3
    Sort total#13 desc nulls first
      Project s#12 := key#11, total#13 := sum#10
        Aggregate by key#11 := s#5: sum#10 := sum(b#2)
          Join inner on (a#1 = a#9)
            Filter (t#6 > 2026-03-01)
              Scan items [a#1, b#2, s#5, t#6]
            Scan days [a#9]
"""
