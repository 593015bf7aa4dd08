"""The prompt: lines that are typed, backslash commands, completion, and where errors are marked."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

import warehouse
from tests.unit.warehouse.cli.conftest import Mobula, is_empty
from warehouse import Interval
from warehouse.cli.completion import Names, SqlCompleter
from warehouse.cli.meta import COMMANDS
from warehouse.cli.prompt import _message, enter, history_file, interact, is_whole
from warehouse.cli.shell import Shell, marked
from warehouse.cli.texts import value_text

Typed = Callable[..., str]


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def db(orders: str) -> Iterator[warehouse.Database]:
    with warehouse.connect(orders, engine="local", create=False) as database:
        yield database


@pytest.fixture
def typed(db: warehouse.Database, capsys: pytest.CaptureFixture[str]) -> Typed:
    """What is printed, rows and messages, when these keys are typed."""

    def call(keys: str, **options: Any) -> str:
        with create_pipe_input() as keyboard:
            keyboard.send_text(keys)
            with create_app_session(input=keyboard, output=DummyOutput()):
                interact(Shell(db, **options))
        found = capsys.readouterr()
        return found.out + found.err

    return call


@pytest.fixture
def entered(db: warehouse.Database, capsys: pytest.CaptureFixture[str]) -> Typed:
    """What is printed when these lines are entered."""

    def call(*lines: str, **options: Any) -> str:
        shell = Shell(db, **options)
        for line in lines:
            enter(shell, line)
        shell.close()
        found = capsys.readouterr()
        return found.out + found.err

    return call


# --- the keyboard ---------------------------------------------------------------------------------


def test_a_statement_runs_at_its_semicolon_and_may_have_many_lines(typed: Typed) -> None:
    found = typed("SELECT ';' AS mark,\rcount(*) AS n\rFROM orders;\r\\q\r")
    assert "│ ;    │ 3 │" in found
    assert "1 row\n" in found


def test_the_end_of_the_input_leaves(typed: Typed) -> None:
    assert "\\q to leave" in typed("\x04")


def test_ctrl_c_drops_what_was_typed(typed: Typed) -> None:
    found = typed("SELECT nope\x03SELECT 1 AS one;\r\x04")
    assert "error" not in found
    assert "│ one │" in found


def test_lines_are_kept_between_sessions(typed: Typed) -> None:
    typed("SELECT 41 AS a;\r\x04")
    assert "SELECT 41 AS a;" in history_file().read_text("utf-8")
    assert history_file().stat().st_mode & 0o077 == 0
    up = "\x1b[A"
    assert "│ 41 │" in typed(f"{up}\r\x04")


def test_the_history_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert history_file() == tmp_path / ".local/state/mobula/history"


def test_transactions_at_the_prompt(entered: Typed, db: warehouse.Database) -> None:
    shell = Shell(db)
    assert _message(shell, "=>") == "mobula=> "
    found = entered("BEGIN;", "DELETE FROM orders;", "SELECT count(*) AS n FROM orders;")
    assert "BEGIN\n" in found
    assert "DELETE 3\n" in found
    assert "│ 0 │" in found
    assert "LSN" not in found
    assert _message(shell, "=>") == "mobula*=> "
    found = entered("SAVEPOINT s;", "SELECT 1/0;", "SELECT 1;", "ROLLBACK TO s;", "ROLLBACK;")
    assert "division by zero" in found
    assert "commands ignored until end of transaction block" in found
    assert found.endswith("ROLLBACK\nROLLBACK\n")
    assert _message(shell, "=>") == "mobula=> "
    assert "│ 3 │" in entered("SELECT count(*) AS n FROM orders;")
    found = entered("BEGIN; DELETE FROM orders WHERE id = 1; SELECT nope;", "COMMIT;")
    assert found.endswith("ROLLBACK\n")
    found = entered("BEGIN; DELETE FROM orders WHERE id = 1; COMMIT;")
    assert "COMMIT (LSN " in found


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", True),
        ("SELECT 1;", True),
        ("SELECT 1; ", True),
        ("SELECT 1; -- done", True),
        ("-- nothing", True),
        ("\\dt", True),
        ("SELECT 1", False),
        ("SELECT 1; SELECT 2", False),
        ("SELECT ';", False),
        ("SELECT /* ; ", False),
        ("SELECT $$ ; ", False),
        ("SELECT 1 -- ;", False),
    ],
)
def test_a_text_is_whole_at_a_semicolon_outside_of_strings(text: str, whole: bool) -> None:
    assert is_whole(text) is whole


def test_a_terminal_gets_the_prompt(
    mobula: Mobula, orders: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.cli.sql._is_terminal", lambda: True)
    with create_pipe_input() as keyboard:
        keyboard.send_text("SELECT 40 + 2 AS n;\r\x04")
        with create_app_session(input=keyboard, output=DummyOutput()):
            found = mobula("sql", orders)
    assert found.status == 0
    assert "│ 42 │" in found.stdout


def test_a_place_without_a_database_is_asked_about(
    mobula: Mobula, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.cli.sql._is_terminal", lambda: True)
    found = mobula("sql", root, text="n\n")
    assert found.status == 1
    assert "There is no database at" in found.stderr
    assert is_empty(root)
    with create_pipe_input() as keyboard:
        keyboard.send_text("CREATE TABLE t (a INT);\r\x04")
        with create_app_session(input=keyboard, output=DummyOutput()):
            assert "CREATE TABLE (LSN" in mobula("sql", root, text="y\n").stderr


# --- statements -----------------------------------------------------------------------------------


def test_statements_say_what_they_did(entered: Typed) -> None:
    found = entered("CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (NULL); SELECT * FROM t;")
    assert "CREATE TABLE (LSN" in found
    assert "INSERT 0 2 (LSN" in found
    assert "│ NULL │" in found
    assert "2 rows" in found


def test_the_first_error_ends_a_line_and_its_place_is_marked(entered: Typed) -> None:
    found = entered("SELECT 1 AS a;\nSELECT id,\n  nope FROM orders; SELECT 3 AS c;")
    assert "│ a │" in found
    assert "error: column nope does not exist" in found
    assert "LINE 2:   nope FROM orders\n          ^" in found
    assert "│ c │" not in found


def test_marks_are_under_the_place() -> None:
    assert marked("x (line 1, column 8)", "SELECT a") == "LINE 1: SELECT a\n               ^"
    assert marked("x", "SELECT a") is None
    assert marked("x (line 9, column 1)", "SELECT a") is None
    cut = marked("x (line 1, column 101)", "a" * 100 + "b" * 100)
    assert cut is not None
    line, caret = cut.split("\n")
    assert line == "LINE 1: ..." + "a" * 60 + "b" * 60
    assert line[caret.index("^")] == "b"
    assert line[caret.index("^") - 1] == "a"


def test_an_interrupt_ends_the_statement_and_not_the_prompt(
    entered: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("warehouse.Database.sql", interrupted)
        assert entered("SELECT 1;") == "cancelled\n"
    assert "│ 1 │" in entered("SELECT 1 AS a;")


# --- backslash commands ---------------------------------------------------------------------------


def test_every_command_has_a_line_of_help(entered: Typed) -> None:
    found = entered("\\?")
    assert all(f"{name} " in found for name in COMMANDS)


def test_tables_columns_schemas_and_types_are_listed(entered: Typed) -> None:
    found = entered(
        "CREATE SCHEMA sales; CREATE TABLE sales.parts (a INT);"
        " CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TYPE place AS (x INT, y TEXT);",
        "\\d orders",
        "\\dn",
        "\\dT",
    )
    assert "amount" in found
    assert "│ sales" in found
    assert "enum: a, b" in found
    assert "x INTEGER, y TEXT" in found
    assert "parts" in entered("\\dt")
    assert "parts" in entered("\\d")
    assert "orders" not in entered("\\dt p*")
    assert "parts" in entered("\\dt sales.*")
    assert "There are no tables like x*." in entered("\\dt x*")
    assert "does not exist" in entered("\\d nothing")


def test_keys_and_their_indexes_are_listed(entered: Typed) -> None:
    found = entered("CREATE TABLE keyed (a INT PRIMARY KEY, b TEXT, UNIQUE (b, a));", "\\d keyed")
    assert '"keyed_pkey" PRIMARY KEY (a)' in found
    assert '"keyed_b_a_key" UNIQUE (b, a)' in found
    listed = entered("\\di")
    assert "keyed_b_a_key" in listed
    assert "CREATE UNIQUE INDEX keyed_pkey ON public.keyed USING btree (a)" in listed


def test_functions_are_listed_by_pattern(entered: Typed) -> None:
    found = entered("\\df date_t*")
    assert "date_trunc" in found
    assert "upper" not in found
    assert "There are no functions like nope*." in entered("\\df nope*")


def test_the_database_is_shown(entered: Typed, orders: str, db: warehouse.Database) -> None:
    assert db.id in entered("\\l")
    assert "run on the primary" in entered("\\conninfo")
    assert "There are no indexes" in entered("\\di")


@pytest.mark.parametrize("command", ["\\c", "\\vw", "USE WAREHOUSE"])
def test_the_virtual_warehouse_is_switched(
    entered: Typed, db: warehouse.Database, command: str
) -> None:
    assert "There are no virtual warehouses." in entered("\\dw")
    db.create_virtual_warehouse("bi")
    entered(f"{command} bi")
    assert db.warehouse_in_use == "bi"
    assert _message(Shell(db), "=>") == "mobula/bi=> "
    assert "reads run on virtual warehouse bi, all else on the primary" in entered("\\conninfo")
    found = entered("INSERT INTO orders (id) VALUES (9);", "SELECT count(*) AS n FROM orders;")
    assert "INSERT 0 1" in found
    assert "│ 4 │" in found
    entered("USE WAREHOUSE NONE;" if command.startswith("USE") else command)
    assert _message(Shell(db), "=>") == "mobula=> "
    assert "does not exist; did you mean bi?" in entered(f"{command} bj")


def test_the_prompt_begins_on_a_virtual_warehouse(entered: Typed, db: warehouse.Database) -> None:
    db.create_virtual_warehouse("bi")
    assert "│ bi" in entered("SELECT current_warehouse() AS name;", warehouse="bi")


def test_virtual_warehouses_are_listed_with_their_settings(
    entered: Typed, db: warehouse.Database
) -> None:
    db.create_virtual_warehouse("bi", comment="reports")
    db.create_virtual_warehouse("adhoc")
    found = entered("\\dw b*")
    assert "auto_suspend_s" in found
    assert "reports" in found
    assert "adhoc" not in found
    assert "There are no virtual warehouses like x*." in entered("\\dw x*")


def test_switches_are_switched(entered: Typed) -> None:
    found = entered("\\timing", "SELECT 1;", "\\timing off", "SELECT 2;")
    assert "Timing is on." in found
    assert found.count("time: ") == 1
    found = entered("\\x on", "SELECT id, note FROM orders WHERE id = 1;", "\\x")
    assert "│ note  │ a,b │" in found
    assert "Expanded display is off." in found
    assert "expected on or off" in entered("\\x maybe")


def test_rows_go_to_a_file(entered: Typed, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    found = entered(f"\\o {path}", "SELECT 41 AS a;", "\\o", "SELECT 42 AS a;")
    assert "│ 41 │" in path.read_text("utf-8")
    assert "│ 41 │" not in found
    assert "│ 42 │" in found
    assert "cannot be written" in entered(f"\\o {tmp_path / 'no' / 'x'}")


def test_a_script_runs_up_to_its_first_error(entered: Typed, tmp_path: Path) -> None:
    path = tmp_path / "script.sql"
    path.write_text("SELECT 41 AS a; SELECT nope; SELECT 42 AS a;", "utf-8")
    found = entered(f"\\i {path}")
    assert "│ 41 │" in found
    assert "│ 42 │" not in found
    assert "does not read" in entered(f"\\i {tmp_path / 'none'}")
    assert "wants the name" in entered("\\i")


def test_an_unknown_command_is_answered_with_the_nearest_one(entered: Typed) -> None:
    assert "there is no command \\timng; did you mean \\timing?" in entered("\\timng")


# --- completion -----------------------------------------------------------------------------------

NAMES = Names(
    {("public", "orders"): ["id", "amount"], ("sales", "items"): ["item_id", "name"]},
    ["public", "sales"],
    ["bi"],
)


def completed(text: str, at: int | None = None) -> list[str]:
    document = Document(text, len(text) if at is None else at)
    completer = SqlCompleter(lambda: NAMES, COMMANDS)
    return [found.text for found in completer.get_completions(document, CompleteEvent())]


def test_tables_follow_from_and_columns_an_alias() -> None:
    assert completed("SELECT * FROM o") == ["orders"]
    assert completed("SELECT * FROM s") == ["sales.items", "sales"]
    assert completed("SELECT * FROM sales.") == ["items"]
    assert completed("SELECT * FROM orders o JOIN sales.items AS i ON i.") == ["item_id", "name"]
    assert completed("SELECT orders.a FROM orders", 15) == ["amount"]
    assert completed("SELECT o. FROM orders AS o", 9) == ["id", "amount"]
    assert completed("SELECT x. FROM orders AS o", 9) == []


def test_columns_functions_and_keywords_elsewhere() -> None:
    found = completed("SELECT am FROM orders", 9)
    assert found[0] == "amount"
    assert "date_trunc" in completed("SELECT date_")
    assert "GROUP" in completed("SELECT 1 FROM orders GR")
    assert "group" in completed("select 1 from orders gr")


def test_commands_and_their_arguments() -> None:
    assert completed("\\ti") == ["\\timing"]
    assert completed("\\d o") == ["orders"]
    assert completed("\\c b") == ["bi"]
    assert completed("\\dw ") == ["bi"]


def test_virtual_warehouses_follow_their_word() -> None:
    assert completed("USE WAREHOUSE ") == ["bi"]
    assert completed("alter warehouse b") == ["bi"]
    assert "WAREHOUSE" in completed("USE WAR")


def test_names_come_from_the_catalogue(db: warehouse.Database) -> None:
    shell = Shell(db)
    assert shell.names().columns(None, "orders") == ["id", "note", "amount"]
    assert shell.names() is shell.names()
    enter(shell, "CREATE TABLE more (b INT);")
    assert shell.names().columns("public", "more") == ["b"]


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (Decimal("1E-7"), "0.0000001"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (b"\x01\xff", "\\x01ff"),
        (Interval(14, -3, 1), "1 year 2 mons -3 days +00:00:00.000001"),
        (uuid.UUID(int=255), "00000000-0000-0000-0000-0000000000ff"),
        ([], "{}"),
        ([1, None, 2], "{1,NULL,2}"),
        (["a b", "null", "", 'q"\\', "a,b", "plain"], '{"a b","null","","q\\"\\\\","a,b",plain}'),
        ([["a"], ["b"]], "{{a},{b}}"),
        ([True], "{t}"),
        ((1, None, "a b", "", 'q"\\'), '(1,,"a b","","q""\\\\")'),
        ({"x": 1, "y": ["a", "b"]}, '(1,"{a,b}")'),
    ],
)
def test_values_are_written_as_postgresql_writes_them(value: Any, text: str) -> None:
    assert value_text(value) == text
