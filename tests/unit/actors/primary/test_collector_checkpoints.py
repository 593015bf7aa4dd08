"""A collection and checkpoints: parts that others use, broken ones, and what a look promises."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from actors.operations import WriteMode
from storage.collection.doomed import Doomed, Why
from storage.collection.pins import Pin, write_pin
from storage.collection.policy import HOUR_MS, RetentionPolicy
from storage.collection.roots import Root, Roots
from storage.errors import CorruptData
from storage.names import checkpoint_directory, checkpoint_lsn, log_name
from storage.objects import MemoryStore
from storage.snapshot.checkpoint import read_checkpoint
from tests.unit.actors.primary.collecting import POLICY, Past, busy, collecting, opened
from tests.unit.storage.log.reigns import reader_of

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT


async def whole(db: Past) -> list[int]:
    """The LSNs of all checkpoints; each can be read back."""
    roots = sorted(n for n in await db.names("checkpoint/") if n.endswith("/root"))
    return sorted([(await read_checkpoint(db.store, name)).lsn for name in roots])


async def root_at(db: Past, lsn: int) -> str:
    (found,) = [n for n in await db.names(checkpoint_directory(lsn)) if n.endswith("/root")]
    return found


# --- parts ----------------------------------------------------------------------------------------


def test_parts_that_later_checkpoints_use_stay() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        for turn in range(8):
            if turn % 3 == 0:
                await db.write(UPSERT, (1, turn, "z"))  # to t alone: lines is not written again
            await db.vacuum_all()
            assert len(await whole(db)) in (2, 3)
            await db.primary.checkpoint()
            await whole(db)
        assert await reader_of(db.store).open() == db.snapshot

    collecting(test)


@pytest.mark.parametrize("times", [1, 2, 3, 5])
def test_several_checkpoints_at_one_lsn(times: int) -> None:
    async def test(db: Past) -> None:
        await busy(db)
        for _ in range(3):
            for _ in range(times):
                await db.primary.checkpoint()
            await db.vacuum_all()
            assert await whole(db)
            for _ in range(times):
                await db.primary.checkpoint()
                await whole(db)
            collector = db.primary.collector
            await collector.collect(POLICY, uploads=False)
            await whole(db)
            await db.primary.checkpoint()
            assert len(await whole(db)) >= 2
        assert await reader_of(db.store).open() == db.snapshot

    collecting(test)


def test_a_checkpoint_that_is_being_written_is_no_rubbish() -> None:
    """Its parts have no root yet."""

    class Slow(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.waits = asyncio.Event(), asyncio.Event()
            self.gate.set()

        async def put(self, name: str, data: bytes) -> None:
            if name.endswith("/root") and not self.gate.is_set():
                self.waits.set()
                await self.gate.wait()
            await super().put(name, data)

    store = Slow()

    async def test(db: Past) -> None:
        await busy(db)
        await db.vacuum_all()
        await db.write(UPSERT, (1, 1, "z"))
        store.gate.clear()
        writing = asyncio.ensure_future(db.primary.checkpoint())
        await store.waits.wait()
        collecting_now = asyncio.ensure_future(db.primary.collector.collect(POLICY, uploads=True))
        for _ in range(300):
            await asyncio.sleep(0)
        store.gate.set()
        made = await writing
        await collecting_now
        assert (await read_checkpoint(db.store, made.name)).lsn == made.lsn
        await whole(db)

    collecting(test, store=store)


def test_rubbish_of_a_crash_goes_once_it_is_old() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        lsn = db.snapshot.lsn
        left = f"{checkpoint_directory(lsn, 'c' * 32)}/part-2"
        await db.store.put(left, b"x")
        await db.primary.checkpoint()
        await db.primary.collector.collect(POLICY, uploads=False)
        assert left in await db.names("checkpoint/")
        for _ in range(2):
            await db.write(UPSERT, (1, 1, "z"))
            await db.primary.checkpoint()
        await db.primary.collector.collect(POLICY, uploads=False)
        assert left not in await db.names("checkpoint/")

    collecting(test)


def test_names_of_others_stay() -> None:
    strangers = {"checkpoint/README", "checkpoint/x/root", "data/readme", "index/x", "pins/x", "x"}

    async def test(db: Past) -> None:
        for name in strangers:
            await db.store.put(name, b"x")
        await busy(db)
        for _ in range(3):
            await db.vacuum_all()
        assert strangers <= await db.names()

    collecting(test)


# --- broken ones ----------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize("which", [(-1,), (-2,), (-1, -2), (-3,), (-1, -2, -3)])
def test_with_broken_checkpoints_what_is_needed_stays(which: tuple[int, ...], part: bool) -> None:
    """The newest version can be opened without them, whatever a collection does."""

    async def test(db: Past) -> None:
        await busy(db)
        for number in range(2):
            await db.write(UPSERT, (1, number, "z"))
            await db.note()
            await db.primary.checkpoint()
        roots = await db.roots()
        expected = await db.contents(db.snapshot)
        horizon = db.snapshot.horizon
        for place in which:
            name = await root_at(db, roots[place])
            await db.store.put(name.replace("/root", "/part-2") if part else name, b"rubbish")
        for _ in range(3):
            found = await db.primary.collector.collect(POLICY, uploads=True)
            assert found.horizon >= horizon
            horizon = found.horizon
            assert await reader_of(db.store).open() == db.snapshot
            await db.check_versions(horizon)
        assert await db.contents(db.snapshot) == expected

    collecting(test, RetentionPolicy(retention_ms=30, every_ms=0, follow_ms=0, pack_ms=0))


def test_without_whole_checkpoints_nothing_of_the_log_goes() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        for lsn in await db.roots():
            await db.store.put(await root_at(db, lsn), b"rubbish")
        log = await db.names("log/")
        found = await db.primary.collector.collect(POLICY, uploads=True)
        assert found.horizon == 0
        assert log <= await db.names("log/")
        assert await reader_of(db.store).open() == db.snapshot
        await db.check_versions(0)
        found = await db.vacuum_all()  # it writes one, so there is a base; a spare there is not
        assert found.horizon > 0
        assert log - await db.names("log/") == set()
        await db.vacuum_all()
        await db.vacuum_all()
        assert len(await whole(db)) >= 2
        assert log - await db.names("log/")

    collecting(test)


@pytest.mark.parametrize("which", ["base", "spare"])
def test_a_base_that_breaks_later_costs_no_version(which: str) -> None:
    async def test(db: Past) -> None:
        await busy(db)
        for number in range(4):
            db.clock.move(10)
            await db.write(UPSERT, (1, number, "z"))
            await db.primary.checkpoint()
            await db.note()
        for _ in range(2):
            horizon = (await db.vacuum(retention_ms=25)).horizon
        await db.check_versions(horizon)
        below = [lsn for lsn in await db.roots() if lsn <= horizon]
        assert len(below) == 2
        broken = below[1 if which == "base" else 0]
        await db.store.put(await root_at(db, broken), b"rubbish")
        await db.check_versions(horizon)
        for _ in range(3):
            assert (await db.vacuum(retention_ms=1_000)).horizon == horizon
            await db.check_versions(horizon)

    collecting(test)


def test_a_broken_pack_is_told_and_keeps_its_log_objects() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        await db.vacuum(retention_ms=1_000)
        packs = sorted(await db.names("logpack/"))
        assert packs
        await db.store.put(packs[0], b"rubbish")
        saved = await db.names("log/")
        await db.store.put(log_name(2), b"late")
        with pytest.raises(CorruptData):
            await db.vacuum(retention_ms=1_000)
        assert saved <= await db.names("log/")

    collecting(test)


# --- a look ---------------------------------------------------------------------------------------


def key(one: Doomed) -> str:
    return one.name


@pytest.mark.parametrize("retention_ms", [0, 35, 55, 1_000])
@pytest.mark.parametrize("before", ["nothing", "a vacuum", "writes", "checkpoints", "a crash"])
def test_a_look_lists_exactly_what_goes(retention_ms: int, before: str) -> None:
    """But for log objects that are packed first."""
    policy = RetentionPolicy(every_ms=0, follow_ms=0, pack_ms=0, pack_groups=1_000)

    async def test(db: Past) -> None:
        await busy(db)
        await db.lines(99)
        await write_pin(db.store, "pin/over", Pin(lsn=1, expires_ms=-1, holder="gone"))
        if before == "a crash":
            await db.crash()
            again = await opened(db.store.inner, policy, db.clock)
            db.primary, db.store = again.primary, again.store
        if before in ("a vacuum", "writes", "checkpoints"):
            await db.vacuum(retention_ms=retention_ms)
        for number in range({"writes": 2, "checkpoints": 2}.get(before, 0)):
            await db.write(UPSERT, (1, number, "z"))
            await db.primary.checkpoint()
            if before == "checkpoints":
                await db.primary.checkpoint()
        if before == "writes":
            await db.write(UPSERT, (2, 2, "z"))
        snapshot, objects = db.snapshot, await db.names()
        asked = len(db.store.requests)
        seen = await db.vacuum(retention_ms=retention_ms, uploads_ms=0, dry_run=True)
        methods = {method for method, _ in db.store.requests[asked:]}
        assert methods <= {"get", "get_range", "list"}
        assert db.snapshot is snapshot
        assert await db.names() == objects
        done = await db.vacuum(retention_ms=retention_ms, uploads_ms=0)
        assert done.horizon == seen.horizon
        promised = sorted(seen.doomed, key=key)
        gone = sorted((one for one in done.doomed if one.name in objects), key=key)
        assert promised == gone
        assert objects - await db.names() == {one.name for one in gone}

    collecting(test, policy)


def test_a_look_says_what_an_interrupted_collection_has_left() -> None:
    class Failing(MemoryStore):
        fails = False

        async def delete(self, name: str) -> None:
            if self.fails:
                raise CorruptData("no")
            await super().delete(name)

    store = Failing()

    async def test(db: Past) -> None:
        await busy(db)
        store.fails = True
        with pytest.raises(CorruptData):
            await db.vacuum_all()
        store.fails = False
        assert db.snapshot.planned
        seen = await db.vacuum_all(dry_run=True)
        assert {one.name for one in seen.doomed if one.why is Why.PLANNED} == db.snapshot.planned
        assert [one.size_bytes for one in seen.doomed if one.why is Why.PLANNED] == [None] * len(
            db.snapshot.planned
        )
        done = await db.vacuum_all()
        assert {one.name for one in seen.doomed} == {
            one.name for one in done.doomed if one.name in {s.name for s in seen.doomed}
        }
        assert await db.stored() == db.live()

    collecting(test, store=store)


# --- packs ----------------------------------------------------------------------------------------


def test_the_log_is_packed_behind_the_second_newest_checkpoint() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        written = db.primary.traffic.status(db.snapshot)
        await db.vacuum(retention_ms=1_000)
        packs = sorted(await db.names("logpack/"))
        assert packs
        second = (await db.roots())[-2]
        log = await db.names("log/")
        for name, after in itertools.pairwise(packs):
            assert name < after
        last = int(packs[-1].partition("/")[2].partition("-")[0])
        assert last <= second
        assert log == {log_name(1)} | {log_name(n) for n in range(last + 1, db.snapshot.lsn + 1)}
        await db.check_versions(0)
        assert db.primary.traffic.status(db.snapshot) != written
        newest = await reader_of(db.store).open()
        for lsn in (4, 9, second):
            header = [h async for h in reader_of(db.store).headers(lsn, lsn)]
            assert [h.lsn for h in header] == [lsn]
        assert newest == db.snapshot

    collecting(test)


def test_young_groups_are_not_packed() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        await db.vacuum(retention_ms=1_000)
        assert await db.names("logpack/") == set()
        db.clock.move(HOUR_MS)
        await db.vacuum(retention_ms=1 << 40)
        assert await db.names("logpack/")
        await db.check_versions(0)

    collecting(test, RetentionPolicy(every_ms=0, pack_groups=4))


def test_checkpoints_between_stay_where_stretches_would_be_long() -> None:
    async def test(db: Past) -> None:
        for number in range(30):
            await db.write(UPSERT, (1, number, "z"))
            db.clock.move(10)
            await db.primary.checkpoint()
            await db.note()
        await db.vacuum(retention_ms=1_000)
        roots = [checkpoint_lsn(n) for n in await db.names("checkpoint/") if n.endswith("root")]
        steps = [after - one for one, after in itertools.pairwise(sorted(roots))]
        assert max(steps) <= 8
        assert len(roots) <= 10
        await db.check_versions(0)

    policy = RetentionPolicy(
        every_ms=0, follow_ms=0, pack_ms=0, pack_groups=4, checkpoint_groups_max=8
    )
    collecting(test, policy)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_checkpoint_that_does_not_read_now_may_read_later(
    lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Base and spare are read back, one of them in vain, which may be the network's fault."""

    async def test(db: Past) -> None:
        await busy(db)
        horizon = (await db.vacuum(retention_ms=35)).horizon
        roots = await db.roots()
        assert horizon in roots
        older = roots[: roots.index(horizon) + 1][-2:]
        is_whole = Roots.is_whole

        async def in_vain(self: Roots, root: Root) -> bool:
            return root.lsn != older[lost] and await is_whole(self, root)

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(Roots, "is_whole", in_vain)
            assert (await db.vacuum(retention_ms=10_000)).horizon == horizon
        assert set(older) <= set(await db.roots())
        await db.check_versions(horizon)

    collecting(test)
