"""CREATE, ALTER, DROP and USE WAREHOUSE, and KILL: their trees, every option, every error."""

from __future__ import annotations

from typing import Any

import pytest

from storage.errors import NotYet, SqlSyntaxError
from storage.snapshot.changes import VirtualWarehouse
from tests.unit.warehouse.syntax.trees import shown
from warehouse.syntax.session_statements import SessionGrammar
from warehouse.syntax.warehouse_options import INITIALLY_SUSPENDED, OPTIONS
from warehouse.syntax.warehouse_statements import AlterWarehouse, CreateWarehouse, Kill


def parsed(sql: str) -> Any:
    return SessionGrammar(sql).session_statement()


def created(options: str) -> dict[str, Any]:
    found = parsed(f"CREATE WAREHOUSE bi {options}")
    assert isinstance(found, CreateWarehouse)
    return dict(found.settings)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE WAREHOUSE bi", "CreateWarehouse(name=bi, settings=[])"),
        (
            "create warehouse if not exists BI;",
            "CreateWarehouse(name=bi, settings=[], exists=True)",
        ),
        (
            'CREATE WAREHOUSE "Bi-1" WITH SIZE = 2, MAX_CLUSTERS = 3 initially_suspended = true',
            "CreateWarehouse(name=Bi-1, settings=[[size, 2], [max_clusters, 3]], suspended=True)",
        ),
        (
            "ALTER WAREHOUSE bi SET size = 4 comment = 'x'",
            "AlterWarehouse(name=bi, action=set, settings=[[size, 4], [comment, x]])",
        ),
        (
            "ALTER WAREHOUSE IF EXISTS bi UNSET size, auto_suspend, max_concurrency",
            "AlterWarehouse(name=bi, action=set, settings=[[size, 1], [auto_suspend_s, 600],"
            " [max_concurrency, -]], exists=True)",
        ),
        ("ALTER WAREHOUSE bi SUSPEND", "AlterWarehouse(name=bi, action=suspend)"),
        ("ALTER WAREHOUSE bi SUSPEND FORCE", "AlterWarehouse(name=bi, action=suspend, force=True)"),
        ("ALTER WAREHOUSE bi RESUME", "AlterWarehouse(name=bi, action=resume)"),
        ("ALTER WAREHOUSE bi RESUME IF SUSPENDED", "AlterWarehouse(name=bi, action=resume)"),
        ("DROP WAREHOUSE bi", "DropWarehouse(name=bi)"),
        ("DROP WAREHOUSE IF EXISTS bi FORCE", "DropWarehouse(name=bi, exists=True, force=True)"),
        ("USE WAREHOUSE bi", "UseWarehouse(name=bi)"),
        ("USE WAREHOUSE NONE", "UseWarehouse(name=-)"),
        ('USE WAREHOUSE "none"', "UseWarehouse(name=none)"),
        ("KILL 'abc'", "Kill(query='abc')"),
        ("KILL QUERY $1", "Kill(query=$1)"),
        ("CALL mobula.cancel('abc')", "Kill(query='abc', tag=CALL)"),
    ],
)
def test_statements_about_warehouses(sql: str, expected: str) -> None:
    assert shown(parsed(sql)) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE warehouse (a INT)", "CREATE TABLE t AS SELECT 1",
        "ALTER TABLE t ADD COLUMN a INT", "DROP TABLE warehouse", "USE BRANCH trial", "KILLED",
        "CALL mobula.flush()", "CALL cancel('x')", "DESCRIBE WAREHOUSE bi", "SHOW WAREHOUSES",
    ],
)  # fmt: skip
def test_other_statements_are_not_the_sessions(sql: str) -> None:
    assert parsed(sql) is None


