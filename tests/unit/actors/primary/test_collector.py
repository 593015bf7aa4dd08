"""A collection: what goes, what stays, who holds it, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from actors.operations import ChangeSetting, Collect, WriteMode
from storage.collection.doomed import Why
from storage.collection.pins import Pin, list_pins, write_pin
from storage.collection.policy import DAY_MS, HOUR_MS, RetentionPolicy
from storage.errors import CorruptData, InvalidRequest, Unavailable
from storage.log.record import decode
from storage.names import begun_lsn, log_name
from storage.objects import MemoryStore
from storage.snapshot import changes as c
from storage.snapshot.apply import tso_ms
from tests.unit.actors.primary.collecting import Past, busy, collecting, opened
from tests.unit.actors.primary.keyed import turns
from tests.unit.storage.log.reigns import reader_of

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT


# --- what goes ------------------------------------------------------------------------------------


def test_of_data_and_indexes_only_what_the_newest_version_reads_is_left() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        before, expected = await db.stored(), await db.contents(db.snapshot)
        assert before > db.live()
        assert db.buried() == before - db.live()
        found = await db.vacuum_all()
        assert await db.stored() == db.live()
        assert {one.name for one in found.doomed} >= before - db.live()
        assert (db.snapshot.graveyard, len(db.snapshot.planned)) == ((), 0)
        assert await db.contents(db.snapshot) == expected
        await db.check()

    collecting(test)


@pytest.mark.parametrize("retention_ms", [0, 15, 35, 55, 75, 95, 1_000])
def test_every_version_within_the_retention_can_be_read(retention_ms: int) -> None:
    async def test(db: Past) -> None:
        await busy(db)
        await db.check_versions(0)
        for _ in range(2):
            now_ms = db.clock.now_ms()
            found = await db.vacuum(retention_ms=retention_ms, uploads_ms=0)
            assert found.horizon == db.snapshot.horizon
            for lsn in db.versions:
                if lsn < found.horizon:
                    newest_then = max(n for n in db.versions if n <= found.horizon)
                    assert await written_ms(db, newest_then) <= now_ms - retention_ms
            await db.check_versions(found.horizon)
            await db.check()
        again = await opened(db.store.inner)
        again.versions = db.versions
        await again.check_versions(found.horizon)
        await again.primary.close()

    collecting(test)


async def written_ms(db: Past, lsn: int) -> int:
    return tso_ms((await reader_of(db.store).open(at_lsn=lsn)).tso)


def test_a_longer_retention_brings_nothing_back_and_loses_nothing() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        horizon = (await db.vacuum(retention_ms=35)).horizon
        assert 0 < horizon < db.snapshot.lsn
        for retention_ms in (1_000, 50, 35):
            assert (await db.vacuum(retention_ms=retention_ms)).horizon == horizon
            await db.check_versions(horizon)
        assert (await db.vacuum_all()).horizon > horizon

    collecting(test)


def test_versions_below_the_horizon_are_gone_and_say_so() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        await db.vacuum_all()
        await db.vacuum_all()
        below = [lsn for lsn in db.versions if lsn < db.snapshot.horizon]
        assert len(below) > 3
        failed = 0
        for lsn in below:
            try:
                found = await reader_of(db.store).open(at_lsn=lsn)
                if await db.contents(found) != db.versions[lsn]:
                    raise AssertionError(f"LSN {lsn} is another version now")
            except CorruptData:
                failed += 1
        assert failed > 3

    collecting(test)


def test_the_log_behind_the_spare_and_fences_are_left() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        for _ in range(3):
            await db.vacuum_all()
        spare = (await db.roots())[-2]
        left = await db.names("log/")
        newest = db.snapshot.lsn
        assert left == {log_name(1), *(log_name(n) for n in range(spare + 1, newest + 1))}
        assert await db.names("logpack/") == set()
        assert len(await db.roots()) == 2
        assert await reader_of(db.store).open() == db.snapshot

    collecting(test)


def test_the_setting_of_the_database_goes_before_the_policy() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        await db.vacuum()
        assert (db.snapshot.horizon, db.buried() > set()) == (0, True)
        await db.submit(ChangeSetting(name="retention", value="0"))
        await db.vacuum()
        assert db.buried() == set()
        horizon = db.snapshot.horizon
        await db.submit(ChangeSetting(name="retention", value=None))
        await db.vacuum()
        assert db.snapshot.horizon == horizon

    collecting(test)


@pytest.mark.parametrize("value", ["-1", "a day", "1.5", "٣x"])
def test_a_setting_that_is_none_is_refused(value: str) -> None:
    async def test(db: Past) -> None:
        before = db.snapshot
        for name, text in (("retention", value), ("retentions", "7")):
            with pytest.raises(InvalidRequest, match="no setting"):
                await db.submit(ChangeSetting(name=name, value=text))
        assert db.snapshot is before

    collecting(test)


# --- who holds it ---------------------------------------------------------------------------------


def test_an_open_transaction_holds_what_it_reads() -> None:
    async def test(db: Past) -> None:
        await db.write(INSERT, (1, 10, "a"))
        await db.flush()
        held = await db.begin()
        snapshot = await held.snapshot()
        await db.write(UPSERT, (1, 11, "b"))
        await db.primary.compact(db.table.id)
        gone = await db.stored() - db.live()
        files = {name for name in gone if name.startswith("data/")}
        assert files
        found = await db.vacuum_all()
        assert files <= await db.stored()
        assert not files & {one.name for one in found.doomed}
        table = snapshot.find_table("t")
        assert await db.all(table) == [(1, 10, "a")]
        db.primary.transactions.roll_back(held.id)
        await db.vacuum_all()
        assert await db.stored() == db.live()

    collecting(test)


def test_a_query_of_the_own_compute_holds_what_it_reads() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        before = await db.stored()
        oldest = [next(iter(db.versions))]
        db.primary.collector.oldest_query = lambda: oldest[0]
        await db.vacuum(retention_ms=0)
        assert db.snapshot.horizon > oldest[0]
        assert before <= await db.stored()
        middle = sorted(db.versions)[len(db.versions) // 2]
        oldest[0] = middle
        await db.vacuum(retention_ms=0)
        graves = db.snapshot.graveyard
        assert graves
        assert min(grave.lsn_removed for grave in graves) > middle
        assert before > await db.stored() > db.live()
        db.primary.collector.oldest_query = lambda: None
        await db.vacuum(retention_ms=0)
        assert await db.stored() == db.live()

    collecting(test)


def test_a_pin_holds_files_until_it_is_over_and_goes_then() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        middle = sorted(db.versions)[len(db.versions) // 2]
        version = await reader_of(db.store).open(at_lsn=middle)
        until = db.clock.now_ms() + 5
        await write_pin(db.store, "pin/r", Pin(lsn=middle, expires_ms=until, holder="a reader"))
        found = await db.vacuum_all()
        assert found.pinned == (f"pin/r: LSN {middle}, a reader",)
        assert db.primary.status()["pinned"] == list(found.pinned)
        assert await db.contents(version) == db.versions[middle]
        graves = [g for g in db.snapshot.graveyard if any("data/" in o.name for o in g.objects)]
        assert graves
        assert min(grave.lsn_removed for grave in graves) > middle
        runs = {one for one in db.buried() if one.startswith("index/")}
        assert not runs  # readers of versions need none
        db.clock.move(6)
        found = await db.vacuum_all()
        assert ("pin/r", Why.PIN) in {(one.name, one.why) for one in found.doomed}
        assert found.pinned == ()
        assert (await list_pins(db.store), await db.stored()) == ([], db.live())

    collecting(test)


def test_a_pin_that_does_not_decode_holds_everything_and_is_told() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        await db.store.put("pin/x", b"rubbish")
        before = {name for name in await db.stored() if name.startswith("data/")}
        found = await db.vacuum_all()
        assert found.pinned == ("pin/x: it does not decode; delete it if no reader uses it",)
        assert before <= await db.stored()
        assert await db.names("pin/") == {"pin/x"}

    collecting(test)


def test_a_pin_that_is_written_when_the_horizon_is_logged_holds() -> None:
    """The collector lists pins after that: a reader that has not seen the horizon is seen."""

    class Pinned(MemoryStore):
        pin: Pin | None = None

        async def create(self, name: str, data: bytes) -> None:
            await super().create(name, data)
            if self.pin is not None and any(
                isinstance(record, c.MoveHorizon) for record in decode(data, name).catalogue
            ):
                await write_pin(self, "pin/r", self.pin)

    store = Pinned()

    async def test(db: Past) -> None:
        await busy(db)
        store.pin = Pin(lsn=min(db.versions), expires_ms=1 << 40, holder="late")
        before = {name for name in await db.stored() if name.startswith("data/")}
        found = await db.vacuum_all()
        assert len(found.pinned) == 1
        assert before <= await db.stored()

    collecting(test, store=store)


# --- in which order -------------------------------------------------------------------------------


class Recording(MemoryStore):
    """Keeps (method, name, data) of all that changes something, and of lists."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, str, bytes]] = []

    async def create(self, name: str, data: bytes) -> None:
        await super().create(name, data)
        self.events.append(("create", name, data))

    async def delete(self, name: str) -> None:
        self.events.append(("delete", name, b""))
        await super().delete(name)

    def list(self, prefix: str, **options: Any) -> Any:
        self.events.append(("list", prefix, b""))
        return super().list(prefix, **options)


