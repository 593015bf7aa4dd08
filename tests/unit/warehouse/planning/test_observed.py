"""What runs, as functions in FROM: `mobula.queries()`, `mobula.warehouses()`, …"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pyarrow as pa
import pytest

from actors.messages import Statement
from actors.observed import OBSERVED, Observed
from actors.planner import CopyToPlan, CreateAsPlan, Latest, RowsPlan
from storage.errors import InternalError, MobulaError, SqlSyntaxError
from storage.schema import type_name
from tests.unit.warehouse.observed_records import (
    query_record,
    scaling_event,
    virtual_warehouse,
    warehouse_record,
)
from tests.unit.warehouse.planning.database import Database
from warehouse.catalogue_tables.observed import observed_columns


@pytest.fixture
def watched(database: Database) -> Database:
    """Two queries, one of which runs; a warehouse that runs, one that does not."""
    waits = {"state": "running", "ended_at": None, "result_rows": None, "elapsed_ms": 2500.0}
    database.observed = {
        "queries": [query_record("q1"), query_record("q2", warehouse="etl", **waits)],
        "warehouses": [warehouse_record("bi", size=9, clusters=1, workers=2, busy=1, queued=3)],
        "scaling_events": [scaling_event("start"), scaling_event("scale out", clusters=3)],
    }
    known = {name: virtual_warehouse(name) for name in ("bi", "etl")}
    database.snapshots[Latest()] = dataclasses.replace(
        database.snapshots[Latest()], virtual_warehouses=known
    )
    return database


def refused(database: Database, sql: str) -> MobulaError:
    with pytest.raises(MobulaError) as caught:
        database.plan(sql)
    return caught.value


# --- columns --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OBSERVED)
def test_columns_are_the_fields_of_the_records(name: str) -> None:
    columns = observed_columns(name)
    assert [c.name for c in columns] == [f.name for f in dataclasses.fields(OBSERVED[name])]


def test_types_are_those_of_the_fields() -> None:
    types = {
        c.name: (type_name(c.type), c.nullable)
        for name in ("queries", "warehouses")
        for c in observed_columns(name)
    }
    time, maybe = "TIMESTAMP WITH TIME ZONE", True
    wanted = {
        "sql": ("TEXT", False),
        "error": ("TEXT", maybe),
        "started_at": (time, False),
        "ended_at": (time, maybe),
        "elapsed_ms": ("DOUBLE PRECISION", False),
        "cluster": ("BIGINT", maybe),
        "requests": ("BIGINT", False),
        "auto_resume": ("BOOLEAN", False),
        "queue_timeout_s": ("DOUBLE PRECISION", maybe),
    }
    assert {name: types[name] for name in wanted} == wanted


@pytest.mark.parametrize("name", ["queries", "scaling_events"])
def test_every_value_arrives(watched: Database, name: str) -> None:
    rows = watched.sql(f"SELECT * FROM mobula.{name}()").to_pylist()
    assert rows == [shown_in_sql(record) for record in watched.observed[name]]


def shown_in_sql(record: Observed) -> dict[str, Any]:
    return {
        name: datetime.datetime.fromtimestamp(value / 1000, datetime.UTC)
        if name.endswith("_at") and value is not None
        else value
        for name, value in dataclasses.asdict(record).items()
    }


def test_no_record_is_no_row_with_the_same_columns(database: Database) -> None:
    found = database.sql("SELECT * FROM mobula.queries()")
    assert (found.num_rows, found.num_columns) == (0, len(observed_columns("queries")))
    assert found.schema.field("started_at").type == pa.timestamp("us", "UTC")


# --- as a relation --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT query_id FROM mobula.queries() q WHERE q.state = 'running'", [("q2",)]),
        ("SELECT queries.query_id FROM mobula.queries() ORDER BY 1", [("q1",), ("q2",)]),
        ("SELECT id FROM mobula.queries() AS q(id, w) WHERE w = 'bi'", [("q1",)]),
        ('SELECT count(*) FROM "mobula".Queries()', [(2,)]),
        ("SELECT count(*) FROM mobula.mobula.queries()", [(2,)]),
        (
            "SELECT w.name, count(q.query_id), sum(q.worker_seconds) FROM mobula.warehouses() w"
            " LEFT JOIN mobula.queries() q ON q.warehouse = w.name GROUP BY 1 ORDER BY 1",
            [("bi", 1, 1.25), ("etl", 1, 1.25)],
        ),
        (
            "WITH slow AS (SELECT * FROM mobula.queries() WHERE elapsed_ms > 2000)"
            " SELECT a.query_id FROM slow a, slow b, items WHERE items.a < 0",
            [("q2",)],
        ),
        ("SELECT a FROM items WHERE a < (SELECT count(*) FROM mobula.queries())", [(-7,)]),
        ("SELECT max(clusters) FROM mobula.scaling_events() WHERE happened_at < now()", [(None,)]),
        (
            "SELECT e.action FROM mobula.warehouses() w, LATERAL (SELECT * FROM"
            " mobula.scaling_events() e WHERE e.warehouse = w.name AND e.clusters = 3) e",
            [("scale out",)],
        ),
        (
            "SELECT DISTINCT started_at FROM mobula.queries()",
            [(datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC),)],
        ),
        (
            "SELECT name FROM mobula.warehouses() UNION ALL SELECT reason FROM"
            " mobula.scaling_events() ORDER BY 1 LIMIT 1",
            [("3 queries wait",)],
        ),
    ],
)
def test_it_is_a_relation_like_any(
    watched: Database, sql: str, rows: list[tuple[object, ...]]
) -> None:
    assert watched.rows(sql) == rows


def test_explain_shows_the_scan(watched: Database) -> None:
    lines = watched.explain("EXPLAIN SELECT sql FROM mobula.queries() WHERE state = 'failed'")
    assert lines[0] == f"scan mobula.queries at LSN {watched.snapshots[Latest()].lsn} as queries"
    assert "  columns: state, sql" in lines
    assert "  deltas: 1 with 2 rows" in lines


def test_records_are_asked_for_by_the_statements_that_name_them(watched: Database) -> None:
    def asked(sql: str) -> set[str]:
        return set(watched.planner.parse(Statement(sql=sql)).observes)

    assert asked("SELECT 1 FROM items") == set()
    assert asked("SELECT 1 FROM (SELECT 1 FROM mobula.queries()) q") == {"queries"}
    both = "SELECT (SELECT 1 FROM mobula.queries()) FROM mobula.warehouses()"
    assert asked(both) == {"queries", "warehouses"}
    assert asked(f"EXPLAIN {both}") == {"queries", "warehouses"}
    assert asked("INSERT INTO items (s) SELECT sql FROM mobula.queries()") == {"queries"}
    assert asked("UPDATE items SET s = '' FROM mobula.scaling_events()") == {"scaling_events"}
    assert asked("SHOW WAREHOUSES") == {"warehouses"}
    assert asked("SHOW TABLES") == set()
    assert asked("SELECT 1 FROM mobula.nothing()") == set()


def test_a_plan_without_its_records_is_our_mistake(watched: Database) -> None:
    parsed = watched.planner.parse(Statement(sql="SELECT 1 FROM mobula.queries()"))
    with pytest.raises(InternalError, match="queries"):
        watched.planner.plan(parsed, watched.snapshots)


def test_each_plan_has_the_records_of_its_own_time(watched: Database) -> None:
    sql = "SELECT count(*) FROM mobula.queries()"
    assert watched.rows(sql) == [(2,)]
    watched.observed["queries"] = [*watched.observed["queries"], query_record("q3")]
    assert watched.rows(sql) == [(3,)]


def test_statements_that_write_read_it(watched: Database) -> None:
    inserted = 'INSERT INTO days (t, "Name") SELECT started_at::date, sql FROM mobula.queries()'
    assert watched.sql(inserted).num_rows == 2
    made = watched.plan("CREATE TABLE seen AS SELECT * FROM mobula.queries()")
    assert isinstance(made, CreateAsPlan)
    assert [c.name for c in made.table.columns] == [c.name for c in observed_columns("queries")]
    assert made.query is not None
    assert watched.run(made.query).num_rows == 2
    copied = watched.plan("COPY (SELECT * FROM mobula.queries()) TO '/tmp/seen.parquet'")
    assert isinstance(copied, CopyToPlan)


# --- warehouses -----------------------------------------------------------------------------------


def test_a_warehouse_of_which_nothing_runs_is_stopped(watched: Database) -> None:
    sql = "SELECT name, state, workers, size FROM mobula.warehouses()"
    # The settings are those of the catalogue, which may have changed since.
    assert watched.rows(sql) == [("bi", "running", 2, 2), ("etl", "stopped", 0, 2)]
    watched.observed = {}
    assert watched.rows(sql) == [("bi", "stopped", 0, 2), ("etl", "stopped", 0, 2)]


def test_a_warehouse_that_is_dropped_is_there_until_it_has_ended(watched: Database) -> None:
    watched.observed["warehouses"] = [warehouse_record("ads")]
    sql = "SELECT name, state FROM mobula.warehouses()"
    assert watched.rows(sql) == [("ads", "running"), ("bi", "stopped"), ("etl", "stopped")]
    assert shown(watched) == [("bi", "stopped", 0, 0, 0, 0), ("etl", "stopped", 0, 0, 0, 0)]


def test_show_warehouses_has_what_there_is_now(watched: Database) -> None:
    assert shown(watched) == [("bi", "running", 1, 2, 1, 3), ("etl", "stopped", 0, 0, 0, 0)]


def shown(database: Database) -> list[tuple[Any, ...]]:
    plan = database.plan("SHOW WAREHOUSES")
    assert isinstance(plan, RowsPlan)
    columns = ["warehouse", "state", "clusters", "workers", "busy", "queued"]
    return [tuple(row[name] for name in columns) for row in plan.rows.to_pylist()]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "sqlstate", "words"),
    [
        ("SELECT * FROM mobula.querys()", "42883", "did you mean queries?"),
        ("SELECT * FROM mobula.generate_series(1, 2)", "42883", "does not exist"),
        ("SELECT * FROM mobula.read_csv('x.csv')", "42883", "does not exist"),
        ("SELECT * FROM mobula.queries(1)", "42883", "write WHERE"),
        ("SELECT * FROM mobula.queries(*)", "42883", "write WHERE"),
        ("SELECT * FROM mobula.queries() FILTER (WHERE true)", "42883", "write WHERE"),
        ("SELECT * FROM mobula.queries() q(a int)", "42601", "column definition list"),
        ("SELECT * FROM mobula.queries() WITH ORDINALITY", "0A000", "WITH ORDINALITY"),
        ("SELECT * FROM ROWS FROM (mobula.queries(), generate_series(1, 2))", "0A000", "ROWS FROM"),
        ("SELECT * FROM mobula.queries", "42P01", "with parentheses"),
        ("SELECT mobula.queries()", "42883", "stand in FROM"),
        ("SELECT nosuch FROM mobula.queries()", "42703", "nosuch"),
        ("SELECT * FROM queries()", "42883", "queries"),
    ],
)
def test_refusals_say_what_to_do(watched: Database, sql: str, sqlstate: str, words: str) -> None:
    error = refused(watched, sql)
    assert error.sqlstate == sqlstate
    assert words in str(error)


def test_functions_are_no_tables(watched: Database) -> None:
    assert watched.rows("WITH queries AS (SELECT 5 AS n) SELECT n FROM queries") == [(5,)]
    with pytest.raises(SqlSyntaxError):
        watched.plan("SELECT * FROM mobula.queries() AS OF LSN 1")
