"""UPDATE, DELETE, MERGE and ON CONFLICT as operations; what others write meanwhile; EXPLAIN.

What the statements answer is in `tests/data/sql/dml`.
"""

from __future__ import annotations

import pytest

from actors.messages import CommitReply, QueryReply
from actors.operations import WriteMode, WriteRows
from storage.errors import Conflict, InvalidRequest, NotYet
from storage.snapshot.model import Receipt
from tests.unit.warehouse.planning.keyed import FakePrimary, KeyedDatabase
from warehouse.planning.catalogue import LOCATION

KEYED = "CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER UNIQUE, c TEXT DEFAULT 'x')"
ROWS = "INSERT INTO t VALUES (1, 10, 'p'), (2, 20, 'q'), (3, NULL, 'r')"


@pytest.fixture
def database() -> KeyedDatabase:
    return KeyedDatabase(KEYED, ROWS)


def written(database: KeyedDatabase) -> list[tuple[WriteMode, int, bool]]:
    """Mode and row count of the last transaction's operations, and whether they say what was
    read."""
    found = []
    for operation in database.operations:
        assert isinstance(operation, WriteRows)
        found.append((operation.mode, operation.row_count, operation.read_lsn is not None))
    return found


# --- operations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "tag", "operations"),
    [
        ("INSERT INTO t VALUES (4, 4), (5, 5)", "INSERT 0 2", [(WriteMode.INSERT, 2, False)]),
        ("UPDATE t SET c = 'z' WHERE a < 3", "UPDATE 2", [(WriteMode.UPDATE, 2, True)]),
        ("DELETE FROM t WHERE a < 3", "DELETE 2", [(WriteMode.DELETE, 2, True)]),
        # A key that may change: the old row leaves, the new one comes.
        (
            "UPDATE t SET a = a + 10 WHERE a < 3",
            "UPDATE 2",
            [(WriteMode.DELETE, 2, True), (WriteMode.INSERT, 2, False)],
        ),
        (
            "UPDATE t SET b = 30 WHERE a = 3",
            "UPDATE 1",
            [(WriteMode.UPDATE, 1, True)],
        ),
        (
            "MERGE INTO t USING (VALUES (1, 'd'), (2, 'u'), (9, 'i')) s (k, w) ON a = k"
            " WHEN MATCHED AND w = 'd' THEN DELETE WHEN MATCHED THEN UPDATE SET c = w"
            " WHEN NOT MATCHED THEN INSERT (a) VALUES (k)",
            "MERGE 3",
            [(WriteMode.DELETE, 1, True), (WriteMode.UPDATE, 1, True), (WriteMode.INSERT, 1, True)],
        ),
        (
            "INSERT INTO t VALUES (1, 1), (9, 9) ON CONFLICT (a) DO UPDATE SET c = 'again'",
            "INSERT 0 2",
            [(WriteMode.UPDATE, 1, True), (WriteMode.INSERT, 1, True)],
        ),
        (
            "INSERT INTO t VALUES (1, 1), (9, 9), (9, 8) ON CONFLICT (a) DO NOTHING",
            "INSERT 0 1",
            [(WriteMode.INSERT, 1, True)],
        ),
        # Whatever the key: the index alone decides.
        (
            "INSERT INTO t VALUES (1, 1), (9, 20), (8, 8), (7, 8) ON CONFLICT DO NOTHING",
            "INSERT 0 1",
            [(WriteMode.IGNORE, 3, False), (WriteMode.IGNORE, 1, False)],
        ),
        (
            "INSERT INTO t VALUES (9, 9), (9, 9), (8, NULL), (8, NULL) ON CONFLICT DO NOTHING",
            "INSERT 0 2",
            [(WriteMode.IGNORE, 2, False)],
        ),
    ],
)
def test_rows_become_operations(
    sql: str, tag: str, operations: list[tuple[WriteMode, int, bool]], database: KeyedDatabase
) -> None:
    assert database.tag(sql) == tag
    assert written(database) == operations