def test_nothing_is_deleted_before_the_log_says_so() -> None:
    store = Recording()

    async def test(db: Past) -> None:
        await busy(db)
        await db.lines(99)  # never committed
        await db.write(UPSERT, (1, 1, "z"))
        store.events.clear()
        await db.vacuum_all()
        planned, ended, floor, horizon = set[str](), set[str](), 0, 0
        deleted, kinds = set[str](), list[str]()
        for method, name, data in store.events:
            if method == "create" and name.startswith("log/"):
                for record in decode(data, name).catalogue:
                    kinds.append(type(record).__name__)
                    match record:
                        case c.MoveHorizon(lsn=lsn):
                            horizon = lsn
                        case c.PlanCollection(names=names, upload_floor=above):
                            planned, floor = planned | set(names), max(floor, above)
                        case c.EndCollection(names=names):
                            assert set(names) <= deleted
                            ended |= set(names)
            elif method == "list" and name == "pin/":
                assert horizon == db.snapshot.horizon
                kinds.append("pins")
            elif method == "delete" and name.startswith(("data/", "index/")):
                begun = begun_lsn(name, "main")
                assert begun is not None
                assert name in planned or begun < floor
                assert name not in ended
                deleted.add(name)
        assert kinds == [
            "MoveHorizon", "pins", "PlanCollection", "EndCollection", "PlanCollection",
        ]  # fmt: skip
        assert planned == ended
        assert len(deleted) == len(planned) + 1

    collecting(test, store=store)


