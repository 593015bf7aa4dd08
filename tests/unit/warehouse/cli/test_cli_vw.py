"""`mobula vw`, `mobula kill`, and virtual warehouses in `mobula sql` and `mobula status`."""

from __future__ import annotations

import json
from typing import Any

import pytest

import warehouse
from storage.snapshot.changes import VirtualWarehouse
from tests.unit.warehouse.cli.conftest import Mobula


def settings(root: str, name: str = "bi") -> VirtualWarehouse:
    with warehouse.connect(root, engine="local", create=False) as db:
        return db.virtual_warehouses()[name]


def test_virtual_warehouses_come_and_go(mobula: Mobula, orders: str) -> None:
    options = ("--size", "small", "--worker-cpus", "0.5", "--cache", "64MB")
    created = mobula("vw", "create", orders, "bi", *options)
    assert created.stderr == "virtual warehouse bi exists and runs whenever it is queried\n"
    (listed,) = json.loads(mobula("vw", "list", orders, "--format", "json").stdout)
    assert (listed["warehouse"], listed["size"], listed["cache_bytes"]) == ("bi", 2, 64 << 20)
    assert mobula("vw", "suspend", orders, "bi", "--force").status == 0
    assert "is suspended" in mobula("vw", "suspend", orders, "bi").stderr
    assert "serves" in mobula("vw", "resume", orders, "bi").stderr
    assert mobula("vw", "drop", orders, "bi", "--force").status == 0
    assert mobula("vw", "list", orders, "--format", "csv").stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"auto_suspend_s": 600, "cache_bytes": 4 << 30, "size": 1}),
        (["--size", "X-Large"], {"size": 16}),
        (["--size", "3"], {"size": 3}),
        (["--worker-cpus", "1.5"], {"worker_cpus": 1.5}),
        (["--worker-memory", "4 GB"], {"worker_memory_bytes": 4 << 30}),
        (["--worker-memory", "none"], {"worker_memory_bytes": None}),
        (["--cache", "1GiB"], {"cache_bytes": 1 << 30}),
        (["--min-clusters", "2", "--max-clusters", "3"], {"min_clusters": 2, "max_clusters": 3}),
        (["--scaling-policy", "economy"], {"scaling_policy": "economy"}),
        (["--auto-suspend", "never"], {"auto_suspend_s": None}),
        (["--auto-suspend", "5min"], {"auto_suspend_s": 300}),
        (["--auto-suspend", "30"], {"auto_suspend_s": 30}),
        (["--no-auto-resume"], {"auto_resume": False}),
        (["--auto-resume"], {"auto_resume": True}),
        (["--size", "2", "--max-concurrency", "1"], {"max_concurrency": 1}),
        (["--statement-timeout", "1h"], {"statement_timeout_s": 3600}),
        (["--queue-timeout", "500ms"], {"queue_timeout_s": 0.5}),
        (["--max-queued", "0"], {"max_queued": 0}),
        (["--node-type", "spot"], {"node_type": "spot"}),
        (["--comment", "for BI"], {"comment": "for BI"}),
    ],
)
def test_create_and_alter_take_every_option(
    mobula: Mobula, orders: str, options: list[str], expected: dict[str, Any]
) -> None:
    assert mobula("vw", "create", orders, "bi", *options).status == 0
    made = settings(orders)
    assert {name: getattr(made, name) for name in expected} == expected
    if options:
        assert mobula("vw", "create", orders, "other", "--size", "4").status == 0
        altered = mobula("vw", "alter", orders, "other", *options)
        assert altered.status == 0, altered.stderr
        made = settings(orders, "other")
        assert {name: getattr(made, name) for name in expected} == expected


