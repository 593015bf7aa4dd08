"""A token takes effect once: repeated, it gets the first receipt, whatever has happened since.

Writers that are killed (`kills.py`) repeat what they did not hear the outcome of, on a new
connection. These are statements for which that did not hold, or does not yet.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import warehouse
from warehouse import Database, IngestToken


def connected(path: Path) -> Database:
    return warehouse.connect(str(path / "db"), engine="local")


def token(sequence: int) -> IngestToken:
    return IngestToken(writer="w", sequence=sequence)


def test_a_repeated_drop_gets_the_first_receipt(tmp_path: Path) -> None:
    with connected(tmp_path) as db:
        db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT)")
        first = db.sql("DROP TABLE t", token=token(1)).commit
    with connected(tmp_path) as db:
        assert db.sql("DROP TABLE t", token=token(1)).commit == first


def test_a_repeated_append_gets_the_first_receipt_although_the_table_is_gone(
    tmp_path: Path,
) -> None:
    rows = pl.DataFrame({"v": [1, 2]})
    with connected(tmp_path) as db:
        db.sql("CREATE TABLE t (v BIGINT)")
        first = db.table("t").append(rows, token=token(1))
        db.sql("DROP TABLE t")
    with connected(tmp_path) as db:
        assert db.table("t").append(rows, token=token(1)) == first


@pytest.mark.parametrize("text", ["UPDATE t SET v = v + 1", "DELETE FROM t WHERE k < 10"])
def test_a_statement_that_changed_nothing_changes_nothing_when_it_is_repeated(
    tmp_path: Path, text: str
) -> None:
    with connected(tmp_path) as db:
        db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT)")
        first = db.sql(text, token=token(1))
        assert first.tag is not None
        assert first.tag.endswith(" 0")
        db.sql("INSERT INTO t VALUES (1, 1)")
    with connected(tmp_path) as db:
        again = db.sql(text, token=token(1))
        assert db.sql("SELECT k, v FROM t").rows() == [(1, 1)]
        assert again.tag == first.tag


def test_a_token_that_changed_nothing_is_not_refused_as_too_old(tmp_path: Path) -> None:
    with connected(tmp_path) as db:
        db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT)")
        db.sql("UPDATE t SET v = v + 1", token=token(1))
        db.sql("INSERT INTO t VALUES (1, 1)", token=token(2))
        db.sql("UPDATE t SET v = v + 1", token=token(1))
