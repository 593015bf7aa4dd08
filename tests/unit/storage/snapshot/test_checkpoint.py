"""Checkpoints: what is written is read, damage is noticed, requests are counted."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from storage.errors import CorruptData
from storage.names import checkpoint_directory, checkpoint_lsn
from storage.objects import CountingStore, MemoryStore
from storage.schema import ArrayType, Check, Column, Identity, TableSchema
from storage.snapshot import changes as c
from storage.snapshot.apply import apply_changes
from storage.snapshot.checkpoint import newest_roots, read_checkpoint, write_checkpoint
from storage.snapshot.model import Receipt, Snapshot
from tests.fakes import CountedIds
from tests.unit.storage.snapshot.test_apply_changes import (
    BIGINT,
    MOOD,
    TABLE,
    add_files,
    deleting,
    rows,
)

FULL = c.TableDefinition(
    id=6,
    schema_id=3,
    name="full",
    schema=TableSchema(
        version=1,
        columns=(
            Column(
                id=1,
                name="n",
                type=BIGINT,
                nullable=False,
                identity=Identity(sequence_id=5, always=True, increment=2),
            ),
            Column(id=2, name="m", type=ArrayType(element=MOOD), default="ARRAY['a']::s.mood[]"),
        ),
    ),
    checks=(Check(name="small", sql="n < 9"),),
    comment="all of it",
    column_comments={2: "moods"},
)


def snapshot(lsn: int = 7) -> Snapshot:
    made = apply_changes(
        Snapshot(database_id="d", branch_id="main"),
        (
            c.CreateTable(table=TABLE),
            c.CreateSchema(id=3, name="s"),
            c.CreateType(id=4, schema_id=3, name="mood", definition=MOOD),
            c.CreateSequence(id=5, schema_id=3, name="q", start=1, increment=2, high=99),
            c.CreateTable(table=FULL),
            c.CreateVirtualWarehouse(
                warehouse=c.VirtualWarehouse(name="bi", size=1, worker_cpus=0.5, cache_bytes=1)
            ),
            c.ChangeSetting(name="k", value="v"),
            c.CreateTag(name="release", lsn=1),
            c.PlanCollection(names=("data/gone",), upload_floor=4),
        ),
        {2: (rows(1), add_files(2, "x", "y"))},
        lsn=2,
    )
    return dataclasses.replace(
        made,
        lsn=lsn,
        tso=lsn << 18,
        epoch=3,
        checksum="c" * 32,
        tokens={"w": {4: Receipt(lsn=2, tso=9, row_counts=(3, 0))}},
    )


def test_deleted_rows_round_trip() -> None:
    """And the next group deletes more of the same file and delta."""
    deleted = {2: (deleting(1, 2), deleting(3, 0, 99))}

    async def run() -> None:
        store = MemoryStore("memory://t")
        before = apply_changes(snapshot(), (), deleted, lsn=8)
        info = await write_checkpoint(store, before, CountedIds())
        found = await read_checkpoint(store, info.name)
        assert found.tables[2].bitmaps == before.tables[2].bitmaps
        assert found.tables[2].row_count == before.tables[2].row_count == 200
        more = {2: (deleting(1, 1), deleting(3, 5))}
        changed = apply_changes(found, (), more, lsn=9)
        assert list(changed.tables[2].bitmaps[3].bitmap) == [0, 5, 99]
        assert changed.tables[2].bitmaps == apply_changes(before, (), more, lsn=9).tables[2].bitmaps

    asyncio.run(run())


def test_checkpoint_round_trips() -> None:
    async def run() -> None:
        store = MemoryStore("memory://t")
        info = await write_checkpoint(store, snapshot(), CountedIds())
        found = await read_checkpoint(store, info.name)
        assert found.tables[2].files.table.equals(snapshot().tables[2].files.table)
        without_files = dataclasses.replace(
            found,
            tables={
                **found.tables,
                2: dataclasses.replace(found.tables[2], files=snapshot().tables[2].files),
            },
        )
        assert without_files == snapshot()

    asyncio.run(run())


def test_writing_and_reading_cost_one_request_per_object() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore("memory://t"))
        info = await write_checkpoint(store, snapshot(), CountedIds())
        assert store.counts().requests == store.counts().put == 3
        before = store.counts()
        await read_checkpoint(store, info.name)
        assert (store.counts() - before).requests == (store.counts() - before).get == 3

    asyncio.run(run())


def test_what_has_not_changed_is_not_written_again() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore("memory://t"))
        ids = CountedIds()
        made = snapshot()
        first = await write_checkpoint(store, made, ids)
        changed = dataclasses.replace(
            apply_changes(made, (), {2: (deleting(1, 2),)}, lsn=8), lsn=8, tso=8 << 18
        )
        assert sum(changed.tables[i] is table for i, table in made.tables.items()) == 1
        before = store.counts()
        second = await write_checkpoint(store, changed, ids, first.parts)
        assert (store.counts() - before).put == 2  # the root, and the table that changed
        assert second.parts.keys() == first.parts.keys()
        found = await read_checkpoint(store, second.name)
        assert found.tables[2].bitmaps == changed.tables[2].bitmaps
        (same,) = (i for i in made.tables if changed.tables[i] is made.tables[i])
        assert second.parts[same] == first.parts[same]
        assert found.tables[same].name == made.tables[same].name

    asyncio.run(run())


def test_newest_checkpoint_is_listed_first_and_rootless_ones_never() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore("memory://t"))
        ids = CountedIds()
        for lsn in (3, 12, 7):
            await write_checkpoint(store, snapshot(lsn), ids)
        await store.put(f"{checkpoint_directory(99, 'crashed')}/part-2", b"half")
        before = store.counts()
        roots = await newest_roots(store)
        assert (store.counts() - before).requests == 1
        assert [checkpoint_lsn(name) for name in roots] == [12, 7, 3]
        assert [checkpoint_lsn(n) for n in await newest_roots(store, at_most_lsn=11)] == [7, 3]
        assert [checkpoint_lsn(n) for n in await newest_roots(store, at_most_lsn=7)] == [7, 3]
        assert await newest_roots(store, at_most_lsn=2) == []

    asyncio.run(run())


@pytest.mark.parametrize("which", ["part-2", "root"])
@pytest.mark.parametrize("damage", ["flip", "cut", "swap", "lose"])
def test_damage_is_noticed_and_named(which: str, damage: str) -> None:
    async def run() -> None:
        store = MemoryStore("memory://t")
        ids = CountedIds()
        info = await write_checkpoint(store, snapshot(), ids)
        other = await write_checkpoint(store, snapshot(8), ids)
        name = info.name.replace("root", which)
        data = bytearray(await store.get(name))
        if damage == "flip":
            data[len(data) // 2] ^= 4
        elif damage == "cut":
            del data[-3:]
        elif damage == "swap":
            wrong = "root" if which == "part-2" else "part-2"
            data = bytearray(await store.get(other.name.replace("root", wrong)))
        if damage == "lose":
            await store.delete(name)
        else:
            await store.put(name, bytes(data))
        with pytest.raises(CorruptData, match=which):
            await read_checkpoint(store, info.name)

    asyncio.run(run())
