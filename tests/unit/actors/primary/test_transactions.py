"""Transactions that are open: what they read, what they are refused, and what a commit does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from actors.operations import Operation, TruncateTable, WriteMode
from actors.primary.transactions import OpenTransaction
from storage.errors import (
    Conflict,
    InvalidRequest,
    MobulaError,
    NotYet,
    Unavailable,
    UnknownObject,
)
from storage.snapshot.model import IngestToken, TableState
from tests.unit.actors.primary.keyed import (
    PRIMARY,
    UNIQUE,
    GatedStore,
    Keyed,
    keyed,
    other_table,
    turns,
)

INSERT, IGNORE, UPSERT, UPDATE = (
    WriteMode.INSERT,
    WriteMode.IGNORE,
    WriteMode.UPSERT,
    WriteMode.UPDATE,
)
REPEATABLE, COMMITTED = "repeatable read", "read committed"
BOTH = pytest.mark.parametrize("isolation", [REPEATABLE, COMMITTED])
TOKEN = IngestToken(writer="w", sequence=1)


async def say(db: Keyed, found: OpenTransaction, operations: Sequence[Operation] = ()) -> list[Any]:
    """A statement that writes these; the rows that it sees."""
    async with db.primary.transactions.statement(found.id):
        own = (await found.snapshot()).find_table("t")
        assert own is not None
        if operations:
            await found.write(operations)
            own = (await found.snapshot()).find_table("t")
        return await db.all(own)


async def seen(found: OpenTransaction) -> TableState:
    table = (await found.snapshot()).find_table("t")
    assert table is not None
    return table


async def commit(db: Keyed, found: OpenTransaction) -> bool:
    return (await db.primary.transactions.commit(found.id, None))[1]


@BOTH
def test_own_writes_are_seen_inside_and_nowhere_else_before_commit(isolation: str) -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"), (2, 20, "b"))
        found = await db.begin(isolation)
        rows = [(1, 11, "c"), (3, 30, "d")]
        changes = [db.rows(UPSERT, *rows), db.deleting(2)]
        assert await say(db, found, changes) == rows
        assert await say(db, found, [db.rows(UPDATE, (3, 31, "e"), (9, 9, ""))]) == [
            (1, 11, "c"),
            (3, 31, "e"),
        ]
        assert await db.all() == [(1, 10, "a"), (2, 20, "b")]
        lsn = db.snapshot.lsn
        assert await commit(db, found)
        assert db.snapshot.lsn == lsn + 1
        assert await db.all() == [(1, 11, "c"), (3, 31, "e")]
        await db.check()

    keyed(test, PRIMARY)


@pytest.mark.parametrize(("isolation", "sees"), [(REPEATABLE, False), (COMMITTED, True)])
def test_what_others_commit(isolation: str, sees: bool) -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"))
        found = await db.begin(isolation)
        await say(db, found, [db.rows(INSERT, (5, 50, "own"))])
        await db.write(UPSERT, (1, 11, "b"), (2, 20, "c"))
        theirs = [(1, 11, "b"), (2, 20, "c")] if sees else [(1, 10, "a")]
        assert await say(db, found) == [*theirs, (5, 50, "own")]
        assert await commit(db, found)
        assert await db.all() == [(1, 11, "b"), (2, 20, "c"), (5, 50, "own")]
        await db.check()

    keyed(test, PRIMARY)


def test_repeatable_read_refuses_keys_that_others_wrote_at_commit() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"), (2, 20, "b"))
        for mine in (db.rows(UPSERT, (1, 1, "x")), db.rows(UPDATE, (1, 1, "x")), db.deleting(1)):
            found = await db.begin()
            await say(db, found, [mine])
            await db.write(UPSERT, (1, 12, "theirs"))
            with pytest.raises(
                Conflict, match="could not serialize access: 1 of 1 keys of table t"
            ):
                await commit(db, found)
            assert await db.all() == [(1, 12, "theirs"), (2, 20, "b")]
        found = await db.begin()
        await db.write(UPSERT, (2, 21, "theirs"))
        with pytest.raises(Conflict):  # as soon as it is known
            await say(db, found, [db.rows(UPSERT, (2, 2, "x"))])
        assert not await commit(db, found)
        await db.check()

    keyed(test, PRIMARY)


def test_read_committed_writes_what_others_wrote_before_the_statement() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"))
        found = await db.begin(COMMITTED)
        await db.write(UPSERT, (1, 11, "b"))
        await say(db, found, [db.rows(UPSERT, (1, 12, "c"))])
        assert await commit(db, found)
        assert await db.all() == [(1, 12, "c")]
        found = await db.begin(COMMITTED)
        await say(db, found, [db.rows(UPSERT, (1, 13, "d"))])
        await db.write(UPSERT, (1, 14, "e"))
        with pytest.raises(Conflict):  # the next statement sees that the one before is undone
            await say(db, found)
        assert not await commit(db, found)
        assert await db.all() == [(1, 14, "e")]

    keyed(test, PRIMARY)


def test_statement_of_read_committed_reads_and_writes_at_one_snapshot() -> None:
    """Else what others write between its reading and its writing would be lost."""

    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"))
        found = await db.begin(COMMITTED)
        async with db.primary.transactions.statement(found.id):
            assert await db.all(await seen(found)) == [(1, 10, "a")]
            await db.write(UPSERT, (1, 11, "b"))
            with pytest.raises(Conflict):
                await found.write([db.rows(UPDATE, (1, 10, "a, changed"))])
        assert await db.all() == [(1, 11, "b")]

    keyed(test, PRIMARY)


def test_insert_of_a_key_that_others_inserted_is_a_duplicate() -> None:
    async def test(db: Keyed) -> None:
        found = await db.begin()
        await say(db, found, [db.rows(INSERT, (1, 10, "mine"))])
        await db.write(INSERT, (1, 11, "theirs"))
        with pytest.raises(InvalidRequest) as caught:
            await commit(db, found)
        assert caught.value.sqlstate == "23505"
        assert await db.all() == [(1, 11, "theirs")]

    keyed(test, PRIMARY)


@pytest.mark.parametrize("keys", [(PRIMARY, UNIQUE), (UNIQUE,)])
def test_rows_that_were_not_left_out_are_not_left_out_later(keys: Any) -> None:
    async def test(db: Keyed) -> None:
        found = await db.begin()
        assert await say(db, found, [db.rows(IGNORE, (1, 10, "a"), (2, 20, "b"))])
        await db.write(INSERT, (3, 10, "takes the u of 1"))
        with pytest.raises(Conflict):
            await commit(db, found)
        assert await db.all() == [(3, 10, "takes the u of 1")]

    keyed(test, *keys)


def test_savepoints() -> None:
    async def test(db: Keyed) -> None:
        found = await db.begin()
        await say(db, found, [db.rows(INSERT, (1, 10, "a"))])
        await found.save("s")
        await say(db, found, [db.rows(UPSERT, (1, 11, "b"), (2, 20, "c"))])
        await found.save("t")
        await found.save("s")
        await say(db, found, [db.deleting(2)])
        found.roll_back_to("s")
        assert await say(db, found) == [(1, 11, "b"), (2, 20, "c")]
        found.release("s")
        found.roll_back_to("t")
        found.roll_back_to("s")  # the one below
        assert await say(db, found) == [(1, 10, "a")]
        await say(db, found, [db.rows(INSERT, (3, 30, "d"))])
        found.roll_back_to("s")
        found.release("s")
        with pytest.raises(UnknownObject) as caught:
            found.release("t")
        assert caught.value.sqlstate == "3B001"
        assert await commit(db, found)
        assert await db.all() == [(1, 10, "a")]
        await db.check()

    keyed(test, PRIMARY)


def test_rolling_back_to_a_savepoint_does_not_bring_back_its_snapshot() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"))
        found = await db.begin(COMMITTED)
        await say(db, found, [db.rows(INSERT, (2, 20, "own"))])
        await found.save("s")
        await db.write(UPSERT, (1, 11, "theirs"), (7, 70, "theirs"))
        await say(db, found, [db.deleting(2)])
        found.roll_back_to("s")
        expected = [(1, 11, "theirs"), (2, 20, "own"), (7, 70, "theirs")]
        assert await say(db, found) == expected
        assert await commit(db, found)
        assert await db.all() == expected
        await db.check()

    keyed(test, PRIMARY)


def test_after_an_error_only_a_rollback_helps() -> None:
    async def test(db: Keyed) -> None:
        transactions = db.primary.transactions
        await db.write(INSERT, (1, 10, "a"))
        found = await db.begin()
        await say(db, found, [db.rows(INSERT, (2, 20, "b"))])
        await found.save("s")
        with pytest.raises(InvalidRequest):
            await say(db, found, [db.rows(INSERT, (3, 30, "c"), (1, 1, "twice"))])
        for _ in range(2):
            with pytest.raises(InvalidRequest) as caught:
                await say(db, found)
            assert caught.value.sqlstate == "25P02"
        await transactions.roll_back_to(found.id, "s")
        assert await say(db, found) == [(1, 10, "a"), (2, 20, "b")]
        with pytest.raises(UnknownObject):
            await transactions.roll_back_to(found.id, "nowhere")
        with pytest.raises(InvalidRequest, match="aborted"):
            await say(db, found)
        assert await transactions.commit(found.id, None) == (None, False)
        assert await db.all() == [(1, 10, "a")]
        assert len(transactions) == 0

    keyed(test, PRIMARY)


def test_read_only_and_what_is_not_written_in_transactions() -> None:
    async def test(db: Keyed) -> None:
        reading = await db.primary.transactions.begin(REPEATABLE, read_only=True)
        with pytest.raises(InvalidRequest) as caught:
            await say(db, reading, [db.rows(INSERT, (1, 10, "a"))])
        assert caught.value.sqlstate == "25006"
        found = await db.begin()
        with pytest.raises(NotYet, match="NewTable inside a transaction"):
            await say(db, found, [other_table("x")])
        with pytest.raises(InvalidRequest, match="serializable"):
            await db.begin("serializable")

    keyed(test, PRIMARY)


def test_empty_transaction_commits_without_a_group() -> None:
    async def test(db: Keyed) -> None:
        lsn = db.snapshot.lsn
        found = await db.begin()
        assert await db.primary.transactions.commit(found.id, TOKEN) == (None, True)
        assert db.snapshot.lsn == lsn

    keyed(test, PRIMARY)


def test_idle_transactions_are_gone() -> None:
    async def test(db: Keyed) -> None:
        transactions = db.primary.transactions
        found, busy = await db.begin(), await db.begin()
        await say(db, found, [db.rows(INSERT, (1, 10, "a"))])
        async with transactions.statement(busy.id):
            db.clock.move(600_001)
            with pytest.raises(Conflict, match="idle for more than 600000 ms; nothing of it was"):
                transactions.find(found.id)
        assert transactions.find(busy.id) is busy  # it was running a statement
        assert not db.primary._sequencer._written._held.keys() - set(busy.held)
        db.clock.move(600_001)
        await turns()  # the heartbeat looks too
        assert len(transactions) == 0
        assert await db.write(INSERT, (1, 11, "b")) == 1

    keyed(test, PRIMARY)


def test_too_many_open() -> None:
    async def test(db: Keyed) -> None:
        open_now = [await db.begin() for _ in range(1000)]
        with pytest.raises(Unavailable, match="1000 transactions are open"):
            await db.begin()
        db.primary.transactions.roll_back(open_now[0].id)
        await db.begin()

    keyed(test, PRIMARY)


def test_commit_that_is_repeated_with_its_token_takes_effect_once() -> None:
    store = GatedStore()

    async def test(db: Keyed) -> None:
        transactions = db.primary.transactions
        await db.write(INSERT, (9, 90, "z"))  # so that the index is open
        found = await db.begin()
        await say(db, found, [db.rows(INSERT, (1, 10, "a"))])
        store.gate.clear()
        first = asyncio.create_task(transactions.commit(found.id, TOKEN))
        await asyncio.sleep(0)
        again = asyncio.create_task(transactions.commit(found.id, TOKEN))
        await turns()
        assert not first.done()
        first.cancel()  # the client is gone; the commit is under way
        await turns()
        third = asyncio.create_task(transactions.commit(found.id, TOKEN))
        await asyncio.sleep(0)
        store.gate.set()
        receipt = (await again)[0]
        assert receipt is not None
        assert receipt.row_counts == (1,)
        assert (await third)[0] == receipt
        assert await transactions.commit(found.id, TOKEN) == (receipt, True)
        assert await db.all() == [(1, 10, "a"), (9, 90, "z")]

    keyed(test, PRIMARY, store=store)


@BOTH
def test_flush_between_begin_and_commit(isolation: str) -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (3, 30, "c"), (1, 10, "a"), (2, 20, "b"))
        found = await db.begin(isolation)
        await say(db, found, [db.rows(UPDATE, (1, 11, "x"))])
        await db.flush()
        expected = [(1, 11, "x"), (2, 20, "b"), (3, 30, "c")]
        assert await say(db, found) == expected
        assert await say(db, found, [db.deleting(3)]) == expected[:2]
        await db.flush()
        assert await commit(db, found)
        assert await db.all() == expected[:2]
        await db.check()

    keyed(test, PRIMARY)


@BOTH
def test_flush_between_begin_and_commit_of_a_table_without_keys(isolation: str) -> None:
    async def test(db: Keyed) -> None:
        await db.submit(db.rows(INSERT, (3, 30, "c"), (1, 10, "a"), (2, 20, "b")))
        found = await db.begin(isolation)
        await db.submit(db.rows(INSERT, (4, 40, "d")))
        await db.flush()
        async with db.primary.transactions.statement(found.id):
            rows = await db.located(await seen(found))
            (where,) = [at for at, row in rows.items() if row[0] == 1]
            gone = db.at(where >> 21, where & (1 << 21) - 1, read_lsn=found.read_lsn)
            await found.write([gone])
            assert (1, 10, "a") not in await db.all(await seen(found))
        await db.submit(db.rows(INSERT, (5, 50, "e")))
        await db.flush()
        await say(db, found)
        assert await commit(db, found)
        assert [row[0] for row in await db.all()] == [2, 3, 4, 5]

    keyed(test, cluster_by=("k",))


@BOTH
@pytest.mark.parametrize("as_files", [False, True])
def test_rows_of_its_own_that_a_transaction_deletes_by_location(
    isolation: str, as_files: bool
) -> None:
    """Others append meanwhile, so its deltas and files get other ids at commit."""

    async def test(db: Keyed) -> None:
        await db.submit(db.rows(INSERT, (0, 0, "z")))
        found = await db.begin(isolation)
        own = [(1, 10, "a"), (2, 20, "b"), (3, 30, "c")]
        made: Any = db.rows(INSERT, *own)
        if as_files:
            made = await db.files(INSERT, own[:1], own[1:])
        await say(db, found, [made])
        await db.submit(db.rows(INSERT, (7, 70, "theirs"), (8, 80, "theirs"), (9, 90, "theirs")))
        async with db.primary.transactions.statement(found.id):
            rows = await db.located(await seen(found))
            (where,) = [at for at, row in rows.items() if row[0] == 2]
            gone = db.at(where >> 21, where & (1 << 21) - 1, read_lsn=found.read_lsn)
            await found.write([gone])
        await db.submit(db.rows(INSERT, (6, 60, "theirs")))
        await say(db, found)
        await db.submit(db.rows(INSERT, (5, 50, "theirs")))
        assert await commit(db, found)
        assert [row[0] for row in await db.all()] == [0, 1, 3, 5, 6, 7, 8, 9]

    keyed(test)


def test_row_without_key_that_others_deleted_is_a_conflict() -> None:
    async def test(db: Keyed) -> None:
        await db.submit(db.rows(INSERT, (1, 10, "a"), (2, 20, "b")))
        (delta,) = db.table.deltas
        found, other = await db.begin(), db.snapshot.lsn
        await say(db, found, [db.at(delta.id, 0, read_lsn=other)])
        await db.submit(db.at(delta.id, 0, 1, read_lsn=other))
        with pytest.raises(Conflict, match="rows of table t were deleted by others"):
            await commit(db, found)

    keyed(test)


@BOTH
def test_large_write_over_own_small_rows(isolation: str) -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (0, 0, "z"))
        found = await db.begin(isolation)
        await say(db, found, [db.rows(INSERT, (2, 20, "a"), (3, 30, "a"))])
        large = await db.files(UPSERT, [(1, 10, "b"), (3, 31, "b")], [(4, 40, "b")])
        expected = [(0, 0, "z"), (1, 10, "b"), (2, 20, "a"), (3, 31, "b"), (4, 40, "b")]
        assert await say(db, found, [large]) == expected
        await db.write(INSERT, (7, 70, "c"), (8, 80, "c"))
        await say(db, found, [db.deleting(4)])
        await db.write(INSERT, (9, 90, "c"), (10, 100, "c"))
        await commit(db, found)
        theirs = [(k, k * 10, "c") for k in (7, 8, 9, 10)]
        assert await db.all() == sorted([*expected[:-1], *theirs], key=repr)
        await db.check()

    keyed(test, PRIMARY)


def test_truncate_inside() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"))
        found = await db.begin()
        assert await say(db, found, [TruncateTable(table_id=db.table.id)]) == []
        assert await say(db, found, [db.rows(INSERT, (1, 11, "b"))]) == [(1, 11, "b")]
        assert await db.all() == [(1, 10, "a")]
        await commit(db, found)
        assert await db.all() == [(1, 11, "b")]
        await db.check()

    keyed(test, PRIMARY)


def test_statements_of_one_transaction_run_one_after_the_other() -> None:
    async def test(db: Keyed) -> None:
        found = await db.begin()
        await asyncio.gather(*(say(db, found, [db.rows(INSERT, (k, k, ""))]) for k in range(9)))
        assert len(await say(db, found)) == 9
        await commit(db, found)
        assert len(await db.all()) == 9

    keyed(test, PRIMARY)


def test_what_is_held_is_let_go() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"))
        for isolation in (REPEATABLE, COMMITTED):
            found = await db.begin(isolation)
            for k in range(5):
                await say(db, found, [db.rows(UPSERT, (k + 50, k, ""))] if k == 2 else [])
                await db.write(UPSERT, (1, k, "theirs"))
            assert len(set(found.held)) <= 2
            await commit(db, found)
        await db.write(UPSERT, (1, 9, "theirs"))
        written = db.primary._sequencer._written
        assert not written._held
        assert len(written._recent) <= 2

    keyed(test, PRIMARY)


def test_transactions_are_lost_with_their_primary() -> None:
    async def test(db: Keyed) -> None:
        with pytest.raises(MobulaError, match="the transaction is gone: the primary was restarted"):
            db.primary.transactions.find("of another reign")

    keyed(test, PRIMARY)
