"""A group is merged before it is written: what it replaced is left out, small deltas join."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from actors.messages import Transaction
from actors.operations import TruncateTable, WriteMode
from actors.primary.merge import SMALL_ROWS
from storage.names import log_name
from tests.unit.actors.primary.keyed import (
    PRIMARY,
    UNIQUE,
    GatedStore,
    Keyed,
    keyed,
    other_table,
    turns,
)

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT


def many(first: int, count: int, v: str = "v") -> list[tuple[Any, ...]]:
    return [(k, k, v) for k in range(first, first + count)]


def test_rows_that_the_group_replaces_are_not_written() -> None:
    async def test(db: Keyed) -> None:
        await db.together(
            db.rows(INSERT, (1, 10, "a"), (2, 20, "b")),
            db.rows(UPSERT, (1, 10, "c"), (3, 30, "d")),
            db.deleting(2),
            db.rows(UPSERT, (3, 31, "e")),
        )
        (delta,) = db.table.deltas
        assert (delta.row_count, dict(db.table.bitmaps)) == (2, {})
        assert await db.all() == [(1, 10, "c"), (3, 31, "e")]
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_deletions_of_earlier_rows_stay_and_are_united() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"), (2, 20, "b"), (3, 30, "c"))
        await db.together(db.deleting(1), db.deleting(3), db.rows(UPSERT, (1, 11, "x"), (9, 9, "")))
        first, second = db.table.deltas
        assert sorted(db.table.bitmaps[first.id].bitmap) == [0, 2]
        assert second.row_count == 2
        assert await db.all() == [(1, 11, "x"), (2, 20, "b"), (9, 9, "")]
        await db.check()

    keyed(test, PRIMARY)


def test_group_that_undoes_itself_writes_no_delta() -> None:
    async def test(db: Keyed) -> None:
        await db.together(db.rows(INSERT, (1, 10, "a")), db.deleting(1))
        assert db.table.deltas == ()
        assert await db.write(INSERT, (1, 10, "a")) == 1
        await db.check()

    keyed(test, PRIMARY)


def test_small_deltas_join_and_large_ones_stay() -> None:
    async def test(db: Keyed) -> None:
        await db.together(
            db.rows(INSERT, *many(0, 10)),
            db.rows(INSERT, *many(10, 5)),
            db.rows(INSERT, *many(100, SMALL_ROWS)),
            db.rows(INSERT, *many(20_000, 1)),
            db.rows(INSERT, *many(20_001, SMALL_ROWS - 2)),
            db.rows(INSERT, *many(30_000, 1)),
            db.rows(INSERT, *many(40_000, 3)),
        )
        counts = [delta.row_count for delta in db.table.deltas]
        assert counts == [15, SMALL_ROWS, SMALL_ROWS, 3]
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_keys_with_null_keep_their_rows_when_deltas_join() -> None:
    async def test(db: Keyed) -> None:
        await db.together(
            db.rows(INSERT, (1, None, "a"), (2, 20, "b")),
            db.rows(INSERT, (3, 30, "c"), (4, None, "d")),
            db.deleting(3),
            db.rows(INSERT, (5, None, "e"), (6, 30, "f")),
        )
        (delta,) = db.table.deltas
        assert delta.row_count == 5
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_index_that_is_opened_while_the_group_is_open_agrees_with_it() -> None:
    """The group begins with another table, so the state before it has no index of this one."""
    store = GatedStore()

    async def test(db: Keyed) -> None:
        store.gate.clear()
        tasks = [asyncio.create_task(db.submit(other_table("one")))]  # in flight
        await turns()
        tasks.append(asyncio.create_task(db.submit(other_table("two"))))  # opens the next group
        for rows in ([(1, 10, "a")], [(1, 11, "b"), (2, 20, "c")]):
            tasks.append(asyncio.create_task(db.submit(db.rows(UPSERT, *rows))))
        await db.primary._sequencer.open_table(db.table)
        await turns()
        store.gate.set()
        *_, last, same = await asyncio.gather(*tasks)
        assert last.lsn == same.lsn
        (delta,) = db.table.deltas
        assert delta.row_count == 2
        await db.check()
        assert await db.write(UPSERT, (1, 12, "d")) == 1
        assert await db.all() == [(1, 12, "d"), (2, 20, "c")]

    keyed(test, PRIMARY, store=store)


def test_next_group_stands_on_the_merged_one_before_it_is_durable() -> None:
    store = GatedStore()

    async def test(db: Keyed) -> None:
        await db.write(INSERT, (0, 0, "z"))
        store.gate.clear()
        lsn = db.snapshot.lsn
        first = [asyncio.create_task(db.submit(db.rows(INSERT, (k, k, "a")))) for k in range(1, 5)]
        first.append(asyncio.create_task(db.submit(db.deleting(2))))
        await turns()
        second = [asyncio.create_task(db.submit(db.rows(UPSERT, (k, k, "b")))) for k in (2, 3, 4)]
        await turns()
        assert db.snapshot.lsn == lsn
        store.gate.set()
        receipts = await asyncio.gather(*first, *second)
        assert [r.lsn - lsn for r in receipts] == [1] * 5 + [2] * 3
        assert await db.all() == [(0, 0, "z"), (1, 1, "a"), (2, 2, "b"), (3, 3, "b"), (4, 4, "b")]
        await db.check()

    keyed(test, PRIMARY, store=store)


def test_group_with_a_structural_change_stays_as_it_is() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"))
        truncate = TruncateTable(table_id=db.table.id)
        await db.together(
            db.rows(UPSERT, (1, 11, "b"), (2, 20, "c")),
            truncate,
            db.rows(INSERT, (1, 12, "d")),
            db.rows(UPSERT, (1, 13, "e"), (3, 30, "f")),
        )
        assert [delta.row_count for delta in db.table.deltas] == [1, 2]
        assert await db.all() == [(1, 13, "e"), (3, 30, "f")]
        await db.check()

    keyed(test, PRIMARY)


def test_one_log_put_per_group_and_nothing_else() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *many(0, 100))
        before, lsn = len(db.store.requests), db.snapshot.lsn
        await db.together(
            *(db.rows(UPSERT, *many(k, 3, "w")) for k in range(50)),
            *(db.deleting(k) for k in range(60, 90)),
        )
        assert db.store.requests[before:] == [("create", log_name(lsn + 1))]
        await db.check()

    keyed(test, PRIMARY)


def test_tables_without_keys_join_their_deltas_too() -> None:
    async def test(db: Keyed) -> None:
        append = Transaction(operations=(db.rows(INSERT, (1, 1, "a")),))
        await asyncio.gather(*(db.primary.submit(append) for _ in range(7)))
        (delta,) = db.table.deltas
        assert delta.row_count == 7

    keyed(test)


@pytest.mark.parametrize("seed", range(6))
def test_any_groups_come_to_what_a_dictionary_says(seed: int) -> None:
    rng = random.Random(seed)
    model: dict[int, tuple[Any, ...]] = {}

    def one(db: Keyed) -> tuple[Any, list[tuple[Any, ...]], WriteMode]:
        mode = rng.choice(list(WriteMode))
        chosen = rng.sample(range(20), rng.randint(1, 6))
        rows = [(k, None, f"{rng.random()}") for k in chosen]
        made = db.deleting(*chosen) if mode is WriteMode.DELETE else db.rows(mode, *rows)
        return made, rows, mode

    def expected(rows: list[tuple[Any, ...]], mode: WriteMode) -> int | None:
        there = [row for row in rows if row[0] in model]
        if mode is WriteMode.INSERT and there:
            return None
        absent = [row for row in rows if row[0] not in model]
        if mode is WriteMode.DELETE:
            for row in there:
                del model[row[0]]
            return len(there)
        written = {WriteMode.UPDATE: there, WriteMode.UPSERT: rows}.get(mode, absent)
        model.update({row[0]: row for row in written})
        return len(written)

    async def test(db: Keyed) -> None:
        await db.delete(0)  # opens the index
        for _ in range(12):
            group = [one(db) for _ in range(rng.randint(1, 7))]
            found = await db.together(*(made for made, _, _ in group))
            for receipt, (_, rows, mode) in zip(found, group, strict=True):
                count = expected(rows, mode)
                assert count == (None if isinstance(receipt, Exception) else receipt.row_counts[0])
            if rng.random() < 0.3:
                await db.flush()
            assert await db.all() == sorted(model.values(), key=repr)
            await db.check()

    keyed(test, PRIMARY, UNIQUE)
