"""`mobula load`: what it loads, makes, and refuses."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

import warehouse
from tests.unit.warehouse.cli.conftest import Mobula, is_empty


def _count(root: str, table: str = "orders") -> int:
    with warehouse.connect(root, engine="local", create=False) as db:
        return int(db.sql(f"SELECT count(*) FROM {table}").scalar())


def _lsn(root: str) -> int:
    with warehouse.connect(root, engine="local", create=False) as db:
        return db.snapshot().lsn


def test_a_file_is_loaded(mobula: Mobula, orders: str, source: Path) -> None:
    found = mobula("load", orders, "orders", str(source))
    assert found.status == 0
    assert "orders: 2 of 2 rows" in found.stderr
    assert "loaded 2 rows into orders in" in found.stderr
    assert found.stdout == ""
    assert _count(orders) == 5


def test_quiet_shows_no_progress(mobula: Mobula, orders: str, source: Path) -> None:
    found = mobula("load", orders, "orders", str(source), "--quiet")
    assert "2 of 2" not in found.stderr


def test_table_names_are_read_as_sql_reads_them(mobula: Mobula, orders: str, source: Path) -> None:
    assert mobula("load", orders, "Public.ORDERS", str(source)).status == 0
    assert "did you mean orders?" in mobula("load", orders, '"Orders"', str(source)).error
    assert "expected table or schema.table" in mobula("load", orders, "a.b.c", str(source)).error


def test_many_files_and_patterns_are_one_commit(
    mobula: Mobula, orders: str, source: Path, tmp_path: Path
) -> None:
    pl.DataFrame({"id": [6]}).write_parquet(tmp_path / "part-1.parquet")
    pl.DataFrame({"id": [7]}).write_parquet(tmp_path / "part-2.parquet")
    before = _lsn(orders)
    found = mobula("load", orders, "orders", str(source), str(tmp_path / "part-*.parquet"))
    assert "loaded 4 rows" in found.stderr
    assert _count(orders) == 7
    assert _lsn(orders) == before + 2  # this primary's fence, and the load


def test_create_makes_database_and_table(mobula: Mobula, root: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"Id": [1], "Unit Price": [1.5], "ok": [True]})
    frame.write_parquet(tmp_path / "sales.parquet")
    assert mobula("load", root, "sales", str(tmp_path / "sales.parquet"), "--create").status == 0
    with warehouse.connect(root, engine="local", create=False) as db:
        assert db.sql('SELECT ID, "unit price", Ok FROM Sales').rows() == [(1, 1.5, True)]


def test_create_keeps_a_table_that_exists(mobula: Mobula, orders: str, source: Path) -> None:
    assert mobula("load", orders, "orders", str(source), "--create").status == 0
    assert _count(orders) == 5


def test_without_a_database_nothing_is_made(mobula: Mobula, root: str, source: Path) -> None:
    error = mobula("load", root, "orders", str(source)).error
    assert "is no Mobula database" in error
    assert "--create makes database and table" in error
    assert is_empty(root)


def test_a_missing_file_is_named_and_nothing_is_made(
    mobula: Mobula, root: str, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.parquet"
    error = mobula("load", root, "orders", str(missing), "--create").error
    assert error == f"{missing}: there is no such file"
    assert is_empty(root)


def test_a_pattern_without_a_match_is_named(mobula: Mobula, orders: str, tmp_path: Path) -> None:
    pattern = str(tmp_path / "no-*.parquet")
    assert mobula("load", orders, "orders", pattern).error == f"{pattern}: no file matches"


def test_an_empty_file_is_named(mobula: Mobula, orders: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    empty.touch()
    assert f"{empty} is empty" in mobula("load", orders, "orders", str(empty)).error


def test_an_unreadable_file_is_named_and_no_other_is_loaded(
    mobula: Mobula, orders: str, source: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no Parquet at all")
    error = mobula("load", orders, "orders", str(source), str(broken)).error
    assert f"{broken} does not read as Parquet" in error
    assert _count(orders) == 3


def test_an_unknown_table_is_answered_with_the_nearest_name(
    mobula: Mobula, orders: str, source: Path
) -> None:
    assert "did you mean orders?" in mobula("load", orders, "order", str(source)).error


def test_a_file_that_does_not_fit_names_column_and_types(
    mobula: Mobula, orders: str, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.parquet"
    pl.DataFrame({"id": ["x"]}).write_parquet(wrong)
    found = mobula("load", orders, "orders", str(wrong), "--quiet").error
    assert "column id" in found
    assert "BIGINT" in found
    assert _count(orders) == 3


def test_a_table_made_for_a_refused_load_is_taken_back(
    mobula: Mobula, orders: str, source: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.parquet"
    pl.DataFrame({"colour": ["red"]}).write_parquet(other)
    found = mobula("load", orders, "fresh", str(source), str(other), "--create", "--quiet")
    assert "no column 'colour'" in found.error
    assert "fresh" not in mobula("tables", orders).stdout


def test_csv_and_ndjson_are_loaded_and_make_tables(
    mobula: Mobula, root: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("Id,day,note\n1,2024-01-01,x\n2,,\n")
    found = mobula("load", root, "t", str(tmp_path / "a.csv"), "--create", "--quiet")
    assert found.status == 0
    (tmp_path / "b.txt").write_text("3|2024-01-03|NA\n")
    options = ["--format", "csv", "--no-header", "--delimiter", "|", "--null", "NA"]
    assert mobula("load", root, "t", str(tmp_path / "b.txt"), *options).status == 0
    (tmp_path / "c.ndjson").write_text('{"id":4,"note":"é"}\n')
    assert mobula("load", root, "t", str(tmp_path / "c.ndjson")).status == 0
    with warehouse.connect(root, engine="local", create=False) as db:
        assert db.sql("SELECT * FROM t ORDER BY id").rows() == [
            (1, date(2024, 1, 1), "x"),
            (2, None, None),
            (3, date(2024, 1, 3), None),
            (4, None, "é"),
        ]
    (tmp_path / "a.csv").write_text("id\n5\nsix\n")
    found = mobula("load", root, "t", str(tmp_path / "a.csv"))
    assert found.status == 1
    assert 'a.csv, line 3: column id: invalid input syntax for type bigint: "six"' in found.error
    assert _count(root, "t") == 4


def test_rows_replace_those_with_their_key_or_are_left_out(
    mobula: Mobula, root: str, source: Path
) -> None:
    with warehouse.connect(root, engine="local") as db:
        db.sql("CREATE TABLE orders (id BIGINT PRIMARY KEY, note TEXT)")
        db.sql("INSERT INTO orders VALUES (4, 'old')")
    assert "(id)=(4) already exists" in mobula("load", root, "orders", str(source), "-q").error
    assert "give one" in mobula("load", root, "orders", str(source), "--upsert", "--ignore").error
    ignored = mobula("load", root, "orders", str(source), "--ignore")
    assert "orders: comparing 2 keys with the table's" in ignored.stderr
    assert "loaded 1 rows" in ignored.stderr
    with warehouse.connect(root, engine="local", create=False) as db:
        assert db.sql("SELECT * FROM orders ORDER BY id").rows() == [(4, "old"), (5, "e")]
    assert "loaded 2 rows" in mobula("load", root, "orders", str(source), "--upsert").stderr
    with warehouse.connect(root, engine="local", create=False) as db:
        assert db.sql("SELECT * FROM orders ORDER BY id").rows() == [(4, "d"), (5, "e")]
