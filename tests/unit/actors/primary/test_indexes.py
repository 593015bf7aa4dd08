"""Indexes: opened from runs and deltas alone, made anew when lost, merged into few runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pyarrow as pa
import pytest

from actors.messages import Transaction
from actors.operations import ExchangeRuns, NewKey, WriteMode
from actors.primary.limits import KeyedLimits
from actors.write import rows_operation
from storage.errors import Unavailable
from storage.flush_policy import FlushPolicy
from storage.primary_key import Run, TableIndex
from storage.primary_key.arena import Arena
from storage.primary_key.plan import RUNS_MAX
from storage.schema import arrow_schema
from storage.snapshot.model import Receipt, TableState
from tests.unit.actors.primary.keyed import (
    NOT_BY_ITSELF,
    PRIMARY,
    UNIQUE,
    GatedStore,
    Keyed,
    keyed,
    start,
    turns,
)
from tests.unit.actors.primary.test_maintainer import until
from tests.unit.actors.primary.test_side_by_side import divided, of

INSERT, UPSERT, IGNORE = WriteMode.INSERT, WriteMode.UPSERT, WriteMode.IGNORE
NEVER = KeyedLimits(flush=FlushPolicy(deltas_max=1 << 30), compaction=NOT_BY_ITSELF)


async def filled(db: Keyed) -> None:
    await db.write(INSERT, *((k, k * 10, "a") for k in range(20)))
    await db.flush()
    await db.write(UPSERT, *((k, k * 10 + 1, "b") for k in range(10, 30)))
    await db.flush()
    await db.write(UPSERT, (0, 2, "c"), (50, None, "c"))
    await db.delete(5)


def test_opening_fetches_runs_and_no_data() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        runs = sorted(run.name for run in db.table.index_runs)
        assert len(runs) == 4
        before = len(db.store.requests)
        await db.opened(db.table)
        assert sorted(db.store.requests[before:]) == [("fetch", name) for name in runs]

    keyed(test, PRIMARY, UNIQUE)


def test_first_write_after_a_restart_opens_the_index_once() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        runs = sorted(run.name for run in db.table.index_runs)
        await db.primary.close()
        again = await start(db.store, NEVER)
        before = len(db.store.requests)
        receipts = await again.together(
            again.rows(UPSERT, (1, 10, "d")), again.rows(UPSERT, (2, 20, "d")), again.deleting(3)
        )
        assert [r.row_counts for r in receipts] == [(1,), (1,), (1,)]
        asked = db.store.requests[before:]
        assert sorted(name for method, name in asked if method == "fetch") == runs
        assert [method for method, _ in asked if method != "fetch"] == ["create"]
        await again.check()
        await again.primary.close()

    keyed(test, PRIMARY, UNIQUE)


@pytest.mark.parametrize("damage", ["lost", "cut", "changed", "of another"])
def test_lost_and_damaged_runs_are_made_anew_and_published(damage: str) -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        runs = db.table.index_runs
        name = runs[1].name
        inner = db.store._inner
        data = await inner.get(name)
        await inner.delete(name)
        if damage != "lost":
            broken = {
                "cut": data[: len(data) // 2],
                "changed": data[:-3] + bytes([data[-3] ^ 1]) + data[-2:],
                "of another": await inner.get(runs[0].name),
            }[damage]
            await inner.put(name, broken)
        await db.primary.close()
        again = await start(db.store, NEVER)
        assert await again.write(UPSERT, (5, 50, "e"), (12, 5, "e")) == 2
        await again.settled()
        now = again.table.index_runs
        assert not {run.name for run in now} & {run.name for run in runs}
        assert len(now) == 2
        await again.check()
        for run in now:
            await db.store.get(run.name)
        await again.primary.close()

    keyed(test, PRIMARY, UNIQUE)


def test_merges_keep_few_runs() -> None:
    async def test(db: Keyed) -> None:
        for turn in range(24):
            size = 40 if turn % 5 == 0 else 3
            await db.write(UPSERT, *((turn * 7 + k, turn * 1000 + k, "a") for k in range(size)))
            await db.flush()
            await db.settled()
            for key in db.table.keys:
                mine = [run for run in db.table.index_runs if run.key_id == key.id]
                assert len(mine) <= RUNS_MAX
        assert len(db.table.files) == 24
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_merge_of_a_load_that_is_not_durable_yet() -> None:
    """Its run has keys of rows that the load leaves out, and that are not there."""
    store = GatedStore()

    async def test(db: Keyed) -> None:
        async with db.primary._maintainer.without_merges(db.table.id):  # by itself
            for turn in range(4):
                await db.write(INSERT, *((turn * 10 + k, turn * 10 + k, "a") for k in range(5)))
                await db.primary._maintainer.upkeep.flush(db.table, db.snapshot)
            load = await db.files(IGNORE, [(k, 100 + k, "b") for k in (0, 11, 22, 33, 44)])
            store.gate.clear()
            loading = asyncio.create_task(db.submit(load))
            while len(db.index.keys[1].runs) < 5:
                await turns()
            merging = asyncio.create_task(db.primary._maintainer.upkeep.merge(db.table.id, 1))
            await turns()
            store.gate.set()
            assert await merging
            assert (await loading).row_counts == (1,)
        await db.check()
        assert len(await db.all()) == 21

    keyed(test, PRIMARY, store=store)


def test_merge_while_others_write() -> None:
    async def test(db: Keyed) -> None:
        async with db.primary._maintainer.without_merges(db.table.id):  # by itself
            await merged_meanwhile(db)
        await db.check()
        assert len(await db.all()) == 19

    async def merged_meanwhile(db: Keyed) -> None:
        for turn in range(4):
            await db.write(INSERT, *((turn * 10 + k, turn * 10 + k, "a") for k in range(5)))
            await db.primary._maintainer.upkeep.flush(db.table, db.snapshot)
        merged = db.primary._indexes.merged

        async def slow(*args: object) -> object:
            made = await merged(*args)  # type: ignore[arg-type]
            await db.write(UPSERT, (0, 99, "b"))
            await db.delete(31)
            await db.flush()
            return made

        db.primary._indexes.merged = slow  # type: ignore[method-assign,assignment]
        assert await db.primary._maintainer.upkeep.merge(db.table.id, db.table.keys[0].id)
        db.primary._indexes.merged = merged  # type: ignore[method-assign]

    keyed(test, PRIMARY)


def test_runs_made_anew_are_published_also_if_the_store_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The open index has runs that the catalogue lacks until then; they are left in peace."""

    async def test(db: Keyed) -> None:
        await filled(db)
        runs = db.table.index_runs
        await db.store._inner.delete(runs[0].name)
        await db.primary.close()
        again = await start(db.store, NEVER)
        sequencer, away = again.primary._sequencer, True
        submit = sequencer.submit

        async def sometimes(transaction: Transaction) -> Receipt:
            if away and isinstance(transaction.operations[0], ExchangeRuns):
                raise Unavailable("the store is away")
            return await submit(transaction)

        monkeypatch.setattr(sequencer, "submit", sometimes)
        await again.write(UPSERT, (5, 50, "e"))
        for _ in range(3):
            await until(lambda: again.primary._maintainer.last_error)
            again.clock.move(1_000)
            await turns()
        assert {run.name for run in again.table.index_runs} == {run.name for run in runs}
        await again.delete(*range(60))  # so that no row of the runs is left
        for key in again.table.keys:
            assert not await again.primary._maintainer.upkeep.merge(again.table.id, key.id)
        away = False
        again.clock.move(1_000)
        await turns()
        await again.settled()
        assert not {run.name for run in again.table.index_runs} & {run.name for run in runs}
        await again.check()
        await again.primary.close()

    keyed(test, PRIMARY, UNIQUE)


