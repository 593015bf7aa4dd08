"""Files are rewritten, when it is asked for and by themselves: both engines."""

from __future__ import annotations

import threading
from pathlib import Path

import polars as pl
import pytest

from storage.overlap import extents
from storage.snapshot.model import TableState
from tests.engine.conftest import SMALL
from warehouse import Database, InvalidRequest, Settings, UnknownObject

ROWS = 20_000


@pytest.fixture(scope="module")
def settings() -> Settings:
    return SMALL


def state(db: Database, name: str = "t") -> TableState:
    found = db.snapshot().find_table(name)
    assert found is not None
    return found


@pytest.fixture
def table(db: Database) -> Database:
    db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT) WITH (micropartition_rows = 5000)")
    db.table("t").append(pl.DataFrame({"k": range(ROWS), "v": range(ROWS)}))
    db.sql("CALL mobula.flush('t')")
    return db


def test_every_hole_goes_and_versions_stay(table: Database) -> None:
    before = table.snapshot().lsn
    table.sql("DELETE FROM t WHERE k % 10 = 0")
    assert table.sql("CALL mobula.compact('t')").tag == "COMPACT 4"
    now = state(table)
    assert (now.stored_row_count, dict(now.bitmaps), len(now.files)) == (ROWS * 9 // 10, {}, 4)
    query = "SELECT count(*), sum(v) FROM t"
    kept = [k for k in range(ROWS) if k % 10]
    assert table.sql(query).rows() == [(len(kept), sum(kept))]
    assert table.sql(f"{query} AS OF LSN {before}").rows() == [(ROWS, sum(range(ROWS)))]
    vw = table.create_virtual_warehouse("bi", size=1)
    assert vw.sql(query, min_lsn=table.snapshot().lsn).rows() == [(len(kept), sum(kept))]
    assert table.sql("CALL mobula.compact()").tag == "COMPACT 0"
    seen = (
        "SELECT table_name, state, row_count, rows_done FROM mobula.tasks()"
        " WHERE kind = 'compact' ORDER BY started_at DESC LIMIT 1"
    )
    for place in (table, vw):
        assert place.sql(seen).rows() == [("public.t", "succeeded", len(kept), len(kept))]
    assert table.table("t").get([10, 11]).rows() == [(11, 11)]
    table.sql("INSERT INTO t VALUES (10, -1)")
    with pytest.raises(InvalidRequest, match="t_pkey"):
        table.sql("INSERT INTO t VALUES (11, -1)")


def test_files_full_of_holes_are_written_anew_while_others_write(table: Database) -> None:
    done, failed = threading.Event(), list[BaseException]()

    def write() -> None:
        turn = 0
        try:
            while not done.is_set():
                table.table("t").upsert(pl.DataFrame({"k": [turn % 100], "v": [turn]}))
                turn += 1
        except BaseException as error:
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for part in range(4):
            low = part * 5000 + 100
            table.sql(f"DELETE FROM t WHERE k BETWEEN {low} AND {low + 2999}")
            table.sql("CALL mobula.flush('t')")
    finally:
        done.set()
        writer.join()
    assert not failed
    table.sql("CALL mobula.compact('t')")
    assert state(table).bitmaps == {}
    assert table.sql("SELECT count(*) FROM t").rows() == [(ROWS - 4 * 3000,)]
    assert table.sql("SELECT sum(v) FROM t WHERE k >= 100").rows() == [
        (sum(k for k in range(100, ROWS) if not 100 <= k % 5000 < 3100),)
    ]


def test_a_table_without_keys_and_one_that_is_not_there(db: Database) -> None:
    db.sql("CREATE TABLE plain AS SELECT x, x % 7 AS g FROM generate_series(1, 10000) AS s (x)")
    db.sql("CALL mobula.flush('plain')")
    db.sql("DELETE FROM plain WHERE g = 3")
    assert db.sql("CALL mobula.compact('plain')").tag == "COMPACT 1"
    assert state(db, "plain").bitmaps == {}
    assert db.sql("SELECT count(*), min(g), max(g) FROM plain WHERE g <> 4").rows() == [
        (7142, 0, 6)
    ]
    with pytest.raises(UnknownObject, match="nowhere"):
        db.sql("CALL mobula.compact('nowhere')")
    with pytest.raises(InvalidRequest, match="name of a table"):
        db.sql("CALL mobula.compact(1)")


def depth(db: Database, name: str = "t") -> int:
    table = state(db, name)
    return int(extents(table.files, table.sort_order).depths()[1].max())


def test_another_order_once_it_is_asked_for(table: Database) -> None:
    table.sql("UPDATE t SET v = -k WHERE k % 2 = 0")
    table.sql("CALL mobula.flush('t')")
    before = table.snapshot().lsn
    assert table.sql("ALTER TABLE t CLUSTER BY (v, k)").tag == "ALTER TABLE"
    described = table.sql("DESCRIBE t").arrow()
    assert described["cluster position"].to_pylist() == [2, 1]
    files = len(state(table).files)
    assert depth(table) == files  # they may have rows anywhere
    assert table.sql("CALL mobula.recluster('t')").tag == f"RECLUSTER {files}"
    assert (depth(table), set(state(table).files.table["level"].to_pylist())) == (1, {1})
    assert table.sql("CALL mobula.recluster('t')").tag == "RECLUSTER 0"
    query = "SELECT count(*), sum(v), count(DISTINCT k) FROM t"
    total = sum(-k if k % 2 == 0 else k for k in range(ROWS))
    assert table.sql(query).rows() == [(ROWS, total, ROWS)]
    assert table.sql(f"{query} AS OF LSN {before}").rows() == [(ROWS, total, ROWS)]
    assert table.sql("ALTER TABLE t CLUSTER BY ZORDER (k, v)").tag == "ALTER TABLE"
    assert table.sql("CALL mobula.recluster()").tag.startswith("RECLUSTER ")
    assert table.sql(query).rows() == [(ROWS, total, ROWS)]
    table.sql("ALTER TABLE t CLUSTER BY NONE")
    order = state(table).sort_order
    assert order is not None
    assert order.text == "lexical 1"  # by the primary key, as one that was never asked
    assert table.sql("SELECT v FROM t WHERE k = 7").rows() == [(7,)]


def test_a_file_of_another_order_is_sorted_though_it_is_alone(db: Database) -> None:
    db.sql("CREATE TABLE t (k BIGINT, v BIGINT) CLUSTER BY (k)")
    db.table("t").append(pl.DataFrame({"k": range(ROWS), "v": [n * 7 % ROWS for n in range(ROWS)]}))
    db.sql("CALL mobula.flush('t')")
    assert db.sql("CALL mobula.recluster('t')").tag == "RECLUSTER 0"
    for order, first in (("(v, k)", "v"), ("ZORDER (k, v)", None), ("(k)", "k")):
        db.sql(f"ALTER TABLE t CLUSTER BY {order}")
        assert db.sql("CALL mobula.recluster('t')").tag == "RECLUSTER 1"
        assert db.sql("CALL mobula.recluster('t')").tag == "RECLUSTER 0"
        (name,) = state(db).files.names
        rows = pl.read_parquet(Path(db.root) / name)
        assert len(rows) == rows["k"].n_unique() == ROWS
        if first is None:
            assert not rows["k"].is_sorted()
            assert not rows["v"].is_sorted()
        else:
            assert rows[first].is_sorted()


def test_orders_that_cannot_be(table: Database) -> None:
    with pytest.raises(UnknownObject, match="CLUSTER BY names w, which is no column"):
        table.sql("ALTER TABLE t CLUSTER BY (w)")
    with pytest.raises(UnknownObject, match="nowhere"):
        table.sql("ALTER TABLE nowhere CLUSTER BY (k)")
    assert table.sql("ALTER TABLE IF EXISTS nowhere CLUSTER BY (k)").tag == "ALTER TABLE"
    assert state(table).cluster_by is None


def test_options_of_a_table(table: Database) -> None:
    table.sql("ALTER TABLE t SET (flush_rows = 500, holes_max = '0.25', flush_bytes = '1 MB')")
    shown = "SELECT reloptions FROM pg_class WHERE relname = 't'"
    given = ["flush_bytes=1048576", "flush_rows=500", "holes_max=0.25", "micropartition_rows=5000"]
    assert table.sql(shown).rows() == [(given,)]
    table.sql("ALTER TABLE t RESET (flush_rows, holes_max, flush_bytes, depth_max)")
    assert table.sql(shown).rows() == [(["micropartition_rows=5000"],)]
    with pytest.raises(InvalidRequest, match="flush_rows = 0: expected 1 to"):
        table.sql("ALTER TABLE t SET (flush_rows = 0)")
    with pytest.raises(UnknownObject):
        table.sql("ALTER TABLE u RESET (flush_rows)")
    assert table.sql("ALTER TABLE IF EXISTS u RESET (flush_rows)").tag == "ALTER TABLE"


def test_vacuum_and_analyze(table: Database) -> None:
    live = "SELECT n_live_tup, n_dead_tup FROM pg_stat_user_tables WHERE relname = 't'"
    table.sql("DELETE FROM t WHERE k % 10 = 0")
    table.sql("INSERT INTO t VALUES (20, 0), (9990, 0), (10, 0)")
    table.sql("DELETE FROM t WHERE k = 10")
    assert table.sql(live).rows() == [(ROWS * 9 // 10 + 2, ROWS // 10 + 1)]
    assert table.sql("ANALYZE t (k, v)").tag == "ANALYZE"
    assert (state(table).deltas, len(state(table).files)) == ((), 5)
    assert table.sql("VACUUM").tag == "VACUUM"
    assert table.sql(live).rows() == [(ROWS * 9 // 10 + 2, 0)]
    assert depth(table) == 2
    assert table.sql("VACUUM (FULL, ANALYZE) t").tag == "VACUUM"
    assert depth(table) == 1
    assert table.sql("SELECT count(*), min(k) FROM t").rows() == [(ROWS * 9 // 10 + 2, 1)]
    for statement, error in (
        ("VACUUM u", "u does not exist"),
        ("ANALYZE t (w)", 'column "w" of relation "t" does not exist'),
    ):
        with pytest.raises(UnknownObject, match=error):
            table.sql(statement)
    table.sql("BEGIN")
    assert table.sql("ANALYZE").tag == "ANALYZE"
    with pytest.raises(InvalidRequest, match="inside a transaction block") as caught:
        table.sql("VACUUM t")
    assert caught.value.sqlstate == "25001"
    table.sql("ROLLBACK")
    vw = table.create_virtual_warehouse("only_reads", size=1)
    with pytest.raises(InvalidRequest):
        vw.sql("VACUUM t")
