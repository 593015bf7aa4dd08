"""Maintenance of tables side by side: what waits for what, and what never does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pyarrow as pa

from actors.operations import NewColumn, NewKey, NewPartitioning, NewTable, WriteMode
from actors.write import rows_operation
from storage.compaction_policy import CompactionPolicy
from storage.errors import Unavailable
from storage.flush_policy import FlushPolicy
from storage.partitions.scheme import Partition
from storage.rewriting import Rewriting
from storage.snapshot.model import TableState
from tests.unit.actors.primary.keyed import (
    INTEGER,
    NOT_BY_ITSELF,
    PRIMARY,
    UNIQUE,
    Keyed,
    keyed,
    turns,
)
from tests.unit.actors.primary.test_maintainer import until

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT
HALF = CompactionPolicy(holes_max=0.5, depth_max=1 << 30, small_files_max=1 << 30)
THREE = FlushPolicy(deltas_max=3, full=2)


class Gate:
    """Rewriting waits at its end until it is let through; `running` is what waits."""

    def __init__(self, db: Keyed, *kinds: str) -> None:
        self.began: list[str] = []
        self.running: list[str] = []
        self.most = 0
        self.open = asyncio.Event()
        self._kinds = kinds
        self._rewriter = db.primary._maintainer.upkeep.rewriter
        self._rewrite = self._rewriter.rewrite

    async def _gated(self, work: Rewriting, progress: Any) -> Any:
        self.began.append(work.table.name)
        done = await self._rewrite(work, progress)
        if work.kind in self._kinds:
            self.running.append(f"{work.kind} {work.table.name}")
            self.most = max(self.most, len(self.running))
            await self.open.wait()
            self.running.remove(f"{work.kind} {work.table.name}")
        return done

    @asynccontextmanager
    async def there(self) -> AsyncIterator[Gate]:
        self._rewriter.rewrite = self._gated  # type: ignore[method-assign]
        try:
            yield self
        finally:
            self.open.set()


async def more_tables(db: Keyed, *names: str) -> None:
    for name in names:
        await db.create(columns={"n": db.table.columns[0].type}, name=name)


async def fill(db: Keyed, name: str, *numbers: int) -> None:
    info = db.primary.table("public", name)
    rows = pa.table({"n": pa.array(numbers, pa.int64())})
    await db.submit(rows_operation(info, rows, INSERT, None))


def test_a_flush_does_not_wait_for_a_compaction_of_its_table() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *((k, k * 10, "a") for k in range(20)))
        await db.primary.flush()
        (file,) = db.table.files.ids
        async with Gate(db, "compact").there() as gate:
            await db.delete(*range(12))
            await until(lambda: gate.running)
            for k in range(20, 32):  # more than there is room for without a flush
                await db.write(UPSERT, (k, k * 10, "b"), (k - 8, k * 10 + 1, "c"))
            await until(lambda: len(db.table.deltas) < 3)
            assert file in db.table.files.ids
            before = await db.all()
        await db.settled()
        assert file not in db.table.files.ids
        assert await db.all() == before
        await db.check()
        assert db.primary.maintenance.counts["compact"] >= 1

    keyed(test, PRIMARY, UNIQUE, flush=THREE, compaction=HALF)


def test_runs_are_merged_while_files_are_rewritten() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *((k, k * 10, "a") for k in range(20)))
        await db.primary.flush()
        async with Gate(db, "compact").there() as gate:
            await db.delete(*range(12))
            await until(lambda: gate.running)
            runs: set[str] = {run.name for run in db.table.index_runs}
            for turn in range(3, 9):
                await db.write(UPSERT, *((turn * 5 + k, turn * 50 + k, "b") for k in range(8)))
                await db.primary.flush()
                runs |= {run.name for run in db.table.index_runs}
            await until(lambda: runs - {run.name for run in db.table.index_runs})
            assert gate.running
            before = await db.all()
        await db.settled()
        assert await db.all() == before
        await db.check()

    keyed(test, PRIMARY, UNIQUE, compaction=HALF)


def test_tables_are_flushed_side_by_side_two_at_a_time() -> None:
    async def test(db: Keyed) -> None:
        await more_tables(db, "a", "b", "c", "d")
        async with Gate(db, "flush").there() as gate:
            for name in "abcd":
                for number in range(3):
                    await fill(db, name, number)
            await until(lambda: len(gate.running) == 2)
            await turns(100)
            assert gate.most == 2
        await db.settled()
        assert not any(table.deltas for table in db.snapshot.tables.values())
        assert db.primary.maintenance.counts["flush"] == 4

    keyed(test, PRIMARY, flush=FlushPolicy(deltas_max=3, full=100), compaction=NOT_BY_ITSELF)


def test_the_fullest_table_is_flushed_first() -> None:
    async def test(db: Keyed) -> None:
        await more_tables(db, "a", "b", "c", "d")
        async with Gate(db, "flush").there() as gate:
            for name in "ab":
                for number in range(3):
                    await fill(db, name, number)
            await until(lambda: len(gate.running) == 2)
            for number in range(4):
                await fill(db, "c", number)
            for number in range(6):
                await fill(db, "d", number)
        await db.settled()
        assert gate.began[2:] == ["d", "c"]

    keyed(test, PRIMARY, flush=FlushPolicy(deltas_max=3, full=100), compaction=NOT_BY_ITSELF)


def test_a_table_that_fails_holds_no_other_up() -> None:
    async def test(db: Keyed) -> None:
        await more_tables(db, "a", "b")
        upkeep = db.primary._maintainer.upkeep
        flush = upkeep.flush

        async def failing(table: Any, snapshot: Any) -> None:
            if table.name == "a":
                raise Unavailable("no flush of a")
            await flush(table, snapshot)

        upkeep.flush = failing  # type: ignore[method-assign]
        for name in "ab":
            for number in range(3):
                await fill(db, name, number)
        await db.settled()
        left = {table.name for table in db.snapshot.tables.values() if table.deltas}
        assert left == {"a"}
        assert "no flush of a" in str(db.primary._maintainer.last_error)
        upkeep.flush = flush  # type: ignore[method-assign]
        await turns(100)
        assert db.primary._maintainer.last_error is not None  # it rests
        db.clock.move(1_000)
        await until(lambda: db.primary._maintainer.last_error is None)
        await db.settled()
        assert not any(table.deltas for table in db.snapshot.tables.values())

    keyed(test, PRIMARY, flush=FlushPolicy(deltas_max=3, full=100), compaction=NOT_BY_ITSELF)


def test_partitions_of_a_table_are_compacted_side_by_side() -> None:
    async def test(db: Keyed) -> None:
        await divided(db, "d", 3)
        async with Gate(db, "compact").there() as gate:
            for _ in range(2):
                await fill(db, "d", *range(50))
                await db.primary.flush()
            await until(lambda: len(gate.running) == 2)
            await turns(100)
            assert gate.most == 2
            assert len(of(db, "d").files) == 6
        await db.settled()
        assert sorted(of(db, "d").files.partitions.tolist()) == [1, 2, 3]
        assert db.primary.maintenance.counts["compact"] == 3

    two_are_one = CompactionPolicy(holes_max=2.0, small_files_max=2)
    keyed(test, PRIMARY, compaction=two_are_one)


def test_what_is_asked_for_is_done_in_several_partitions_at_a_time() -> None:
    async def test(db: Keyed) -> None:
        await divided(db, "d", 3, NewKey(name="d_pkey", columns=("n",), primary=True))
        for _ in range(2):
            info = db.primary.table("public", "d")
            rows = pa.table({"n": pa.array(range(50), pa.int64())})
            await db.submit(rows_operation(info, rows, UPSERT, None))
            await db.primary.flush()
        async with Gate(db, "compact").there() as gate:
            asked = asyncio.create_task(db.primary.compact())
            await until(lambda: len(gate.running) == 2)
            await turns(100)
            assert gate.most == 2
        assert await asked == 3
        assert of(db, "d").row_count == of(db, "d").stored_row_count == 50
        assert await db.primary.compact() == 0

    keyed(test, PRIMARY, compaction=NOT_BY_ITSELF)


async def divided(db: Keyed, name: str, count: int, *keys: NewKey) -> None:
    """A table of one column by its hash."""
    parts = tuple(Partition(id=0, name=f"p{number}") for number in range(count))
    table = NewTable(
        schema="public",
        name=name,
        columns=(NewColumn(name="n", type=INTEGER),),
        keys=keys,
        partitioning=NewPartitioning(kind="hash", columns=("n",), parts=parts),
    )
    await db.submit(table)


def of(db: Keyed, name: str) -> TableState:
    found = db.snapshot.find_table(name)
    assert found is not None
    return found


def test_what_is_asked_for_waits_for_what_is_under_way() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *((k, k * 10, "a") for k in range(20)))
        async with Gate(db, "flush").there() as gate:
            first = asyncio.create_task(db.primary.flush())
            await until(lambda: gate.running)
            await db.delete(1)
            asked = [
                asyncio.create_task(db.primary.compact()),
                asyncio.create_task(db.primary.flush()),
            ]
            await turns(100)
            assert not any(task.done() for task in asked)
        assert await first == 1
        assert await asked[0] == 1  # the row that was deleted while it was flushed
        assert await asked[1] == 0
        assert (db.table.deltas, dict(db.table.bitmaps)) == ((), {})
        await db.check()

    keyed(test, PRIMARY)
