"""How long the past is kept, and how it goes: by SQL, on both engines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import polars as pl
import pytest

import warehouse
from storage.collection.policy import RetentionPolicy
from storage.errors import ObjectMissing
from storage.log.reader import LogReader
from storage.log.record import GroupHeader
from storage.names import log_name
from tests.engine.conftest import SELDOM_ON_RAY, SMALL
from warehouse import Database, InvalidRequest, Settings, UnknownObject

OWN = pytest.mark.parametrize("engine", ["local"], indirect=True)
FORGETFUL = Settings(  # nothing stays for a time
    rows_inline_bytes_max=16 << 10,
    retention=RetentionPolicy(follow_ms=0, pack_ms=0, pack_groups=2, every_ms=0),
)
QUERY = "SELECT count(*), sum(v) FROM t"


@pytest.fixture(scope="module")
def settings() -> Settings:
    return SMALL


@pytest.fixture
def table(db: Database) -> Database:
    db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT)")
    db.table("t").append(pl.DataFrame({"k": range(1_000), "v": [1] * 1_000}))
    db.sql("CALL mobula.flush('t')")
    return db


def changed(db: Database) -> int:
    """Rows are replaced and files written anew; the LSN before that."""
    before = db.snapshot().lsn
    db.sql("UPDATE t SET v = v + 1 WHERE k % 2 = 0")
    db.sql("CALL mobula.flush('t')")
    db.sql("CALL mobula.compact('t')")
    return before


def files(root: str) -> set[str]:
    place = Path(root)
    return {
        str(path.relative_to(place))
        for kind in ("data", "index")
        for path in (place / kind).rglob("*")
        if path.is_file()
    }


def live(db: Database) -> set[str]:
    tables = db.snapshot().tables.values()
    names = {name for state in tables for name in state.files.names}
    return names | {run.name for state in tables for run in state.index_runs}


# --- CALL mobula.vacuum ---------------------------------------------------------------------------


@OWN
def test_versions_stay_for_a_week_and_go_when_it_is_asked_for(table: Database, root: str) -> None:
    before = changed(table)
    table.sql("CALL mobula.vacuum()")
    assert table.sql(f"{QUERY} AS OF LSN {before}").rows() == [(1_000, 1_000)]
    gone = files(root) - live(table)
    assert gone
    seen = table.sql("CALL mobula.vacuum('0 days', NULL, true)")
    assert seen.columns == ["object", "size_bytes", "reason"]
    promised = {name for name, _, _ in seen.rows()}
    assert gone <= promised
    assert table.sql(f"{QUERY} AS OF LSN {before}").rows() == [(1_000, 1_000)]
    done = table.sql("CALL mobula.vacuum(INTERVAL '0 days')")
    assert gone <= {name for name, _, _ in done.rows()}
    assert done.tag == f"VACUUM {len(done.rows())}"
    assert files(root) == live(table)
    assert table.sql(QUERY).rows() == [(1_000, 1_500)]
    horizon = table.snapshot().horizon
    assert before < horizon
    with pytest.raises(InvalidRequest, match=f"past the retention: .* LSN {horizon}"):
        table.sql(f"{QUERY} AS OF LSN {before}")
    assert table.sql(f"{QUERY} AS OF LSN {horizon}").rows() == [(1_000, 1_500)]
    with pytest.raises(InvalidRequest, match="of that time are past the retention"):
        table.sql(f"{QUERY} AS OF TIMESTAMP '2001-01-01 00:00:00'")


@OWN
def test_an_upload_that_nobody_commits_goes(table: Database, root: str) -> None:
    state = table.snapshot().find_table("t")
    assert state is not None
    prefix = state.files.names[0].rpartition("-")[0]
    lost = f"{prefix}-{'0' * 32}.parquet"
    (Path(root) / lost).write_bytes(b"x" * 10)
    table.sql("INSERT INTO t VALUES (5000, 1)")
    assert lost not in {row[0] for row in table.sql("CALL mobula.vacuum()").rows()}
    found = table.sql("CALL mobula.vacuum(NULL, '0 seconds')").rows()
    assert (lost, 10, "an upload that was not committed in time") in found
    assert lost not in files(root)


def test_variants_of_the_call(table: Database) -> None:
    changed(table)
    for arguments in (
        "",
        "NULL",
        "'7 days'",
        "INTERVAL '7 days'",
        "'1 day 12:00:00'",
        "'7 days', '1 day'",
        "NULL, NULL",
        "NULL, NULL, NULL",
        "NULL, NULL, false",
        "'1 month', NULL, true",
    ):
        reply = table.sql(f"CALL mobula.vacuum({arguments})")
        assert reply.tag == f"VACUUM {len(reply.rows())}"
    given = table.sql("CALL mobula.vacuum($1, $2, $3)", ["1 hour", None, True])
    assert given.columns == ["object", "size_bytes", "reason"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ("'-1 days'", "retention: '-1 days' is negative"),
        ("INTERVAL '-1 days'", "retention: .* is negative"),
        ("NULL, '-1 second'", "age of uploads: '-1 second' is negative"),
        ("7", "retention: expected an INTERVAL such as '7 days', found 7"),
        ("true", "retention: expected an INTERVAL"),
        ("'soon'", "interval"),
        ("''", "interval"),
        ("NULL, 1.5", "age of uploads: expected an INTERVAL"),
        ("'1 day', '1 day', 'yes'", "it is called as mobula.vacuum"),
        ("'1 day', '1 day', 1", "it is called as mobula.vacuum"),
        ("'1 day', '1 day', true, 1", "it is called as mobula.vacuum"),
        ("(SELECT 1)", "CALL"),
    ],
)
def test_arguments_that_are_wrong(db: Database, arguments: str, match: str) -> None:
    db.sql("CALL mobula.checkpoint()")  # a primary serves
    before = db.snapshot().lsn
    with pytest.raises(InvalidRequest, match=match):
        db.sql(f"CALL mobula.vacuum({arguments})")
    assert db.snapshot().lsn == before


def test_a_name_that_is_wrong(db: Database) -> None:
    with pytest.raises(UnknownObject, match=r"did you mean mobula\.vacuum"):
        db.sql("CALL mobula.vacum()")


# --- the setting ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("'90 minutes'", "90 minutes"),
        ("'1 hour'", "1 hour"),
        ("'2 weeks'", "14 days"),
        ("'0 days'", "0 ms"),
        ("'1 day 00:00:01.5'", "86401500 ms"),
        ("'1 month'", "30 days"),
    ],
)
def test_the_retention_is_set_shown_and_reset(db: Database, value: str, shown: str) -> None:
    assert db.sql("SHOW retention").rows() == [("7 days",)]
    assert db.sql(f"ALTER SYSTEM SET retention = {value}").tag == "ALTER SYSTEM"
    assert db.sql("SHOW retention").rows() == [(shown,)]
    assert db.sql("ALTER SYSTEM RESET retention").tag == "ALTER SYSTEM"
    assert db.sql("SHOW retention").rows() == [("7 days",)]
    assert db.snapshot().settings == {}


@pytest.mark.parametrize(
    ("statement", "error", "match"),
    [
        ("SET retention = '-1 days'", InvalidRequest, "retention: '-1 days' is negative"),
        ("SET retention = 'soon'", InvalidRequest, "interval"),
        ("SET retention = 7", InvalidRequest, "expected its value in quotes"),
        ("SET retentio = '7 days'", UnknownObject, "did you mean retention"),
        ("RESET work_mem", UnknownObject, "ALTER SYSTEM knows retention"),
    ],
)
def test_settings_that_are_wrong(
    db: Database, statement: str, error: type[Exception], match: str
) -> None:
    db.sql("CALL mobula.checkpoint()")  # a primary serves
    before = db.snapshot().lsn
    with pytest.raises(error, match=match):
        db.sql(f"ALTER SYSTEM {statement}")
    assert db.snapshot().lsn == before


@OWN
def test_the_setting_outlives_the_primary_and_decides(table: Database, root: str) -> None:
    before = changed(table)
    table.sql("ALTER SYSTEM SET retention = '0 days'")
    table.close()
    with warehouse.connect(root, engine="local", settings=SMALL) as again:
        assert again.sql("SHOW retention").rows() == [("0 ms",)]
        again.sql("CALL mobula.vacuum()")
        assert files(root) == live(again)
        with pytest.raises(InvalidRequest, match="past the retention"):
            again.sql(f"{QUERY} AS OF LSN {before}")
        again.sql("ALTER SYSTEM RESET retention")
        kept = changed(again)
        again.sql("CALL mobula.vacuum()")
        assert again.sql(f"{QUERY} AS OF LSN {kept}").rows() == [(1_000, 1_500)]


# --- others ---------------------------------------------------------------------------------------


def test_readers_follow_across_collections(table: Database) -> None:
    vw = table.create_virtual_warehouse("bi", size=1)
    for turn in range(3):
        changed(table)
        expected = [(1_000, 1_000 + 500 * (turn + 1))]
        assert vw.sql(QUERY, min_lsn=table.snapshot().lsn).rows() == expected
        table.sql("CALL mobula.vacuum('0 days', '0 days')")
        assert vw.sql(QUERY).rows() == expected
        assert vw.sql(QUERY, min_lsn=table.snapshot().lsn).rows() == expected
        assert table.table("t").get([2]).rows() == [(2, 2 + turn)]


@SELDOM_ON_RAY
def test_a_second_connection_follows_across_a_collection(engine: str, root: str) -> None:
    with warehouse.connect(root, engine=engine, settings=FORGETFUL) as first:
        first.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT)")
        first.table("t").append(pl.DataFrame({"k": range(1_000), "v": [1] * 1_000}))
        with warehouse.connect(root, engine=engine, settings=FORGETFUL) as second:
            for turn in range(3):
                changed(first)
                assert second.sql(QUERY).rows() == [(1_000, 1_000 + 500 * (turn + 1))]
                first.sql("CALL mobula.vacuum('0 days', '0 days')")
                first.sql("CALL mobula.vacuum('0 days', '0 days')")
                assert second.sql(QUERY).rows() == [(1_000, 1_000 + 500 * (turn + 1))]
                assert second.snapshot().horizon > 0


@OWN
def test_a_log_that_is_collected_while_it_is_listed(
    engine: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is listed; what is lost is told."""
    headers, turns = LogReader.headers, iter([True])

    async def late(reader: LogReader, first: int, last: int) -> AsyncIterator[GroupHeader]:
        if next(turns, False):
            await asyncio.to_thread(forget, db)
        async for header in headers(reader, first, last):
            yield header

    with warehouse.connect(root, engine=engine, settings=FORGETFUL) as db:
        db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT)")
        db.table("t").append(pl.DataFrame({"k": range(1_000), "v": [1] * 1_000}))
        monkeypatch.setattr(LogReader, "headers", late)
        listed = [found.lsn for found in db.log(1_000)]
        newest = db.snapshot()
        assert listed == list(range(newest.horizon, newest.lsn + 1))
        assert listed[0] > 2
        (Path(root) / log_name(newest.lsn)).unlink()
        with pytest.raises(ObjectMissing, match=log_name(newest.lsn)):
            db.log()


