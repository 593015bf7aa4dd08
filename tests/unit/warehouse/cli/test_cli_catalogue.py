"""`mobula tables`, `describe`, `log` and `status`, and what all commands have in common."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

import warehouse
from tests.unit.warehouse.cli.conftest import Mobula, is_empty

READING = [
    ("tables",),
    ("describe", "orders"),
    ("log",),
    ("status",),
    ("vw", "list"),
    ("vw", "create", "bi"),
    ("vw", "alter", "bi", "--size", "2"),
    ("vw", "show", "bi"),
    ("vw", "suspend", "bi"),
    ("vw", "resume", "bi"),
    ("vw", "drop", "bi"),
    ("kill", "abc"),
]


def _at(root: str, command: tuple[str, ...]) -> list[str]:
    words = 2 if command[0] == "vw" else 1
    return [*command[:words], root, *command[words:]]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_no_command_creates_a_database(mobula: Mobula, root: str, command: tuple[str, ...]) -> None:
    assert "is no Mobula database" in mobula(*_at(root, command)).error
    assert is_empty(root)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_newer_format_is_refused(mobula: Mobula, orders: str, command: tuple[str, ...]) -> None:
    path = Path(orders) / "format"
    path.write_bytes(json.dumps({**json.loads(path.read_bytes()), "mobula": 99}).encode())
    assert "format version 99" in mobula(*_at(orders, command)).error


def test_tables_lists_rows(mobula: Mobula, orders: str) -> None:
    found = json.loads(mobula("tables", orders, "--format", "json").stdout)
    assert [(row["schema"], row["table"], row["rows"]) for row in found] == [
        ("public", "orders", 3)
    ]


def test_describe_shows_columns_and_size(mobula: Mobula, orders: str) -> None:
    found = mobula("describe", orders, "Orders")
    assert "DECIMAL(10,2)" in found.stdout
    assert found.stderr.startswith("3 rows in 0 micropartitions and 1 deltas, ")
    rows = mobula("describe", orders, "public.orders", "--format", "csv").stdout
    assert rows.splitlines()[1] == "id,BIGINT,true,,,"


def test_describe_lists_keys(mobula: Mobula, orders: str) -> None:
    mobula("sql", orders, "CREATE TABLE keyed (a INT, b TEXT UNIQUE, PRIMARY KEY (b, a))")
    found = mobula("describe", orders, "keyed")
    assert found.stderr.splitlines()[:3] == [
        "Keys:",
        '    "keyed_pkey" PRIMARY KEY (b, a)',
        '    "keyed_b_key" UNIQUE CONSTRAINT (b)',
    ]
    rows = mobula("describe", orders, "keyed", "--format", "csv").stdout.splitlines()
    assert rows[2] == 'b,TEXT,false,,"keyed_pkey, keyed_b_key",'


def test_describe_names_the_nearest_table(mobula: Mobula, orders: str) -> None:
    assert "did you mean orders?" in mobula("describe", orders, "ordres").error
    assert "does not exist" in mobula("describe", orders, "x; DROP TABLE orders").error


def test_log_shows_who_did_what(mobula: Mobula, orders: str) -> None:
    found = json.loads(mobula("log", orders, "--format", "json").stdout)
    assert [(row["lsn"], row["epoch"], row["operations"], row["rows"]) for row in found] == [
        (1, 1, "a primary began its reign", 0),
        (2, 1, "create_table", 0),
        (3, 1, "append orders", 3),
    ]
    assert all(row["writer"].startswith("local-") for row in found)


def test_times_of_the_log_are_what_as_of_takes(mobula: Mobula, orders: str) -> None:
    found = json.loads(mobula("log", orders, "--last", "1", "--format", "json").stdout)
    assert [row["lsn"] for row in found] == [3]
    query = f"SELECT count(*) AS n FROM orders AS OF TIMESTAMP '{found[0]['time']}'"
    assert mobula("sql", orders, query, "--format", "csv").stdout == "n\n3\n"


def test_log_wants_a_positive_count(mobula: Mobula, orders: str) -> None:
    assert mobula("log", orders, "--last", "0").status == 2


def test_status_says_what_is_there_and_where_commands_run(mobula: Mobula, orders: str) -> None:
    found = json.loads(mobula("status", orders, "--format", "json").stdout)[0]
    assert found["engine"] == "local (asked for)"
    assert (found["lsn"], found["tables"], found["rows"]) == (3, 1, 3)
    assert found["virtual_warehouses"] is None
    assert found["primary"].startswith("none runs here")
    assert "database id" in mobula("status", orders).stdout
    assert (found["delta_rows"], found["index_runs"]) == (3, "0 runs, 0 bytes")
    assert mobula("sql", orders, "CREATE TABLE k (id INT PRIMARY KEY)").status == 0
    assert mobula("sql", orders, "INSERT INTO k VALUES (1)").status == 0
    assert mobula("sql", orders, "CALL mobula.flush()").status == 0
    found = json.loads(mobula("status", orders, "--format", "json").stdout)[0]
    assert found["delta_rows"] == 0
    assert found["index_runs"].startswith("1 runs, ")


def test_status_starts_no_primary(mobula: Mobula, orders: str) -> None:
    mobula("status", orders)
    with warehouse.connect(orders, engine="local", create=False) as db:
        assert db.snapshot().lsn == 3


def test_version_is_the_distributions(mobula: Mobula) -> None:
    assert mobula("--version").stdout == f"mobula {version('mobula')}\n"


def test_help_names_every_command(mobula: Mobula) -> None:
    found = mobula("--help").stdout
    commands = ("load", "sql", "tables", "describe", "log", "status", "vw", "kill", "demo")
    assert all(f" {command} " in found for command in commands)