@pytest.mark.parametrize(
    "sql", ["UPDATE t SET c = 'z' WHERE false", "DELETE FROM t WHERE a > 9", "DELETE FROM t t2 "
            "USING t t1 WHERE t1.a = t2.a + 100"],
)  # fmt: skip
def test_nothing_to_do_commits_nothing(sql: str, database: KeyedDatabase) -> None:
    before = database.snapshot.lsn
    assert database.tag(sql).endswith(" 0")
    assert database.snapshot.lsn == before


def test_an_error_in_returning_writes_nothing(database: KeyedDatabase) -> None:
    before = database.snapshot
    with pytest.raises(InvalidRequest) as caught:
        database.sql("UPDATE t SET c = 'z' RETURNING 1 / (a - 2)")
    assert caught.value.sqlstate == "22012"
    assert database.snapshot is before


@pytest.mark.parametrize("returning", ["", " RETURNING a"])
def test_a_row_that_is_left_out_is_in_nobodys_way(returning: str, database: KeyedDatabase) -> None:
    """Of (1, 9) and (8, 9) the first meets the table, so the second is inserted."""
    rows = "INSERT INTO t VALUES (1, 9), (8, 9), (8, 7), (7, 9) ON CONFLICT DO NOTHING"
    assert database.tag(rows + returning) == "INSERT 0 1"
    assert database.rows("SELECT a, b FROM t WHERE a > 3") == [(8, 9)]


def test_keys_may_change_places(database: KeyedDatabase) -> None:
    """PostgreSQL looks at each row as it comes, and refuses this; the standard asks for it."""
    assert database.tag("UPDATE t SET a = 3 - a WHERE a < 3") == "UPDATE 2"
    assert database.rows("SELECT a, c FROM t ORDER BY a") == [(1, "q"), (2, "p"), (3, "r")]


# --- meanwhile ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET c = c || '!' WHERE a = 1",
        "UPDATE t SET a = 9 WHERE a = 1",
        "DELETE FROM t WHERE c = 'p'",
        "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET c = 'z'",
        "MERGE INTO t USING (VALUES (1)) s (k) ON a = k WHEN MATCHED THEN UPDATE SET c = 'z'",
    ],
)
def test_rows_that_others_wrote_meanwhile_are_not_overwritten(
    sql: str, database: KeyedDatabase
) -> None:
    database.meanwhile = lambda: database.sql("UPDATE t SET c = 'theirs' WHERE a = 1") and None
    with pytest.raises(Conflict):
        database.sql(sql)
    assert database.rows("SELECT c FROM t WHERE a = 1") == [("theirs",)]


def test_others_may_write_other_rows(database: KeyedDatabase) -> None:
    database.meanwhile = lambda: database.sql("UPDATE t SET c = 'theirs' WHERE a = 2") and None
    database.sql("UPDATE t SET c = 'ours' WHERE a = 1")
    assert database.rows("SELECT a, c FROM t WHERE a < 3 ORDER BY a") == [
        (1, "ours"),
        (2, "theirs"),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (a) VALUES (9) ON CONFLICT (a) DO UPDATE SET c = 'ours'",
        "INSERT INTO t (a) VALUES (9) ON CONFLICT (a) DO NOTHING RETURNING a",
        "MERGE INTO t USING (VALUES (9)) s (k) ON a = k"
        " WHEN NOT MATCHED THEN INSERT (a) VALUES (k)",
    ],
)
def test_a_key_that_came_meanwhile_is_a_conflict_where_it_was_looked_for(
    sql: str, database: KeyedDatabase
) -> None:
    database.meanwhile = lambda: database.sql("INSERT INTO t (a) VALUES (9)") and None
    with pytest.raises(Conflict):
        database.sql(sql)


# --- repeated calls -------------------------------------------------------------------------------


