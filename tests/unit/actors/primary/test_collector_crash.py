"""A primary that dies at any call of a collection: the next one ends it, and nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from actors.operations import WriteMode
from storage.objects import MemoryStore
from tests.fakes import StillClock
from tests.unit.actors.primary.collecting import (
    Contents,
    Crashing,
    Past,
    busy,
    collecting,
    opened,
)
from tests.unit.storage.log.reigns import reader_of
from tests.unit.storage.scrub.database import Objects, copied, restored
from tests.unit.storage.scrub.database import run as scrubbed

Versions = dict[int, Contents]
Template = tuple[Objects, Versions, float]


@pytest.fixture(scope="module")
def template() -> Template:
    """A database with a past and an upload that was given up, its versions, and when that was."""
    store = MemoryStore()
    found: list[tuple[Versions, float]] = []

    async def test(db: Past) -> None:
        await busy(db)
        await db.lines(99)
        await db.write(WriteMode.UPSERT, (1, 1, "z"))
        await db.note()
        found.append((db.versions, db.clock.moved_ms))

    collecting(test, store=store)
    (versions, moved_ms) = found[0]
    return asyncio.run(copied(store)), versions, moved_ms


def clock_at(moved_ms: float) -> StillClock:
    clock = StillClock()
    clock.move(moved_ms)
    return clock


async def vacuumed(store: MemoryStore, versions: Versions, moved_ms: float, limit_ms: int) -> Past:
    """By a new primary, until nothing is left to do."""
    db = await opened(store, clock=clock_at(moved_ms))
    db.versions = versions
    for _ in range(2):
        await db.vacuum(retention_ms=limit_ms, uploads_ms=0)
    return db


async def check(db: Past) -> None:
    newest, stored = max(db.versions), await db.stored()
    assert await db.contents(db.snapshot) == db.versions[newest]
    left = [lsn for lsn in sorted(db.versions) if lsn >= db.snapshot.horizon]
    for lsn in left:
        version = await reader_of(db.store).open(at_lsn=lsn)
        assert {name for table in version.tables.values() for name in table.files.names} <= stored
        if lsn == left[0]:
            assert await db.contents(version) == db.versions[lsn]
    assert not db.snapshot.planned
    assert await reader_of(db.store).open() == db.snapshot


async def died(
    template: Template, dies_at: int, limit_ms: int, *, afterwards: bool
) -> set[str] | None:
    """The objects of data and indexes in the end; None: the vacuum was over before."""
    objects, versions, moved_ms = template
    inner = await restored(objects)
    store = Crashing(inner)
    db = await opened(store, clock=clock_at(moved_ms))
    db.versions = versions
    store.calls, store.dies_at, store.afterwards = 0, dies_at, afterwards
    if not await store.until_dead(db.vacuum(retention_ms=limit_ms, uploads_ms=0)):
        await db.crash()
        return None
    await db.crash()
    # readers find every version that the log still promises
    newest = await reader_of(inner).open()
    for lsn in versions:
        if lsn >= newest.horizon:
            assert (await reader_of(inner).open(at_lsn=lsn)).lsn == lsn
    after = await vacuumed(inner, versions, moved_ms, limit_ms)
    await check(after)
    found = await after.stored()
    assert found == after.live() | after.buried()
    await after.primary.close()
    if dies_at % 16 == 0:
        findings, report = await scrubbed(inner)
        assert (findings, report.unreferenced) == ([], 0)
    return found


async def undisturbed(template: Template, limit_ms: int) -> set[str]:
    objects, versions, moved_ms = template
    db = await vacuumed(await restored(objects), versions, moved_ms, limit_ms)
    await check(db)
    await db.primary.close()
    return await db.stored()


@pytest.mark.parametrize("afterwards", [False, True])
@pytest.mark.parametrize("limit_ms", [0, 45])
@pytest.mark.parametrize("start", range(4))
def test_a_crash_at_any_call(
    template: Template, start: int, limit_ms: int, afterwards: bool
) -> None:
    expected = asyncio.run(undisturbed(template, limit_ms))
    step = 8 if afterwards or limit_ms else 4  # every call once; else every other
    number = start + 1
    while (
        found := asyncio.run(died(template, number, limit_ms, afterwards=afterwards))
    ) is not None:
        assert found == expected
        number += step
    assert number > 72


@pytest.mark.parametrize("seed", range(6))
def test_crash_after_crash(template: Template, seed: int) -> None:
    """Each primary comes a bit further, or not; the last one lives."""

    async def run() -> None:
        objects, versions, moved_ms = template
        inner = await restored(objects)
        for turn in range(8):
            store = Crashing(inner)
            db = await opened(store, clock=clock_at(moved_ms))
            store.calls, store.dies_at = 0, 3 + (seed * 37 + turn * 11) % 60
            store.afterwards = turn % 2 == 0
            await store.until_dead(db.vacuum(retention_ms=0, uploads_ms=0))
            await db.crash()
        after = await vacuumed(inner, versions, moved_ms, 0)
        await check(after)
        assert await after.stored() == after.live() == await undisturbed(template, 0)
        await after.primary.close()
        findings, _ = await scrubbed(inner)
        assert findings == []

    asyncio.run(run())
