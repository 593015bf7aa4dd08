"""`mobula sql`: where statements come from, how rows are printed, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import warehouse
from tests.unit.warehouse.cli.conftest import Mobula, is_empty

SELECT = "SELECT id, note, amount FROM orders ORDER BY id"


def test_rows_are_printed_as_a_table_with_null_shown(mobula: Mobula, orders: str) -> None:
    found = mobula("sql", orders, SELECT)
    assert found.status == 0
    lines = found.stdout.splitlines()
    assert lines[1].split() == ["│", "id", "│", "note", "│", "amount", "│"]
    assert lines[5].split() == ["│", "3", "│", "NULL", "│", "NULL", "│"]
    assert found.stderr == "3 rows\n"


def test_csv_tells_empty_text_from_null(mobula: Mobula, orders: str) -> None:
    found = mobula("sql", orders, SELECT, "--format", "csv")
    assert found.stdout == 'id,note,amount\n1,"a,b",1.50\n2,"",20.00\n3,,\n'
    assert found.stderr == ""


def test_json_keeps_the_digits_of_decimals(mobula: Mobula, orders: str) -> None:
    found = mobula("sql", orders, SELECT, "--format", "json")
    assert '"amount":20.00' in found.stdout
    assert json.loads(found.stdout)[2] == {"id": 3, "note": None, "amount": None}


def test_every_statement_of_a_script_runs_and_says_what_it_did(mobula: Mobula, root: str) -> None:
    script = (
        "CREATE TABLE t (a INT); -- one; comment\n"
        "INSERT INTO t VALUES (1), (2);\n"
        "SELECT ';' AS s, a FROM t ORDER BY a;"
    )
    found = mobula("sql", root, script)
    assert found.status == 0
    assert [line.split(" (LSN")[0] for line in found.stderr.splitlines()] == [
        "CREATE TABLE",
        "INSERT 0 2",
        "2 rows",
    ]


def test_rows_of_returning_are_shown_before_what_was_done(mobula: Mobula, root: str) -> None:
    script = (
        "CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (7), (8) RETURNING a + 1 AS b;"
    )
    found = mobula("sql", root, script)
    assert "b" in found.stdout
    assert [line.split(" (LSN")[0] for line in found.stderr.splitlines()] == [
        "CREATE TABLE",
        "2 rows",
        "INSERT 0 2",
    ]
    deleted = mobula("sql", root, "DELETE FROM t RETURNING a", "--format", "csv")
    assert sorted(deleted.stdout.split()) == ["7", "8", "a"]
    assert deleted.stderr == ""


def test_statements_come_from_a_file(mobula: Mobula, orders: str, tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_text("SELECT count(*) AS n FROM orders", encoding="utf-8")
    assert mobula("sql", orders, "-f", str(script), "--format", "csv").stdout == "n\n3\n"


def test_statements_come_from_standard_input(mobula: Mobula, orders: str) -> None:
    query = "SELECT count(*) AS n FROM orders"
    assert mobula("sql", orders, "--format", "csv", text=query).stdout == "n\n3\n"
    assert mobula("sql", orders, "--format", "csv", "-f", "-", text=query).stdout == "n\n3\n"


def test_text_and_file_together_are_a_usage_error(
    mobula: Mobula, orders: str, tmp_path: Path
) -> None:
    script = tmp_path / "script.sql"
    script.write_text("SELECT 1", encoding="utf-8")
    assert mobula("sql", orders, "SELECT 1", "-f", str(script)).status == 2


def test_stats_say_what_a_statement_cost(mobula: Mobula, orders: str) -> None:
    found = mobula("sql", orders, SELECT, "--stats")
    assert "rows_scanned 3, bytes_fetched 0," in found.stderr


def test_reading_creates_no_database(mobula: Mobula, root: str) -> None:
    assert "is no Mobula database" in mobula("sql", root, "SELECT 1").error
    assert "is no Mobula database" in mobula("sql", root, "INSERT INTO t VALUES (1)").error
    assert is_empty(root)


def test_a_syntax_error_has_its_position_and_nothing_runs(mobula: Mobula, root: str) -> None:
    error = mobula("sql", root, "CREATE TABLE t (a INT);\nSELECT 1 FRM t").error
    assert error.startswith("statement 2 of 2: syntax error at line 1, column")
    assert is_empty(root)


def test_an_unknown_table_is_answered_with_the_nearest_name(mobula: Mobula, orders: str) -> None:
    assert "did you mean orders?" in mobula("sql", orders, "SELECT * FROM order_s").error


def test_an_unknown_column_is_answered_with_the_nearest_name(mobula: Mobula, orders: str) -> None:
    error = mobula("sql", orders, "SELECT amuont FROM orders").error
    assert "column amuont does not exist" in error
    assert "did you mean amount?" in error


def test_a_script_stops_at_the_first_error_and_keeps_what_is_done(
    mobula: Mobula, orders: str
) -> None:
    script = "INSERT INTO orders (id) VALUES (4); SELECT nope FROM orders; DROP TABLE orders"
    found = mobula("sql", orders, script)
    assert found.status == 1
    assert "statement 2 of 3: column nope does not exist" in found.stderr
    with warehouse.connect(orders, engine="local", create=False) as db:
        assert db.sql("SELECT count(*) FROM orders").scalar() == 4


def test_an_empty_script_is_an_error(mobula: Mobula, orders: str) -> None:
    assert "no statement" in mobula("sql", orders, " ; -- nothing\n").error


def test_a_missing_script_is_named(mobula: Mobula, orders: str, tmp_path: Path) -> None:
    error = mobula("sql", orders, "-f", str(tmp_path / "none.sql")).error
    assert error == f"{tmp_path / 'none.sql'} does not read: No such file or directory"


def test_a_file_that_is_no_text_is_named(mobula: Mobula, orders: str, tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_bytes(b"\xff\xfe\x00")
    assert mobula("sql", orders, "-f", str(script)).error.startswith(f"{script} is no UTF-8 text")


def test_reads_run_on_a_virtual_warehouse(mobula: Mobula, orders: str) -> None:
    assert mobula("vw", "create", orders, "bi").status == 0
    query = ("sql", orders, "--vw", "bi", "--format", "csv", "SELECT count(*) AS n FROM orders")
    assert mobula(*query).stdout == "n\n3\n"


def test_writes_are_refused_on_a_virtual_warehouse(mobula: Mobula, orders: str) -> None:
    assert mobula("vw", "create", orders, "bi").status == 0
    error = mobula("sql", orders, "--vw", "bi", "INSERT INTO orders (id) VALUES (9)").error
    assert "virtual warehouse bi only reads; send writes to the primary" in error


def test_an_unknown_virtual_warehouse_is_answered_with_the_nearest_name(
    mobula: Mobula, orders: str
) -> None:
    assert mobula("vw", "create", orders, "adhoc").status == 0
    error = mobula("sql", orders, "--vw", "adhok", "SELECT 1").error
    assert "virtual warehouse adhok does not exist; did you mean adhoc?" in error


def test_a_database_on_a_virtual_warehouse_is_never_created(mobula: Mobula, root: str) -> None:
    assert (
        "is no Mobula database" in mobula("sql", root, "--vw", "bi", "CREATE TABLE t (a INT)").error
    )
    assert is_empty(root)


def test_a_second_primary_is_refused_naming_the_holder(mobula: Mobula, orders: str) -> None:
    with warehouse.connect(orders, engine="local") as db:
        db.sql("INSERT INTO orders (id) VALUES (4)")
        assert "has a primary: local-" in mobula("sql", orders, "DROP TABLE orders").error
        found = mobula("sql", orders, "--format", "csv", "SELECT count(*) AS n FROM orders")
        assert found.stdout == "n\n4\n"
