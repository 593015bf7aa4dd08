"""A collection and uploads: what is not committed yet, and what must not be committed any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.messages import Transaction
from actors.operations import AppendFiles, Collect, TruncateTable, WriteMode
from actors.primary.publishable import names_of
from storage.collection.doomed import Why
from storage.collection.policy import DAY_MS, RetentionPolicy
from storage.errors import Conflict, ObjectMissing
from storage.names import begun_lsn
from storage.objects import MemoryStore
from tests.unit.actors.primary.collecting import Past, busy, collecting
from tests.unit.actors.primary.keyed import turns

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT
ROWS = [(100, 1_000, "u"), (101, 1_010, "u")]


async def uploaded(db: Past, kind: str) -> AppendFiles:
    """A large write whose files are in the store, to the table with keys or the one without."""
    if kind == "keys":
        return await db.files(INSERT, ROWS)
    return await db.lines(100, 101)


async def refused(db: Past, operation: Any, match: str) -> None:
    """It is refused, and nothing changes."""
    before, contents = db.snapshot, await db.contents(db.snapshot)
    with pytest.raises(Conflict, match=match):
        await db.submit(operation)
    assert db.snapshot is before
    assert db.primary._sequencer.working is before
    assert await db.contents(db.snapshot) == contents
    if db.table.id in db.primary._sequencer.state.indexes:
        await db.check()


KINDS = pytest.mark.parametrize("kind", ["keys", "lines"])


@KINDS
def test_an_upload_that_is_under_way_stays_and_is_committed_after(kind: str) -> None:
    async def test(db: Past) -> None:
        await busy(db)
        before = await db.stored()
        operation = await uploaded(db, kind)
        names = await db.stored() - before
        assert names == set(names_of(operation))
        for _ in range(2):
            await db.write(UPSERT, (1, 1, "z"))
            db.clock.move(DAY_MS // 3)
            await db.vacuum(retention_ms=0)
            assert names <= await db.stored()
        await db.settled()  # a day has passed, so deltas were flushed
        assert await db.stored() - db.live() == names
        await db.submit(operation)
        assert await db.stored() == db.live()
        await db.check()

    collecting(test)


@KINDS
def test_an_upload_that_took_too_long_is_deleted_and_refused(kind: str) -> None:
    async def test(db: Past) -> None:
        operation = await uploaded(db, kind)
        names = set(names_of(operation))
        await db.write(UPSERT, (1, 1, "z"))
        await db.primary.checkpoint()
        db.clock.move(DAY_MS)
        found = await db.vacuum()
        lost = {one.name for one in found.doomed if one.why is Why.UPLOAD}
        assert names <= lost
        assert not names & await db.stored()
        assert db.snapshot.upload_floor > 0
        assert not db.snapshot.collected  # the floor says it
        await refused(db, operation, "load it again|collected")
        await db.submit(await uploaded(db, kind))
        await db.settled()
        assert await db.stored() == db.live()

    collecting(test)


def test_an_upload_that_began_at_the_floor_stays() -> None:
    async def test(db: Past) -> None:
        early = await db.lines(5)
        await db.write(INSERT, (1, 1, "z"))
        await db.primary.checkpoint()
        at_floor = await db.lines(6)
        db.clock.move(DAY_MS)
        await db.write(UPSERT, (1, 2, "z"))
        later = await db.lines(7)
        await db.vacuum(uploads_ms=DAY_MS)
        assert begun_lsn(at_floor.files[0].name, "main") == db.snapshot.upload_floor
        assert early.files[0].name not in await db.stored()
        await db.submit(at_floor)
        await db.submit(later)
        await db.settled()
        assert await db.stored() == db.live()

    collecting(test)


def test_an_upload_is_committed_between_the_list_and_the_floor() -> None:
    """It was lost when it was listed, and is there when the floor is in the log."""

    class Late(MemoryStore):
        commit: Any = None

        def list(self, prefix: str, **options: Any) -> Any:
            pages = super().list(prefix, **options)

            async def entries() -> Any:
                async for entry in pages:
                    yield entry
                if prefix == "index/" and self.commit is not None:
                    commit, self.commit = self.commit, None
                    await commit()

            return entries()

    store = Late()

    async def test(db: Past) -> None:
        operation = await db.lines(5)
        lost = await db.lines(6)
        await db.write(UPSERT, (1, 1, "z"))
        store.commit = lambda: db.submit(operation)
        await db.vacuum_all()
        assert store.commit is None
        assert operation.files[0].name in await db.stored()
        assert lost.files[0].name not in await db.stored()
        assert await db.stored() == db.live()
        await db.note()
        await db.check_versions(db.snapshot.lsn)
        await refused(db, lost, "load it again")

    collecting(test, store=store)


def test_a_commit_in_the_group_of_the_floor_is_safe() -> None:
    async def test(db: Past) -> None:
        one, other = await db.lines(5), await db.lines(6)
        await db.write(UPSERT, (1, 1, "z"))
        floor = db.snapshot.lsn
        results = await asyncio.gather(
            *(
                db.primary.submit(Transaction(operations=(operation,)))
                for operation in (one, Collect(upload_floor=floor), other)
            ),
            return_exceptions=True,
        )
        assert [isinstance(found, Conflict) for found in results] == [False, False, True]
        await db.vacuum_all()
        assert one.files[0].name in await db.stored()
        assert await db.stored() == db.live()

    collecting(test)


@KINDS
def test_names_that_are_planned_are_refused(kind: str) -> None:
    async def test(db: Past) -> None:
        operation = await uploaded(db, kind)
        (name, *_) = (file.name for file in operation.files)
        await db.submit(Collect(planned=(name,)))
        await refused(db, operation, "about to be collected")

    collecting(test)


def test_runs_that_are_planned_are_refused() -> None:
    async def test(db: Past) -> None:
        operation = await db.files(INSERT, ROWS)
        runs = await db.names("index/")
        assert runs == set(names_of(operation)) - {file.name for file in operation.files}
        await db.submit(Collect(planned=tuple(runs)))
        await refused(db, operation, "about to be collected")

    collecting(test)


@pytest.mark.parametrize("ended", [False, True])
def test_names_that_were_collected_are_refused(ended: bool) -> None:
    """A commit that is repeated without a token, after its table was truncated."""

    async def test(db: Past) -> None:
        operation = await db.lines(5)
        name = operation.files[0].name
        await db.submit(operation)
        await db.submit(TruncateTable(table_id=operation.table_id))
        await db.vacuum(retention_ms=0)
        assert name not in await db.stored()
        assert name in db.snapshot.collected
        await refused(db, operation, "about to be collected")
        if ended:  # the floor has passed it, so it is not remembered any more
            await db.write(UPSERT, (1, 1, "z"))
            await db.lines(7)
            await db.write(UPSERT, (1, 2, "z"))
            await db.vacuum_all()
            assert name not in db.snapshot.collected
            await refused(db, operation, "its upload began before")

    collecting(test)


def test_an_upload_that_is_lost_without_a_collection_is_damage() -> None:
    async def test(db: Past) -> None:
        operation = await db.files(INSERT, ROWS)
        for name in names_of(operation):
            await db.store.delete(name)
        with pytest.raises(ObjectMissing):
            await db.submit(operation)

    collecting(test)


def test_a_transaction_whose_upload_was_collected_is_refused_at_its_end() -> None:
    async def test(db: Past) -> None:
        held = await db.begin()
        operation = await db.lines(5)
        await held.write([operation])
        await db.write(UPSERT, (1, 1, "z"))
        await db.vacuum_all()
        before = db.snapshot
        with pytest.raises(Conflict, match="load it again"):
            await db.primary.commit(held.id, None)
        assert db.snapshot is before

    collecting(test)


def test_a_flush_that_is_overtaken_by_the_floor_is_done_again() -> None:
    """What maintenance has written is refused as other uploads are; rows stay where they were."""

    async def test(db: Past) -> None:
        await db.write(INSERT, (1, 10, "a"), (2, 20, "b"))
        expected = await db.all()
        upkeep = db.primary._maintainer.upkeep
        table, snapshot = db.table, db.snapshot
        put_file = db.store.inner.put_file
        raised: list[bool] = []

        async def overtaken(name: str, path: Any) -> None:
            await put_file(name, path)
            if not raised:
                raised.append(True)
                await db.submit(Collect(upload_floor=db.snapshot.lsn + 1))

        db.store.inner.put_file = overtaken  # type: ignore[method-assign]
        with pytest.raises(Conflict):
            await upkeep.flush(table, snapshot)
        assert raised
        assert await db.all() == expected
        assert db.table.deltas
        await db.flush()
        assert await db.all() == expected
        assert not db.table.deltas
        await db.check()

    collecting(test)


def test_without_lost_uploads_no_floor_is_logged() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        await db.vacuum_all()
        assert db.snapshot.upload_floor == 0
        await db.lines(5)
        await db.write(UPSERT, (1, 1, "z"))
        found = await db.vacuum_all()
        assert db.snapshot.upload_floor == found.horizon
        assert await db.stored() == db.live()

    collecting(test)


def test_uploads_are_looked_for_seldom() -> None:
    async def test(db: Past) -> None:
        await db.lines(5)
        await db.write(INSERT, (1, 1, "z"))
        await db.primary.checkpoint()
        for lists in ([0], [0], [1], [0]):
            before = len(db.store.requests)
            db.clock.move(100)
            await turns(400)
            asked = [name for method, name in db.store.requests[before:] if method == "list"]
            assert asked.count("checkpoint/") == 1
            assert asked.count("data/") == lists[0]
        assert await db.stored() == db.live()

    policy = RetentionPolicy(retention_ms=0, uploads_ms=0, every_ms=100, uploads_every_ms=300)
    collecting(test, policy)
