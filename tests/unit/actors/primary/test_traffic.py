"""Bytes written for clients and by maintenance: every object is counted once, where it belongs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.operations import TruncateTable, WriteMode
from actors.primary.traffic import Traffic, Written
from storage.errors import Conflict
from tests.unit.actors.primary.keyed import PRIMARY, UNIQUE, Keyed, keyed

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT
PLACES = ("log/", "data/", "index/", "checkpoint/")


async def stored(db: Keyed, *prefixes: str) -> dict[str, int]:
    found = {}
    for prefix in prefixes:
        async for entry in db.store.list(prefix):
            found[entry.name] = entry.size_bytes
    return found


def counted(db: Keyed) -> dict[str, int]:
    return {what: size for what, size in db.primary.traffic.by_kind().items() if size}


async def since(db: Keyed, before: dict[str, int], *prefixes: str) -> int:
    """Bytes of objects that are new."""
    now = await stored(db, *prefixes)
    return sum(size for name, size in now.items() if name not in before)


def test_small_writes_are_in_the_log() -> None:
    async def test(db: Keyed) -> None:
        before, known = await stored(db, "log/"), counted(db)["log"]
        await db.write(INSERT, *((k, k, "a") for k in range(10)))
        await db.delete(3)
        assert counted(db) == {"log": known + await since(db, before, "log/")}
        by_table = db.primary.traffic.by_table()
        assert 0 < by_table[db.table.id].foreground < db.primary.traffic.written().foreground

    keyed(test, PRIMARY)


def test_large_writes_count_with_their_files_and_runs() -> None:
    async def test(db: Keyed) -> None:
        before = await stored(db, *PLACES)
        first = [(k, k, "a") for k in range(50)]
        await db.submit(await db.files(INSERT, first, [(k, k, "b") for k in range(50, 90)]))
        found = counted(db)
        assert found["load"] == await since(db, before, "data/", "index/")
        assert set(found) == {"log", "load"}
        assert db.primary.traffic.by_table()[db.table.id].background == 0

    keyed(test, PRIMARY, UNIQUE)


def test_flush_compaction_runs_and_checkpoints_are_maintenance_s() -> None:
    async def test(db: Keyed) -> None:
        for turn in range(4):
            await db.write(INSERT, *((turn * 10 + k, turn * 10 + k, "a") for k in range(10)))
            await db.primary.flush()
            await db.settled()
        await db.delete(1, 11)
        await db.primary.compact()
        await db.settled()
        await db.primary.checkpoint()
        await db.primary.checkpoint()
        found = counted(db)
        assert set(found) == {*("log", "flush", "compact", "index"), *("upkeep_log", "checkpoint")}
        objects = await stored(db, *PLACES)
        assert found["flush"] + found["compact"] + found["index"] == sum(
            size for name, size in objects.items() if name.startswith(("data/", "index/"))
        )
        assert found["checkpoint"] == await since(db, {}, "checkpoint/")
        own = [size for name, size in objects.items() if name.startswith("log/")]
        assert 0 <= sum(own) - found["log"] - found["upkeep_log"] < 1_000  # that of the takeover
        status = db.primary.status()
        assert status["foreground_bytes"] == found["log"]
        assert status["background_bytes"] == sum(found.values()) - found["log"]
        assert status["write_amplification"] == sum(found.values()) / found["log"]

    keyed(test, PRIMARY, UNIQUE)


def test_a_group_of_both_is_divided() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *((k, k, "a") for k in range(1_000)))
        upkeep, submit = db.primary._maintainer.upkeep, db.primary._sequencer.submit
        before = await stored(db, "log/")
        known = counted(db)["log"]

        async def together(transaction: Any) -> Any:
            db.primary._sequencer.submit = submit  # type: ignore[method-assign]
            write = db.rows(UPSERT, (5_000, 5_000, "b"))
            ours, _ = await asyncio.gather(submit(transaction), db.submit(write))
            return ours

        db.primary._sequencer.submit = together  # type: ignore[method-assign]
        await upkeep.flush(db.table, db.snapshot)
        new = await stored(db, "log/")
        assert len(new) == len(before) + 1
        found = counted(db)
        both = found["log"] - known + found["upkeep_log"]
        assert both == await since(db, before, "log/")
        assert found["upkeep_log"] > 100
        assert found["log"] - known > 100

    keyed(test, PRIMARY)


def test_what_was_written_in_vain_counts() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 1, "a"))
        table, snapshot = db.table, db.snapshot
        await db.submit(TruncateTable(table_id=table.id))
        assert await db.primary.flush() == 0
        with pytest.raises(Conflict):
            await db.primary._maintainer.upkeep.flush(table, snapshot)
        assert counted(db)["flush"] == await since(db, {}, "data/", "index/") > 0

    keyed(test, PRIMARY)


def test_amplification() -> None:
    assert Written().amplification is None
    assert Written(background=5).amplification is None
    assert Written(foreground=5, background=10).amplification == 3
    found = Traffic()
    found.count("log", 1, 10)
    found.count("flush", 1, 30)
    found.count("load", 2, 5)
    found.count("checkpoint", 0, 7)
    assert found.by_table() == {1: Written(10, 30), 2: Written(5, 0), 0: Written(0, 7)}
    assert found.written() == Written(15, 37)