@OWN
def test_what_writers_that_died_have_left_goes(engine: str, root: str) -> None:
    with warehouse.connect(root, engine=engine, settings=FORGETFUL) as db:
        db.sql("CREATE TABLE t (k BIGINT)")
        staging = Path(root) / "tmp"
        for name, age_s in (("dead", 7_200), ("alive", 60)):
            (staging / name).write_bytes(b"half")
            written_s = (staging / name).stat().st_mtime
            os.utime(staging / name, (written_s - age_s, written_s - age_s))
        reason = "a writer that died has left it"
        seen = db.sql("CALL mobula.vacuum('0 days', '0 days', true)").rows()
        assert [row for row in seen if row[2] == reason] == [("tmp/dead", 4, reason)]
        assert (staging / "dead").exists()
        assert reason not in str(db.sql("CALL mobula.vacuum('0 days', '1 day')").rows())
        gone = db.sql("CALL mobula.vacuum('0 days', '0 days')").rows()
        assert ("tmp/dead", 4, reason) in gone
        assert sorted(path.name for path in staging.iterdir()) == ["alive", "lock"]
        db.sql("INSERT INTO t VALUES (1)")


def forget(db: Database) -> None:
    """Only the newest version stays, and the end of the log."""
    for _ in range(3):
        changed(db)
        db.sql("CALL mobula.vacuum('0 days', '0 days')")
