"""Large writes into tables with keys: loads of files in every mode, COPY, large frames; what is
refused leaves nothing."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import warehouse
from jobs.load import main as load_job
from storage.errors import InvalidRequest
from tests.engine.conftest import SELDOM_ON_RAY, SMALL
from warehouse import Database

ROWS = 3_000


def frame(first: int, count: int, value: str) -> pl.DataFrame:
    ids = range(first, first + count)
    return pl.DataFrame({"id": ids, "code": [f"c{n}" for n in ids], "v": [value] * count})


def written(directory: Path, **frames: pl.DataFrame) -> str:
    """A pattern of Parquet files."""
    directory.mkdir(exist_ok=True)
    for name, rows in frames.items():
        rows.write_parquet(directory / f"{name}.parquet")
    return f"{directory}/*.parquet"


def kept(db: Database) -> list[tuple[str, int]]:
    return db.sql("SELECT v, count(*) FROM t GROUP BY v ORDER BY v").rows()


@pytest.fixture
def table(db: Database) -> Database:
    db.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, code TEXT UNIQUE, v TEXT)")
    return db


def test_a_load_into_an_empty_table_is_found_by_key(table: Database, tmp_path: Path) -> None:
    files = written(tmp_path / "in", a=frame(0, ROWS, "a"), b=frame(ROWS, ROWS, "b"))
    assert table.load("t", files).rows == 2 * ROWS
    assert table.table("t").get([7, ROWS + 1, 99_999]).polars()["id"].sort().to_list() == [
        7,
        ROWS + 1,
    ]
    with pytest.raises(InvalidRequest, match="already exists"):
        table.table("t").append(frame(5, 1, "x"))


@pytest.mark.parametrize(
    ("mode", "rows", "expected"),
    [
        ("upsert", ROWS, [("a", ROWS - 100), ("b", ROWS)]),
        ("ignore", ROWS - 100, [("a", ROWS), ("b", ROWS - 100)]),
        ("update", 100, [("a", ROWS - 100), ("b", 100)]),
    ],
)
def test_modes(
    table: Database, tmp_path: Path, mode: str, rows: int, expected: list[tuple[str, int]]
) -> None:
    table.load("t", written(tmp_path / "1", a=frame(0, ROWS, "a")))
    again = frame(ROWS - 100, ROWS, "b")
    files = written(tmp_path / "2", a=again.head(1_000), b=again.tail(ROWS - 1_000))
    assert table.load("t", files, mode=mode).rows == rows
    assert kept(table) == expected
    assert table.table("t").get([ROWS - 50]).polars()["v"].to_list() == [
        "a" if mode == "ignore" else "b"
    ]


def test_a_key_that_is_there_refuses_the_load(table: Database, tmp_path: Path) -> None:
    table.load("t", written(tmp_path / "1", a=frame(0, ROWS, "a")))
    files = written(tmp_path / "2", a=frame(ROWS, ROWS, "b"), b=frame(17, 1, "b"))
    with pytest.raises(
        InvalidRequest, match=r'"t_pkey" of table t: Key \(id\)=\(17\) already'
    ) as e:
        table.load("t", files)
    assert e.value.sqlstate == "23505"
    assert kept(table) == [("a", ROWS)]


def test_a_unique_value_that_is_there_refuses_even_an_upsert(
    table: Database, tmp_path: Path
) -> None:
    table.load("t", written(tmp_path / "1", a=frame(0, ROWS, "a")))
    other = pl.DataFrame({"id": [ROWS], "code": ["c9"], "v": ["b"]})
    files = written(tmp_path / "2", a=other)
    with pytest.raises(InvalidRequest, match=r'"t_code_key".*Key \(code\)=\(c9\) already exists'):
        table.load("t", files, mode="upsert")
    assert table.load("t", files, mode="ignore").rows == 0
    assert table.load("t", files, mode="update").rows == 0  # there is no row 3000
    moved = pl.DataFrame({"id": [9], "code": ["c9"], "v": ["b"]})
    assert table.load("t", written(tmp_path / "3", a=moved), mode="upsert").rows == 1
    assert kept(table) == [("a", ROWS - 1), ("b", 1)]


@pytest.mark.parametrize("mode", ["insert", "upsert", "ignore"])
def test_a_key_twice_in_several_files_is_refused(
    table: Database, tmp_path: Path, mode: str
) -> None:
    files = written(tmp_path / "1", a=frame(0, ROWS, "a"), b=frame(ROWS - 1, 10, "b"))
    with pytest.raises(InvalidRequest, match=rf"Key \(id\)=\({ROWS - 1}\) is given twice"):
        table.load("t", files, mode=mode)
    assert kept(table) == []


def test_nothing_of_a_load_stays_if_one_file_fails(table: Database, tmp_path: Path) -> None:
    without = frame(ROWS, 3, "b").with_columns(id=pl.lit(None, pl.Int64))
    files = written(tmp_path / "1", a=frame(0, ROWS, "a"), b=without)
    with pytest.raises(InvalidRequest, match="NULL"):
        table.load("t", files)
    assert kept(table) == []


def test_modes_need_a_key(db: Database, tmp_path: Path) -> None:
    db.sql("CREATE TABLE t (id BIGINT, v TEXT)")
    files = written(tmp_path / "1", a=frame(0, 3, "a").drop("code"))
    for mode in ("upsert", "ignore", "update"):
        with pytest.raises(InvalidRequest, match="no primary key") as caught:
            db.load("t", files, mode=mode)
        assert caught.value.sqlstate == "55000"
    with pytest.raises(InvalidRequest, match="expected one of insert, ignore"):
        db.load("t", files, mode="replace")
    assert db.load("t", files).rows == 3


def test_copy_checks_keys(table: Database, tmp_path: Path) -> None:
    files = written(tmp_path / "1", a=frame(0, ROWS, "a"))
    assert table.sql(f"COPY t FROM '{files}' (FORMAT parquet)").commit is not None
    with pytest.raises(InvalidRequest, match="already exists"):
        table.sql(f"COPY t FROM '{files}' (FORMAT parquet)")
    assert kept(table) == [("a", ROWS)]


@SELDOM_ON_RAY
def test_the_command_and_the_job_upsert(
    engine: str, root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = written(tmp_path / "1", a=frame(0, ROWS, "a"))
    second = written(tmp_path / "2", a=frame(ROWS - 10, ROWS, "b"))
    with warehouse.connect(root, engine=engine, settings=SMALL) as db:
        db.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, code TEXT, v TEXT)")
    told = ["--root", root, "--table", "t", "--engine", engine]
    assert load_job([*told, "--source", first]) == 0
    assert load_job([*told, "--source", second]) == 1
    assert "already exists" in capsys.readouterr().err
    assert load_job([*told, "--source", second, "--mode", "upsert"]) == 0
    assert f"comparing {ROWS:,} keys" in capsys.readouterr().err
    db = warehouse.connect(root, engine=engine, settings=SMALL)
    assert kept(db) == [("a", ROWS - 10), ("b", ROWS)]
    db.shutdown()


def test_large_writes_of_one_transaction_meet_each_other(table: Database) -> None:
    """While others write deltas whose ids its own had had."""
    table.table("t").append(frame(0, 10, "old"))
    with table.transaction() as tx:
        tx.table("t").upsert(frame(3, 1, "small"))
        tx.table("t").upsert(frame(0, ROWS, "large"))
        tx.table("t").upsert(frame(1_000, ROWS, "larger"))
        table.table("t").append(frame(70_000, 5, "other"))
    assert kept(table) == [("large", 1_000), ("larger", ROWS), ("other", 5)]
    with pytest.raises(InvalidRequest, match="already exists"):
        table.table("t").append(frame(1_500, 1, "x"))


def test_flush_now(table: Database) -> None:
    table.sql("CREATE SCHEMA s")
    table.sql('CREATE TABLE s."T" (id BIGINT PRIMARY KEY)')
    table.table("t").append(frame(0, 10, "a"))
    table.table("t").delete([3])
    table.table("s.T").append(pl.DataFrame({"id": [1]}))

    def deltas() -> dict[str, int]:
        return {t.name: len(t.deltas) for t in table.snapshot().tables.values()}

    assert deltas() == {"t": 1, "T": 1}
    table.sql("""CALL mobula.flush('s."T"')""")
    assert deltas() == {"t": 1, "T": 0}
    table.sql("CALL mobula.flush()")
    assert deltas() == {"t": 0, "T": 0}
    assert kept(table) == [("a", 9)]
    assert table.table("t").get([3, 4]).polars()["id"].to_list() == [4]
    with pytest.raises(warehouse.UnknownObject, match="nope"):
        table.sql("CALL mobula.flush('nope')")
    with pytest.raises(InvalidRequest, match="it is called as"):
        table.sql("CALL mobula.flush('t', 't')")
