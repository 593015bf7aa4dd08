"""Limits of one table, and how long deltas may lie."""

from __future__ import annotations

import asyncio

import pyarrow as pa

from actors.operations import SetTableOptions, WriteMode
from actors.write import rows_operation
from storage.compaction_policy import CompactionPolicy
from storage.flush_policy import FlushPolicy
from storage.snapshot.model import TableState
from tests.unit.actors.primary.keyed import NEVER, PRIMARY, Keyed, keyed, turns
from tests.unit.actors.primary.test_maintainer import until

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT


async def set_options(db: Keyed, name: str = "t", **options: int | str) -> None:
    await db.submit(SetTableOptions(schema="public", name=name, options=options))


async def other(db: Keyed) -> None:
    await db.create(columns={"n": db.table.columns[0].type}, name="other")


async def fill(db: Keyed, *numbers: int) -> None:
    info = db.primary.table("public", "other")
    rows = pa.table({"n": pa.array(numbers, pa.int64())})
    await db.submit(rows_operation(info, rows, INSERT, None))


def table(db: Keyed, name: str) -> TableState:
    found = db.snapshot.find_table(name)
    assert found is not None
    return found


def test_a_table_has_limits_of_its_own_from_when_they_are_set() -> None:
    async def test(db: Keyed) -> None:
        await other(db)
        for number in range(4):
            await fill(db, number)
            await db.write(INSERT, (number, number, "a"))
        await db.settled()
        assert len(db.table.deltas) == len(table(db, "other").deltas) == 4
        await set_options(db, flush_deltas=4)
        await until(lambda: not db.table.deltas)
        await db.settled()
        assert len(table(db, "other").deltas) == 4
        reset = SetTableOptions(schema="public", name="t", reset=("flush_deltas",))
        await db.submit(reset)
        for number in range(10, 16):
            await db.write(INSERT, (number, number, "a"))
        await db.settled()
        assert len(db.table.deltas) == 6

    keyed(test, PRIMARY, flush=NEVER)


def test_holes_of_a_table_with_a_limit_of_its_own() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *((k, k, "a") for k in range(10)))
        await db.flush()
        await db.delete(0)
        await db.settled()
        assert db.table.bitmaps
        await set_options(db, holes_max="0.1")
        await until(lambda: not db.table.bitmaps)
        await db.check()

    policy = CompactionPolicy(holes_max=2.0, depth_max=1 << 30, small_files_max=1 << 30)
    keyed(test, PRIMARY, compaction=policy)


def test_deltas_are_flushed_when_they_have_lain_too_long() -> None:
    async def test(db: Keyed) -> None:
        await set_options(db, flush_age_s="60")
        await db.write(INSERT, (1, 1, "a"))
        await db.settled()
        db.clock.move(59_000)
        await db.write(INSERT, (2, 2, "a"))
        await db.settled()
        assert len(db.table.deltas) == 2
        db.clock.move(1_000)
        db.primary._maintainer.wake()  # the timer is of the event loop
        await until(lambda: not db.table.deltas)
        await db.write(INSERT, (3, 3, "a"))
        await db.settled()
        assert len(db.table.deltas) == 1  # it is as young as it is

    keyed(test, PRIMARY, flush=NEVER)


def test_it_is_looked_at_when_the_first_of_them_is_too_old() -> None:
    async def test(db: Keyed) -> None:
        await other(db)
        await set_options(db, flush_age_s="600")
        await set_options(db, "other", flush_age_s="60")
        await db.write(INSERT, (1, 1, "a"))
        await fill(db, 1)
        await db.settled()
        timer, loop = db.primary._maintainer._timer, asyncio.get_running_loop()
        assert timer is not None
        assert 0 < timer.when() - loop.time() <= 60

    keyed(test, PRIMARY, flush=NEVER)


def test_without_maintenance_only_what_would_stop_writers_is_done() -> None:
    async def test(db: Keyed) -> None:
        await set_options(db, auto_maintenance="off", flush_age_s="60")
        for number in range(5):
            await db.write(INSERT, (number, number, "a"))
        db.clock.move(600_000)
        await db.delete(0)
        await db.settled()
        assert len(db.table.deltas) == 5
        assert not db.table.files.ids
        await db.write(INSERT, (5, 5, "a"))
        await until(lambda: not db.table.deltas)
        (file,) = db.table.files.ids
        await db.delete(1, 2, 3, 4)
        await db.settled()
        await turns(50)
        assert db.table.files.ids == (file,)
        assert await db.primary.compact(db.table.id) == 1
        await set_options(db, auto_maintenance="on", flush_deltas=1)
        await db.write(INSERT, (6, 6, "a"))
        await until(lambda: not db.table.deltas)
        await db.check()

    keyed(test, PRIMARY, flush=FlushPolicy(deltas_max=2, full=3), compaction=CompactionPolicy())
