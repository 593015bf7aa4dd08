"""Large writes: files with their keys, compared with the table's and with each other's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from actors.messages import Transaction
from actors.operations import AppendFiles, DropTable, WriteMode
from storage.errors import Conflict, InvalidRequest
from tests.unit.actors.primary.keyed import PRIMARY, UNIQUE, GatedStore, Keyed, keyed, turns

INSERT, IGNORE, UPSERT, UPDATE = (
    WriteMode.INSERT,
    WriteMode.IGNORE,
    WriteMode.UPSERT,
    WriteMode.UPDATE,
)
Rows = Sequence[tuple[Any, ...]]
THERE = [(1, 10, "a"), (2, 20, "a")]
FILES = ([(2, 21, "b"), (3, 30, "b")], [(4, 40, "b")])


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize(
    ("mode", "count", "rows"),
    [
        (IGNORE, 2, [*THERE, (3, 30, "b"), (4, 40, "b")]),
        (UPSERT, 3, [THERE[0], *FILES[0], *FILES[1]]),
        (UPDATE, 1, [THERE[0], (2, 21, "b")]),
    ],
)
def test_modes(mode: WriteMode, count: int, rows: Rows, flushed: bool) -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *THERE)
        if flushed:
            await db.flush()
        receipt = await db.submit(await db.files(mode, *FILES))
        assert receipt.row_counts == (count,)
        assert await db.all() == rows
        await db.check()
        assert await db.write(UPSERT, (4, 41, "c"), (2, 22, "c")) == 2
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


@pytest.mark.parametrize("mode", [INSERT, IGNORE, UPSERT, UPDATE])
def test_into_an_empty_table(mode: WriteMode) -> None:
    async def test(db: Keyed) -> None:
        count = 0 if mode is UPDATE else 3
        assert (await db.submit(await db.files(mode, *FILES))).row_counts == (count,)
        assert len(await db.all()) == count
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


@pytest.mark.parametrize(
    ("slices", "text"),
    [
        (
            [[(5, 50, ""), (6, 60, "")], [(7, 70, ""), (5, 51, "")]],
            '"t_pkey" of table t: Key (k)=(5) is given twice',
        ),
        ([[(5, 50, "")], [(6, 50, "")]], '"t_u_key" of table t: Key (u)=(50) is given twice'),
        (
            [[(5, 50, "")], [(6, 60, ""), (2, 9, "")]],
            '"t_pkey" of table t: Key (k)=(2) already exists',
        ),
        ([[(5, 50, ""), (6, 20, "")]], '"t_u_key" of table t: Key (u)=(20) already exists'),
    ],
)  # fmt: skip
def test_keys_twice_in_the_files_and_in_the_table(slices: list[Rows], text: str) -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *THERE)
        lsn = db.snapshot.lsn
        with pytest.raises(InvalidRequest) as caught:
            await db.submit(await db.files(INSERT, *slices))
        assert caught.value.sqlstate == "23505"
        assert text in str(caught.value)
        assert (db.snapshot.lsn, await db.all()) == (lsn, THERE)

    keyed(test, PRIMARY, UNIQUE)


def test_nulls_are_no_keys() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, None, "a"))
        await db.submit(await db.files(INSERT, [(2, None, ""), (3, 30, "")], [(4, None, "")]))
        assert len(await db.all()) == 4
        await db.check()
        with pytest.raises(InvalidRequest, match="t_u_key"):
            await db.write(INSERT, (5, 30, ""))

    keyed(test, PRIMARY, UNIQUE)


def test_key_that_an_upsert_frees_and_one_of_a_row_that_is_left_out() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *THERE)
        await db.submit(await db.files(UPSERT, [(1, 20, "x"), (2, 10, "x")]))
        assert await db.all() == [(1, 20, "x"), (2, 10, "x")]
        # the row of 9 is left out, so its u is in nobody's way
        receipt = await db.submit(await db.files(UPDATE, [(1, 21, "y"), (9, 10, "y")]))
        assert receipt.row_counts == (1,)
        assert await db.all() == [(1, 21, "y"), (2, 10, "x")]
        with pytest.raises(InvalidRequest, match="t_u_key"):
            await db.submit(await db.files(UPDATE, [(1, 10, "z")]))
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def overtaken(
    mode: WriteMode, files: Rows, theirs: Any, keys: Sequence[Any]
) -> tuple[Any, list[Any]]:
    """A large write, with others' writes done between its check and its turn; its outcome, and the
    rows afterwards."""
    found: list[Any] = []

    async def test(db: Keyed) -> None:
        await db.write(INSERT, *THERE)
        operation = await db.files(mode, files)
        checked = db.primary._bulk.checked

        async def slow(*args: Any) -> Any:
            result = await checked(*args)
            if not found:
                found.append(await theirs(db))
            return result

        db.primary._bulk.checked = slow  # type: ignore[method-assign]
        (outcome,) = await asyncio.gather(db.submit(operation), return_exceptions=True)
        found[:] = [outcome, await db.all()]
        await db.check()

    keyed(test, *keys)
    return found[0], found[1]


@pytest.mark.parametrize("keys", [(PRIMARY,), (PRIMARY, UNIQUE)])
def test_keys_written_while_the_check_runs(keys: Sequence[Any]) -> None:
    async def inserts(db: Keyed) -> None:
        await db.write(INSERT, (5, 55, "theirs"))

    files = [(5, 50, "b"), (6, 60, "b")]
    outcome, rows = overtaken(INSERT, files, inserts, keys)
    assert "Key (k)=(5) already exists" in str(outcome)
    assert rows == [*THERE, (5, 55, "theirs")]
    outcome, rows = overtaken(UPSERT, files, inserts, keys)
    assert outcome.row_counts == (2,)
    assert rows == [*THERE, *files]
    outcome, rows = overtaken(IGNORE, files, inserts, keys)
    assert outcome.row_counts == (1,)
    assert rows == [*THERE, (5, 55, "theirs"), (6, 60, "b")]
    outcome, rows = overtaken(UPDATE, files, inserts, keys)
    assert outcome.row_counts == (1,)
    assert rows == [*THERE, (5, 50, "b")]


def test_rows_deleted_or_moved_while_the_check_runs() -> None:
    async def deletes(db: Keyed) -> None:
        await db.delete(2)

    async def flushes(db: Keyed) -> None:
        await db.flush()

    async def both(db: Keyed) -> None:
        await db.flush()
        await db.write(UPSERT, (2, 29, "theirs"))

    files = [(2, 21, "b"), (6, 60, "b")]
    for theirs in (deletes, flushes, both):
        outcome, rows = overtaken(UPSERT, files, theirs, [PRIMARY])
        assert outcome.row_counts == (2,)
        assert rows == [THERE[0], *files]
    outcome, rows = overtaken(INSERT, files, deletes, [PRIMARY])
    assert "Key (k)=(2)" in str(outcome)


@pytest.mark.parametrize("keys", [(PRIMARY, UNIQUE), (UNIQUE,)])
def test_unique_keys_written_while_the_check_runs(keys: Sequence[Any]) -> None:
    async def inserts(db: Keyed) -> None:
        await db.write(INSERT, (9, 50, "theirs"))

    outcome, rows = overtaken(INSERT, [(5, 50, "b")], inserts, keys)
    assert '"t_u_key" of table t: Key (u)=(50) already exists' in str(outcome)
    assert rows == [*THERE, (9, 50, "theirs")]
    outcome, rows = overtaken(IGNORE, [(5, 50, "b"), (6, 60, "b")], inserts, keys)
    assert outcome.row_counts == (1,)
    assert rows == [*THERE, (6, 60, "b"), (9, 50, "theirs")]


def test_two_large_writes_at_once_are_one_after_the_other() -> None:
    async def test(db: Keyed) -> None:
        one = await db.files(UPSERT, [(k, k, "one") for k in range(50)])
        two = await db.files(UPSERT, [(k, k, "two") for k in range(25, 75)])
        await asyncio.gather(db.submit(one), db.submit(two))
        rows = await db.all()
        assert len(rows) == 75
        assert len({row[2] for row in rows if 25 <= row[0] < 50}) == 1
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_what_never_settles_is_a_conflict() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *THERE)
        operation = await db.files(IGNORE, [(5, 50, "b")])
        checked = db.primary._bulk.checked

        async def overtaken_always(*args: Any) -> Any:
            result = await checked(*args)
            await db.write(UPSERT, (5, 55, "theirs"))
            return result

        db.primary._bulk.checked = overtaken_always  # type: ignore[method-assign]
        with pytest.raises(Conflict, match="1 keys of table t were written by others"):
            await db.submit(operation)
        assert await db.all() == [*THERE, (5, 55, "theirs")]

    keyed(test, PRIMARY)


def test_table_dropped_while_the_check_runs() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *THERE)
        operation, number = await db.files(INSERT, [(5, 50, "b")]), db.table.id
        checked = db.primary._bulk.checked

        async def slow(*args: Any) -> Any:
            result = await checked(*args)
            if number in db.snapshot.tables:
                await db.submit(DropTable(schema="public", name="t"))
            return result

        db.primary._bulk.checked = slow  # type: ignore[method-assign]
        with pytest.raises((Conflict, InvalidRequest)):
            await db.submit(operation)
        assert db.snapshot.find_table("t") is None

    keyed(test, PRIMARY)


def test_files_without_their_keys_and_several_writes_in_one_call() -> None:
    async def test(db: Keyed) -> None:
        made = await db.files(INSERT, [(1, 10, "a")])
        bare = AppendFiles(table_id=made.table_id, files=made.files)
        with pytest.raises(InvalidRequest, match="files come without their keys"):
            await db.submit(bare)
        with pytest.raises(InvalidRequest, match="already exists"):  # by the one before it
            await db.submit(db.rows(INSERT, (1, 10, "a")), made)
        assert await db.all() == []
        assert (await db.submit(await db.files(INSERT))).row_counts == (0,)

    keyed(test, PRIMARY)


def test_others_commit_while_a_large_write_waits_for_the_store() -> None:
    store = GatedStore()

    async def test(db: Keyed) -> None:
        operation = await db.files(UPSERT, [(1, 10, "b"), (2, 20, "b")])
        await db.write(INSERT, (7, 70, "a"))
        store.gate.clear()
        small = asyncio.create_task(db.submit(db.rows(INSERT, (1, 11, "theirs"))))
        await turns()
        large = asyncio.create_task(
            db.primary.submit(Transaction(operations=(operation,)))
        )  # checked against the durable state, resolved on top of what is queued
        await turns(200)
        store.gate.set()
        await asyncio.gather(small, large)
        assert await db.all() == [(1, 10, "b"), (2, 20, "b"), (7, 70, "a")]
        await db.check()

    keyed(test, PRIMARY, store=store)
