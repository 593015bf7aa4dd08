"""Files with holes are written anew: what is there stays there, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pyarrow as pa
import pytest

from actors.operations import DeleteRows, DropTable, TruncateTable, WriteMode
from actors.primary import choice
from actors.write import rows_operation
from storage.compaction_plan import files_due, holes_task
from storage.compaction_policy import CompactionPolicy
from storage.delete_bitmap import Positions, encode_positions
from storage.errors import CorruptData, Unavailable
from storage.objects import MemoryStore
from tests.unit.actors.primary.keyed import PRIMARY, UNIQUE, Keyed, keyed, turns
from tests.unit.actors.primary.test_maintainer import until

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT
THIRD = CompactionPolicy(holes_max=0.3, task_files_max=2)


async def with_files(db: Keyed, *files: range) -> list[int]:
    """A file for each range of keys; their ids."""
    for keys in files:
        await db.write(INSERT, *((k, k * 10, "a") for k in keys))
        await db.flush()
    return list(db.table.files.ids)


async def compacted(db: Keyed, *file_ids: int) -> None:
    task = holes_task(db.table, file_ids, len(file_ids))
    await db.primary._maintainer.upkeep.compact(db.table, task, db.snapshot)


async def objects(db: Keyed, prefix: str) -> set[str]:
    return {entry.name async for entry in db.store.list(prefix)}


def test_those_with_most_holes_are_due_first() -> None:
    async def test(db: Keyed) -> None:
        a, b, c = await with_files(db, range(10), range(10, 20), range(20, 30))
        await db.write(INSERT, (99, 990, "a"))
        await db.delete(0, 1, 2, 10, 11, 12, 13, 20, 21, 99)
        assert files_due(THIRD, db.table, 0) == (b, a)
        assert files_due(CompactionPolicy(holes_max=0.0), db.table, 0) == (b, a, c)
        assert files_due(CompactionPolicy(holes_max=0.5), db.table, 0) == ()

    keyed(test, PRIMARY)


def test_a_file_is_written_anew_without_what_is_gone() -> None:
    async def test(db: Keyed) -> None:
        (file,) = await with_files(db, range(10))
        await db.delete(1, 3, 5)
        await db.write(UPSERT, (2, 21, "b"))
        before = await db.all()
        await compacted(db, file)
        table = db.table
        assert table.stored_row_count == table.row_count == 7
        assert (dict(table.bitmaps), file in table.files.ids) == ({}, False)
        assert await db.all() == before
        await db.check()
        assert await db.write(INSERT, (1, 10, "again")) == 1
        assert await db.write(UPSERT, (0, 1, "c"), (2, 22, "d")) == 2
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_what_is_written_meanwhile_is_carried_over() -> None:
    async def test(db: Keyed) -> None:
        first, second = await with_files(db, range(10), range(10, 20))
        await db.delete(0, 1, 12)
        table, snapshot = db.table, db.snapshot
        await db.delete(2, 13)
        await db.write(UPSERT, (3, 31, "b"), (14, 141, "b"), (50, 500, "b"))
        before = await db.all()
        task = holes_task(table, [first, second], 2)
        await db.primary._maintainer.upkeep.compact(table, task, snapshot)
        assert await db.all() == before
        assert sorted(b.deleted_count for b in db.table.bitmaps.values()) == [2, 2]
        await db.check()
        await db.flush()
        assert await db.all() == before
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_of_a_file_without_rows_nothing_is_left() -> None:
    async def test(db: Keyed) -> None:
        first, second = await with_files(db, range(4), range(4, 8))
        await db.delete(*range(4))
        await compacted(db, first, second)
        assert len(db.table.files) == 1
        assert db.table.row_count == 4
        await db.check()

    keyed(test, PRIMARY)


def test_it_happens_by_itself_and_runs_of_files_that_are_gone_go() -> None:
    async def test(db: Keyed) -> None:
        files = await with_files(db, *(range(n * 10, n * 10 + 10) for n in range(4)))
        keep = {run.name for run in db.table.index_runs}
        await db.delete(*(n * 10 + k for n in range(4) for k in range(4)))
        await until(lambda: not set(db.table.files.ids) & set(files))
        await until(lambda: not {run.name for run in db.table.index_runs} & keep)
        await until(lambda: db.primary.status()["compactions"] == 2)  # two files each
        assert len(await db.all()) == 24
        await db.check()

    keyed(test, PRIMARY, UNIQUE, compaction=THIRD)


@pytest.mark.parametrize("asked", ["compact", "recluster"])
def test_by_hand_runs_of_files_that_are_gone_go_with_them(asked: str) -> None:
    async def test(db: Keyed) -> None:
        db.primary._maintainer._pass = lambda: iter(())  # type: ignore[method-assign]
        await with_files(db, range(0, 20, 2), range(1, 20, 2))
        await db.delete(0, 1)
        assert await getattr(db.primary, asked)(db.table.id) == 2
        for index in db.index.keys.values():
            assert index.dead_runs(db.index.live) == ()
            assert len(index.runs) == len(db.table.files)
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_by_hand_every_hole_goes() -> None:
    async def test(db: Keyed) -> None:
        files = await with_files(db, range(10), range(10, 20), range(20, 30))
        await db.delete(0, 10)
        assert await db.primary.compact(db.table.id) == 2
        assert set(db.table.files.ids) & set(files) == {files[2]}
        assert await db.primary.compact() == 0
        await db.check()

    keyed(test, PRIMARY)


@pytest.mark.parametrize("end", ["truncated", "dropped"])
@pytest.mark.parametrize("collected", [False, True])
def test_a_table_that_goes_meanwhile(end: str, collected: bool) -> None:
    async def test(db: Keyed) -> None:
        (file,) = await with_files(db, range(10))
        await db.delete(0)
        table, snapshot = db.table, db.snapshot
        compact = db.primary._maintainer.upkeep.compact

        async def overtaken(*_: Any) -> None:
            goes: Any = TruncateTable(table_id=table.id)
            if end == "dropped":
                goes = DropTable(schema="public", name="t")
            await db.submit(goes)
            if collected:
                await db.store.delete(table.files.names[0])
            await compact(table, holes_task(table, [file], 1), snapshot)

        db.primary._maintainer.upkeep.compact = overtaken  # type: ignore[method-assign]
        assert await db.primary.compact(table.id) == 0
        if end == "truncated":
            assert await db.all() == []
            assert await db.write(INSERT, (1, 1, "b")) == 1
            await db.check()

    keyed(test, PRIMARY)


def test_a_damaged_file_is_named_and_left_and_others_go_on() -> None:
    async def test(db: Keyed) -> None:
        rotten, *sound = await with_files(db, range(10), range(10, 20), range(20, 30))
        names = dict(zip(db.table.files.ids, db.table.files.names, strict=True))
        inner = db.store._inner
        assert isinstance(inner, MemoryStore)
        good = await inner.get(names[rotten])
        await inner.put(names[rotten], good[:-30] + bytes([good[-30] ^ 1]) + good[-29:])
        await db.delete(*range(6), *range(10, 15), *range(20, 25))
        await until(lambda: not set(db.table.files.ids) & set(sound))
        await until(lambda: db.primary._maintainer.last_error is not None)
        with pytest.raises(CorruptData, match=names[rotten]):
            raise db.primary._maintainer.last_error or AssertionError
        assert rotten in db.table.files.ids
        assert db.table.row_count == 14
        before = db.store.counts().fetch
        await db.write(INSERT, (100, 1000, "b"))
        assert db.store.counts().fetch == before  # it is not tried again and again
        with pytest.raises(CorruptData, match=names[rotten]):
            await db.primary.compact()
        await inner.put(names[rotten], good)
        assert await db.primary.compact() == 1
        assert db.table.bitmaps == {}
        await until(lambda: db.primary._maintainer.last_error is None)
        await db.check()

    keyed(test, PRIMARY, compaction=THIRD)


def test_rows_that_a_statement_has_read_are_deleted_where_they_are_now() -> None:
    """A table without keys: its rows go by where they were."""

    async def test(db: Keyed) -> None:
        await db.create(columns={"n": db.table.columns[0].type}, name="plain")
        info = db.primary.table("public", "plain")
        rows = pa.table({"n": pa.array(range(10), pa.int64())})
        await db.submit(rows_operation(info, rows, INSERT, None))
        plain = db.snapshot.find_table("plain")
        assert plain is not None
        await db.primary.flush(plain.id)
        plain = db.snapshot.find_table("plain")
        assert plain is not None
        (file,) = plain.files.ids
        with db.primary.reading() as snapshot:
            await db.submit(_gone(plain.id, file, [0, 1, 2, 3], snapshot.lsn))
            assert await db.primary.compact(plain.id) == 1
            await db.submit(_gone(plain.id, file, [9], snapshot.lsn))
        plain = db.snapshot.find_table("plain")
        assert plain is not None
        assert (plain.stored_row_count, plain.row_count) == (6, 5)

    keyed(test, PRIMARY)


def _gone(table_id: int, file_id: int, positions: list[int], read_lsn: int) -> Any:
    return DeleteRows(
        table_id=table_id,
        positions={file_id: encode_positions(Positions(positions))},
        read_lsn=read_lsn,
    )


def test_two_that_write_the_same_file_anew() -> None:
    async def test(db: Keyed) -> None:
        (file,) = await with_files(db, range(10))
        await db.delete(0)
        found = await asyncio.gather(
            *(db.primary.compact(db.table.id) for _ in range(3)), return_exceptions=True
        )
        assert sorted(found) == [0, 0, 1]  # type: ignore[type-var]
        assert file not in db.table.files.ids
        assert len(await db.all()) == 9
        await db.check()

    keyed(test, PRIMARY)


def test_holes_of_many_files_are_counted_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "PARTS_MAX", 1)

    async def test(db: Keyed) -> None:
        files = await with_files(db, range(10), range(10, 20))
        monkeypatch.setattr(choice, "LOOK_MS", 20)
        await db.delete(0, 10)
        await turns()
        await db.delete(*range(1, 8), *range(11, 18))  # at once, so that it is not counted
        assert set(db.table.files.ids) == set(files)
        db.clock.moved_ms += 20
        await until(lambda: not set(db.table.files.ids) & set(files))
        await db.check()

    keyed(test, PRIMARY, compaction=THIRD)


@pytest.mark.parametrize("asked", ["flush", "compact", "repair_index"])
def test_who_asks_of_a_primary_that_closes_hears_that_it_has(asked: str) -> None:
    """The files of open indexes go with it: not that they are gone is the news."""

    async def test(db: Keyed) -> None:
        await with_files(db, range(10))
        await db.write(UPSERT, (0, 1, "b"))
        reached, go_on = asyncio.Event(), asyncio.Event()
        fetch = db.store.fetch

        async def held(name: str, path: Any) -> int:
            reached.set()
            await go_on.wait()
            return await fetch(name, path)

        db.store.fetch = held  # type: ignore[method-assign]
        asking = asyncio.create_task(getattr(db.primary, asked)(db.table.id))
        async with asyncio.timeout(10):
            await reached.wait()
        await db.primary.close()
        go_on.set()
        with pytest.raises(Unavailable, match="has been closed"):
            await asking

    keyed(test, PRIMARY)
