"""Maintenance: flushes between commits, room for writers, and what they hear when there is none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.operations import DropTable, TruncateTable, WriteMode
from actors.primary.limits import SequencerLimits
from storage.errors import Unavailable
from storage.flush import flush_is_due
from storage.flush_policy import FlushPolicy
from storage.objects import MemoryStore
from storage.snapshot.model import IngestToken
from tests.unit.actors.primary.keyed import PRIMARY, UNIQUE, GatedStore, Keyed, keyed, turns

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT
SMALL = FlushPolicy(deltas_max=3, full=2)


class NoUploads(MemoryStore):
    """Files cannot be written while `away`."""

    away = True

    async def put_file(self, name: str, path: Any) -> int:
        if self.away:
            raise Unavailable("the store is away")
        return await super().put_file(name, path)


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (work in threads has to go on)
            await asyncio.sleep(0.001)


def test_flush_is_due_by_deltas_rows_or_bytes() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"), (2, 20, "b"))
        await db.write(INSERT, (3, 30, "c"))
        size = sum(len(delta.rows) for delta in db.table.deltas)
        for policy, due in (
            (FlushPolicy(deltas_max=2), True),
            (FlushPolicy(deltas_max=3), False),
            (FlushPolicy(rows_max=3), True),
            (FlushPolicy(rows_max=4), False),
            (FlushPolicy(bytes_max=size), True),
            (FlushPolicy(bytes_max=size + 1), False),
        ):
            assert flush_is_due(policy, db.table) is due
        assert not flush_is_due(FlushPolicy(deltas_max=2), db.table, 2)

    keyed(test, PRIMARY)


def test_flush_leaves_out_what_is_deleted_and_sorts() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (3, 30, "c"), (1, 10, "a"))
        await db.write(INSERT, (4, None, "d"), (2, 20, "b"))
        await db.delete(3)
        await db.flush()
        table = db.table
        assert (table.deltas, dict(table.bitmaps), table.stored_row_count) == ((), {}, 3)
        assert list((await db.located()).values()) == [(1, 10, "a"), (2, 20, "b"), (4, None, "d")]
        await db.check()
        await db.write(UPSERT, (1, 11, "e"))
        await db.delete(4)
        await db.flush()
        assert await db.all() == [(1, 11, "e"), (2, 20, "b")]
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_flush_of_nothing_that_lives() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"))
        await db.delete(1)
        await db.flush()
        assert (db.table.deltas, len(db.table.files), dict(db.table.bitmaps)) == ((), 0, {})
        assert await db.write(INSERT, (1, 10, "a")) == 1
        await db.check()

    keyed(test, PRIMARY)


def test_what_is_deleted_during_a_flush_is_deleted_in_its_files() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (5, 50, "e"), (1, 10, "a"), (3, 30, "c"))
        await db.write(INSERT, (2, 20, "b"))
        snapshot = db.snapshot
        before = snapshot.find_table("t")
        assert before is not None
        await db.delete(3)
        await db.write(UPSERT, (2, 21, "z"), (9, 90, "y"))
        await db.primary._maintainer.upkeep.flush(before, snapshot)
        assert await db.all() == [(1, 10, "a"), (2, 21, "z"), (5, 50, "e"), (9, 90, "y")]
        assert [bitmap.deleted_count for bitmap in db.table.bitmaps.values()] == [2]
        await db.check()
        assert await db.write(INSERT, (3, 30, "again")) == 1
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


@pytest.mark.parametrize("end", ["truncated", "dropped"])
def test_table_that_goes_during_a_flush(end: str) -> None:
    async def test(db: Keyed) -> None:
        flush = db.primary._maintainer.upkeep.flush

        async def overtaken(table: Any, snapshot: Any) -> None:
            goes: Any = TruncateTable(table_id=table.id)
            if end == "dropped":
                goes = DropTable(schema="public", name="t")
            db.primary._maintainer.upkeep.flush = flush  # type: ignore[method-assign]
            await db.submit(goes)
            await flush(table, snapshot)

        db.primary._maintainer.upkeep.flush = overtaken  # type: ignore[method-assign]
        for k in range(3):
            await db.write(INSERT, (k, k, "a"))
        await until(lambda: (end == "dropped" and db.snapshot.find_table("t") is None)
                    or (end == "truncated" and not db.table.deltas))  # fmt: skip
        await turns(50)
        assert db.primary._maintainer.last_error is None
        if end == "truncated":
            assert await db.all() == []
            assert await db.write(INSERT, (1, 1, "b")) == 1
            await db.check()

    keyed(test, PRIMARY, flush=FlushPolicy(deltas_max=3, full=100))


def test_flushes_happen_by_themselves() -> None:
    async def test(db: Keyed) -> None:
        for k in range(12):
            await db.write(UPSERT, (k % 5, k, "a"))
        await until(lambda: len(db.table.deltas) < 3)
        assert db.primary.maintenance.counts["flush"] >= 1
        assert sorted(row[:2] for row in await db.all()) == [(k % 5, k) for k in (10, 11, 7, 8, 9)]
        await db.check()

    keyed(test, PRIMARY, flush=SMALL)


def test_writers_wait_for_room_and_go_on() -> None:
    store = NoUploads()

    async def test(db: Keyed) -> None:
        for k in range(6):
            await db.write(INSERT, (k, k, "a"))
        waiting = asyncio.create_task(db.write(INSERT, (9, 9, "b")))
        await turns(100)
        assert not waiting.done()
        await until(lambda: db.primary._maintainer.last_error)
        store.away = False
        db.clock.move(1_000)  # maintenance tries again
        assert await waiting == 1
        await db.check()

    keyed(test, PRIMARY, flush=SMALL, store=store)


def test_writers_that_waited_too_long_are_told_what_to_do() -> None:
    async def test(db: Keyed) -> None:
        for k in range(6):
            await db.write(INSERT, (k, k, "a"))
        await until(lambda: db.primary._maintainer.last_error)
        found = await db.begin()
        async with db.primary.transactions.statement(found.id):
            await found.write([db.rows(INSERT, (8, 8, "b"))])
        lsn = db.snapshot.lsn
        for write in (
            db.write(INSERT, (9, 9, "b")),
            db.delete(1),
            db.primary.transactions.commit(found.id, IngestToken(writer="w", sequence=1)),
        ):
            with pytest.raises(Unavailable) as caught:
                await write
            assert "the store is away; nothing was written, retry later or in larger" in str(
                caught.value
            )
        assert db.snapshot.lsn == lsn
        assert len(db.table.deltas) == 6

    keyed(test, PRIMARY, flush=SMALL, store=NoUploads(), room_timeout_ms=20)


def test_truncate_makes_room() -> None:
    async def test(db: Keyed) -> None:
        for k in range(6):
            await db.write(INSERT, (k, k, "a"))
        waiting = asyncio.create_task(db.write(INSERT, (9, 9, "b")))
        await turns()
        await until(lambda: db.primary._maintainer.last_error)
        await db.submit(TruncateTable(table_id=db.table.id))  # waits for nobody
        db.clock.move(1_000)
        assert await waiting == 1
        assert await db.all() == [(9, 9, "b")]

    keyed(test, PRIMARY, flush=SMALL, store=NoUploads())


def test_full_queue_refuses_and_writes_nothing_of_it() -> None:
    store = GatedStore()

    async def test(db: Keyed) -> None:
        await db.write(INSERT, (0, 0, "a"))
        store.gate.clear()
        queued = [asyncio.create_task(db.write(INSERT, (k, k, "a"))) for k in range(1, 4)]
        await turns()
        with pytest.raises(Unavailable, match=r"3 transactions .* nothing was written, retry"):
            await db.write(INSERT, (4, 4, "a"))
        store.gate.set()
        await asyncio.gather(*queued)
        assert len(await db.all()) == 4
        assert await db.write(INSERT, (4, 4, "a")) == 1
        await db.check()

    keyed(test, PRIMARY, store=store, limits=SequencerLimits(queue_transactions_max=3))