def test_a_repeated_call_tells_what_the_first_did(
    database: KeyedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Receipt(lsn=database.snapshot.lsn, tso=0, row_counts=(3,))

    async def commit(*_: object) -> Receipt:
        return first

    monkeypatch.setattr(FakePrimary, "commit", commit)
    reply = database.sql("DELETE FROM t WHERE a = 1")
    assert isinstance(reply, CommitReply)
    assert reply.tag == "DELETE 3"
    with pytest.raises(Conflict) as caught:
        database.sql("DELETE FROM t WHERE a = 1 RETURNING a")
    assert caught.value.sqlstate == "40003"


# --- plans ----------------------------------------------------------------------------------------


def test_returning_has_a_tag_and_a_receipt(database: KeyedDatabase) -> None:
    reply = database.sql("UPDATE t SET b = 11 WHERE a = 1 RETURNING a AS key, b")
    assert isinstance(reply, QueryReply)
    assert reply.tag == "UPDATE 1"
    assert reply.receipt is not None
    assert reply.receipt.lsn == database.snapshot.lsn
    assert reply.names == ("key", "b")


def test_rows_of_tables_without_a_primary_key_come_with_their_location() -> None:
    database = KeyedDatabase("CREATE TABLE free (a INTEGER, b INTEGER UNIQUE)")
    plan = database.plan("UPDATE free SET a = 1")
    (scan,) = plan.query.scans
    assert scan.location == LOCATION
    assert plan.layout.old == (LOCATION,)


def test_every_query_of_a_statement_may_use_a_parameter(database: KeyedDatabase) -> None:
    sql = "INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET c = $2 RETURNING a + $3"
    assert database.rows(sql, 1, "new", 5) == [(6,)]
    with pytest.raises(InvalidRequest) as caught:
        database.sql(sql, 1, "new", 5, 6)
    assert caught.value.sqlstate == "08P01"


EXPLAINED = [
    ("UPDATE t SET c = 'z'", ["update t by t_pkey (a)", "scan public.t"]),
    (
        "UPDATE t SET a = 1 RETURNING b",
        [
            "update t by t_pkey (a)",
            "  the key may change: the old rows are deleted, the new ones inserted",
            "  returning b",
        ],
    ),
    ("DELETE FROM t WHERE a = 1", ["delete from t by t_pkey (a)", "scan public.t"]),
    (
        "INSERT INTO t (a) VALUES (1) ON CONFLICT (b) DO UPDATE SET c = 'z'",
        [
            "insert into t (a)",
            "  keys: t_pkey, t_b_key",
            "  on conflict by (b): update",
            "  conflicts are found in: t",
            "one worker runs",
        ],
    ),
    (
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING",
        ["insert into t (a)", "  keys: t_pkey, t_b_key", "  on conflict by (a) or (b): leave out"],
    ),
    (
        "MERGE INTO t USING t AS s ON t.a = s.b WHEN MATCHED THEN DELETE",
        ["merge into t by t_pkey (a)"],
    ),
]


@pytest.mark.parametrize(("sql", "lines"), EXPLAINED)
def test_explain_says_what_is_done_with_the_rows(
    sql: str, lines: list[str], database: KeyedDatabase
) -> None:
    found = database.explain(f"EXPLAIN {sql}")
    assert [line.split(" at LSN")[0] for line in found[: len(lines)]] == lines
    assert "one worker runs" in found


def test_explain_analyze_would_run_it(database: KeyedDatabase) -> None:
    with pytest.raises(NotYet, match="EXPLAIN ANALYZE"):
        database.explain("EXPLAIN ANALYZE DELETE FROM t")


def test_an_update_is_planned_like_a_query(database: KeyedDatabase) -> None:
    """Its predicates reach the scan, and unused columns do not leave it."""
    plan = database.plan("DELETE FROM t WHERE b = 10")
    (scan,) = plan.query.scans
    assert [column.name for column in scan.columns] == ["a", "b"]
