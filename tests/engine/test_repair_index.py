"""`CALL mobula.repair_index()`: on both engines, while others write."""

from __future__ import annotations

import threading
from pathlib import Path

import polars as pl
import pytest

from storage.snapshot.model import TableState
from warehouse import Database, InvalidRequest, UnknownObject


def state(db: Database) -> TableState:
    found = db.snapshot().find_table("t")
    assert found is not None
    return found


@pytest.fixture
def table(db: Database) -> Database:
    db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, u TEXT UNIQUE, v INT)")
    frame = pl.DataFrame({"k": range(3000), "u": [f"u{n}" for n in range(3000)], "v": [0] * 3000})
    db.table("t").append(frame)
    db.sql("CALL mobula.flush('t')")
    return db


def test_runs_are_exchanged_and_keys_found(table: Database) -> None:
    before = {run.name for run in state(table).index_runs}
    assert before
    assert table.sql("CALL mobula.repair_index('t')").tag == "REPAIR INDEX 2"
    assert not before & {run.name for run in state(table).index_runs}
    table.table("t").upsert(pl.DataFrame({"k": [5, 9000], "u": ["u5", "new"], "v": [1, 1]}))
    assert table.sql("SELECT count(*), sum(v) FROM t").rows() == [(3001, 2)]
    with pytest.raises(InvalidRequest, match="t_u_key"):
        table.sql("INSERT INTO t VALUES (9001, 'u7', 0)")
    assert table.table("t").get([7]).rows() == [(7, "u7", 0)]


def test_writers_go_on_meanwhile(table: Database) -> None:
    done, failed = threading.Event(), list[BaseException]()

    def write() -> None:
        turn = 0
        try:
            while not done.is_set() or turn < 5:
                keys = [turn % 3000, 3000 + turn]
                frame = pl.DataFrame({"k": keys, "u": [f"w{turn} {k}" for k in keys], "v": [1, 1]})
                table.table("t").upsert(frame)
                turn += 1
        except BaseException as error:
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(3):
        assert table.sql("CALL mobula.repair_index()").tag.startswith("REPAIR INDEX ")
        table.sql("CALL mobula.flush('t')")
    done.set()
    writer.join()
    assert not failed
    written = table.sql("SELECT count(*) FROM t WHERE k >= 3000").scalar()
    assert table.sql("SELECT count(*), count(DISTINCT k), count(DISTINCT u) FROM t").rows() == [
        (3000 + written, 3000 + written, 3000 + written)
    ]


def test_calls_that_make_no_sense_are_refused(table: Database) -> None:
    with pytest.raises(UnknownObject, match="nope"):
        table.sql("CALL mobula.repair_index('nope')")
    with pytest.raises(InvalidRequest, match=r"mobula.repair_index\('table'\)"):
        table.sql("CALL mobula.repair_index('t', 't')")


def test_a_lost_run_is_made_anew(table: Database) -> None:
    """The primary has it mapped; whoever opens the index next would miss it."""
    names = [run.name for run in state(table).index_runs]
    for name in names:
        (Path(table.root) / name).unlink()
    assert table.sql("CALL mobula.repair_index()").tag == "REPAIR INDEX 2"
    for run in state(table).index_runs:
        assert run.name not in names
        assert (Path(table.root) / run.name).stat().st_size == run.size_bytes
