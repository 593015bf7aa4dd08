"""Tables with keys from Python and SQL: writes, rows by key, transactions."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import warehouse
from tests.engine.conftest import SMALL
from warehouse import Conflict, Database, InvalidRequest, NotYet, TransactionScope, UnknownObject

Connected = Iterator[Database]


@pytest.fixture
def local() -> Connected:
    """In this process, its store in memory."""
    with warehouse.connect(f"memory://{uuid.uuid4()}", engine="local", settings=SMALL) as made:
        made.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, u INT UNIQUE, v TEXT DEFAULT 'new')")
        made.sql("INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, NULL, 'c')")
        yield made


def rows(db: Any, condition: str = "true") -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = db.sql(f"SELECT * FROM t WHERE {condition} ORDER BY k").rows()
    return found


def frame(*values: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(values, schema={"k": pl.Int64, "u": pl.Int32, "v": pl.String}, orient="row")


# --- both engines ---------------------------------------------------------------------------------


def test_keyed_writes_gets_and_transactions(db: Database) -> None:
    db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, u INT UNIQUE, v TEXT)")
    t = db.table("t")
    assert t.append(frame((1, 10, "a"), (2, 20, "b"))).rows == 2
    assert t.upsert(frame((2, 21, "c"), (3, 30, "d"))).rows == 2
    with pytest.raises(InvalidRequest, match=r'"t_pkey" of table t: Key \(k\)=\(1\) already exist'):
        t.insert(frame((1, 11, "x")))
    assert t.insert(frame((1, 11, "x"), (4, 40, "e")), ignore=True).rows == 1
    with db.transaction() as tx:
        tx.table("t").delete([1])
        assert tx.sql("UPDATE t SET v = v || '!' WHERE k > 2").tag == "UPDATE 2"
        assert sorted(tx.table("t").get([1, 3, 4]).rows()) == [(3, 30, "d!"), (4, 40, "e!")]
        assert len(rows(db)) == 4
    assert tx.commit is not None
    bi = db.create_virtual_warehouse("bi", size=1, worker_cpus=0.5)
    found = bi.get("t", [1, 2, 3], min_lsn=tx.commit.lsn)
    assert sorted(found.rows()) == [(2, 21, "c"), (3, 30, "d!")]
    db.sql("BEGIN")
    db.sql("DELETE FROM t")
    assert rows(db) == []
    db.sql("ROLLBACK")
    assert [row[0] for row in rows(db)] == [2, 3, 4]

    def body(tx: TransactionScope) -> int:
        (((count,),),) = (tx.sql("SELECT count(*) FROM t").rows(),)
        tx.table("t").upsert(frame((9, count, "last")))
        return int(count)

    assert db.transaction(retry=3).run(body) == 3
    large = frame(*((k, None, "x" * 50) for k in range(3, 40_000)))
    assert t.upsert(large).rows == len(large)
    assert db.sql("SELECT count(*), count(DISTINCT k) FROM t").rows() == [(39_998, 39_998)]
    assert sorted(t.get([2, 39_999]).rows()) == [(2, 21, "c"), (39_999, None, "x" * 50)]


# --- Table ----------------------------------------------------------------------------------------


def test_every_write_of_a_table(local: Database) -> None:
    t = local.table("t")
    assert t.insert(pl.DataFrame({"k": [4]})).rows == 1  # the rest by default
    assert t.upsert(pd.DataFrame({"k": [1], "u": [11], "v": ["z"]})).rows == 1
    assert t.update(pa.table({"k": [2, 77], "u": [22, 77], "v": ["y", "y"]})).rows == 1
    assert rows(local) == [(1, 11, "z"), (2, 22, "y"), (3, None, "c"), (4, None, "new")]
    assert t.update(set={"v": "upper(v)", "u": "$1"}, where="k = $2", parameters=[33, 3]).rows == 1
    assert t.update(set={"v": "v || k"}).rows == 4
    assert rows(local, "k = 3") == [(3, 33, "C3")]
    assert t.delete([4, 99]).rows == 1
    assert t.delete(1).rows == 1
    assert t.delete(where="u > $1", parameters=[30]).rows == 1
    assert t.delete(pl.DataFrame({"k": [2]})).rows == 1
    assert rows(local) == []
    assert t.append(frame((2, 20, "again"))).rows == 1


def test_writes_that_are_refused_change_nothing(local: Database) -> None:
    t, before = local.table("t"), rows(local)
    refused: list[tuple[Any, str, str]] = [
        (lambda: t.append(frame((9, 90, ""), (1, 91, ""))), "23505", r'"t_pkey" of table t: Key'),
        (lambda: t.upsert(frame((9, 10, ""))), "23505", r'"t_u_key" of table t: Key'),
        (lambda: t.upsert(frame((9, 1, ""), (9, 2, ""))), "23505", r"Key \(k\)=\(9\) is given"),
        (lambda: t.upsert(frame((8, 5, ""), (9, 5, ""))), "23505", r"Key \(u\)=\(5\) is given"),
        (lambda: t.delete([1, 1]), "23505", r"Key \(k\)=\(1\) is given twice"),
        (lambda: t.append(frame((None, 5, ""))), "23502", r'column "?k"?'),
        (lambda: t.append(pl.DataFrame({"u": [1], "v": [""]})), "23502", "k"),
        (lambda: t.append(pl.DataFrame({"k": ["x"], "u": [1]})), "", "k"),
        (lambda: t.append(pl.DataFrame({"k": [1], "w": [1]})), "", "w"),
        (lambda: t.delete(["x"]), "", "k"),
        (lambda: t.delete([None]), "", "k"),
        (lambda: t.delete([(1, 2)]), "", "a key is 1 values"),
        (lambda: t.delete([{"u": 1}]), "", "a key has the columns"),
        (lambda: t.update(frame(), set={"v": "1"}), "", "a frame, or set="),
        (t.update, "", "a frame, or set="),
        (lambda: t.delete([1], where="true"), "", "keys, or where="),
        (lambda: local.table("absent").upsert(frame()), "42P01", "absent"),
        (lambda: local.table("absent").get([1]), "42P01", "absent"),
    ]  # fmt: skip
    for call, sqlstate, text in refused:
        with pytest.raises(InvalidRequest, match=text) as caught:
            call()
        assert sqlstate in ("", caught.value.sqlstate), caught.value
    assert rows(local) == before


def test_tables_without_a_primary_key_say_so(local: Database) -> None:
    local.sql("CREATE TABLE bare (u INT UNIQUE, v TEXT)")
    bare, one = local.table("bare"), pl.DataFrame({"u": [1], "v": ["a"]})
    assert bare.append(one).rows == 1
    assert bare.insert(one, ignore=True).rows == 0
    for call in (
        lambda: bare.upsert(one),
        lambda: bare.update(one),
        lambda: bare.delete([1]),
        lambda: bare.get([1]),
    ):
        with pytest.raises(InvalidRequest, match="table bare has no primary key") as caught:
            call()
        assert caught.value.sqlstate == "55000"
    assert bare.update(set={"v": "'b'"}).rows == 1
    assert bare.delete(where="v = 'b'").rows == 1


ID = uuid.UUID(int=5)
KEYS: list[tuple[str, list[Any], Any]] = [
    ("k BIGINT PRIMARY KEY", [1, 2, -(2**63)], 7),
    ("k TEXT PRIMARY KEY", ["a", "", "ä" * 200], "x"),
    ("k DATE PRIMARY KEY", [datetime.date(2024, 2, 29), datetime.date(1, 1, 1)], datetime.date.max),
    ("k NUMERIC(10, 2) PRIMARY KEY", [Decimal("1.50"), Decimal("-2")], Decimal("1.51")),
    ("k NUMERIC(30, 2) PRIMARY KEY", [Decimal("1.50"), Decimal("1e20")], Decimal("1.51")),
    ("k UUID PRIMARY KEY", [ID, uuid.UUID(int=6)], uuid.UUID(int=7)),
    ("a INT, k TEXT, PRIMARY KEY (k, a)", [("x", 1), ("x", 2), ("y", 1)], ("y", 2)),
    ("k TIMESTAMP PRIMARY KEY", [datetime.datetime(2024, 1, 1, 12)], datetime.datetime(2024, 1, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "keys", "absent"), KEYS, ids=lambda value: str(value)[:20])
def test_rows_by_keys_of_all_types_from_deltas_and_files(
    local: Database, columns: str, keys: list[Any], absent: Any
) -> None:
    local.sql(f"CREATE TABLE g ({columns}, v INT)")
    names = [part.split()[0] for part in columns.split(", ") if "PRIMARY" not in part[:7]]
    names = ["k", "a"] if "a INT" in columns else ["k"]
    for number, key in enumerate(keys):
        parts = dict(zip(names, key if isinstance(key, tuple) else (key,), strict=True))
        slots = ", ".join(f":{name}" for name in parts)
        local.sql(f"INSERT INTO g ({', '.join(parts)}, v) VALUES ({slots}, {number})", parts)
    bi = local.create_virtual_warehouse("bi")

    def reader_gets(keys: Any) -> warehouse.Result:
        return bi.get("g", keys, min_lsn=local.snapshot().lsn)

    for place in ("deltas", "files"):
        if place == "files":
            flush(local, "g")
        for get in (local.table("g").get, reader_gets):
            assert sorted(row[-1] for row in get(keys).rows()) == list(range(len(keys)))
            assert [row[-1] for row in get([keys[-1], absent]).rows()] == [len(keys) - 1]
            assert len(get(keys[0])) == 1
            assert (len(get([absent])), len(get([]))) == (0, 0)
    assert local.table("g").delete([*keys[:1], absent]).rows == 1
    assert len(local.table("g").get(keys)) == len(keys) - 1


def flush(db: Database, name: str) -> None:
    """Now, not when it is due."""
    engine: Any = db._engine
    primary = engine._primary._primary

    async def now() -> None:
        table = primary.snapshot.find_table(name)
        await primary._maintainer.upkeep.flush(table, primary.snapshot)

    engine._loop.run(now())


def test_get_fetches_only_files_that_may_have_the_keys(local: Database) -> None:
    for first in (0, 50_000, 100_000, 150_000):
        many = frame(*((k, None, "x" * 20) for k in range(first + 10, first + 30_000)))
        local.table("t").append(many)
    t = local.snapshot().find_table("t")
    assert t is not None
    assert len(t.files) == 4
    bi = local.create_virtual_warehouse("bi")
    for get in (local.table("t").get, lambda keys: bi.get("t", keys, min_lsn=local.snapshot().lsn)):
        assert (len(found := get([60_000])), found.stats.files_scanned) == (1, 1)
        assert (len(found := get([60_000, 150_011, 1])), found.stats.files_scanned) == (3, 2)
        assert (len(found := get([45_000, 2])), found.stats.files_scanned) == (1, 0)
    assert local.table("t").get([60_000]).stats.files_total == 4


# --- transactions from Python ---------------------------------------------------------------------


def test_transaction_commits_together_or_not_at_all(local: Database) -> None:
    before = rows(local)

    def fails() -> None:
        with local.transaction() as tx:
            tx.table("t").delete([1])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert rows(local) == before
    with local.transaction() as tx:
        tx.table("t").update(set={"v": "'x'"}, where="k = 1")
        tx.savepoint("s")
        tx.table("t").delete(where="true")
        assert rows(tx) == []
        tx.roll_back_to("s")
        tx.release("s")
        assert tx.table("t").get(1).rows() == [(1, 10, "x")]
    assert rows(local, "k = 1") == [(1, 10, "x")]
    late = tx.table
    with pytest.raises(InvalidRequest, match="the transaction has ended"):
        late("t").delete([1])
    with pytest.raises(InvalidRequest, match="used once"):
        tx.__enter__()


def test_transaction_whose_error_was_caught_is_rolled_back(local: Database) -> None:
    def body() -> None:
        with local.transaction() as tx:
            tx.table("t").delete([1])
            with pytest.raises(InvalidRequest):
                tx.table("t").insert(frame((2, 5, "twice")))
            with pytest.raises(InvalidRequest, match="aborted"):
                tx.sql("SELECT 1")

    with pytest.raises(InvalidRequest, match="rolled back") as caught:
        body()
    assert caught.value.sqlstate == "25P02"
    assert len(rows(local)) == 3


def add(tx: TransactionScope) -> None:
    tx.sql("UPDATE t SET u = u + 1 WHERE k = 1")


def test_conflicts_are_raised_or_retried(local: Database) -> None:
    def clash() -> None:
        with local.transaction() as tx:
            add(tx)
            local.sql("UPDATE t SET u = 100 WHERE k = 1")

    with pytest.raises(Conflict, match="could not serialize access"):
        clash()
    tries = 0
    scope = local.transaction(retry=5)
    for tx in scope:
        with tx:
            add(tx)
            tries += 1
            if tries < 3:
                local.sql(f"UPDATE t SET u = {tries * 1000} WHERE k = 1")
    assert (tries, rows(local, "k = 1")) == (3, [(1, 2001, "a")])
    assert scope.commit == tx.commit

    def always(tx: TransactionScope) -> None:
        add(tx)
        local.sql("UPDATE t SET u = u + 1 WHERE k = 1")

    with pytest.raises(Conflict):
        local.transaction(retry=1).run(always)
    with pytest.raises(ZeroDivisionError):
        local.transaction(retry=2).run(lambda tx: 1 // 0)
    with pytest.raises(InvalidRequest, match="retry= needs the body again"):
        local.transaction(retry=2).__enter__()


def test_isolation(local: Database) -> None:
    with local.transaction() as fixed, local.transaction(isolation="read committed") as newest:
        local.table("t").delete([3])
        assert (len(rows(fixed)), len(rows(newest))) == (3, 2)
    with pytest.raises(InvalidRequest, match="isolation level 'serializable'"):
        local.transaction(isolation="serializable").__enter__()


def test_token_of_a_transaction(local: Database) -> None:
    token = warehouse.IngestToken(writer="me", sequence=1)
    commits = []
    for _ in range(2):
        with local.transaction(token=token) as tx:
            tx.sql("UPDATE t SET u = u + 1 WHERE k = 1")
        commits.append(tx.commit)
    assert commits[0] == commits[1]
    assert rows(local, "k = 1") == [(1, 11, "a")]


def test_large_and_small_writes_in_one_transaction(local: Database) -> None:
    with local.transaction() as tx:
        t = tx.table("t")
        t.upsert(frame((5, 50, "small"), (30_000, 60, "small")))
        t.upsert(frame(*((k, None, "large" * 9) for k in range(3, 20_000))))
        assert tx.sql("SELECT count(*), count(u) FROM t").rows() == [(20_000, 3)]
        t.delete(where="k BETWEEN 10 AND 19990")
        assert len(rows(tx)) == 19
        local.table("t").append(frame((40_000, 70, "theirs"), (40_001, 80, "theirs")))
    kept = (*range(1, 10), *range(19_991, 20_000))
    assert [row[0] for row in rows(local)] == [*kept, 30_000, 40_000, 40_001]
    assert local.table("t").get([5]).rows() == [(5, None, "large" * 9)]


def test_rows_without_key_appended_and_deleted_in_one_transaction(local: Database) -> None:
    local.sql("CREATE TABLE log (n BIGINT)")
    with local.transaction() as tx:
        tx.table("log").append(pl.DataFrame({"n": range(10)}))
        tx.table("log").append(pl.DataFrame({"n": range(10, 90_000)}))
        local.table("log").append(pl.DataFrame({"n": [-1, -2, -3]}))
        local.table("log").append(pl.DataFrame({"n": range(-50_000, -3)}))
        assert tx.sql("DELETE FROM log WHERE n % 2 = 0").tag == "DELETE 45000"
    counts = "SELECT count(*), count(*) FILTER (WHERE n < 0), min(n), max(n) FROM log"
    assert local.sql(counts).rows() == [(95_000, 50_000, -50_000, 89_999)]


# --- BEGIN … in SQL -------------------------------------------------------------------------------


def test_sql_transactions(local: Database) -> None:
    assert local.sql("BEGIN").tag == "BEGIN"
    assert local.in_transaction
    local.sql("DELETE FROM t WHERE k = 1")
    assert local.stream("SELECT k FROM t ORDER BY k").read_all()["k"].to_pylist() == [2, 3]
    assert len(local.table("t").get([1])) == 0
    local.table("t").upsert(frame((9, 90, "own")))
    local.sql("SAVEPOINT s")
    local.sql("UPDATE t SET v = 'y'")
    with pytest.raises(InvalidRequest):
        local.sql("SELECT 1/0")
    with pytest.raises(InvalidRequest) as aborted:
        local.sql("SELECT 1")
    assert aborted.value.sqlstate == "25P02"
    assert local.sql("ROLLBACK TO SAVEPOINT s").tag == "ROLLBACK"
    assert local.sql("RELEASE s").tag == "RELEASE"
    result = local.sql("COMMIT")
    assert result.tag == "COMMIT"
    assert result.commit is not None
    assert result.commit.lsn == local.snapshot().lsn
    assert rows(local) == [(2, 20, "b"), (3, None, "c"), (9, 90, "own")]
    assert not local.in_transaction
    assert local.sql("COMMIT").tag == "COMMIT"
    assert local.sql("ROLLBACK").tag == "ROLLBACK"


def test_sql_transaction_that_failed_ends_as_rollback(local: Database) -> None:
    for wrong in ("SELEC 1", "SELECT * FROM absent", "CREATE TABLE x (a INT)"):
        local.sql("START TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        local.sql("DELETE FROM t")
        with pytest.raises(InvalidRequest):
            local.sql(wrong)
        assert local.sql("COMMIT").tag == "ROLLBACK", wrong
    assert len(rows(local)) == 3


def test_errors_about_sql_transactions(local: Database) -> None:
    for text in ("SAVEPOINT s", "ROLLBACK TO s", "RELEASE s"):
        with pytest.raises(InvalidRequest, match="only be used in transaction blocks") as caught:
            local.sql(text)
        assert caught.value.sqlstate == "25P01"
    local.sql("BEGIN READ ONLY")
    assert len(rows(local)) == 3
    with pytest.raises(InvalidRequest) as read_only:
        local.sql("DELETE FROM t")
    assert read_only.value.sqlstate == "25006"
    local.sql("ROLLBACK")
    local.sql("BEGIN")
    with pytest.raises(UnknownObject) as unknown:
        local.sql("ROLLBACK TO nowhere")
    assert unknown.value.sqlstate == "3B001"
    with pytest.raises(NotYet, match="SET TRANSACTION after BEGIN"):
        local.sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    local.sql("ROLLBACK")
    bi = local.create_virtual_warehouse("bi")
    with pytest.raises(InvalidRequest, match="transactions are the primary's"):
        bi.sql("BEGIN")


def test_characteristics_of_sql_transactions(local: Database) -> None:
    def sees_others() -> bool:
        before = len(rows(local))
        with local.transaction() as other:
            other.sql(f"INSERT INTO t (k) VALUES ({1000 + before + local.snapshot().lsn})")
        return len(rows(local)) > before

    local.sql("BEGIN")
    assert sees_others()
    local.sql("COMMIT")
    local.sql("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert not sees_others()
    local.sql("COMMIT AND CHAIN")  # the same again
    assert local.in_transaction
    assert not sees_others()
    local.sql("ROLLBACK")
    local.sql("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    local.sql("BEGIN")
    assert not sees_others()
    local.sql("ROLLBACK")


def test_deletions_that_were_rolled_back_leave_no_trace(local: Database) -> None:
    for turn in range(3):
        local.sql("BEGIN")
        local.sql("DELETE FROM t WHERE k = 1")
        assert [row[0] for row in rows(local)] == ([2, 3], [3], [])[turn]
        local.sql("ROLLBACK")
        if turn < 2:
            local.sql(f"DELETE FROM t WHERE k = {turn + 2}")
        assert [row[0] for row in rows(local)] == ([1, 3], [1], [1])[turn]
        local.sql("DELETE FROM t WHERE k = 99")
