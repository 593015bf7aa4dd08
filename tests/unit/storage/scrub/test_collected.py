"""A database whose past was collected: what is gone by right is no damage, all else is."""

from __future__ import annotations

import asyncio

import pytest

from actors.operations import WriteMode
from storage.errors import ObjectMissing
from storage.log.packs import read_pack
from storage.names import checkpoint_lsn, is_log_name, log_lsn, log_name, pack_lsns
from storage.objects import MemoryStore
from storage.scrub import Finding
from storage.scrub.findings import Part, Severity
from storage.snapshot import changes as c
from tests.unit.actors.primary.collecting import Past, busy, collecting
from tests.unit.storage.log.packed import fence_at
from tests.unit.storage.log.reigns import reader_of
from tests.unit.storage.scrub.database import (
    Objects,
    appended,
    checked,
    copied,
    newest,
    restored,
)

UPSERT = WriteMode.UPSERT


def made(retention_ms: int, *, vacuums: int = 1) -> Objects:
    """After collections that keep so much; then some groups more."""
    store = MemoryStore()

    async def test(db: Past) -> None:
        await busy(db)
        for number in range(vacuums):
            await db.vacuum(retention_ms=retention_ms, uploads_ms=0)
            await db.write(UPSERT, (1, number, "z"))
        await db.write(UPSERT, (2, 22, "z"))

    collecting(test, store=store)
    return asyncio.run(copied(store))


@pytest.fixture(scope="module")
def packed() -> Objects:
    """All versions are kept; the old log is in packs."""
    return made(100_000)


@pytest.fixture(scope="module")
def collected() -> Objects:
    """Some versions are kept: packs, checkpoints that share parts, files that left, gaps."""
    return made(45, vacuums=3)


@pytest.fixture(scope="module")
def bare() -> Objects:
    """Nothing of the past is kept."""
    return made(0, vacuums=3)


def lsns(objects: Objects) -> list[int]:
    return sorted(log_lsn(name) for name in objects if is_log_name(name))


def packs(objects: Objects) -> list[str]:
    return sorted(name for name in objects if pack_lsns(name) is not None)


def roots(objects: Objects) -> list[str]:
    """Oldest first."""
    found = [name for name in objects if name.endswith("/root")]
    return sorted(found, reverse=True)


def without(objects: Objects, *names: str) -> Objects:
    return {name: data for name, data in objects.items() if name not in names}


def told(objects: Objects) -> list[str]:
    """The objects that are told of, all as damage."""
    found, _ = checked(objects)
    assert {finding.severity for finding in found} <= {Severity.damage}, found
    return sorted({finding.object for finding in found})


def buried(objects: Objects) -> list[str]:
    snapshot = newest(objects)
    return [
        one.name
        for grave in snapshot.graveyard
        for one in grave.objects
        if grave.lsn_removed > snapshot.horizon and one.name.startswith("data/")
    ]


# --- clean ----------------------------------------------------------------------------------------


def test_a_packed_database_is_clean(packed: Objects) -> None:
    assert packs(packed)
    assert lsns(packed)[:2] == [1, pack_lsns(packs(packed)[-1])[1] + 1]  # type: ignore[index]
    found, report = checked(packed)
    assert found == []
    assert report.lsn == report.newest_lsn == newest(packed).lsn
    assert report.unreferenced == 0


def test_a_collected_database_is_clean(collected: Objects) -> None:
    snapshot = newest(collected)
    assert 0 < snapshot.horizon < snapshot.lsn
    assert buried(collected)
    assert packs(collected)
    found, report = checked(collected)
    assert found == []
    assert (report.lsn, report.newest_lsn) == (snapshot.lsn, snapshot.lsn)
    assert report.unreferenced == 0


def test_where_nothing_of_the_past_is_left_it_is_clean(bare: Objects) -> None:
    assert lsns(bare)[0] == 1  # the fence
    assert lsns(bare)[1] > 10
    assert packs(bare) == []
    found, report = checked(bare)
    assert found == []
    assert report.lsn == newest(bare).lsn


def rootless(objects: Objects) -> list[str]:
    """Parts whose own root is gone."""
    parts = [name for name in objects if "/part-" in name]
    return [name for name in parts if f"{name.rpartition('/')[0]}/root" not in objects]


def test_parts_of_a_checkpoint_whose_root_is_gone_are_used(
    collected: Objects, bare: Objects
) -> None:
    for objects in (collected, bare):
        (name,) = rootless(objects)  # both are clean with it: a later root names it
        assert name in told(without(objects, name))


def test_parts_that_a_crash_has_left_are_no_damage(packed: Objects) -> None:
    first = roots(packed)[0]
    left = without(packed, first)
    assert rootless(left)
    found, report = checked(left)
    assert {finding.severity for finding in found} <= {Severity.note}
    assert {finding.object.rpartition("/")[0] for finding in found} == {first.rpartition("/")[0]}
    assert report.lsn == newest(packed).lsn


