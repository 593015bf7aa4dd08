"""Tables in partitions: what SQL says of them, and what is refused."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

import warehouse
from tests.engine.conftest import SMALL
from warehouse import Conflict, Database, InvalidRequest, MobulaError, NotYet, UnknownObject

TABLE = """CREATE TABLE t (day DATE, k INT, v TEXT, PRIMARY KEY (day, k)) PARTITION BY RANGE (day) (
    PARTITION p1 VALUES LESS THAN ('2026-02-01'), PARTITION p2 VALUES LESS THAN ('2026-03-01'))"""
OTHER = "CREATE TABLE u (day DATE, k INT, v TEXT, PRIMARY KEY (day, k))"


@pytest.fixture
def local() -> Iterator[Database]:
    with warehouse.connect(f"memory://{uuid.uuid4()}", engine="local", settings=SMALL) as made:
        made.sql(TABLE)
        yield made


def counts(db: Database, table: str = "t") -> dict[str, int]:
    text = f"SELECT partition_name, rows FROM mobula.partitions('{table}')"
    return {str(name): int(rows) for name, rows in db.sql(text).rows()}


def refused(db: Database, sql: str, code: str, message: str | None = None) -> None:
    with pytest.raises(MobulaError, match=message) as caught:
        db.sql(sql)
    assert caught.value.sqlstate == code, caught.value


def test_partitions_of_both_engines(db: Database, tmp_path: Path) -> None:
    db.sql("CREATE TABLE h (k BIGINT PRIMARY KEY, v TEXT) PARTITION BY KEY () PARTITIONS 4")
    frame = pl.DataFrame({"k": range(5_000), "v": [f"v{i}" for i in range(5_000)]})
    assert db.table("h").append(frame).rows == 5_000
    assert db.table("h").upsert(frame.head(10)).rows == 10
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"k": [5_000, 5_001], "v": ["x", "y"]}).write_parquet(path)
    db.load("h", str(path))
    db.sql("CALL mobula.flush('h')")
    assert sum(counts(db, "h").values()) == 5_002
    assert all(rows > 1_000 for rows in counts(db, "h").values())
    assert db.sql("SELECT v FROM h WHERE k = $1", [4_000]).rows() == [("v4000",)]
    assert sorted(db.table("h").get([7, 5_001]).rows()) == [(7, "v7"), (5_001, "y")]
    bi = db.create_virtual_warehouse("bi", size=1, worker_cpus=0.5)
    assert bi.sql("SELECT count(*) FROM h WHERE k IN (1, 2, 9999)").rows() == [(2,)]
    assert sorted(bi.get("h", [1, 4_999]).rows()) == [(1, "v1"), (4_999, "v4999")]
    db.drop_virtual_warehouse("bi")


def test_rows_that_fit_nowhere_are_refused_whatever_brings_them(
    local: Database, tmp_path: Path
) -> None:
    stray = pl.DataFrame({"day": ["2026-03-01"], "k": [1], "v": ["x"]}).cast({"k": pl.Int32})
    stray = stray.with_columns(pl.col("day").str.to_date())
    path = tmp_path / "stray.parquet"
    stray.write_parquet(path)
    local.sql("INSERT INTO t VALUES ('2026-01-05', 1, 'a')")
    refused(local, "INSERT INTO t VALUES ('2026-03-01', 1, 'x')", "23514", r"\(2026-03-01\)")
    refused(local, "UPDATE t SET day = '2026-03-01'", "23514", "no partition of relation")
    refused(local, f"COPY t FROM '{path}'", "23514", r"\(day\) = \(2026-03-01\)")
    with pytest.raises(InvalidRequest, match="no partition of relation"):
        local.table("t").upsert(stray)
    assert local.table("t").delete(stray.select("day", "k")).rows == 0
    with local.transaction() as tx:
        tx.sql("INSERT INTO t VALUES ('2026-02-05', 2, 'b')")
        tx.sql("UPDATE t SET day = '2026-02-06' WHERE k = 1")
    assert local.sql("SELECT * FROM t WHERE day >= '2026-02-01'").rows() != []
    assert counts(local) == {"p1": 0, "p2": 2}


def test_partitions_come_and_go(local: Database, tmp_path: Path) -> None:
    local.sql("INSERT INTO t SELECT date '2026-01-01' + i, i, 'a' FROM generate_series(0, 49) g(i)")
    local.sql("CALL mobula.flush('t')")
    local.sql("INSERT INTO t VALUES ('2026-01-01', 100, 'b')")
    before = local.snapshot().lsn
    local.sql("ALTER TABLE t DROP PARTITION p1")
    assert counts(local) == {"p2": 19}
    assert local.sql(f"SELECT count(*) FROM t AS OF LSN {before}").rows() == [(51,)]
    refused(local, "INSERT INTO t VALUES ('2026-01-01', 1, 'x')", "23514")
    local.sql("ALTER TABLE t ADD PARTITION rest DEFAULT")
    local.sql("INSERT INTO t VALUES ('2026-01-01', 1, 'x')")
    refused(local, "ALTER TABLE t ADD PARTITION p1 VALUES LESS THAN ('2026-02-01')", "23514", "p1")
    local.sql("DELETE FROM t WHERE day < '2026-02-01'")
    local.sql("ALTER TABLE t ADD PARTITION p1 VALUES LESS THAN ('2026-02-01')")
    local.sql("INSERT INTO t VALUES ('2026-01-01', 1, 'y')")
    assert counts(local) == {"p2": 19, "rest": 0, "p1": 1}
    days = [f"2026-04-{day:02}" for day in range(1, 31)]
    frame = pl.DataFrame({"day": days, "k": range(30), "v": ["z"] * 30})
    frame = frame.with_columns(pl.col("day").str.to_date(), pl.col("k").cast(pl.Int32))
    frame.write_parquet(tmp_path / "april.parquet")
    april = f"FROM '{tmp_path / 'april.parquet'}'"
    bounds = "FOR VALUES FROM ('2026-04-01') TO ('2026-0{}-01')"
    text = f"ALTER TABLE t ATTACH PARTITION april {bounds} {april}"
    local.sql(text.format(5))
    refused(local, "INSERT INTO t VALUES ('2026-04-07', 6, 'x')", "23505", "already exists")
    assert counts(local)["april"] == 30
    narrow = (
        f"ALTER TABLE t ATTACH PARTITION q FOR VALUES FROM ('2026-05-01') TO (MAXVALUE) {april}"
    )
    refused(local, narrow, "23514", "is not within its bounds")
    refused(local, text.format(5), "42710")


def test_partition_ddl_that_is_refused(local: Database) -> None:
    local.sql("CREATE TABLE h (a INT) PARTITION BY HASH (a) PARTITIONS 2")
    local.sql(OTHER)
    for sql, code in [
        ("ALTER TABLE t ADD PARTITION p2 VALUES LESS THAN ('2027-01-01')", "42710"),
        ("ALTER TABLE t ADD PARTITION p FOR VALUES FROM ('2026-02-10') TO ('2027-01-01')", "42P17"),
        ("ALTER TABLE t ADD PARTITION p FOR VALUES FROM ('2027-01-01') TO ('2026-01-01')", "42P17"),
        ("ALTER TABLE t ADD PARTITION p VALUES IN ('2027-01-01')", "42P16"),
        ("ALTER TABLE t DROP PARTITION nope", "42704"),
        ("ALTER TABLE h DROP PARTITION p0", "42809"),
        ("ALTER TABLE u DROP PARTITION p0", "42809"),
        ("ALTER TABLE nope DROP PARTITION p0", "42P01"),
        ("ALTER TABLE t EXCHANGE PARTITION nope WITH TABLE u", "42704"),
        ("ALTER TABLE t EXCHANGE PARTITION p1 WITH TABLE h", "42P16"),
        ("CREATE TABLE x (a INT PRIMARY KEY, b INT) PARTITION BY HASH (b)", "0A000"),
        ("CREATE TABLE x (a INT, b INT UNIQUE) PARTITION BY HASH (a)", "0A000"),
        ("CREATE TABLE x (a JSON) PARTITION BY HASH (a)", "42704"),
    ]:
        refused(local, sql, code)
    local.sql("ALTER TABLE t DROP PARTITION IF EXISTS nope")
    local.sql("ALTER TABLE IF EXISTS nope DROP PARTITION p0")
    with pytest.raises(NotYet), local.transaction() as tx:
        tx.sql("ALTER TABLE t DROP PARTITION p1")
    with pytest.raises(UnknownObject, match="p2"):
        local.sql("ALTER TABLE t DROP PARTITION p3")


def test_exchange_gives_each_side_the_rows_of_the_other(local: Database) -> None:
    local.sql(OTHER)
    local.sql("INSERT INTO t SELECT date '2026-01-01' + i, i, 't' FROM generate_series(0, 40) g(i)")
    local.sql("INSERT INTO u SELECT date '2026-01-01' + i, i, 'u' FROM generate_series(0, 9) g(i)")
    local.sql("ALTER TABLE t EXCHANGE PARTITION p1 WITH TABLE u")
    assert local.sql("SELECT v, count(*) FROM t GROUP BY v ORDER BY v").rows() == [
        ("t", 10),
        ("u", 10),
    ]
    assert local.sql("SELECT v, count(*) FROM u GROUP BY v").rows() == [("t", 31)]
    refused(local, "INSERT INTO u VALUES ('2026-01-31', 30, 'x')", "23505")
    local.sql("INSERT INTO t VALUES ('2026-01-31', 30, 'new')")
    names = [set(local.snapshot().find_table(name).files.names) for name in "tu"]  # type: ignore[union-attr]
    buried = {one.name for grave in local.snapshot().graveyard for one in grave.objects}
    assert not (names[0] | names[1]) & buried, "the collector would take what is there"
    local.sql("INSERT INTO u VALUES ('2026-02-05', 1, 'stray')")
    refused(local, "ALTER TABLE t EXCHANGE PARTITION p1 WITH TABLE u", "23514", "2026-02-05")
    local.sql("DELETE FROM u WHERE v = 'stray'")
    local.sql("ALTER TABLE t EXCHANGE PARTITION p1 WITH TABLE u")
    assert counts(local) == {"p1": 31, "p2": 10}
    assert local.sql("SELECT v, count(*) FROM u GROUP BY v ORDER BY v").rows() == [
        ("new", 1),
        ("u", 10),
    ]


def test_rows_come_while_partitions_do(local: Database) -> None:
    """No row is lost or where it does not belong, however writes and ADD meet."""
    local.sql("CREATE TABLE c (a INT) PARTITION BY LIST (a) (PARTITION rest DEFAULT)")

    def write(number: int) -> int:
        try:
            local.sql("INSERT INTO c VALUES ($1)", [number % 10])
        except Conflict:
            return 0
        return 1

    added = 0
    with ThreadPoolExecutor(4) as threads:
        writes = [threads.submit(write, number) for number in range(120)]
        for number in range(10):
            with suppress(Conflict, InvalidRequest):  # its rows are in the default one already
                local.sql(f"ALTER TABLE c ADD PARTITION p{number} VALUES IN ({number})")
                added += 1
        done = sum(write.result() for write in writes)
    assert local.sql("SELECT count(*) FROM c").rows() == [(done,)]
    local.sql("CALL mobula.flush('c')")
    found = counts(local, "c")
    assert (sum(found.values()), len(found)) == (done, added + 1)
    for number in range(10):
        plain = local.sql("SELECT count(*) FROM c WHERE a + 0 = $1", [number]).rows()
        assert local.sql("SELECT count(*) FROM c WHERE a = $1", [number]).rows() == plain