def test_options_go_back_to_their_defaults(mobula: Mobula, orders: str) -> None:
    mobula("vw", "create", orders, "bi", "--size", "4", "--max-concurrency", "2")
    unset = ("--unset", "max-concurrency", "--unset", "auto_suspend", "--size", "2")
    assert "has changed: auto_suspend_s, max_concurrency, size" in (
        mobula("vw", "alter", orders, "bi", *unset).stderr
    )
    assert (settings(orders).size, settings(orders).max_concurrency) == (2, None)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("create", "w", "--size", "0"), "size is 0"),
        (("create", "w", "--size", "huge"), "--size: expected a number of workers"),
        (("create", "w/i"), "a name is"),
        (("create", "w", "--cache", "4XB"), "--cache: expected a size such as '4 GB'"),
        (("create", "w", "--auto-suspend", "soon"), "--auto-suspend: expected seconds"),
        (("create", "w", "--max-queued", "many"), "--max-queued: expected a whole number"),
        (("create", "bi"), "virtual warehouse bi exists already"),
        (("alter", "bi", "--unset", "siz"), "--unset siz: virtual warehouses have no such option"),
        (("alter", "bi", "--size", "2", "--unset", "size"), "the same option is set, too"),
        (("alter", "bj", "--size", "2"), "bj does not exist; did you mean bi?"),
        (("show", "bj"), "bj does not exist; did you mean bi?"),
        (("suspend", "bj"), "bj does not exist; did you mean bi?"),
        (("resume", "bj"), "bj does not exist; did you mean bi?"),
        (("drop", "bj"), "bj does not exist; did you mean bi?"),
    ],
)
def test_mistakes_are_named(
    mobula: Mobula, orders: str, command: tuple[str, ...], message: str
) -> None:
    mobula("vw", "create", orders, "bi")
    verb, *rest = command
    assert message in mobula("vw", verb, orders, *rest).error


def test_altering_nothing_is_no_command(mobula: Mobula, orders: str) -> None:
    assert mobula("vw", "alter", orders, "bi").status == 2


def test_what_may_be_there_or_not(mobula: Mobula, orders: str) -> None:
    assert mobula("vw", "drop", orders, "bi", "--if-exists").status == 0
    assert mobula("vw", "create", orders, "bi", "--size", "2").status == 0
    assert mobula("vw", "create", orders, "bi", "--if-not-exists").status == 0
    assert settings(orders).size == 2


def test_one_may_begin_asleep(mobula: Mobula, orders: str) -> None:
    created = mobula("vw", "create", orders, "bi", "--initially-suspended")
    assert "sleeps until it is queried or resumed" in created.stderr


def test_one_is_shown(mobula: Mobula, orders: str) -> None:
    mobula("vw", "create", orders, "Bi-1", "--comment", "for BI")
    shown = mobula("vw", "show", orders, "Bi-1", "--format", "csv").stdout.splitlines()
    assert shown[:2] == ["setting,value", "name,Bi-1"]
    assert "comment,for BI" in shown


def test_status_lists_them_with_their_settings(mobula: Mobula, orders: str) -> None:
    mobula("vw", "create", orders, "bi", "--max-clusters", "3")
    (found,) = json.loads(mobula("status", orders, "--format", "json").stdout)
    assert found["virtual_warehouses"] == "bi"
    (listed,) = found["warehouses"]
    assert (listed["warehouse"], listed["max_clusters"]) == ("bi", 3)
    assert "max_clusters" in mobula("status", orders).stdout


def test_a_query_that_does_not_run_cannot_be_killed(mobula: Mobula, orders: str) -> None:
    assert mobula("kill", orders, "abc").error == (
        "no query 'abc' waits or runs; it may be over already"
    )


def test_scripts_use_virtual_warehouses(mobula: Mobula, orders: str) -> None:
    script = (
        "CREATE WAREHOUSE bi; USE WAREHOUSE bi; INSERT INTO orders (id) VALUES (9);"
        " SELECT current_warehouse() AS name, count(*) AS n FROM orders; BEGIN; ROLLBACK"
    )
    found = mobula("sql", orders, "--format", "csv", script)
    assert found.status == 0, found.stderr
    assert found.stdout == "name,n\nbi,4\n"
    error = mobula("sql", orders, "SELECT 1; CREATE WAREHOUSE x SIZ = 2").error
    assert error.startswith("statement 2 of 2: syntax error at line 1, column 20 near 'SIZ'")


def test_priority_and_timeout_are_of_all_statements(mobula: Mobula, orders: str) -> None:
    options = ("--priority", "high", "--timeout", "90", "--format", "csv")
    shown = "SHOW query_priority; SHOW statement_timeout"
    found = mobula("sql", orders, *options, shown)
    assert found.stdout == "query_priority\n100\nstatement_timeout\n90s\n"
    assert "a priority from -1000" in mobula("sql", orders, "--priority", "2000", shown).error
    assert "--timeout: a time" in mobula("sql", orders, "--timeout", "soon", shown).error
