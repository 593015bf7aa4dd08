"""A database that is well: nothing is found, everything is read, and nothing is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.operations import WriteMode
from storage.errors import InvalidRequest, Unavailable
from storage.names import FORMAT
from storage.objects import CountingStore, Fault, FaultyStore, MemoryStore, ObjectInfo
from storage.scrub import Finding, Progress, scrub
from tests.unit.actors.primary.keyed import PRIMARY, UNIQUE, Keyed, keyed
from tests.unit.storage.scrub.database import (
    Objects,
    checked,
    newest,
    restored,
    run,
    small_database,
)

ABANDONED = 5  # objects of the small database that no version names


@pytest.fixture
def objects() -> Objects:
    return small_database()


def test_nothing_is_found_and_all_is_counted(objects: Objects) -> None:
    found, report = checked(objects)
    assert not found
    snapshot = newest(objects)
    assert (report.lsn, report.newest_lsn) == (snapshot.lsn, snapshot.lsn)
    assert report.tables == len(snapshot.tables) == 3
    assert report.rows == sum(table.row_count for table in snapshot.tables.values()) > 50
    assert report.clean
    assert report.objects == len(objects) - ABANDONED
    assert (report.damages, report.warnings, report.notes) == (0, 0, 0)
    assert report.broken_indexes == ()


def test_what_nobody_names_is_counted(objects: Objects) -> None:
    before = checked(objects)[1]
    found, report = checked({**objects, "data/x": b"123", "index/y": b"45678"})
    assert not found
    assert before.unreferenced == ABANDONED
    assert report.unreferenced == ABANDONED + 2
    assert report.unreferenced_bytes == before.unreferenced_bytes + 8


def test_every_object_that_is_named_is_read_and_none_is_written(objects: Objects) -> None:
    async def test() -> None:
        store = CountingStore(await restored(objects), record=True)
        found: list[Finding] = []
        await scrub(store, on_finding=found.append)
        assert not found
        methods = {method for method, _ in store.requests}
        assert methods <= {"list", "get", "get_range", "fetch"}
        read = {name for method, name in store.requests if method in ("get", "fetch")}
        assert len(objects.keys() - read) == ABANDONED
        assert not read - objects.keys()

    asyncio.run(test())


def test_progress_grows_to_all_that_is_read(objects: Objects) -> None:
    steps: list[Progress] = []
    _, report = checked(objects, on_progress=steps.append)
    assert [s.objects for s in steps] == sorted(s.objects for s in steps)
    last = steps[-1]
    assert (last.objects, last.size_bytes) == (report.objects, report.size_bytes)
    assert (last.objects_total, last.bytes_total) == (
        len(objects),
        sum(map(len, objects.values())),
    )
    assert {"log and checkpoints", "public.t", "earlier versions"} <= {s.doing for s in steps}


def test_temporary_files_are_gone_and_few(objects: Objects, tmp_path: Path) -> None:
    most = 0

    def count(_: Progress) -> None:
        nonlocal most
        most = max(most, sum(1 for path in tmp_path.rglob("*") if path.is_file()))

    found, _ = checked(objects, on_progress=count, scratch=tmp_path, files_at_once=2)
    assert not found
    assert 0 < most <= 4
    assert not list(tmp_path.iterdir())


def test_a_database_that_nobody_has_written_to() -> None:
    found, report = checked({FORMAT: small_database()[FORMAT]})
    assert not found
    assert (report.lsn, report.tables, report.objects) == (0, 0, 1)


def test_no_database_is_refused() -> None:
    for objects in ({}, {"holiday.jpg": b"..."}):
        with pytest.raises(InvalidRequest, match="no Mobula database"):
            checked(objects)


def test_a_newer_format_is_refused(objects: Objects) -> None:
    newer = {**json.loads(objects[FORMAT]), "mobula": 2}
    with pytest.raises(InvalidRequest, match="format version 2"):
        checked({**objects, FORMAT: json.dumps(newer).encode()})


@pytest.mark.parametrize("prefix", ["format", "epoch/", "log/", "checkpoint/", "data/", "index/"])
def test_a_store_that_does_not_answer_is_no_damage(objects: Objects, prefix: str) -> None:
    """Nothing is known then, so the check ends."""

    def plan(method: str, name: str) -> Fault | None:
        failing = method != "list" and name.startswith(prefix)
        return Fault.BEFORE if failing else None

    async def test() -> None:
        found: list[Finding] = []
        with pytest.raises(Unavailable):
            await scrub(FaultyStore(await restored(objects), plan), on_finding=found.append)
        assert not found

    asyncio.run(test())


class Overtaken(MemoryStore):
    """Objects appear while it is listed for the first time, right before the log is."""

    late: Objects | None = None

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        async for entry in super().list(prefix, start_after=start_after):
            if self.late is not None and entry.name > "log/":
                break
            yield entry
        if self.late is not None:
            late, self.late = self.late, None
            for name, data in late.items():
                await self.put(name, data)
            async for entry in super().list(prefix, start_after="log/"):
                yield entry


def test_a_primary_that_takes_over_while_names_are_listed(objects: Objects) -> None:
    """Its fence is listed, but its owner has a name that was passed already."""
    late = {name: objects[name] for name in objects if name.startswith("epoch/") and "2/" in name}
    assert len(late) == 2

    async def test() -> None:
        store = Overtaken()
        for name in objects.keys() - late.keys():
            await store.put(name, objects[name])
        store.late = late
        found, report = await run(store)
        assert not found
        assert report.lsn == newest_lsn
        assert store.late is None

    newest_lsn = newest(objects).lsn
    asyncio.run(test())


def test_beside_a_primary_that_writes() -> None:
    """Objects that appear while it runs are of later versions."""
    format_object = small_database()[FORMAT]

    async def test(db: Keyed) -> None:
        inner = db.store._inner
        assert isinstance(inner, MemoryStore)
        begun, stop = asyncio.Event(), asyncio.Event()

        async def write() -> int:
            turn = 0
            while not stop.is_set():
                rows = [(k, turn * 100 + k, "a") for k in range(turn % 7, turn % 7 + 9)]
                await db.write(WriteMode.UPSERT, *rows)
                if turn % 3 == 0:
                    await db.flush()
                if turn % 4 == 0:
                    await db.primary.checkpoint()
                turn += 1
                if db.snapshot.lsn >= 12:
                    begun.set()
            return turn

        writing = asyncio.create_task(write())
        await begun.wait()
        before = db.snapshot.lsn
        await inner.put(FORMAT, format_object)
        for _ in range(3):
            found, report = await run(inner)
            assert not [f for f in found if f.part.value != "checkpoint"], found
            assert report.clean
            assert before <= report.lsn <= db.snapshot.lsn
        stop.set()
        assert await writing > 3
        assert db.snapshot.lsn > before

    keyed(test, PRIMARY, UNIQUE)
