"""Every line of the public face, on both engines: it runs, or says that it is not there yet."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import warehouse
from warehouse import (
    Conflict,
    Database,
    IngestToken,
    InvalidRequest,
    NotYet,
    Settings,
    SqlSyntaxError,
    Unavailable,
    UnknownObject,
)

ORDERS = "CREATE TABLE orders (id BIGINT NOT NULL, day DATE, amount DECIMAL(15,2)) CLUSTER BY (day)"


def orders(count: int, first: int = 0) -> pl.DataFrame:
    numbers = range(first, first + count)
    return pl.DataFrame(
        {
            "id": numbers,
            "day": [date(2026, 1, 1 + n % 28) for n in numbers],
            "amount": [Decimal(n) / 100 for n in numbers],
        },
        schema={"id": pl.Int64, "day": pl.Date, "amount": pl.Decimal(15, 2)},
    )


def append_then_fail(tx: warehouse.TransactionScope) -> None:
    tx.table("orders").append(orders(10))
    tx.table("absent").append(orders(10))


def test_create_append_query_and_read_your_writes(db: Database) -> None:
    assert db.sql(ORDERS).tag == "CREATE TABLE"
    bi = db.create_virtual_warehouse("bi", size=1, worker_cpus=0.5)
    commit = db.table("orders").append(orders(100))
    assert commit.rows == 100
    result = bi.sql(
        "SELECT day, sum(amount) FROM orders WHERE day > $1 GROUP BY day",
        [date(2026, 1, 10)],
        min_lsn=commit.lsn,
    )
    assert len(result) == 18
    assert result.columns == ["day", "sum"]
    assert result.arrow().schema.field("sum").type == pa.decimal128(38, 2)
    expected = orders(100).filter(pl.col("day") > date(2026, 1, 10))["amount"].sum()
    assert result.polars()["sum"].sum() == expected
    assert result.pandas()["sum"].sum() == expected
    assert "micropartitions" in result._repr_html_()
    db.drop_virtual_warehouse("bi")


def test_stats_have_every_field_of_the_design(db: Database) -> None:
    db.sql(ORDERS)
    commit = db.table("orders").append(orders(5000))
    stats = db.sql("SELECT count(*) FROM orders WHERE day = DATE '2026-01-03'").stats
    assert stats.snapshot_lsn == commit.lsn
    assert (stats.files_total, stats.files_scanned) == (1, 1)
    assert (stats.stripes_total, stats.stripes_scanned) == (1, 1)
    assert stats.rows_scanned == 5000
    assert stats.bytes_fetched > 0
    assert stats.requests == 1
    assert (stats.cache_hits, stats.result_cache_hit) == (0, False)
    assert (stats.workers, stats.stages) == (1, 1)
    assert stats.plan_ms >= 0
    assert stats.execute_ms > 0
    assert stats.queued_ms >= 0
    again = db.sql("SELECT count(*) FROM orders").stats
    assert (again.cache_hits, again.bytes_fetched, again.requests) == (1, 0, 0)


@pytest.mark.parametrize("kind", ["polars", "arrow", "pandas"])
def test_appends_of_every_frame_and_size(db: Database, kind: str) -> None:
    db.sql(ORDERS)
    for count in (0, 1, 300, 20_000):
        frame = orders(count)
        given = {"polars": frame, "arrow": frame.to_arrow()}.get(kind)
        if kind == "pandas":
            given = frame.to_pandas()
        commit = db.table("orders").append(given)
        assert commit.rows == count
    table = db.snapshot().find_table("orders")
    assert table is not None
    assert table.row_count == 20_301
    assert len(table.files) == 1  # the large one; the others are deltas in the log
    assert len(table.deltas) == 2
    found = db.sql("SELECT count(*), sum(id), sum(amount) FROM orders").rows()
    total = sum(sum(range(n)) for n in (1, 300, 20_000))
    assert found == [(20_301, Decimal(total), Decimal(total) / 100)]


def test_frames_that_do_not_fit_change_nothing(db: Database) -> None:
    db.sql(ORDERS)
    lsn = db.snapshot().lsn
    table = db.table("orders")
    bad: list[tuple[object, str]] = [
        (pl.DataFrame({"id": ["x"]}), "id"),
        (pl.DataFrame({"id": [1], "amout": [1]}), "amount"),
        (pl.DataFrame({"day": [date(2026, 1, 1)]}), "id"),
        (pl.DataFrame({"id": [None]}, schema={"id": pl.Int64}), "id"),
        (pl.DataFrame({"id": [1], "amount": [Decimal("1.234")]}), "amount"),
        (pl.DataFrame({"id": [1.5]}), "id"),
        ([1, 2, 3], "list"),
    ]
    for frame, named in bad:
        with pytest.raises(InvalidRequest, match=named):
            table.append(frame)
    with pytest.raises(UnknownObject, match="orders"):
        db.table("ordrs").append(orders(1))
    assert db.snapshot().lsn == lsn


def test_load_of_many_files_is_one_commit_or_none(db: Database, tmp_path: Path) -> None:
    db.sql(ORDERS)
    source = tmp_path / "source"
    source.mkdir()
    for part in range(3):
        pq.write_table(orders(1000, part * 1000).to_arrow(), source / f"{part}.parquet")
    commit = db.load("orders", str(source / "*.parquet"))
    assert commit.rows == 3000
    assert db.sql("SELECT count(*), min(id), max(id) FROM orders").rows() == [(3000, 0, 2999)]
    lsn = db.snapshot().lsn
    (source / "3.parquet").write_bytes(b"no parquet")
    with pytest.raises(InvalidRequest, match=r"3\.parquet"):
        db.load("orders", str(source / "*.parquet"))
    (source / "3.parquet").write_bytes(b"")
    with pytest.raises(InvalidRequest, match=r"3\.parquet"):
        db.load("orders", str(source / "*.parquet"))
    with pytest.raises(InvalidRequest, match="absent"):
        db.load("orders", str(source / "absent-*.parquet"))
    wrong = orders(3).rename({"amount": "price"}).to_arrow()
    pq.write_table(wrong, source / "3.parquet")
    with pytest.raises(InvalidRequest, match="price"):
        db.load("orders", [str(source / "0.parquet"), str(source / "3.parquet")])
    assert db.snapshot().lsn == lsn


def test_transaction_over_two_tables_is_one_commit(db: Database) -> None:
    db.sql(ORDERS)
    db.sql("CREATE TABLE notes (id BIGINT, note TEXT)")
    lsn = db.snapshot().lsn
    with db.transaction() as tx:
        tx.table("orders").append(orders(10))
        tx.table("notes").append(pl.DataFrame({"id": [1], "note": ["x"]}))
        assert db.snapshot().lsn == lsn
    assert tx.commit is not None
    assert (tx.commit.lsn, tx.commit.rows) == (lsn + 1, 11)
    failed = db.transaction()
    with pytest.raises(UnknownObject), failed:
        append_then_fail(failed)
    assert failed.commit is None
    assert db.sql("SELECT count(*) FROM orders").scalar() == 10


def test_token_makes_a_call_repeatable(db: Database) -> None:
    db.sql(ORDERS)
    token = IngestToken(writer="loader", sequence=1)
    first = db.table("orders").append(orders(5), token=token)
    assert db.table("orders").append(orders(5), token=token) == first
    assert db.sql("SELECT count(*) FROM orders").scalar() == 5
    newer = IngestToken(writer="loader", sequence=2)
    assert db.table("orders").append(orders(5, 5), token=newer).lsn == first.lsn + 1


def test_as_of_reads_every_version(db: Database) -> None:
    db.sql(ORDERS)
    lsns = [db.table("orders").append(orders(1, n)).lsn for n in range(5)]
    big = db.table("orders").append(orders(20_000, 5)).lsn
    bi = db.create_virtual_warehouse("bi", worker_cpus=0.5)
    for reader in (db, bi):
        for number, lsn in enumerate(lsns, 1):
            found = reader.sql(f"SELECT count(*) FROM orders AS OF LSN {lsn}", min_lsn=big)
            assert found.scalar() == number
        both = reader.sql(
            f"SELECT (SELECT count(*) FROM orders AS OF LSN {lsns[0]}) AS a, "
            "(SELECT count(*) FROM orders) AS b"
        )
        assert both.rows() == [(1, 20_005)]
        with pytest.raises(InvalidRequest, match="future"):
            reader.sql(f"SELECT * FROM orders AS OF LSN {big + 100}")
        with pytest.raises(UnknownObject, match="orders"):
            reader.sql("SELECT * FROM orders AS OF LSN 1")
        with pytest.raises(InvalidRequest, match="did not exist"):
            reader.sql("SELECT * FROM orders AS OF TIMESTAMP '2001-01-01 00:00:00'")
        late = reader.sql("SELECT count(*) FROM orders AS OF TIMESTAMP '2100-01-01 00:00:00'")
        assert late.scalar() == 20_005


def test_ddl_and_the_catalogue(db: Database) -> None:
    db.sql(ORDERS)
    with pytest.raises(InvalidRequest, match="exists"):
        db.sql(ORDERS)
    db.sql("CREATE TABLE IF NOT EXISTS orders (other TEXT)")
    assert [row[:2] for row in db.sql("DESCRIBE orders").rows()] == [
        ("id", "BIGINT"),
        ("day", "DATE"),
        ("amount", "DECIMAL(15,2)"),
    ]
    assert db.sql("SHOW TABLES").rows()[0][:2] == ("public", "orders")
    db.sql("DROP TABLE orders")
    db.sql("DROP TABLE IF EXISTS orders")
    with pytest.raises(UnknownObject):
        db.sql("DROP TABLE orders")
    assert db.sql("SHOW TABLES").rows() == []


def test_checkpoint_by_hand_spares_replay(db: Database) -> None:
    db.sql(ORDERS)
    db.table("orders").append(orders(7))
    assert "CHECKPOINT" in str(db.sql("CALL mobula.checkpoint()"))
    assert db.sql("SELECT count(*) FROM orders").scalar() == 7
    with pytest.raises(UnknownObject, match="checkpoint"):
        db.sql("CALL mobula.chekpoint()")


def test_every_type_goes_in_and_comes_out(db: Database) -> None:
    db.sql(
        "CREATE TABLE every (b BOOLEAN, s SMALLINT, i INTEGER, l BIGINT, r REAL,"
        " d DOUBLE PRECISION, m DECIMAL(38,10), n DECIMAL(5,2), t TEXT, v VARCHAR(3),"
        " y DATE, z TIMESTAMP, x BYTEA)"
    )
    row = {
        "b": [True, None],
        "s": [-32768, None],
        "i": [2**31 - 1, None],
        "l": [-(2**63), None],
        "r": [0.5, None],
        "d": [float("inf"), None],
        "m": [Decimal("1234567890123456789012345678.0123456789"), None],
        "n": [Decimal("-999.99"), None],
        "t": ["größe ☃", None],
        "v": ["äöü", None],
        "y": [date(1, 1, 1), None],
        "z": [datetime(9999, 12, 31, 23, 59, 59, 999_999), None],
        "x": [b"\x00\xff", None],
    }
    commit = db.table("every").append(pa.table(row))
    assert commit.rows == 2
    db.sql("INSERT INTO every SELECT * FROM every")
    found = db.sql("SELECT * FROM every ORDER BY l NULLS LAST").arrow()
    assert found.num_rows == 4
    for name, (value, _) in row.items():
        assert found[name].to_pylist() == [value, value, None, None], name


def test_sums_do_not_wrap(db: Database) -> None:
    db.sql("CREATE TABLE big (n BIGINT, i INTEGER)")
    db.table("big").append(pl.DataFrame({"n": [2**63 - 1] * 3, "i": [2**31 - 1] * 3}))
    assert db.sql("SELECT sum(n), sum(i) FROM big").rows() == [
        (Decimal(3 * (2**63 - 1)), 3 * (2**31 - 1))
    ]


def test_insert_on_the_primary_and_refusal_on_a_warehouse(db: Database) -> None:
    db.sql(ORDERS)
    bi = db.create_virtual_warehouse("bi", worker_cpus=0.5)
    done = db.sql("INSERT INTO orders (id, amount) VALUES ($1, 2.50), (4, NULL)", [3])
    assert done.tag == "INSERT 0 2"
    assert done.commit is not None
    assert done.commit.rows == 2
    for write in (
        "INSERT INTO orders (id) VALUES (1)",
        "DELETE FROM orders",
        "UPDATE orders SET id = 1",
        "CREATE TABLE x (a INT)",
        "DROP TABLE orders",
    ):
        with pytest.raises(InvalidRequest, match="primary") as refused:
            bi.sql(write)
        assert refused.value.sqlstate == "25006"
    rows = bi.sql("SELECT * FROM orders ORDER BY id", min_lsn=done.commit.lsn).rows()
    assert rows == [(3, None, Decimal("2.50")), (4, None, None)]


def test_bad_statements_say_what_is_wrong(db: Database) -> None:
    db.sql(ORDERS)
    with pytest.raises(SqlSyntaxError, match="line 2"):
        db.sql("SELECT id\nFROM orders WHERE (")
    with pytest.raises(UnknownObject, match="amount"):
        db.sql("SELECT amunt FROM orders")
    with pytest.raises(UnknownObject, match="orders"):
        db.sql("SELECT * FROM oders")
    with pytest.raises(InvalidRequest, match="parameter"):
        db.sql("SELECT $1 + $2", [1])
    with pytest.raises(InvalidRequest):
        db.sql("")


def test_warehouses_are_checked_and_found(db: Database) -> None:
    db.create_virtual_warehouse("bi", worker_cpus=0.5)
    assert db.virtual_warehouse("bi").sql("SELECT 1").scalar() == 1
    assert list(db.virtual_warehouses()) == ["bi"]
    with pytest.raises(InvalidRequest, match="exists"):
        db.create_virtual_warehouse("bi")
    with pytest.raises(UnknownObject, match="bi"):
        db.virtual_warehouse("bj")
    with pytest.raises(UnknownObject, match="bi"):
        db.drop_virtual_warehouse("bj")
    db.drop_virtual_warehouse("bj", if_exists=True)
    for name, size in (("", 1), ("a b", 1), ("x", 0), ("x", 2000)):
        with pytest.raises(InvalidRequest):
            db.create_virtual_warehouse(name, size=size)
    db.drop_virtual_warehouse("bi")
    assert db.virtual_warehouses() == {}


def test_lsn_that_never_comes_is_unavailable(db: Database) -> None:
    db.sql(ORDERS)
    bi = db.create_virtual_warehouse("bi", worker_cpus=0.5)
    with pytest.raises(Unavailable, match="1000000"):
        bi.sql("SELECT 1", min_lsn=1_000_000, timeout_s=0.2)


def test_a_closed_connection_refuses_and_can_be_left_again(
    db: Database, engine: str, settings: Settings
) -> None:
    other = warehouse.connect(db.root, engine=engine, settings=settings)
    other.sql(ORDERS)
    bi = other.create_virtual_warehouse("bi", worker_cpus=0.5)
    other.close()
    for call in (
        lambda: other.sql("SELECT 1"),
        lambda: other.table("orders").append(orders(1)),
        lambda: bi.sql("SELECT 1"),
        other.virtual_warehouses,
        other.snapshot,
        other.log,
    ):
        with pytest.raises(InvalidRequest, match="connection is closed"):
            call()
    other.close()


def test_what_is_not_there_yet_says_so(db: Database) -> None:
    db.sql(ORDERS)
    bi = db.create_virtual_warehouse("bi", worker_cpus=0.5)
    for call in (
        lambda: db.sql("CREATE VIEW k AS SELECT 1"),
        lambda: db.sql("CREATE BRANCH b"),
        lambda: db.create_branch("trial", at=1),
        lambda: warehouse.connect(db.root, branch="trial"),
        lambda: bi.scan("orders"),
    ):
        with pytest.raises(NotYet):
            call()
    with pytest.raises(NotYet), db.transaction() as tx:
        tx.sql("DROP TABLE orders")
    assert list(db.virtual_warehouses()) == ["bi"]


def test_stale_schema_is_a_conflict(db: Database) -> None:
    db.sql(ORDERS)
    info = db._engine.table("public", "orders")
    operation = db._engine.prepare_write(info, orders(1))
    db.sql("DROP TABLE orders")
    db.sql(ORDERS)
    with pytest.raises(Conflict, match="dropped"):
        db._commit([operation], None)
