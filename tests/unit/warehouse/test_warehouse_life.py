"""Virtual warehouses in SQL and Python, over an engine that records what it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.errors import InvalidRequest, MobulaError, Unavailable, UnknownObject
from storage.snapshot.changes import VirtualWarehouse as Settings
from tests.unit.warehouse.fake_engine import FakeEngine, connected
from warehouse import Database


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def db(engine: FakeEngine) -> Database:
    return connected(engine)


def refused(call: Callable[[], Any]) -> MobulaError:
    with pytest.raises(MobulaError) as caught:
        call()
    return caught.value


# --- create ---------------------------------------------------------------------------------------


def test_a_new_one_has_the_defaults_of_the_documents(db: Database) -> None:
    expected = Settings(name="bi", size=1, worker_cpus=1.0, cache_bytes=4 << 30, auto_suspend_s=600)
    assert db.sql("CREATE WAREHOUSE bi").tag == "CREATE WAREHOUSE"
    assert db.virtual_warehouses() == {"bi": expected}
    db.create_virtual_warehouse("py")
    assert db.virtual_warehouses()["py"].auto_suspend_s == 600
    assert db.virtual_warehouses()["py"].cache_bytes == 4 << 30


def test_sql_and_python_make_the_same(db: Database) -> None:
    db.sql(
        "CREATE WAREHOUSE a WITH size = medium worker_cpus = 2 worker_memory = '4GB'"
        " cache = '1GB' min_clusters = 2 max_clusters = 3 scaling_policy = economy"
        " max_concurrency = 2 auto_suspend = 0 auto_resume = false statement_timeout = '1min'"
        " queue_timeout = 5 max_queued = 7 node_type = spot comment = 'x'"
    )
    db.create_virtual_warehouse(
        "b",
        size="medium",
        worker_cpus=2,
        worker_memory_bytes=4 << 30,
        cache_bytes=1 << 30,
        min_clusters=2,
        max_clusters=3,
        scaling_policy="economy",
        max_concurrency=2,
        auto_suspend_s=0,
        auto_resume=False,
        statement_timeout_s=60,
        queue_timeout_s=5,
        max_queued=7,
        node_type="spot",
        comment="x",
    )
    a, b = db.virtual_warehouses()["a"], db.virtual_warehouses()["b"]
    fields = [name for name in Settings.__struct_fields__ if name != "name"]
    assert [getattr(a, name) for name in fields] == [getattr(b, name) for name in fields]
    assert (a.size, a.auto_suspend_s, a.comment) == (4, None, "x")


def test_creating_starts_it_unless_it_shall_sleep(db: Database, engine: FakeEngine) -> None:
    db.sql("CREATE WAREHOUSE a")
    db.create_virtual_warehouse("b")
    db.sql("CREATE WAREHOUSE c INITIALLY_SUSPENDED = TRUE")
    asleep = db.create_virtual_warehouse("d", initially_suspended=True)
    assert engine.asked == [(name, what) for name in "ab" for what in ("start", "resume")]
    asleep.sql("SELECT 1")
    assert engine.asked[4:] == [("d", "start"), ("d", "SELECT 1")]


def test_one_that_is_there_is_an_error_or_stays(db: Database) -> None:
    db.sql("CREATE WAREHOUSE a size = 2")
    assert refused(lambda: db.sql("CREATE WAREHOUSE a")).sqlstate == "42710"
    db.sql("CREATE WAREHOUSE IF NOT EXISTS a size = 3")
    db.create_virtual_warehouse("a", size=4, if_not_exists=True)
    assert db.virtual_warehouses()["a"].size == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "size is 0"),
        ({"size": "huge"}, "expected a number of workers"),
        ({"min_clusters": 2}, "at most max_clusters"),
        ({"scaling_policy": "fast"}, "standard or economy"),
        ({"auto_suspend_s": -1}, "auto_suspend_s is -1"),
    ],
)
def test_settings_out_of_range_are_refused(
    db: Database, settings: dict[str, Any], message: str
) -> None:
    assert message in str(refused(lambda: db.create_virtual_warehouse("w", **settings)))
    assert db.virtual_warehouses() == {}


@pytest.mark.parametrize(
    "create",
    [
        lambda db: db.sql("CREATE WAREHOUSE bi"),
        lambda db: db.create_virtual_warehouse("bi"),
    ],
)
def test_one_that_does_not_start_is_in_the_catalogue_and_the_error_says_so(
    db: Database, engine: FakeEngine, create: Callable[[Database], Any]
) -> None:
    engine.failing = Unavailable("3 CPUs asked for, 1 available", "53000")
    error = refused(lambda: create(db))
    assert isinstance(error, Unavailable)
    assert str(error) == (
        "virtual warehouse bi is in the catalogue, but does not run: 3 CPUs asked for, 1 available;"
        " resume it later (ALTER WAREHOUSE bi RESUME), or drop it (DROP WAREHOUSE bi)"
    )
    assert error.sqlstate == "53000"
    assert "bi" in db.virtual_warehouses()
    error = refused(lambda: db.sql("ALTER WAREHOUSE bi RESUME"))
    assert "virtual warehouse bi stays suspended: 3 CPUs" in str(error)


# --- alter, suspend, resume, drop -----------------------------------------------------------------


def test_altering_changes_what_is_named_only(db: Database) -> None:
    bi = db.create_virtual_warehouse("bi", size=2, max_queued=7)
    assert db.sql("ALTER WAREHOUSE bi SET size = 4, auto_suspend = NULL").tag == "ALTER WAREHOUSE"
    assert (bi.settings.size, bi.settings.auto_suspend_s, bi.settings.max_queued) == (4, None, 7)
    bi.alter(comment="x", size="small")
    db.alter_virtual_warehouse("bi", auto_suspend_s=30)
    assert (bi.settings.size, bi.settings.comment, bi.settings.auto_suspend_s) == (2, "x", 30)
    db.sql("ALTER WAREHOUSE bi UNSET max_queued, comment")
    assert (bi.settings.max_queued, bi.settings.comment) == (1000, None)
    error = refused(lambda: db.alter_virtual_warehouse("bi", sizes=3))
    assert "there is no setting sizes; did you mean size?" in str(error)


def test_suspending_and_resuming_ask_the_engine(db: Database, engine: FakeEngine) -> None:
    bi = db.create_virtual_warehouse("bi")
    engine.asked.clear()
    assert db.sql("ALTER WAREHOUSE bi SUSPEND").tag == "ALTER WAREHOUSE"
    db.sql("ALTER WAREHOUSE bi SUSPEND FORCE")
    db.sql("ALTER WAREHOUSE IF EXISTS bi RESUME IF SUSPENDED")
    bi.suspend(force=True)
    bi.resume()
    assert [what for _, what in engine.asked if what != "start"] == [
        "suspend", "suspend at once", "resume", "suspend at once", "resume",
    ]  # fmt: skip


@pytest.mark.parametrize("action", ["SUSPEND", "RESUME", "SET size = 2", "UNSET size"])
def test_what_is_not_there_is_not_altered(db: Database, engine: FakeEngine, action: str) -> None:
    db.sql("CREATE WAREHOUSE adhoc")
    engine.asked.clear()
    error = refused(lambda: db.sql(f"ALTER WAREHOUSE adhok {action}"))
    assert isinstance(error, UnknownObject)
    assert "did you mean adhoc?" in str(error)
    assert db.sql(f"ALTER WAREHOUSE IF EXISTS adhok {action}").tag == "ALTER WAREHOUSE"
    assert engine.asked == []


def test_dropping_drains_unless_it_is_forced(db: Database, engine: FakeEngine) -> None:
    for name in "abcd":
        db.sql(f"CREATE WAREHOUSE {name} INITIALLY_SUSPENDED = TRUE")
    db.sql("DROP WAREHOUSE a")
    db.sql("DROP WAREHOUSE IF EXISTS b FORCE")
    db.drop_virtual_warehouse("c")
    db.drop_virtual_warehouse("d", force=True)
    expected = [("a", "stop"), ("b", "stop at once"), ("c", "stop"), ("d", "stop at once")]
    assert engine.asked == expected
    assert db.virtual_warehouses() == {}
    assert isinstance(refused(lambda: db.sql("DROP WAREHOUSE a")), UnknownObject)
    db.sql("DROP WAREHOUSE IF EXISTS a")  # ends processes that an interrupted drop has left
    assert engine.asked[-1] == ("a", "stop")


@pytest.mark.parametrize(
    ("verb", "call"),
    [
        ("CREATE", lambda db: db.sql("CREATE WAREHOUSE b")),
        ("ALTER", lambda db: db.sql("ALTER WAREHOUSE a SET size = 2")),
        ("ALTER", lambda db: db.sql("ALTER WAREHOUSE a SUSPEND")),
        ("DROP", lambda db: db.sql("DROP WAREHOUSE a")),
        ("CREATE", lambda db: db.create_virtual_warehouse("b")),
        ("ALTER", lambda db: db.alter_virtual_warehouse("a", size=2)),
        ("DROP", lambda db: db.drop_virtual_warehouse("a")),
    ],
)
def test_inside_a_transaction_they_are_refused(
    db: Database, engine: FakeEngine, verb: str, call: Callable[[Database], Any]
) -> None:
    db.sql("CREATE WAREHOUSE a")
    before = engine.operations.copy()
    db.sql("BEGIN")
    error = refused(lambda: call(db))
    assert (error.sqlstate, f"{verb} WAREHOUSE cannot run inside" in str(error)) == ("25001", True)
    db.sql("USE WAREHOUSE a")
    db.sql("ROLLBACK")
    assert engine.operations == before


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("CREATE WAREHOUSE b", "25006"),
        ("ALTER WAREHOUSE a SUSPEND", "25006"),
        ("DROP WAREHOUSE a", "25006"),
        ("USE WAREHOUSE a", "0A000"),
        ("BEGIN", "25001"),
    ],
)
def test_on_a_virtual_warehouse_they_are_refused(db: Database, sql: str, sqlstate: str) -> None:
    bi = db.create_virtual_warehouse("a")
    error = refused(lambda: bi.sql(sql))
    assert (error.sqlstate, "use Database.sql" in str(error)) == (sqlstate, True)
    assert refused(lambda: bi.stream(sql)).sqlstate == "42601"
    assert list(db.virtual_warehouses()) == ["a"]


# --- cancelling -----------------------------------------------------------------------------------


def test_a_query_is_ended_by_its_id(db: Database, engine: FakeEngine) -> None:
    bi = db.create_virtual_warehouse("bi")
    engine.running = {"abc"}
    assert db.cancel("abc") is True
    assert db.cancel("abd") is False
    assert db.sql("KILL 'abc'").tag == "KILL"
    assert db.sql("CALL mobula.cancel($1)", ["abc"]).tag == "CALL"
    assert bi.sql("KILL :id", {"id": "abc"}).tag == "KILL"
    for sql in ("KILL 'abd'", "CALL mobula.cancel('abd')"):
        error = refused(lambda sql=sql: db.sql(sql))  # type: ignore[misc]
        assert isinstance(error, UnknownObject)
        assert "no query 'abd' waits or runs" in str(error)


@pytest.mark.parametrize("sql", ["KILL 5", "KILL NULL", "KILL (SELECT 'abc')", "KILL abc"])
def test_an_id_is_a_constant_text(db: Database, sql: str) -> None:
    assert isinstance(refused(lambda: db.sql(sql)), InvalidRequest)


def test_every_statement_has_an_id_of_its_own(db: Database, engine: FakeEngine) -> None:
    bi = db.create_virtual_warehouse("bi")
    results = [db.sql("SELECT 1"), db.sql("CREATE SCHEMA s"), bi.sql("SELECT 1"), bi.get("t", [1])]
    results.append(db.table("t").get([1]))
    ids = [result.query_id for result in results]
    ids += [db.stream("SELECT 1").query_id, bi.stream("SELECT 1").query_id]
    assert ids == [sent.query_id for sent in engine.sent]
    assert len({*ids}) == 7
    assert all(len(one) == 32 and int(one, 16) for one in ids)
    assert db.sql("SELECT 1", query_id="report-7").query_id == "report-7"
    assert bi.stream("SELECT 1", query_id="report-8").query_id == "report-8"
    assert db.sql("SET application_name = x").query_id == ""
    for wrong in ("", "x" * 65, 5):
        error = refused(lambda wrong=wrong: db.sql("SELECT 1", query_id=wrong))  # type: ignore[misc, arg-type]
        assert error.sqlstate == "22023"