@pytest.mark.parametrize(
    ("option", "setting"),
    [
        ("SIZE = 3", ("size", 3)),
        ("WAREHOUSE_SIZE = XSMALL", ("size", 1)),
        ("warehouse_size = 'X-Small'", ("size", 1)),
        ("size = small", ("size", 2)),
        ("size = 'MEDIUM'", ("size", 4)),
        ("size = Large", ("size", 8)),
        ("size = xlarge", ("size", 16)),
        ("size = 'X-Large'", ("size", 16)),
        ("size = xxlarge", ("size", 32)),
        ("size = '2X-Large'", ("size", 32)),
        ("size = x2large", ("size", 32)),
        ("size = xxxlarge", ("size", 64)),
        ("size = '6X-LARGE'", ("size", 512)),
        ("WORKER_CPUS = 0.5", ("worker_cpus", 0.5)),
        ("WORKER_MEMORY = '4 GB'", ("worker_memory_bytes", 4 << 30)),
        ("WORKER_MEMORY = '512MB'", ("worker_memory_bytes", 512 << 20)),
        ("WORKER_MEMORY = '1.5GiB'", ("worker_memory_bytes", 3 << 29)),
        ("WORKER_MEMORY = NULL", ("worker_memory_bytes", None)),
        ("CACHE = 1073741824", ("cache_bytes", 1 << 30)),
        ("CACHE = '10 TB'", ("cache_bytes", 10 << 40)),
        ("CACHE = '64 kB'", ("cache_bytes", 64 << 10)),
        ("CACHE = '64 b'", ("cache_bytes", 64)),
        ("MIN_CLUSTERS = 2", ("min_clusters", 2)),
        ("MIN_CLUSTER_COUNT = 2", ("min_clusters", 2)),
        ("MAX_CLUSTERS = 2", ("max_clusters", 2)),
        ("MAX_CLUSTER_COUNT = 2", ("max_clusters", 2)),
        ("SCALING_POLICY = ECONOMY", ("scaling_policy", "economy")),
        ("SCALING_POLICY = 'Standard'", ("scaling_policy", "standard")),
        ("AUTO_SUSPEND = 60", ("auto_suspend_s", 60)),
        ("AUTO_SUSPEND = '5 minutes'", ("auto_suspend_s", 300)),
        ("AUTO_SUSPEND = '1h'", ("auto_suspend_s", 3600)),
        ("AUTO_SUSPEND = 0", ("auto_suspend_s", None)),
        ("AUTO_SUSPEND = NULL", ("auto_suspend_s", None)),
        ("AUTO_SUSPEND = never", ("auto_suspend_s", None)),
        ("AUTO_RESUME = FALSE", ("auto_resume", False)),
        ("AUTO_RESUME = 'on'", ("auto_resume", True)),
        ("MAX_CONCURRENCY = 2", ("max_concurrency", 2)),
        ("MAX_CONCURRENCY_LEVEL = NULL", ("max_concurrency", None)),
        ("STATEMENT_TIMEOUT = '30s'", ("statement_timeout_s", 30)),
        ("STATEMENT_TIMEOUT_IN_SECONDS = 2.5", ("statement_timeout_s", 2.5)),
        ("QUEUE_TIMEOUT = '250 ms'", ("queue_timeout_s", 0.25)),
        ("STATEMENT_QUEUED_TIMEOUT_IN_SECONDS = 0", ("queue_timeout_s", None)),
        ("MAX_QUEUED = 0", ("max_queued", 0)),
        ("NODE_TYPE = spot", ("node_type", "spot")),
        ("COMMENT = 'for ''BI'''", ("comment", "for 'BI'")),
        ("COMMENT = NULL", ("comment", None)),
        ("COMMENT = 'null'", ("comment", "null")),
        ("MAX_QUEUED = -1", ("max_queued", -1)),  # the primary says what is out of range
    ],
)
def test_options_and_how_their_values_are_read(option: str, setting: tuple[str, Any]) -> None:
    found = created(option)
    assert list(found.items()) == [setting]
    assert type(found[setting[0]]) is type(setting[1])


def test_every_setting_of_the_catalogue_has_its_option() -> None:
    fields = {option.field for option in OPTIONS} - {INITIALLY_SUSPENDED}
    assert fields == {*VirtualWarehouse.__struct_fields__} - {"name"}


def test_alter_and_unset_know_every_option_too() -> None:
    for option in OPTIONS:
        if option.field != INITIALLY_SUSPENDED:
            found = parsed(f"ALTER WAREHOUSE bi UNSET {option.names[0]}")
            assert isinstance(found, AlterWarehouse)
            assert [field for field, _ in found.settings] == [option.field]


