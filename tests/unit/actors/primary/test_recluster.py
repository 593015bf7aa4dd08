"""Files sorted together: the same rows, not overlapping, whatever is written meanwhile."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from decimal import Decimal
from typing import Any

import pytest

from actors.operations import WriteMode
from storage import compaction
from storage.compaction_plan import RewriteTask, tidy_task
from storage.compaction_policy import CompactionPolicy
from storage.errors import CorruptData
from storage.objects import MemoryStore
from storage.overlap import extents
from storage.schema import DecimalType, Kind, ScalarType, SqlType
from storage.snapshot.model import TableState
from tests.unit.actors.primary.keyed import COLUMNS, PRIMARY, UNIQUE, Keyed, keyed
from tests.unit.actors.primary.test_maintainer import until

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT
OFTEN = CompactionPolicy(depth_max=2, merge_rows_max=1_000)


def depth(table: TableState) -> int:
    return int(extents(table.files, table.sort_order).depths()[1].max())


def levels(table: TableState) -> list[int]:
    return list(table.files.table["level"].to_pylist())


async def with_overlaps(db: Keyed, seed: int, files: int = 5) -> None:
    """Files with random keys, of which many are written twice, and deleted rows."""
    rng = random.Random(f"overlaps {seed}")
    for turn in range(files):
        keys = rng.sample(range(400), 60)
        await db.write(UPSERT, *((k, k * 10 + turn, "a") for k in keys))
        await db.flush()
    await db.delete(*rng.sample(range(400), 30))


@pytest.mark.parametrize("small", [True, False])
def test_asked_for_no_file_overlaps(small: bool) -> None:
    """In memory, and divided on the disk: files of at most 20 rows."""

    async def test(db: Keyed) -> None:
        if small:
            _rows_max(db, 20)
        await with_overlaps(db, 1)
        before, was = await db.all(), len(db.table.files)
        assert depth(db.table) > 2
        assert await db.primary.recluster(db.table.id) == was
        assert (depth(db.table), set(levels(db.table))) == (1, {1})
        assert len(db.table.files) in (range(9, 20) if small else range(1, 2))
        assert db.table.bitmaps == {}
        assert await db.all() == before
        await db.check()
        assert await db.primary.recluster() == 0
        await db.write(UPSERT, *((k, k * 10 + 9, "b") for k in range(0, 400, 3)))
        await db.flush()
        before = await db.all()
        assert await db.primary.recluster() > 0
        assert (depth(db.table), await db.all()) == (1, before)
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def _rows_max(db: Keyed, count: int) -> None:
    """Files of the table have so many rows."""
    info = db.primary._maintainer.upkeep._info

    def small(table: TableState) -> Any:
        found = info(table)
        options = {**found.target.options, "micropartition_rows": count}
        return dataclasses.replace(found, target=dataclasses.replace(found.target, options=options))

    db.primary._maintainer.upkeep._info = small


def test_what_is_written_meanwhile_is_carried_over() -> None:
    async def test(db: Keyed) -> None:
        _rows_max(db, 20)
        await with_overlaps(db, 2)
        table, snapshot = db.table, db.snapshot
        task = tidy_task(CompactionPolicy(), table, 20, 0)
        assert task is not None
        keys = [row[0] for row in await db.all()]
        await db.delete(*keys[::3])
        await db.write(UPSERT, *((k, k * 10 + 8, "b") for k in keys[1::3]))
        before = await db.all()
        await db.primary._maintainer.upkeep.compact(table, task, snapshot)
        assert await db.all() == before
        await db.check()
        await db.flush()
        await db.primary.recluster()
        assert await db.all() == before
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_it_happens_by_itself_where_too_many_overlap() -> None:
    async def test(db: Keyed) -> None:
        await with_overlaps(db, 3, files=3)
        await until(lambda: depth(db.table) <= 2)
        assert 1 in levels(db.table)
        await until(lambda: db.primary.status()["compactions"] >= 1)
        await db.check()

    keyed(test, PRIMARY, compaction=OFTEN)


@pytest.mark.parametrize(
    "kind",
    [
        ScalarType(Kind.TEXT),
        ScalarType(Kind.UUID),
        ScalarType(Kind.DATE),
        ScalarType(Kind.DOUBLE),
        DecimalType(30, 4),
    ],
)
def test_by_other_columns_with_null(kind: SqlType) -> None:
    """CLUSTER BY a column that is no key, in which NULL comes last."""
    columns = {**COLUMNS, "c": kind}

    async def test(db: Keyed) -> None:
        _rows_max(db, 20)
        rng = random.Random(f"by {kind}")
        for turn in range(4):
            keys = range(turn * 40, turn * 40 + 40)
            await db.write(INSERT, *((k, k, "a", _value(rng, kind)) for k in keys))
            await db.flush()
        before = await db.all()
        assert depth(db.table) > 1
        assert await db.primary.recluster() == 8
        assert depth(db.table) == 1
        assert repr(await db.all()) == repr(before)
        await db.check()

    keyed(test, PRIMARY, columns=columns, cluster_by=("c", "k"))


def _value(rng: random.Random, kind: SqlType) -> Any:
    number = rng.randrange(60)
    if number < 12:
        return None
    match kind:
        case ScalarType(Kind.TEXT):
            return f"{number}" * 3
        case ScalarType(Kind.UUID):
            return bytes([number]) * 16
        case ScalarType(Kind.DATE):
            return dt.date(2000, 1, 1) + dt.timedelta(number)
        case ScalarType(Kind.DOUBLE):
            return float("nan") if number < 20 else number / 7
    return Decimal(number).scaleb(-2)


def test_a_damaged_file_is_named_and_the_others_are_sorted_without_it() -> None:
    async def test(db: Keyed) -> None:
        await with_overlaps(db, 4, files=2)
        rotten, name = db.table.files.ids[0], db.table.files.names[0]
        inner = db.store._inner
        assert isinstance(inner, MemoryStore)
        good = await inner.get(name)
        await inner.put(name, good[:-30] + bytes([good[-30] ^ 1]) + good[-29:])
        await with_overlaps(db, 5, files=4)
        await until(lambda: db.primary._maintainer.last_error is not None)
        error = db.primary._maintainer.last_error
        assert isinstance(error, CorruptData)
        assert name in str(error)
        await until(lambda: 1 in levels(db.table))
        assert rotten in db.table.files.ids
        await inner.put(name, good)
        before = await db.all()
        await db.primary.recluster()
        assert (await db.all(), depth(db.table)) == (before, 1)
        await db.check()

    keyed(test, PRIMARY, compaction=OFTEN)


def test_a_task_that_fails_leaves_everything_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(db: Keyed) -> None:
        await with_overlaps(db, 6)
        before, files = await db.all(), db.table.files.ids

        def full(self: Any, number: int) -> Any:
            raise OSError(28, "No space left on device")

        _rows_max(db, 20)
        monkeypatch.setattr(compaction._Work, "_range", full)
        with pytest.raises(OSError, match="No space"):
            await db.primary.recluster()
        assert (await db.all(), db.table.files.ids) == (before, files)
        monkeypatch.undo()
        await db.primary.recluster()
        assert (await db.all(), depth(db.table)) == (before, 1)
        await db.check()

    keyed(test, PRIMARY)


def test_in_z_order_level_0_is_sorted_together() -> None:
    async def test(db: Keyed) -> None:
        files = [(k, 400 - k, "a") for k in range(60)]
        await db.write(INSERT, *files)
        await db.flush()
        task = RewriteTask(kind="merge", file_ids=db.table.files.ids, level=1, partition=0)
        _rows_max(db, 20)
        await db.primary._maintainer.upkeep.compact(db.table, task, db.snapshot)
        assert len(db.table.files) == 4
        assert await db.all() == sorted(files, key=repr)
        await db.check()

    keyed(test, PRIMARY, cluster_by=("k", "u"))
