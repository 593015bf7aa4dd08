"""Indexes made anew while others write: lost, damaged, wrong; and what comes in between."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import xxhash

from actors.messages import Transaction
from actors.operations import DropTable, ExchangeRuns, TruncateTable, WriteMode
from actors.primary.indexes import Exchanged
from actors.primary.limits import KeyedLimits
from storage import index_rebuild
from storage.errors import CorruptData
from storage.flush_policy import FlushPolicy
from storage.format import DatabaseFormat
from storage.index_rebuild import run_of_file, run_of_files
from storage.micropartition import writer
from storage.names import FORMAT
from storage.objects import MemoryStore
from storage.primary_key import Keys, LiveIds, LiveRows, locations_in, open_run, write_run
from storage.scrub import Finding, Part, scrub
from storage.snapshot.model import TableState
from tests.unit.actors.primary.keyed import (
    NOT_BY_ITSELF,
    PRIMARY,
    UNIQUE,
    Keyed,
    keyed,
    other_table,
    start,
    turns,
)
from tests.unit.storage.log.reigns import DATABASE

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT
LIMITS = KeyedLimits(flush=FlushPolicy(deltas_max=1 << 30), compaction=NOT_BY_ITSELF)


async def filled(db: Keyed) -> None:
    """Two runs of each key, deleted rows, and deltas."""
    await db.write(INSERT, *((k, k * 10, "a") for k in range(20)))
    await db.flush()
    await db.write(UPSERT, *((k, k * 10 + 1, "b") for k in range(10, 30)))
    await db.flush()
    await db.write(UPSERT, (0, 2, "c"), (50, None, "c"))
    await db.delete(5)


async def found_in(db: Keyed) -> list[Finding]:
    """What a check finds."""
    inner = db.store._inner
    assert isinstance(inner, MemoryStore)
    await inner.put(FORMAT, msgspec.json.encode(DatabaseFormat.of(DATABASE)))
    found: list[Finding] = []
    await scrub(inner, on_finding=found.append)
    return found


async def made_wrong(db: Keyed) -> None:
    """The first run of the primary key leads each key to a neighbour's row, all checksums right;
    it is in the open index as well."""
    table = db.table
    run = next(run for run in table.index_runs if run.key_id == table.keys[0].id)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "old"
        await db.store.fetch(run.name, path)
        entries = open_run(path).entries
        wrong = Path(directory) / "wrong"
        written = write_run(wrong, entries.keys(), entries.rows[:, -1] ^ np.uint64(1))
        name = f"index/main-1-wrong{db.snapshot.lsn}.run"
        await db.store.put(name, wrong.read_bytes())
        made = msgspec.structs.replace(
            run, name=name, checksum=written.checksum, size_bytes=written.size_bytes
        )
        opened = open_run(wrong, name, first_file_id=run.first_file_id)
    await db.submit(
        ExchangeRuns(table_id=table.id, key_id=run.key_id, gone=(run.name,), made=(made, opened))
    )


def test_a_wrong_index_is_found_and_repaired() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        await made_wrong(db)
        assert {f.part for f in await found_in(db)} == {Part.index}
        with pytest.raises(AssertionError):
            await db.check()
        assert await db.primary.repair_index(db.table.id) == 2
        assert not await found_in(db)
        await db.check()
        assert await db.write(UPSERT, *((k, k * 10 + 2, "d") for k in range(60))) == 60
        assert len(await db.all()) == 60
        await db.check()
        assert not await found_in(db)

    keyed(test, PRIMARY, UNIQUE)


def test_a_wrong_index_that_a_primary_opens_is_repaired() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        await made_wrong(db)
        await db.primary.close()
        again = await start(db.store, LIMITS)
        assert await again.primary.repair_index() == 2
        await again.check()
        assert not await found_in(again)
        await again.primary.close()

    keyed(test, PRIMARY, UNIQUE)


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("damage", ["lost", "rubbish"])
def test_lost_and_damaged_runs_are_repaired(damage: str, opened: bool) -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        before = {run.name for run in db.table.index_runs}
        inner = db.store._inner
        for name in sorted(before)[:2]:
            await inner.delete(name)
            if damage == "rubbish":
                await inner.put(name, b"rubbish")
        assert {f.part for f in await found_in(db)} == {Part.index}
        working = db
        if not opened:
            await db.primary.close()
            working = await start(db.store, LIMITS)
        assert await working.primary.repair_index(working.table.id) == 2
        assert not before & {run.name for run in working.table.index_runs}
        assert not await found_in(working)
        assert await working.write(UPSERT, (3, 3, "e")) == 1
        await working.check()
        assert working.primary._indexes.rebuilt == {}
        if not opened:
            await working.primary.close()

    keyed(test, PRIMARY, UNIQUE)


def test_tables_without_keys_and_unknown_ones_have_no_index() -> None:
    async def test(db: Keyed) -> None:
        await db.submit(other_table("plain"))
        before = db.snapshot.lsn
        plain = db.snapshot.find_table("plain")
        assert plain is not None
        assert await db.primary.repair_index(plain.id) == 0
        assert await db.primary.repair_index(999) == 0
        assert await db.primary.repair_index() == 0  # `t` has no runs yet
        assert db.snapshot.lsn == before

    keyed(test, PRIMARY)


def meanwhile(db: Keyed, work: Callable[[], Awaitable[object]]) -> None:
    """Once, between the reading of the files and the commit."""
    made_anew = db.primary._indexes.made_anew

    async def slow(table: TableState) -> Exchanged:
        made = await made_anew(table)
        db.primary._indexes.made_anew = made_anew  # type: ignore[method-assign]
        await work()
        return made

    db.primary._indexes.made_anew = slow  # type: ignore[method-assign]


def test_writers_and_flushes_go_on() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)

        async def work() -> None:
            await db.write(UPSERT, *((k, k * 10 + 3, "m") for k in range(8, 14)))
            await db.delete(20, 50)
            await db.primary.flush()
            await db.submit(await db.files(INSERT, [(90, 900, "f")], [(91, 910, "f")]))
            await db.write(UPSERT, (90, 901, "g"))
            await db.delete(12)

        meanwhile(db, work)
        assert await db.primary.repair_index(db.table.id) == 2
        # the new one of each key, the flush's and the load's
        assert len(db.table.index_runs) == 6
        await db.check()
        assert not await found_in(db)

    keyed(test, PRIMARY, UNIQUE)


def test_runs_are_not_merged_meanwhile_but_afterwards() -> None:
    async def test(db: Keyed) -> None:
        for turn in range(3):
            await db.write(INSERT, *((turn * 10 + k, turn * 10 + k, "a") for k in range(5)))
            await db.flush()
        runs = {run.name for run in db.table.index_runs}

        async def work() -> None:
            await db.write(INSERT, *((50 + k, 50 + k, "a") for k in range(5)))
            await db.flush()
            index = db.primary._sequencer.state.indexes[db.table.id]
            assert index.keys[1].due_merges()
            await turns()
            assert runs <= {run.name for run in db.table.index_runs}

        meanwhile(db, work)
        assert await db.primary.repair_index(db.table.id) == 1
        assert not runs & {run.name for run in db.table.index_runs}
        await db.check()
        for turn in range(6, 12):
            await db.write(INSERT, *((turn * 10 + k, turn * 10 + k, "a") for k in range(5)))
            await db.flush()
        await db.settled()
        assert len(db.table.index_runs) < 2 + 6  # those of the repair and since
        await db.check()

    keyed(test, PRIMARY)


def test_a_table_that_is_truncated_meanwhile() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)

        async def work() -> None:
            await db.submit(TruncateTable(table_id=db.table.id))
            await db.write(INSERT, (1, 1, "new"))
            await db.flush()

        meanwhile(db, work)
        assert await db.primary.repair_index(db.table.id) == 2
        assert await db.all() == [(1, 1, "new")]
        await db.check()
        assert not await found_in(db)

    keyed(test, PRIMARY, UNIQUE)


def test_a_table_that_is_dropped_meanwhile() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        number = db.table.id
        meanwhile(db, lambda: db.submit(DropTable(schema="public", name="t")))
        assert await db.primary.repair_index(number) == 0
        assert not await found_in(db)

    keyed(test, PRIMARY, UNIQUE)


def test_two_repairs_at_once() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        found = await asyncio.gather(db.primary.repair_index(), db.primary.repair_index())
        assert found == [2, 2]
        assert len(db.table.index_runs) == 2
        assert not db.primary._maintainer._lanes.busy()
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_a_file_that_is_lost_is_named() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        (name, *_) = db.table.files.names
        await db.store._inner.delete(name)
        with pytest.raises(CorruptData, match=name):
            await db.primary.repair_index(db.table.id)
        assert not db.primary._maintainer._lanes.busy()
        assert await db.write(UPSERT, (77, 77, "x")) == 1  # the index is as it was

    keyed(test, PRIMARY, UNIQUE)


def test_a_key_that_a_file_has_twice_is_named(tmp_path: Path) -> None:
    async def test(db: Keyed) -> None:
        rows = db.frame([(1, 1, "a"), (2, 2, "b"), (1, 3, "c")])
        writer.write(rows, db.table.schema, "data/x", tmp_path / "f")
        columns = db.table.key_columns(db.table.keys[0])
        with pytest.raises(CorruptData, match=r"data/x: rows 0 and 2 have the same key \(k\)"):
            run_of_file(tmp_path / "f", "data/x", 1, columns, tmp_path / "run")

    keyed(test, PRIMARY)


@pytest.mark.parametrize("count", [1, 3, 4, 10, 11])
def test_few_runs_are_open_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(index_rebuild, "OPEN_MAX", 3)
    most: list[int] = []
    merge = index_rebuild.merge_runs

    def counted(runs: list[object], *rest: object) -> object:
        most.append(len(runs))
        return merge(runs, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(index_rebuild, "merge_runs", counted)
    parts, expected = [], {}
    for number in range(count):
        words = np.arange(number * 5, number * 5 + 5, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        at = locations_in(number, np.arange(5))
        expected |= dict(zip(words.tolist(), at.tolist(), strict=True))
        parts.append(tmp_path / f"p{number}")
        write_run(parts[-1], Keys(words), at)
    target = tmp_path / "merged"
    written = run_of_files(parts, target, LiveRows(LiveIds.of(range(count))))
    assert max(most) <= 3
    assert written.key_count == count * 5
    entries = open_run(target).entries
    assert dict(entries.rows.tolist()) == expected
    assert written.checksum == xxhash.xxh3_128_hexdigest(target.read_bytes())
    assert list(tmp_path.iterdir()) == [target]


def test_repair_goes_through_the_log_like_all_else() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        before = db.snapshot.lsn
        repairing = asyncio.create_task(db.primary.repair_index())
        await db.primary.submit(Transaction(operations=(db.rows(UPSERT, (1, 5, "w")),)))
        assert await repairing == 2
        assert db.snapshot.lsn >= before + 2
        await db.check()

    keyed(test, PRIMARY, UNIQUE)