@pytest.mark.parametrize(
    ("sql", "near", "message"),
    [
        ("CREATE WAREHOUSE", None, "expected the name of a virtual warehouse"),
        ("CREATE WAREHOUSE bi WITH", None, "expected an option"),
        ("CREATE WAREHOUSE bi SIZ = 2", "SIZ", "no option SIZ; did you mean SIZE?"),
        ("CREATE WAREHOUSE bi size = 2, max_cluster = 2", "max_cluster", "mean MAX_CLUSTERS?"),
        ("CREATE WAREHOUSE bi size = 1 SIZE = 2", "SIZE", "option SIZE is given twice"),
        ("CREATE WAREHOUSE bi size = 1 WAREHOUSE_SIZE = 2", "WAREHOUSE_SIZE", "given twice"),
        ("CREATE WAREHOUSE bi size 2", "2", "expected ="),
        ("CREATE WAREHOUSE bi size =", None, "expected the value of SIZE"),
        ("CREATE WAREHOUSE bi size = (2)", "(", "expected the value of SIZE"),
        ("CREATE WAREHOUSE bi size = -large", "large", "expected the value of SIZE"),
        ("CREATE WAREHOUSE bi size = 0x10", "0x10", "expected the value of SIZE"),
        ("CREATE WAREHOUSE bi size = 2,", None, "expected an option"),
        ("CREATE WAREHOUSE bi size = huge", "huge", "SIZE: expected a number of workers, or XSM"),
        ("CREATE WAREHOUSE bi size = 1.5", "1.5", "SIZE: expected a number of workers"),
        ("CREATE WAREHOUSE bi size = NULL", "NULL", "found NULL"),
        ("CREATE WAREHOUSE bi worker_cpus = many", "many", "expected a number, found 'many'"),
        ("CREATE WAREHOUSE bi cache = '4 XB'", "'4 XB'", "units are kB, MB, GB and TB"),
        ("CREATE WAREHOUSE bi cache = '0.3 b'", "'0.3 b'", "a whole number of bytes"),
        ("CREATE WAREHOUSE bi cache = big", "big", "expected a size such as '4 GB'"),
        ("CREATE WAREHOUSE bi cache = true", "true", "expected a size such as '4 GB'"),
        ("CREATE WAREHOUSE bi auto_suspend = '5 weeks'", "'5 weeks'", "units are us, ms, s, min"),
        ("CREATE WAREHOUSE bi auto_suspend = soon", "soon", "expected seconds, a text such as"),
        ("CREATE WAREHOUSE bi auto_resume = maybe", "maybe", "AUTO_RESUME: expected TRUE or FALSE"),
        ("CREATE WAREHOUSE bi min_clusters = 1.5", "1.5", "expected a whole number, found 1.5"),
        ("ALTER WAREHOUSE bi", None, "expected SET OR UNSET OR SUSPEND OR RESUME"),
        ("ALTER WAREHOUSE bi SET", None, "expected an option"),
        ("ALTER WAREHOUSE bi SET initially_suspended = true", "initially_suspended", "CREATE W"),
        ("ALTER WAREHOUSE bi UNSET size = 1", "=", "expected the end of the statement"),
        ("ALTER WAREHOUSE bi UNSET siz", "siz", "did you mean SIZE?"),
        ("ALTER WAREHOUSE bi RESUME IF", None, "expected SUSPENDED"),
        ("ALTER WAREHOUSE bi RESUME FORCE", "FORCE", "expected the end"),
        ("DROP WAREHOUSE a, b", ",", "expected the end"),
        ("DROP WAREHOUSE 'bi'", "'bi'", "expected the name of a virtual warehouse"),
        ("USE WAREHOUSE", None, "expected the name of a virtual warehouse"),
        ("USE WAREHOUSE bi; SELECT 1", "SELECT", "expected the end"),
        ("CALL mobula.cancel()", ")", "expected"),
        ("KILL", None, "expected"),
    ],
)
def test_mistakes_are_syntax_errors_with_their_place(
    sql: str, near: str | None, message: str
) -> None:
    with pytest.raises(SqlSyntaxError) as caught:
        parsed(sql)
    text = str(caught.value)
    assert message in text
    assert text.count("syntax error") == 1
    assert ("found the end" if near is None else f"near {near!r}") in text
    if near is not None:
        assert f"column {sql.rindex(near) + 1} " in text


def test_rename_comes_later() -> None:
    with pytest.raises(NotYet, match="RENAME"):
        parsed("ALTER WAREHOUSE bi RENAME TO ib")


def test_kill_takes_any_expression() -> None:
    found = parsed("KILL 'a' || 'b'")
    assert isinstance(found, Kill)
    assert shown(found.query) == "('a' || 'b')"
