"""USE WAREHOUSE: which statements of a connection run there, and which on the primary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.errors import UnknownObject
from tests.unit.warehouse.fake_engine import FakeEngine, connected
from warehouse import Database, dbapi


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def db(engine: FakeEngine) -> Database:
    db = connected(engine)
    db.sql("CREATE WAREHOUSE bi INITIALLY_SUSPENDED = TRUE")
    assert db.sql("USE WAREHOUSE bi").tag == "USE"
    return db


def where(engine: FakeEngine, call: Callable[[], Any]) -> str:
    """Who was asked."""
    engine.asked.clear()
    call()
    (found,) = [who for who, what in engine.asked if what != "start"]
    return found


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "TABLE t",
        "EXPLAIN SELECT 1",
        "SHOW TABLES",
        "SHOW WAREHOUSES",
        "DESCRIBE t",
        "COPY t TO '/tmp/x.csv'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
    ],
)
def test_reads_run_there(db: Database, engine: FakeEngine, sql: str) -> None:
    assert where(engine, lambda: db.sql(sql)) == "bi"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE",
        "TRUNCATE t",
        "COPY t FROM '/tmp/x.csv'",
        "CREATE TABLE t (a INT)",
        "CREATE TABLE t AS SELECT 1",
        "DROP TABLE t",
        "COMMENT ON TABLE t IS 'x'",
        "CALL mobula.flush()",
    ],
)
def test_writes_run_on_the_primary(db: Database, engine: FakeEngine, sql: str) -> None:
    assert where(engine, lambda: db.sql(sql)) == "primary"


def test_streams_lookups_and_cursors_run_there(db: Database, engine: FakeEngine) -> None:
    assert where(engine, lambda: db.stream("SELECT 1")) == "bi"
    assert where(engine, lambda: db.table("t").get([1])) == "bi"
    cursor = dbapi.connect(db).cursor()
    assert where(engine, lambda: cursor.execute("SELECT 1")) == "bi"
    db.sql("PREPARE p AS SELECT 1")
    assert where(engine, lambda: db.sql("EXECUTE p")) == "bi"


def test_it_is_started_once_and_when_it_is_needed(db: Database, engine: FakeEngine) -> None:
    assert ("bi", "start") not in engine.asked
    db.sql("SELECT 1")
    db.sql("SELECT 2")
    assert engine.asked.count(("bi", "start")) == 1


def test_statements_of_a_transaction_run_on_the_primary(db: Database, engine: FakeEngine) -> None:
    db.sql("BEGIN")
    assert where(engine, lambda: db.sql("SELECT 1")) == "primary"
    assert where(engine, lambda: db.stream("SELECT 1")) == "primary"
    assert where(engine, lambda: db.table("t").get([1])) == "primary"
    db.sql("COMMIT")
    assert where(engine, lambda: db.sql("SELECT 1")) == "bi"
    with db.transaction() as tx:
        assert where(engine, lambda: tx.sql("SELECT 1")) == "primary"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM own",
        "SELECT * FROM t JOIN pg_temp.own USING (a)",
        "SELECT (SELECT max(a) FROM own)",
        "WITH x AS (SELECT * FROM own) SELECT * FROM x",
        "EXPLAIN SELECT 1 UNION SELECT a FROM own",
    ],
)
def test_statements_on_temporary_tables_run_on_the_primary(
    db: Database, engine: FakeEngine, sql: str
) -> None:
    assert where(engine, lambda: db.sql("CREATE TEMP TABLE own (a INT)")) == "primary"
    assert where(engine, lambda: db.sql(sql)) == "primary"
    assert where(engine, lambda: db.sql("SELECT own FROM t")) == "bi"
    assert where(engine, lambda: db.table("pg_temp.own").get([1])) == "primary"


def commit_by_transaction(db: Database) -> None:
    with db.transaction():
        pass


@pytest.mark.parametrize(
    "write",
    [
        lambda db: db.sql("INSERT INTO t VALUES (1)"),
        lambda db: (db.sql("BEGIN"), db.sql("COMMIT")),
        lambda db: db.sql("CREATE WAREHOUSE other INITIALLY_SUSPENDED = TRUE"),
        lambda db: db.alter_virtual_warehouse("bi", size=2),
        commit_by_transaction,
    ],
)
def test_reads_see_what_the_connection_has_committed(
    db: Database, engine: FakeEngine, write: Callable[[Database], Any]
) -> None:
    write(db)
    lsn = engine.lsn
    db.sql("SELECT 1")
    db.stream("SELECT 1")
    db.table("t").get([1])
    assert [sent.min_lsn for sent in engine.sent[-3:]] == [lsn] * 3
    db.sql("SELECT 1", min_lsn=lsn + 5)
    assert engine.sent[-1].min_lsn == lsn + 5


def test_on_the_primary_min_lsn_is_the_callers(db: Database, engine: FakeEngine) -> None:
    db.sql("USE WAREHOUSE NONE")
    db.sql("SELECT 1")
    assert engine.sent[-1].min_lsn is None


def test_another_is_used_or_none(db: Database, engine: FakeEngine) -> None:
    db.sql("CREATE WAREHOUSE adhoc INITIALLY_SUSPENDED = TRUE")
    for sql, expected in (
        ("USE WAREHOUSE adhoc", "adhoc"),
        ("SET warehouse = 'bi'", "bi"),
        ("SET warehouse TO DEFAULT", None),
        ("SET warehouse = bi", "bi"),
        ("SET warehouse = ''", None),
        ("SET warehouse = adhoc", "adhoc"),
        ("RESET warehouse", None),
        ("SET warehouse = bi", "bi"),
        ("SET warehouse = none", None),
        ("USE WAREHOUSE bi", "bi"),
        ("RESET ALL", None),
        ("USE WAREHOUSE bi", "bi"),
        ("USE WAREHOUSE NONE", None),
    ):
        db.sql(sql)
        assert db.warehouse_in_use == expected, sql
        assert where(engine, lambda: db.sql("SELECT 1")) == (expected or "primary"), sql
    db.use_warehouse("adhoc")
    assert db.warehouse_in_use == "adhoc"


@pytest.mark.parametrize("sql", ["USE WAREHOUSE bj", "SET warehouse = 'bj'"])
def test_an_unknown_name_is_refused_with_the_nearest(db: Database, sql: str) -> None:
    with pytest.raises(UnknownObject, match="bj does not exist; did you mean bi"):
        db.sql(sql)
    assert db.warehouse_in_use == "bi"


def test_one_that_is_dropped_is_no_longer_in_use(db: Database, engine: FakeEngine) -> None:
    db.sql("SELECT 1")
    db.sql("DROP WAREHOUSE bi")
    assert db.warehouse_in_use is None
    db.sql("CREATE WAREHOUSE bi INITIALLY_SUSPENDED = TRUE")
    db.use_warehouse("bi")
    engine.asked.clear()
    db.sql("SELECT 1")
    assert engine.asked == [("bi", "start"), ("bi", "SELECT 1")]
    db.drop_virtual_warehouse("bi")
    assert db.warehouse_in_use is None


def test_statements_say_which_one_is_in_use(db: Database, engine: FakeEngine) -> None:
    db.sql("CREATE WAREHOUSE adhoc INITIALLY_SUSPENDED = TRUE")
    db.sql("SELECT 1")
    db.virtual_warehouse("adhoc").sql("SELECT 1")
    found = [sent.session.settings["warehouse"] for sent in engine.sent]
    assert found == ["bi", "adhoc"]
