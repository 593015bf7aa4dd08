"""Statements that change rows, through every engine: many rows, many writers, results."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.errors import InvalidRequest
from warehouse import Database

ROWS = 20_000  # more than go into the log


def test_many_rows_change_at_once(db: Database) -> None:
    db.sql("CREATE TABLE t (a BIGINT PRIMARY KEY, b TEXT UNIQUE, n INTEGER)")
    made = f"SELECT i, md5(i::text), 0 FROM generate_series(1, {ROWS}) AS s (i)"
    assert db.sql(f"INSERT INTO t {made}").tag == f"INSERT 0 {ROWS}"
    assert db.sql("UPDATE t SET n = n + 1 WHERE a % 2 = 0").tag == f"UPDATE {ROWS // 2}"
    assert db.sql("UPDATE t SET b = b || 'x'").tag == f"UPDATE {ROWS}"
    again = f"INSERT INTO t {made.replace('i, md5', 'i + 5, md5')} ON CONFLICT (a)"
    assert db.sql(f"{again} DO UPDATE SET n = t.n + 10").tag == f"INSERT 0 {ROWS}"
    assert db.sql("DELETE FROM t WHERE a % 2 = 1").tag == f"DELETE {ROWS // 2 + 3}"  # to 20,005
    found = db.sql("SELECT count(*), sum(n), min(a), max(a), count(DISTINCT b) FROM t").rows()
    count = ROWS // 2 + 2
    assert found == [(count, ROWS // 2 + 10 * (ROWS // 2 - 2), 2, ROWS + 4, count)]


def test_many_rows_change_their_keys(db: Database) -> None:
    db.sql("CREATE TABLE t (a BIGINT PRIMARY KEY, b TEXT UNIQUE)")
    db.sql(f"INSERT INTO t SELECT i, i::text FROM generate_series(1, {ROWS}) AS s (i)")
    assert db.sql("UPDATE t SET a = a + 1").tag == f"UPDATE {ROWS}"
    assert db.sql(f"UPDATE t SET a = a + {ROWS}, b = b || 'x'").tag == f"UPDATE {ROWS}"
    found = db.sql("SELECT count(*), min(a), max(a), min(a - left(b, -1)::bigint) FROM t").rows()
    assert found == [(ROWS, ROWS + 2, 2 * ROWS + 1, ROWS + 1)]


def test_many_rows_of_a_table_without_a_key(db: Database) -> None:
    db.sql("CREATE TABLE t (a BIGINT, b TEXT)")
    db.sql(f"INSERT INTO t SELECT i % 10, md5(i::text) FROM generate_series(1, {ROWS}) AS s (i)")
    assert db.sql("UPDATE t SET a = a + 100 WHERE a < 3").tag == f"UPDATE {3 * ROWS // 10}"
    assert db.sql("DELETE FROM t WHERE a > 100").tag == f"DELETE {2 * ROWS // 10}"
    assert db.sql("SELECT count(*), sum(a) FROM t").rows() == [
        (8 * ROWS // 10, ROWS // 10 * (100 + 3 + 4 + 5 + 6 + 7 + 8 + 9))
    ]


def test_returning_gives_many_rows(db: Database) -> None:
    db.sql("CREATE TABLE t (id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b TEXT)")
    insert = f"INSERT INTO t (b) SELECT md5(i::text) FROM generate_series(1, {ROWS}) AS s (i)"
    result = db.sql(f"{insert} RETURNING id, b")
    assert result.columns == ["id", "b"]
    assert sorted(result.rows()) == sorted(db.sql("SELECT id, b FROM t").rows())
    assert result.tag == f"INSERT 0 {ROWS}"
    assert result.commit is not None
    assert db.sql("SELECT count(*) FROM t", min_lsn=result.commit.lsn).scalar() == ROWS


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE t SET n = n + 1 WHERE a = 1",
        "INSERT INTO t VALUES (1, 1) ON CONFLICT (a) DO UPDATE SET n = t.n + 1",
        "MERGE INTO t USING (VALUES (1)) AS s (k) ON a = k"
        " WHEN MATCHED THEN UPDATE SET n = n + 1 WHEN NOT MATCHED THEN INSERT VALUES (k, 1)",
    ],
)
def test_no_change_is_lost_among_many_writers(statement: str, db: Database) -> None:
    """Whoever comes too late is run again."""
    db.sql("CREATE TABLE t (a INTEGER PRIMARY KEY, n INTEGER)")
    if statement.startswith("UPDATE"):
        db.sql("INSERT INTO t VALUES (1, 0)")
    with ThreadPoolExecutor(4) as threads:
        tags = list(threads.map(lambda _: db.sql(statement).tag, range(20)))
    assert {tag.split()[-1] for tag in tags if tag is not None} == {"1"}
    assert db.sql("SELECT * FROM t").rows() == [(1, 20)]


def test_only_one_of_many_inserts_a_key(db: Database) -> None:
    db.sql("CREATE TABLE t (a INTEGER PRIMARY KEY, n INTEGER)")

    def insert(number: int) -> str:
        try:
            return str(db.sql("INSERT INTO t VALUES (1, $1)", [number]).tag)
        except InvalidRequest as error:
            return error.sqlstate

    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(insert, range(8)))
    assert sorted(outcomes) == [*["23505"] * 7, "INSERT 0 1"]


def test_a_failed_statement_changes_nothing(db: Database) -> None:
    db.sql("CREATE TABLE t (a INTEGER PRIMARY KEY, n INTEGER CHECK (n < 5))")
    db.sql("INSERT INTO t VALUES (1, 1), (2, 4)")
    for statement, sqlstate in (
        ("UPDATE t SET n = n + 1", "23514"),
        ("UPDATE t SET a = 1", "23505"),
        ("UPDATE t SET n = 0 RETURNING 1 / (a - 1)", "22012"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            db.sql(statement)
        assert caught.value.sqlstate == sqlstate
    assert db.sql("SELECT * FROM t ORDER BY a").rows() == [(1, 1), (2, 4)]
