"""Names in whole plans: schemas, quoting, CTEs, versions, outputs, shared scans."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.messages import Session
from actors.planner import AtLsn
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.schema import Kind, ScalarType
from tests.unit.warehouse.planning.database import (
    Database,
    columns_of,
    rows_of,
    snapshot_of,
    table_state,
)


@pytest.mark.parametrize(
    ("sql", "sqlstate", "message"),
    [
        ("SELECT * FROM item", "42P01", "table item does not exist at LSN 7; did you mean items?"),
        ("SELECT * FROM nope.items", "42P01", "there is no schema nope"),
        ("SELECT * FROM public.item", "42P01", "table public.item does not exist"),
        ("SELECT aa FROM items", "42703", "column aa does not exist (line 1, column 8)"),
        ("SELECT items.nmae FROM items", "42703", "column items.nmae does not exist"),
        ("SELECT name FROM days", "42703", "did you mean Name?"),
        ("SELECT x.a FROM items", "42P01", "missing FROM-clause entry for table x"),
        ("SELECT items.a FROM items AS i", "42P01", "missing FROM-clause entry for table items"),
        (
            "SELECT a FROM items, days",
            "42702",
            '"a" is ambiguous (line 1, column 8): items and days have it',
        ),
        ("SELECT q.a FROM (SELECT i.a, d.a FROM items i, days d) q", "42702", '"a" is ambiguous'),
        ("WITH q AS (SELECT a AS w FROM items) SELECT a FROM q", "42703", "there are w"),
        ("SELECT 1 FROM items WHERE EXISTS (SELECT 1 FROM days WHERE zz = 1)", "42703", "zz"),
        ("WITH q AS (SELECT 1) SELECT * FROM q AS OF LSN 7", "42P01", "q is a CTE"),
    ],
)
def test_names_that_do_not_resolve(
    database: Database, sql: str, sqlstate: str, message: str
) -> None:
    database.snapshots[AtLsn(7)] = next(iter(database.snapshots.values()))
    with pytest.raises(InvalidRequest) as caught:
        database.plan(sql)
    assert message in str(caught.value)
    assert caught.value.sqlstate == sqlstate


@pytest.mark.parametrize("source", ["other.public.items"])
def test_sources_of_later_versions(database: Database, source: str) -> None:
    with pytest.raises(NotYet):
        database.plan(f"SELECT * FROM {source} AS x")


def test_a_table_name_is_its_whole_row(database: Database) -> None:
    assert database.rows("SELECT (days).a FROM days") == [(1,)]
    assert database.query("SELECT days FROM days").result_names == ("days",)
    assert database.rows("SELECT count(days) FROM days") == [(1,)]


def test_unquoted_names_fold_and_quoted_names_do_not(database: Database) -> None:
    assert database.query('SELECT A, "Name" AS "N" FROM DAYS').result_names == ("a", "N")


def test_outputs_are_named_as_postgresql_names_them(database: Database) -> None:
    sql = """
        SELECT count(*), sum(a), max(a) OVER (), a + 1, a::text, 1::int, coalesce(a, 0), 'x',
               CASE WHEN a = 1 THEN 2 END, CASE WHEN a = 1 THEN 2 ELSE a END, lower(s), -a,
               extract(year FROM t), (SELECT max(b) FROM items), i.a, EXISTS (SELECT 1), a > 1
        FROM items i GROUP BY a, s, t
    """
    assert database.query(sql).result_names == (
        "count", "sum", "max", "?column?", "a", "int4", "coalesce", "?column?", "case", "a",
        "lower", "?column?", "extract", "max", "a", "exists", "?column?",
    )  # fmt: skip


def test_repeated_output_names_reach_the_user(database: Database) -> None:
    plan = database.query("SELECT i.a, d.a FROM items i JOIN days d ON i.t = d.t")
    assert plan.result_names == ("a", "a")
    assert database.run(plan).column_names == ["a", "a"]


def test_unused_repeated_names_of_a_derived_table_do_no_harm(database: Database) -> None:
    sql = "SELECT count(*) FROM (SELECT i.a, d.a FROM items i, days d) q"
    assert database.rows(sql) == [(3,)]


def test_a_cte_shadows_a_table_and_may_read_it(database: Database) -> None:
    sql = "WITH items AS (SELECT a + 1 AS a FROM items WHERE a < 0) SELECT * FROM items"
    assert database.rows(sql) == [(-6,)]
    sql = "WITH items AS (SELECT 1 AS one) SELECT count(*) FROM items, public.items AS real"
    assert database.rows(sql) == [(3,)]


def test_columns_of_a_cte_may_be_renamed(database: Database) -> None:
    assert database.rows("WITH q(x, y) AS (SELECT 1, 2) SELECT y, x FROM q") == [(2, 1)]


def test_a_recursive_cte(database: Database) -> None:
    sql = (
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 4) "
        "SELECT n FROM r ORDER BY n"
    )
    assert [n for (n,) in database.rows(sql)] == [1, 2, 3, 4]


def test_one_table_at_two_versions_in_one_query(tmp_path: Path) -> None:
    types = {"a": ScalarType(kind=Kind.INTEGER)}
    columns = columns_of(types)
    old = table_state(2, "t", types, tmp_path, deltas=[rows_of(columns, [(1,)])])
    deltas = [rows_of(columns, [(1,)]), rows_of(columns, [(2,)])]
    new = table_state(2, "t", types, tmp_path, deltas=deltas)
    database = Database(tmp_path, snapshot_of(new, lsn=9), {AtLsn(4): snapshot_of(old, lsn=4)})
    sql = "SELECT n.a FROM t n LEFT JOIN t AS OF LSN 4 AS o ON n.a = o.a WHERE o.a IS NULL"
    assert database.rows(sql) == [(2,)]
    assert [scan.alias for scan in database.query(sql).scans] == ["t", "t_2"]


def test_equal_references_share_a_scan(database: Database) -> None:
    plan = database.query("SELECT x.a, y.b FROM items x JOIN items y ON x.a = y.a")
    assert [scan.alias for scan in plan.scans] == ["items"]
    assert [column.name for column in plan.scans[0].columns] == ["a", "b"]


def test_a_scan_names_only_the_columns_that_are_used(database: Database) -> None:
    plan = database.query(
        "SELECT a FROM items WHERE EXISTS (SELECT 1 FROM days WHERE days.t = items.t)"
    )
    found = {scan.alias: [c.name for c in scan.columns] for scan in plan.scans}
    assert found == {"items": ["a", "t"], "days": ["t"]}
    assert len(database.query("SELECT count(*) FROM items").scans[0].columns) == 1


def test_the_schema_path_is_searched_in_order(database: Database) -> None:
    plan = database.plan("SELECT 1 FROM items", session=Session(schema_path=("none", "public")))
    assert plan is not None
    with pytest.raises(UnknownObject):
        database.plan("SELECT 1 FROM items", session=Session(schema_path=("none",)))