def test_a_checkpoint_goes_before_its_parts() -> None:
    store = Recording()

    async def test(db: Past) -> None:
        await busy(db)
        await db.vacuum_all()
        gone = [n for m, n, _ in store.events if m == "delete" and n.startswith("checkpoint/")]
        roots = [name.endswith("/root") for name in gone]
        assert any(roots)
        assert roots == sorted(roots, reverse=True)

    collecting(test, store=store)


# --- what it costs and says -----------------------------------------------------------------------


def test_a_collection_that_finds_nothing_logs_nothing() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        for _ in range(2):
            await db.vacuum_all()
        collector, policy = db.primary.collector, RetentionPolicy(every_ms=0)
        await collector.collect(policy, uploads=True)
        lsn, before = db.snapshot.lsn, db.store.counts()
        found = await collector.collect(policy, uploads=True)
        spent = db.store.counts() - before
        assert found.doomed == []
        assert db.snapshot.lsn == lsn
        # lists of checkpoints, pins, packs, log, data and indexes; a GET that we still reign, and
        # the two newest checkpoints (root and two parts), read back
        assert (spent.list, spent.get, spent.requests) == (6, 1 + 2 * 3, 6 + 1 + 2 * 3)
        before = db.store.counts()
        await collector.collect(policy, uploads=False)
        assert (db.store.counts() - before).list == 4

    collecting(test)


