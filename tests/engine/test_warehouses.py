"""Virtual warehouses from SQL and Python, with a real primary and real readers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import warehouse
from warehouse import Database, InvalidRequest, UnknownObject


@pytest.fixture
def local(root: str) -> Iterator[Database]:
    with warehouse.connect(root, engine="local") as database:
        database.sql("CREATE TABLE t (a INT PRIMARY KEY)")
        yield database


def test_settings_are_shown_and_described(local: Database) -> None:
    local.sql(
        "CREATE WAREHOUSE bi WITH size = small worker_cpus = 0.5 cache = '1GB' max_clusters = 3"
        " scaling_policy = economy auto_suspend = '5 min' comment = 'reports'"
    )
    local.virtual_warehouse("bi").sql("SELECT 1")
    local.sql("CREATE WAREHOUSE adhoc AUTO_SUSPEND = NULL INITIALLY_SUSPENDED = TRUE")
    found = local.sql("SHOW WAREHOUSES").polars().to_dicts()
    assert found[1] == {
        "warehouse": "bi",
        "state": "running",
        "clusters": 1,
        "workers": 2,
        "busy": 0,
        "queued": 0,
        "size": 2,
        "worker_cpus": 0.5,
        "cache_bytes": 1 << 30,
        "min_clusters": 1,
        "max_clusters": 3,
        "scaling_policy": "economy",
        "auto_suspend_s": 300,
        "worker_memory_bytes": None,
        "node_type": "default",
        "max_concurrency": None,
        "auto_resume": True,
        "statement_timeout_s": None,
        "queue_timeout_s": None,
        "max_queued": 1000,
        "comment": "reports",
    }
    assert (found[0]["warehouse"], found[0]["auto_suspend_s"]) == ("adhoc", None)
    described = dict(local.sql("DESCRIBE WAREHOUSE bi").rows())
    assert (described["size"], described["auto_resume"], described["comment"]) == (
        "2", "true", "reports",
    )  # fmt: skip
    assert described["max_concurrency"] is None
    with pytest.raises(UnknownObject, match="bj does not exist; did you mean bi"):
        local.sql("DESCRIBE WAREHOUSE bj")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("b%", ["b_i", "bxi"]),
        ("%I", ["b_i", "bxi"]),
        ("b_i", ["b_i", "bxi"]),
        ("b\\_i", ["b_i"]),
        ("b", []),
        ("%", ["adhoc", "b_i", "bxi"]),
        ("", []),
        ("b.i", []),
    ],
)
def test_warehouses_are_listed_by_pattern(local: Database, pattern: str, names: list[str]) -> None:
    for name in ("adhoc", "b_i", "bxi"):
        local.sql(f"CREATE WAREHOUSE {name} INITIALLY_SUSPENDED = TRUE")
    found = local.sql(f"SHOW WAREHOUSES LIKE '{pattern}'")
    assert [row[0] for row in found.rows()] == names
    assert "size" in found.columns


def test_tables_and_schemas_are_listed_by_pattern_too(local: Database) -> None:
    local.sql("CREATE SCHEMA other")
    assert [row[1] for row in local.sql("SHOW TABLES LIKE 'T'").rows()] == ["t"]
    assert local.sql("SHOW TABLES LIKE 'u%'").rows() == []
    assert [row[0] for row in local.sql("SHOW SCHEMAS LIKE 'o%'").rows()] == ["other"]


def test_the_life_of_a_virtual_warehouse_in_sql(local: Database) -> None:
    local.sql("CREATE WAREHOUSE bi size = 1 worker_cpus = 0.5")
    local.sql("USE WAREHOUSE bi")
    assert local.sql("SELECT current_warehouse()").scalar() == "bi"
    assert local.sql("SHOW warehouse").scalar() == "bi"
    for number in range(5):  # each read sees the write before it
        local.sql(f"INSERT INTO t VALUES ({number})")
        assert local.sql("SELECT count(*) FROM t").scalar() == number + 1
    assert len(local.table("t").get([1, 3])) == 2
    assert sum(len(batch) for batch in local.stream("SELECT a FROM t")) == 5
    local.sql("ALTER WAREHOUSE bi SET size = 2")
    local.sql("ALTER WAREHOUSE bi SUSPEND")
    assert local.sql("SELECT max(a) FROM t").scalar() == 4  # a query wakes it
    local.sql("ALTER WAREHOUSE bi RESUME")
    local.sql("DROP WAREHOUSE bi")
    assert local.virtual_warehouses() == {}
    assert local.sql("SELECT current_warehouse(), count(*) FROM t").rows() == [(None, 5)]
    with pytest.raises(UnknownObject):
        local.sql("USE WAREHOUSE bi")


def test_temporary_tables_are_read_beside_a_warehouse_in_use(local: Database) -> None:
    local.sql("CREATE WAREHOUSE bi")
    local.sql("USE WAREHOUSE bi")
    local.sql("CREATE TEMP TABLE own AS SELECT 7 AS b")
    local.sql("INSERT INTO t VALUES (7)")
    assert local.sql("SELECT b FROM own JOIN t ON a = b").scalar() == 7
    local.sql("BEGIN")
    local.sql("INSERT INTO t VALUES (8)")
    assert local.sql("SELECT count(*) FROM t").scalar() == 2
    local.sql("ROLLBACK")
    assert local.sql("SELECT count(*) FROM t").scalar() == 1


def test_settings_of_the_run_are_shown(local: Database) -> None:
    shown = {
        name: local.sql(f"SHOW {name}").scalar()
        for name in ("statement_timeout", "queue_timeout", "query_priority", "warehouse")
    }
    assert shown == {
        "statement_timeout": "10min",
        "queue_timeout": "0",
        "query_priority": "0",
        "warehouse": "",
    }
    local.sql("SET statement_timeout = 90000")
    local.sql("SET query_priority = low")
    assert local.sql("SHOW statement_timeout").scalar() == "90s"
    assert local.sql("SELECT current_setting('query_priority')").scalar() == "-100"


def test_a_transaction_object_takes_no_statement_about_warehouses(local: Database) -> None:
    for sql in ("CREATE WAREHOUSE a", "ALTER WAREHOUSE a SUSPEND", "DROP WAREHOUSE a", "KILL 'x'"):
        with pytest.raises(InvalidRequest) as caught, local.transaction() as tx:
            tx.sql(sql)
        assert caught.value.sqlstate == "25001"
        assert "Database.sql" in str(caught.value)


def test_a_cancelled_query_must_be_there(local: Database) -> None:
    assert local.cancel("0" * 32) is False
    with pytest.raises(UnknownObject, match="no query"):
        local.sql("KILL 'abc'")