def test_runs_of_many_partitions_lie_side_by_side_and_merge_in_one_commit() -> None:
    async def test(db: Keyed) -> None:
        await divided(db, "parts", 24, NewKey(name="key", columns=("n",), primary=True))

        def table() -> TableState:
            return of(db, "parts")

        def runs(index: TableIndex) -> dict[str, Run]:
            (own,) = index.keys.values()
            return {placed.run.name: placed.run for placed in own.runs}

        def index() -> TableIndex:
            return db.primary._sequencer.state.indexes[table().id]

        def arena(found: Iterable[Run]) -> Arena:
            (one,) = {run.arena for run in found}
            assert one is not None
            return one

        async def write(mode: WriteMode, numbers: range) -> int:
            rows = pa.table({"n": list(numbers)}, arrow_schema(table().columns))
            operation = rows_operation(db.primary.table("public", "parts"), rows, mode)
            return sum((await db.submit(operation)).row_counts)

        arenas = set()
        for first in range(0, 400, 100):
            await write(INSERT, range(first, first + 100))
            lsn, known = db.snapshot.lsn, runs(index())
            await db.primary._maintainer.upkeep.flush(table(), db.snapshot)
            if first < 300:
                arenas.add(arena(r for name, r in runs(index()).items() if name not in known))
            assert await write(IGNORE, range(first + 100)) == 0
        await db.settled()
        assert len(arenas) == 3
        assert db.snapshot.lsn == lsn + 3  # the flush, a write, and all merges
        others = {run.arena for run in runs(index()).values()} - arenas
        assert None not in others
        assert len(others) == 2  # runs of the last flush, and merged ones of other partitions
        arena(runs(await db.opened(table())).values())
        assert await write(IGNORE, range(401)) == 1

    keyed(test, PRIMARY)


def test_runs_of_few_partitions_stay_by_themselves() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        (own,) = db.index.keys.values()
        assert [placed.run.arena for placed in own.runs] == [None, None]

    keyed(test, PRIMARY)