def test_what_was_deleted_is_counted() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        status = db.primary.status()
        assert status["past_files"] == len(db.buried())
        assert status["past_bytes"] > 0
        sizes = {e.name: e.size_bytes async for e in db.store.list("")}
        found = await db.vacuum_all()
        assert found.size_bytes == sum(one.size_bytes or 0 for one in found.doomed)
        assert all(one.size_bytes == sizes[one.name] for one in found.doomed if one.name in sizes)
        status = db.primary.status()
        assert (status["past_files"], status["past_bytes"]) == (0, 0)
        assert status["deleted_objects"] == len(found.doomed)
        assert status["deleted_bytes"] == found.size_bytes
        assert status["horizon"] == found.horizon

    collecting(test)


def test_more_names_than_one_record_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.primary.collector.NAMES_MAX", 2)
    store = Recording()

    async def test(db: Past) -> None:
        await busy(db)
        buried = db.buried()
        assert len(buried) > 4
        await db.vacuum_all()
        assert await db.stored() == db.live()
        groups = [decode(data, name) for m, name, data in store.events if "log/" in name and data]
        records = [r for group in groups for r in group.catalogue]
        plans = [r.names for r in records if isinstance(r, c.PlanCollection) and r.names]
        ends = [r.names for r in records if isinstance(r, c.EndCollection)]
        assert plans == ends
        assert {name for names in plans for name in names} == buried
        assert max(map(len, plans)) == 2

    collecting(test, store=store)


# --- by itself ------------------------------------------------------------------------------------


def test_it_collects_by_itself_and_an_idle_database_comes_to_rest() -> None:
    async def test(db: Past) -> None:
        await busy(db)
        lsn = db.snapshot.lsn
        for _ in range(30):
            db.clock.move(HOUR_MS)
            await turns(400)
        assert db.buried() == set()
        assert await db.stored() == db.live()
        rest, objects = db.snapshot.lsn, await db.names()
        assert rest == lsn + 5  # plan and end of runs; then of files, and the horizon
        for _ in range(3):
            db.clock.move(DAY_MS)
            await turns(400)
        assert db.snapshot.lsn == rest
        assert await db.names() <= objects
        assert db.primary.collector.last_error is None

    collecting(test, RetentionPolicy(retention_ms=DAY_MS, every_ms=HOUR_MS))


def test_what_fails_is_told_and_tried_again() -> None:
    class Failing(MemoryStore):
        fails = False

        async def delete(self, name: str) -> None:
            if self.fails:
                raise Unavailable("the store is away")
            await super().delete(name)

    store = Failing()

    async def test(db: Past) -> None:
        await busy(db)
        store.fails = True
        db.clock.move(HOUR_MS)
        await turns(400)
        assert "the store is away" in db.primary.status()["last_error"]
        assert db.snapshot.planned
        with pytest.raises(Unavailable, match="away"):
            await db.vacuum_all()
        store.fails = False
        db.clock.move(HOUR_MS)
        await turns(400)
        assert db.primary.status()["last_error"] is None
        assert await db.stored() == db.live()
        assert not db.snapshot.planned

    collecting(test, RetentionPolicy(retention_ms=0, every_ms=HOUR_MS), store)


def test_the_end_of_a_plan_is_no_business_of_others() -> None:
    async def test(db: Past) -> None:
        await db.submit(Collect(planned=("data/x",)), Collect(ended=("data/y",)))
        assert db.snapshot.planned == {"data/x"}
        assert not db.snapshot.collected
        found = await db.vacuum_all()
        assert ("data/x", Why.PLANNED) in {(one.name, one.why) for one in found.doomed}
        assert not db.snapshot.planned

    collecting(test)
