"""`python -m jobs.load` in this process: its arguments, its last line, its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import warehouse
from jobs.load import main


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    for part in (1, 2):
        frame = pl.DataFrame({"id": [part], "note": ["x"]})
        frame.write_parquet(tmp_path / f"part-{part}.parquet")
    root, source = str(tmp_path / "db"), str(tmp_path / "part-*.parquet")
    return ["--engine", "local", "--root", root, "--table", "t", "--source", source]


def _rows(arguments: list[str]) -> list[tuple[object, ...]]:
    with warehouse.connect(arguments[3], engine="local", create=False) as db:
        return db.sql("SELECT * FROM t ORDER BY id").rows()


def test_the_last_line_is_the_commit(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--create"]) == 0
    printed = capsys.readouterr()
    commit = json.loads(printed.out)
    assert (commit["table"], commit["rows"], commit["lsn"]) == ("t", 2, 3)
    assert commit["tso"] > 0
    assert "t: 2 of 2 rows" in printed.err
    assert _rows(arguments) == [(1, "x"), (2, "x")]


def test_the_table_may_come_from_a_statement(arguments: list[str], tmp_path: Path) -> None:
    statement = tmp_path / "table.sql"
    statement.write_text("CREATE TABLE t (id SMALLINT, note TEXT, more DATE)", encoding="utf-8")
    assert main([*arguments, "--create-table-sql", str(statement)]) == 0
    assert _rows(arguments) == [(1, "x", None), (2, "x", None)]


def test_what_is_wrong_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert "is no Mobula database" in printed.err
    assert printed.err.count("\n") == 1


def test_a_missing_source_makes_nothing(arguments: list[str], tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.parquet")
    assert main([*arguments, "--source", missing, "--create"]) == 1
    assert not (tmp_path / "db").exists()


def test_a_missing_statement_file_is_named(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--create-table-sql", str(tmp_path / "no.sql")]) == 1
    assert "no.sql" in capsys.readouterr().err


def test_text_files_are_loaded_too(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;note\n7;NA\n")
    arguments[-1] = str(tmp_path / "a.csv")
    assert main([*arguments, "--create", "--delimiter", ";", "--null", "NA"]) == 0
    assert _rows(arguments) == [(7, None)]
