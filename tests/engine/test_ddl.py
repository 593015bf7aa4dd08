"""Definitions that are enforced whatever writes rows; tables from queries; temporary tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import warehouse
from storage.errors import InvalidRequest, NotYet, UnknownObject
from warehouse import Database, Settings

CHECKED = (
    "CREATE TABLE t (id BIGINT GENERATED ALWAYS AS IDENTITY, a INTEGER NOT NULL CHECK (a > 0),"
    " b TEXT DEFAULT 'x' || 'y', u UUID DEFAULT gen_random_uuid(), m TIMESTAMPTZ DEFAULT now())"
)


@pytest.fixture
def local(root: str) -> Iterator[Database]:
    """For what is the same on every engine."""
    database = warehouse.connect(
        root, engine="local", settings=Settings(rows_inline_bytes_max=16 << 10)
    )
    yield database
    database.close()


def beside(db: Database) -> Database:
    """Another session on the same engine."""
    return Database(db._engine, db._node)


def temporary_schemas(db: Database) -> list[str]:
    return [name for name in db.snapshot().schemas.values() if name.startswith("pg_temp_")]


# --- on every engine ------------------------------------------------------------------------------


def test_appends_and_loads_obey_the_definition(db: Database, tmp_path: Path) -> None:
    db.sql(CHECKED)
    db.table("t").append(pl.DataFrame({"a": [1, 2]}))
    db.table("t").append(pl.DataFrame({"a": list(range(1, 20_001))}))  # as files
    for number in (0, 1):
        rows = pa.table({"a": pa.array(range(1, 5001), pa.int32())})
        pq.write_table(rows, tmp_path / f"{number}.parquet", row_group_size=2000)
    db.load("t", f"{tmp_path}/*.parquet")
    db.sql("INSERT INTO t (a) VALUES (5), (6)")
    found = db.sql(
        "SELECT count(*), count(DISTINCT id), count(DISTINCT u), min(b), max(b), count(m) FROM t"
    )
    assert found.rows() == [(30_004, 30_004, 30_004, "xy", "xy", 30_004)]
    pq.write_table(pa.table({"a": pa.array([1, 0], pa.int32())}), tmp_path / "bad.parquet")
    for refused in (
        lambda: db.table("t").append(pl.DataFrame({"a": [1, 0]})),
        lambda: db.load("t", str(tmp_path / "bad.parquet")),
        lambda: db.sql("INSERT INTO t (a) SELECT 0"),
    ):
        with pytest.raises(InvalidRequest, match='"t_a_check"') as caught:
            refused()
        assert caught.value.sqlstate == "23514"
    assert db.sql("SELECT count(*) FROM t").scalar() == 30_004


def test_a_query_becomes_a_table_in_one_commit(db: Database) -> None:
    db.sql("CREATE SCHEMA other")  # so that the primary has been opened
    before = db.snapshot().lsn
    created = db.sql(
        "CREATE TABLE s AS SELECT g AS a, g::text AS b FROM generate_series(1, 5) x(g)"
    )
    assert created.tag == "SELECT 5"
    assert created.commit is not None
    assert (created.commit.lsn, created.commit.rows) == (before + 1, 5)
    large = db.sql(
        "CREATE TABLE l CLUSTER BY (a) AS SELECT g AS a, random() AS r"
        " FROM generate_series(1, 50000) x(g)"
    )
    assert large.commit is not None
    assert large.commit.lsn == before + 2
    state = db.snapshot().find_table("l")
    assert state is not None
    assert (len(state.files), len(state.deltas), state.row_count) == (1, 0, 50_000)
    found = db.sql("SELECT count(*), sum(l.a) FROM l JOIN s ON l.a = s.a")
    assert found.rows() == [(5, 15)]


def test_temporary_tables_are_their_sessions(db: Database) -> None:
    db.sql("CREATE TABLE t AS SELECT 1 AS a")
    db.sql("CREATE TEMP TABLE t AS SELECT g AS z FROM generate_series(1, 3) x(g)")
    other = beside(db)
    assert db.sql("SELECT sum(z) FROM t").scalar() == 6
    assert other.sql("SELECT a FROM t").scalar() == 1
    other.sql("CREATE TEMP TABLE mine (a INTEGER CHECK (a > 0))")
    other.table("pg_temp.mine").append(pl.DataFrame({"a": [7]}))
    assert other.sql("SELECT a FROM mine").scalar() == 7
    with pytest.raises(UnknownObject):
        db.sql("SELECT * FROM mine")
    bi = other.create_virtual_warehouse("bi", worker_cpus=0.5)
    lsn = other.sql("INSERT INTO mine VALUES (8)").commit
    assert lsn is not None
    assert bi.sql("SELECT sum(a) FROM mine", min_lsn=lsn.lsn).scalar() == 15
    assert len(temporary_schemas(db)) == 2
    other._drop_temporary()
    assert len(temporary_schemas(db)) == 1
    db.sql("DROP TABLE t")
    assert db.sql("SELECT a FROM t").scalar() == 1


# --- definitions ----------------------------------------------------------------------------------


def test_one_failing_row_leaves_nothing(local: Database) -> None:
    local.sql("CREATE TABLE t (a INTEGER CHECK (a < 5))")
    before = local.snapshot().lsn
    for statement in (
        "INSERT INTO t VALUES (1), (9)",
        "INSERT INTO t SELECT g FROM generate_series(1, 9) x(g)",
        "CREATE TABLE u AS SELECT 1 / (g - 3) AS a FROM generate_series(1, 5) x(g)",
    ):
        with pytest.raises(InvalidRequest):
            local.sql(statement)
    assert local.snapshot().lsn == before


def test_transactions_obey_the_definition(local: Database) -> None:
    local.sql(CHECKED)
    with local.transaction() as transaction:
        transaction.table("t").append(pl.DataFrame({"a": [1]}))
        transaction.table("t").append(pl.DataFrame({"a": [2], "b": ["z"]}))
    assert local.sql("SELECT a, b FROM t ORDER BY id").rows() == [(1, "xy"), (2, "z")]


def test_numbers_given_and_asked_for_in_one_statement(local: Database) -> None:
    local.sql("CREATE TABLE t (id INTEGER GENERATED BY DEFAULT AS IDENTITY, a TEXT)")
    local.sql("INSERT INTO t VALUES (DEFAULT, 'a'), (100, 'b'), (DEFAULT, 'c')")
    local.sql("INSERT INTO t (a) VALUES ('d')")
    assert local.sql("SELECT id, a FROM t ORDER BY a").rows() == [
        (1, "a"),
        (100, "b"),
        (2, "c"),
        (3, "d"),
    ]


def test_a_default_that_uses_a_type_of_a_schema(local: Database) -> None:
    local.sql("CREATE SCHEMA s")
    local.sql("CREATE TYPE s.mood AS ENUM ('sad', 'ok')")
    local.sql("SET search_path TO s, public")
    local.sql(
        "CREATE TABLE public.t (a INTEGER, m mood DEFAULT 'ok'::mood CHECK (m > 'sad'::mood))"
    )
    local.sql("RESET search_path")
    local.sql("INSERT INTO t (a) VALUES (1)")
    assert local.sql("SELECT m FROM t").scalar() == "ok"
    with pytest.raises(InvalidRequest, match="depend on it"):
        local.sql("DROP TYPE s.mood")


def test_drops_of_several_are_one_commit(local: Database) -> None:
    for name in ("a", "b", "c"):
        local.sql(f"CREATE TABLE {name} (x INTEGER)")
    before = local.snapshot().lsn
    with pytest.raises(UnknownObject):
        local.sql("DROP TABLE a, nosuch")
    assert local.sql("DROP TABLE a, b CASCADE").tag == "DROP TABLE"
    assert local.snapshot().lsn == before + 1
    assert [row[1] for row in local.sql("SHOW TABLES").rows()] == ["c"]
    local.sql("CREATE SCHEMA s")
    local.sql("CREATE TABLE s.t AS SELECT 1 AS a")
    with pytest.raises(InvalidRequest) as caught:
        local.sql("DROP SCHEMA s")
    assert caught.value.sqlstate == "2BP01"
    local.sql("DROP SCHEMA s CASCADE")
    assert [row[0] for row in local.sql("SHOW SCHEMAS").rows()] == ["public"]


def test_what_comes_later_says_so(local: Database) -> None:
    local.sql("CREATE TABLE t (a INTEGER)")
    for statement in (
        "ALTER TABLE t ADD COLUMN b INTEGER",
        "SELECT nextval('s')",
        "WITH w AS (DELETE FROM t RETURNING a) SELECT a FROM w",
        "CREATE SEQUENCE s",
        "CREATE TEMP VIEW v AS SELECT 1",
        "SELECT 1 AS a INTO u",
    ):
        with pytest.raises(NotYet):
            local.sql(statement)


# --- temporary tables -----------------------------------------------------------------------------


def test_temporary_tables_go_when_their_connection_closes(root: str) -> None:
    first = warehouse.connect(root, engine="local")
    first.sql("CREATE TEMP TABLE t AS SELECT 1 AS a")
    assert len(temporary_schemas(first)) == 1
    first.close()
    second = warehouse.connect(root, engine="local")
    assert temporary_schemas(second) == []
    assert not second.snapshot().tables
    second.close()


def test_the_next_primary_drops_what_a_dead_connection_left(root: str) -> None:
    first = warehouse.connect(root, engine="local")
    first.sql("CREATE TEMP TABLE t AS SELECT 1 AS a")
    first._engine.close()  # as if it had died
    second = warehouse.connect(root, engine="local")
    assert len(temporary_schemas(second)) == 1
    assert second.sql("SHOW TABLES").rows() == []
    second.sql("CREATE TABLE u (a INTEGER)")
    assert temporary_schemas(second) == []
    second.close()


def test_others_do_not_see_them(local: Database) -> None:
    local.sql("CREATE TEMP TABLE mine (a INTEGER)")
    other = beside(local)
    listing = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'mine'"
    assert (local.sql(listing).scalar(), other.sql(listing).scalar()) == (1, 0)
    assert len(local.sql("SHOW TABLES")) == 1
    assert len(other.sql("SHOW TABLES")) == 0
    assert [row[0] for row in other.sql("SHOW SCHEMAS").rows()] == ["public"]


def test_silent_sessions_are_cleared_on_demand(local: Database) -> None:
    local.sql("CREATE TEMP TABLE t (a INTEGER)")
    other = beside(local)
    other.sql("CREATE TEMP TABLE t (a INTEGER)")
    assert other.sql("CALL mobula.drop_temporary()").tag == "DROP TEMPORARY 0"
    assert other.sql("CALL mobula.drop_temporary(0)").tag == "DROP TEMPORARY 1"
    assert len(other.sql("SELECT * FROM t")) == 0
    with pytest.raises(UnknownObject):
        local.sql("SELECT * FROM t")
    with pytest.raises(InvalidRequest, match="it is called as mobula"):
        local.sql("CALL mobula.drop_temporary('x', 2)")