def test_log_objects_beside_their_packs_are_fine(packed: Objects) -> None:
    """A collection was interrupted before it deleted them; or a fence came late."""
    name = packs(packed)[0]
    first, last = pack_lsns(name) or (0, 0)

    groups = read_pack(packed[name], name)
    assert first < last
    beside = {log_name(lsn): data for lsn, data in groups.items()}
    fence = {log_name(last): fence_at(groups[last], last)}
    assert checked({**packed, **beside, **fence})[0] == []


def test_a_pack_below_what_is_kept_is_fine(bare: Objects, packed: Objects) -> None:
    """A collection was interrupted before it deleted it."""
    assert told({**bare, packs(packed)[0]: packed[packs(packed)[0]]}) == []


def test_plans_that_have_not_ended_are_fine() -> None:
    """Some of what is planned is there, some is not."""

    class Failing(MemoryStore):
        left = 1 << 30

        async def delete(self, name: str) -> None:
            if name.startswith("data/"):
                self.left -= 1
                if self.left < 0:
                    raise ObjectMissing("no")
            await super().delete(name)

    store = Failing()

    async def test(db: Past) -> None:
        await busy(db)
        store.left = 1
        with pytest.raises(ObjectMissing):
            await db.vacuum_all()
        assert db.snapshot.planned
        store.left = 1 << 30

    collecting(test, store=store)
    objects = asyncio.run(copied(store))
    found, report = checked(objects)
    assert found == []
    assert report.unreferenced == 0


# --- damage ---------------------------------------------------------------------------------------


def test_a_log_object_that_is_missing_above_the_base(collected: Objects) -> None:
    base = max(lsn for lsn in map(checkpoint_lsn, roots(collected)) if lsn <= horizon(collected))
    above = [lsn for lsn in lsns(collected) if lsn > base]
    assert len(above) > 2
    for lsn in above[:-1]:
        assert told(without(collected, log_name(lsn))) == [log_name(lsn)]


def horizon(objects: Objects) -> int:
    return newest(objects).horizon


def test_below_the_base_nothing_is_missed(collected: Objects) -> None:
    """It serves only if the base is damaged."""
    base = max(lsn for lsn in map(checkpoint_lsn, roots(collected)) if lsn <= horizon(collected))
    below = [name for name in packs(collected) if (pack_lsns(name) or (0, 0))[1] <= base]
    assert below
    for name in below:
        assert told(without(collected, name)) == []


def test_a_missing_pack_above_the_base(packed: Objects) -> None:
    for name in packs(packed):
        first, last = pack_lsns(name) or (0, 0)
        found = told(without(packed, name))
        if first == 1:
            assert found in ([log_name(2)], [log_name(1)])
        else:
            assert found == [log_name(first)]
        assert last >= first


def test_a_damaged_pack_is_told_by_its_name(packed: Objects) -> None:
    for name in packs(packed):
        data = packed[name]
        for damaged in (data[:-1], b"rubbish", data[:40] + bytes([data[40] ^ 1]) + data[41:]):
            found = told({**packed, name: damaged})
            assert name in found
            assert not [other for other in found if pack_lsns(other) and other != name]


def test_a_renamed_pack_is_told(packed: Objects) -> None:
    one, other = packs(packed)[:2]
    assert one in told({**packed, one: packed[other]})


def test_a_file_that_earlier_versions_read_is_missing_or_damaged(collected: Objects) -> None:
    for name in buried(collected):
        found, _ = checked(without(collected, name))
        assert [(f.object, f.part) for f in found] == [(name, Part.data)]
        assert "earlier versions" in found[0].expected
        data = collected[name]
        assert told({**collected, name: data[:9] + bytes([data[9] ^ 1]) + data[10:]}) == [name]


def test_a_file_that_no_version_reads_may_be_missing(collected: Objects) -> None:
    """Its grave is not above the horizon: a pin holds it, and its reader may be gone."""
    raised = appended(collected, 0, catalogue=(c.MoveHorizon(lsn=newest(collected).lsn),))
    assert told(without(raised, *buried(collected))) == []


def test_files_of_tables_are_missed_as_ever(collected: Objects) -> None:
    for table in newest(collected).tables.values():
        for name in table.files.names:
            assert name in told(without(collected, name))


def test_the_newest_checkpoint_and_the_base_are_missed_if_damaged(collected: Objects) -> None:
    for name in (roots(collected)[-1], roots(collected)[1]):
        found: list[Finding] = checked({**collected, name: b"rubbish"})[0]
        assert name in {finding.object for finding in found}

        async def opened(damaged: str = name) -> int:
            store = await restored({**collected, damaged: b"rubbish"})
            return (await reader_of(store).open()).lsn

        assert asyncio.run(opened()) == newest(collected).lsn
