"""`python -m jobs.compact` in this process: what it does, its lines, its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import warehouse
from jobs.compact import main


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A table of two files that overlap, with holes; one with deltas; one that is empty."""
    root = str(tmp_path / "db")
    with warehouse.connect(root, engine="local") as db:
        db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT)")
        db.sql('CREATE TABLE "Odd name" (v BIGINT)')
        db.sql("CREATE SCHEMA s")
        db.sql("CREATE TABLE s.empty (v BIGINT)")
        for first in (0, 1):
            db.table("t").insert(pl.DataFrame({"k": range(first, 100, 2), "v": [first] * 50}))
            db.sql("CALL mobula.flush('t')")
        db.sql("DELETE FROM t WHERE k < 5")
        db.sql('INSERT INTO "Odd name" VALUES (1), (2)')
    return root


def test_every_table_is_set_right(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", root, "--engine", "local", "--recluster"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["table"] for line in lines] == ["public.Odd name", "public.t", "s.empty"]
    odd, table, empty = lines
    assert (odd["deltas"], odd["rows"], odd["level_0"]) == (0, 2, 1)
    assert (table["rows"], table["deleted_rows"], table["depth_max"]) == (95, 0, 1)
    assert (table["rewritten"], table["level_1"], table["space_amplification"]) == (4, 1, 1.0)
    assert (empty["rows"], empty["rewritten"]) == (0, 0)
    with warehouse.connect(root, engine="local") as db:
        assert db.sql("SELECT count(*), min(k) FROM t").rows() == [(95, 5)]


def test_one_table_alone(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", root, "--engine", "local", "--table", "t"]) == 0
    (line,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (line["table"], line["rewritten"], line["depth_max"]) == ("public.t", 2, 2)


def test_what_is_wrong_is_one_line(
    root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", root, "--engine", "local", "--table", "tt"]) == 1
    assert capsys.readouterr().err == "error: table tt does not exist; did you mean t?\n"
    assert main(["--root", str(tmp_path / "none"), "--engine", "local"]) == 1
    assert "is no Mobula database" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
