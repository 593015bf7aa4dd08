"""A call that is repeated with its token gives the first receipt, whatever has happened since."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from warehouse import Commit, Conflict, Database, IngestToken, InvalidRequest, UnknownObject

# What differs between engines is how a call gets to the primary, which other tests here have.
LOCAL = pytest.mark.parametrize("engine", ["local"], indirect=True)
ROWS = pl.DataFrame({"k": [2, 3], "v": [20, 30]}, schema={"k": pl.Int64, "v": pl.Int64})


@pytest.fixture
def token(db: Database) -> IngestToken:
    """That nobody else has, on a database that tests share."""
    return IngestToken(writer=f"test-{db.snapshot().lsn}", sequence=1)


@pytest.fixture
def made(db: Database) -> Database:
    """With the tables t, keyed, and s, which has two rows for it."""
    db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT CHECK (v < 1000))")
    db.sql("INSERT INTO t VALUES (1, 10)")
    db.sql("CREATE TABLE s (k BIGINT, v BIGINT)")
    db.sql("INSERT INTO s VALUES (2, 20), (3, 30)")
    return db


def contents(db: Database) -> Any:
    lsn = db.snapshot().lsn
    found = [(table.name, table.row_count) for table in db.snapshot().tables.values()]
    return lsn, found


STATEMENTS = {
    "drop": ("DROP TABLE t", [], "DROP TABLE"),
    "create": ("CREATE TABLE u (a INT)", [], "CREATE TABLE"),
    "create and drop": ("CREATE TABLE u (a INT)", ["DROP TABLE u"], "CREATE TABLE"),
    "create as": ("CREATE TABLE u AS SELECT * FROM s", ["DROP TABLE s"], "SELECT 2"),
    "create schema": ("CREATE SCHEMA other", ["DROP SCHEMA other"], "CREATE SCHEMA"),
    "insert, source gone": ("INSERT INTO t SELECT * FROM s", ["DROP TABLE s"], "INSERT 0 2"),
    "insert, table gone": ("INSERT INTO t SELECT * FROM s", ["DROP TABLE t"], "INSERT 0 2"),
    "insert, key there": ("INSERT INTO t VALUES (7, 1)", [], "INSERT 0 1"),
    "update, check": (
        "UPDATE t SET v = v + 500",
        ["UPDATE t SET v = 900"],
        "UPDATE 1",
    ),
    "update, no row left": ("UPDATE t SET v = 11 WHERE v = 10", [], "UPDATE 1"),
    "update without key": ("UPDATE s SET v = v + 1", ["DELETE FROM s"], "UPDATE 2"),
    "delete": ("DELETE FROM t WHERE k = 1", [], "DELETE 1"),
    "merge": (
        "MERGE INTO t USING s ON t.k = s.k WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.v)",
        ["DROP TABLE s"],
        "MERGE 2",
    ),
    "truncate": ("TRUNCATE t", ["DROP TABLE t"], "TRUNCATE TABLE"),
}


@LOCAL
@pytest.mark.parametrize("case", STATEMENTS)
def test_a_repeated_statement(made: Database, token: IngestToken, case: str) -> None:
    text, meanwhile, tag = STATEMENTS[case]
    first = made.sql(text, token=token)
    assert first.tag == tag
    for other in meanwhile:
        made.sql(other)
    before = contents(made)
    again = made.sql(text, token=token)
    assert (again.commit, again.tag) == (first.commit, tag)
    assert contents(made) == before


def test_a_repeated_drop_and_append(made: Database, token: IngestToken) -> None:
    other = IngestToken(writer=token.writer, sequence=2)
    appended = made.table("t").append(ROWS, token=token)
    dropped = made.sql("DROP TABLE t", token=other).commit
    assert made.table("t").append(ROWS, token=token) == appended
    assert made.sql("DROP TABLE t", token=other).commit == dropped


def test_a_repeated_copy_whose_file_is_gone(
    made: Database, token: IngestToken, tmp_path: Path
) -> None:
    path = tmp_path / "rows.parquet"
    ROWS.write_parquet(path)
    text = f"COPY t FROM '{path}'"
    first = made.sql(text, token=token)
    path.unlink()
    again = made.sql(text, token=token)
    assert (again.commit, again.tag) == (first.commit, "COPY 2")


def test_a_statement_that_returned_rows_cannot_return_them_again(
    made: Database, token: IngestToken
) -> None:
    text = "DELETE FROM t WHERE k = 1 RETURNING v"
    first = made.sql(text, token=token)
    assert first.commit is not None
    with pytest.raises(Conflict, match=f"committed before, at LSN {first.commit.lsn}") as caught:
        made.sql(text, token=token)
    assert caught.value.sqlstate == "40003"


def test_a_repeated_temporary_table_is_still_the_sessions(
    made: Database, token: IngestToken
) -> None:
    text = "CREATE TEMPORARY TABLE x (a INT)"
    first = made.sql(text, token=token)
    assert made.sql(text, token=token).commit == first.commit
    assert made.sql("SELECT count(*) FROM x").scalar() == 0


WRITES: dict[str, Callable[[Database, IngestToken], Commit]] = {
    "append": lambda db, token: db.table("t").append(ROWS, token=token),
    "insert": lambda db, token: db.table("t").insert(ROWS, token=token),
    "upsert": lambda db, token: db.table("t").upsert(ROWS, token=token),
    "update": lambda db, token: db.table("t").update(ROWS.with_columns(k=1).head(1), token=token),
    "update where": lambda db, token: db.table("t").update(set={"v": "v + 1"}, token=token),
    "delete": lambda db, token: db.table("t").delete([1], token=token),
    "delete where": lambda db, token: db.table("t").delete(where="k = 1", token=token),
}
MEANWHILE = {
    "gone": ["DROP TABLE t"],
    "another": ["DROP TABLE t", "CREATE TABLE t (a TEXT)"],
    "changed": ["DELETE FROM t"],
}


@LOCAL
@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("write", WRITES)
def test_a_repeated_write_of_a_table(
    made: Database, token: IngestToken, write: str, meanwhile: str
) -> None:
    first = WRITES[write](made, token)
    for other in MEANWHILE[meanwhile]:
        made.sql(other)
    before = contents(made)
    assert WRITES[write](made, token) == first
    assert contents(made) == before


@pytest.mark.parametrize("meanwhile", ["file", "table"])
def test_a_repeated_load(
    made: Database, token: IngestToken, tmp_path: Path, meanwhile: str
) -> None:
    path = tmp_path / "rows.parquet"
    ROWS.write_parquet(path)
    first = made.load("t", str(path), token=token)
    if meanwhile == "file":
        path.unlink()
    else:
        made.sql("DROP TABLE t")
    assert made.load("t", str(path), token=token) == first
    with pytest.raises((InvalidRequest, UnknownObject)):
        made.load("t", str(path), token=IngestToken(writer=token.writer, sequence=2))


@pytest.mark.parametrize(("meanwhile", "retry"), [([], 0), (["DROP TABLE t"], 3)])
def test_a_repeated_transaction(
    made: Database, token: IngestToken, meanwhile: list[str], retry: int
) -> None:
    def write() -> Commit:
        scope = made.transaction(token=token, retry=retry)
        attempts = scope if retry else [scope]
        for tx in attempts:
            with tx:
                tx.table("t").insert(ROWS)
                tx.sql("UPDATE t SET v = v + 1 WHERE k = 1")
        assert scope.commit is not None
        return scope.commit

    first = write()
    for other in meanwhile:
        made.sql(other)
    before = contents(made)
    assert write() == first
    assert contents(made) == before


def test_a_transaction_that_is_wrong_says_so(made: Database, token: IngestToken) -> None:
    with pytest.raises(InvalidRequest) as caught, made.transaction(token=token) as tx:
        tx.sql("INSERT INTO t VALUES (1, 1)")
    assert caught.value.sqlstate == "23505"
    with made.transaction(token=token) as tx:
        tx.sql("INSERT INTO t VALUES (5, 1)")
    assert tx.commit is not None


def test_a_call_that_is_wrong_says_so(made: Database, token: IngestToken) -> None:
    """A token that has committed nothing changes no error."""
    with pytest.raises(UnknownObject, match="nowhere"):
        made.table("nowhere").append(ROWS, token=token)
    with pytest.raises(UnknownObject, match="nowhere"):
        made.sql("DROP TABLE nowhere", token=token)
    with pytest.raises(InvalidRequest) as caught:
        made.sql("INSERT INTO t VALUES (1, 1)", token=token)
    assert caught.value.sqlstate == "23505"
    assert made.sql("INSERT INTO t VALUES (2, 1)", token=token).tag == "INSERT 0 1"
