"""Large frames on both engines: on Ray by tasks, a slice each, through the object store.

Loads and COPY go to tasks in any case (`test_keyed_loads.py`).
"""

from __future__ import annotations

import polars as pl
import pytest

from actors.settings import RaySettings
from storage.errors import InvalidRequest
from warehouse import Database, Settings

ROWS = 60_000
SETTINGS = Settings(
    rows_inline_bytes_max=16 << 10, ray=RaySettings(ingest_bytes_min=100_000, ingest_slices_max=2)
)
SLICED = "WITH (micropartition_rows = 16384)"


@pytest.fixture(scope="module")
def settings() -> Settings:
    return SETTINGS


def frame(first: int = 0, count: int = ROWS) -> pl.DataFrame:
    return pl.DataFrame({"id": range(first, first + count)}).with_columns(
        v=pl.col("id").cast(pl.String)
    )


def files_of(db: Database, name: str = "t") -> int:
    table = db.snapshot().find_table(name)
    assert table is not None
    return len(table.files)


def test_slices_are_in_order_and_their_keys_are_known(
    db: Database, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "ray":  # this process is not to encode anything

        def refused(*_: object, **__: object) -> None:
            raise AssertionError("written by the client")

        monkeypatch.setattr("actors.ingest.write_table", refused)
    db.sql(f"CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT) {SLICED}")
    shuffled = frame().sample(fraction=1.0, shuffle=True, seed=1)
    assert db.table("t").append(shuffled).rows == ROWS
    assert files_of(db) == 4
    table = db.snapshot().find_table("t")
    assert table is not None
    assert {run.key_id for run in table.index_runs} == {1}
    lows = table.files.table["min_1"].to_pylist()
    assert lows == sorted(lows)  # sorted by the key over all slices
    assert db.table("t").upsert(frame(ROWS - 1_000, ROWS)).rows == ROWS
    count = db.sql("SELECT count(*), count(DISTINCT id), sum(id) FROM t").rows()
    total = 2 * ROWS - 1_000
    assert count == [(total, total, total * (total - 1) // 2)]
    assert db.table("t").get([5, ROWS + 5]).polars().height == 2


def test_a_key_twice_in_two_slices_is_refused_and_nothing_is_there(db: Database) -> None:
    db.sql(f"CREATE TABLE t (id BIGINT, u BIGINT UNIQUE, v TEXT) CLUSTER BY (id) {SLICED}")
    rows = frame().with_columns(u=pl.when(pl.col("id") == ROWS - 1).then(3).otherwise("id"))
    with pytest.raises(InvalidRequest, match=r'"t_u_key" of table t: Key \(u\)=\(3\)') as caught:
        db.table("t").append(rows)
    assert caught.value.sqlstate == "23505"
    near = frame().with_columns(u=pl.when(pl.col("id") == 5).then(3).otherwise("id"))
    with pytest.raises(InvalidRequest, match="is given twice"):  # said by the slice's own task
        db.table("t").append(near)
    assert db.sql("SELECT count(*) FROM t").scalar() == 0
    assert files_of(db) == 0


def test_rows_of_queries_go_the_same_way(db: Database) -> None:
    db.sql(f"CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT) {SLICED}")
    fill = "INSERT INTO t SELECT g, g::text FROM generate_series(1, 60000) AS s(g)"
    db.sql(fill)
    assert files_of(db) == 4
    with pytest.raises(InvalidRequest, match="already exists"):
        db.sql(fill)
    db.sql(f"{fill} ON CONFLICT DO NOTHING")
    db.sql("UPDATE t SET v = 'x' || v")
    found = db.sql("SELECT count(*), min(v), count(DISTINCT v) FROM t").rows()
    assert found == [(60_000, "x1", 60_000)]
    with db.transaction() as tx:
        tx.sql("UPDATE t SET v = 'y' || id")
        tx.table("t").upsert(frame(1, 10))
    assert db.sql("SELECT count(*) FROM t WHERE v LIKE 'y%'").scalar() == 59_990


def test_tables_without_keys_take_them_too(db: Database) -> None:
    db.sql(f"CREATE TABLE t (id BIGINT, v TEXT) {SLICED}")
    db.table("t").append(frame())
    db.table("t").append(frame())
    assert files_of(db) == 8
    assert db.sql("SELECT count(*), count(DISTINCT id) FROM t").rows() == [(2 * ROWS, ROWS)]
