"""Transactions to groups: batching, ordering, tokens, ambiguity, fencing, bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from actors.messages import Transaction
from actors.operations import DropTable
from actors.primary.limits import SequencerLimits
from actors.primary.sequencer import Sequencer
from storage.errors import (
    Conflict,
    Fenced,
    InvalidRequest,
    Unavailable,
    UnknownObject,
)
from storage.names import log_name
from storage.objects import CountingStore, MemoryStore, ObjectStore
from storage.objects.faulty import Fault, FaultyStore, scripted
from storage.snapshot.model import IngestToken
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.reigns import NUMBERS, appending, numbers, reader_of, reign

CREATE = Transaction(operations=(NUMBERS,))
TOKEN = IngestToken(writer="w", sequence=1)


def serving(
    test: Callable[[Sequencer, CountingStore], Awaitable[None]],
    store: ObjectStore | None = None,
    limits: SequencerLimits | None = None,
) -> None:
    async def run() -> None:
        counting = CountingStore(store or MemoryStore())
        clock = FakeClock()
        sequencer = Sequencer(
            await reign(counting, "a", clock), clock=clock, ids=CountedIds("s"), limits=limits
        )
        running = asyncio.create_task(sequencer.run())
        try:
            await test(sequencer, counting)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())


class _Slow(MemoryStore):
    """The group at LSN 3 waits until the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def create(self, name: str, data: bytes) -> None:
        if name == log_name(3):
            await self.gate.wait()
        await super().create(name, data)


def test_one_log_put_per_group_whatever_it_holds() -> None:
    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        before = store.counts()
        transactions = [appending(sequencer.snapshot, n) for n in range(50)]
        receipts = await asyncio.gather(*(sequencer.submit(t) for t in transactions))
        counts = store.counts() - before
        groups = len({receipt.lsn for receipt in receipts})
        assert groups == 1
        assert (counts.requests, counts.create) == (groups, groups)

    serving(test)


def test_what_arrives_during_a_put_is_the_next_group() -> None:
    slow = _Slow()

    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        first = asyncio.create_task(sequencer.submit(appending(sequencer.snapshot, 1)))
        await asyncio.sleep(0.01)
        rest = [
            asyncio.create_task(sequencer.submit(appending(sequencer.snapshot, n)))
            for n in range(10)
        ]
        await asyncio.sleep(0.01)
        assert not first.done()
        slow.gate.set()
        assert (await first).lsn == 3
        assert {(await task).lsn for task in rest} == {4}

    serving(test, slow)


def test_acknowledged_means_readable() -> None:
    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        receipt = await sequencer.submit(appending(sequencer.snapshot, 1, 2, 3))
        assert receipt.row_counts == (3,)
        read = await reader_of(store).open()
        assert read == sequencer.snapshot
        assert read.tso == receipt.tso
        table = read.find_table("numbers")
        assert table is not None
        assert table.row_count == 3

    serving(test)


def test_transaction_that_fails_leaves_the_group_going_on() -> None:
    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        snapshot = sequencer.snapshot
        results = await asyncio.gather(
            sequencer.submit(appending(snapshot, 1)),
            sequencer.submit(CREATE),
            sequencer.submit(Transaction(operations=(DropTable(schema="public", name="nmbrs"),))),
            sequencer.submit(appending(snapshot, 2)),
            return_exceptions=True,
        )
        assert isinstance(results[1], InvalidRequest)
        assert isinstance(results[2], UnknownObject)
        assert "did you mean numbers" in str(results[2])
        assert {r.lsn for r in (results[0], results[3])} == {3}  # type: ignore[union-attr]

    serving(test)


def test_failed_operation_undoes_the_others_of_its_transaction() -> None:
    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        table = sequencer.snapshot.find_table("numbers")
        assert table is not None
        both = Transaction(
            operations=(numbers(table, 1), DropTable(schema="public", name="absent"))
        )
        with pytest.raises(UnknownObject):
            await sequencer.submit(both)
        await sequencer.submit(appending(sequencer.snapshot, 5))
        assert sequencer.snapshot.tables[table.id].row_count == 1

    serving(test)


def test_create_append_and_drop_in_one_group() -> None:
    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        table = sequencer.snapshot.find_table("numbers")
        assert table is not None
        drop = Transaction(operations=(DropTable(schema="public", name="numbers"),))
        receipts = await asyncio.gather(
            sequencer.submit(Transaction(operations=(numbers(table, 1),))),
            sequencer.submit(drop),
            sequencer.submit(CREATE),
        )
        assert len({r.lsn for r in receipts}) == 1
        again = sequencer.snapshot.find_table("numbers")
        assert again is not None
        assert again.id != table.id
        assert again.row_count == 0
        assert await reader_of(store).open() == sequencer.snapshot
        with pytest.raises(Conflict, match="dropped"):
            await sequencer.submit(Transaction(operations=(numbers(table, 1),)))

    serving(test)


def test_token_gets_the_first_receipt_and_writes_nothing() -> None:
    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        snapshot = sequencer.snapshot
        first = await sequencer.submit(appending(snapshot, 1, token=TOKEN))
        before = store.counts()
        assert await sequencer.submit(appending(snapshot, 1, token=TOKEN)) == first
        assert (store.counts() - before).requests == 0

    serving(test)


def test_token_of_an_open_group_waits_for_it() -> None:
    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        snapshot = sequencer.snapshot
        receipts = await asyncio.gather(
            *(sequencer.submit(appending(snapshot, 1, token=TOKEN)) for _ in range(5))
        )
        assert len(set(receipts)) == 1
        table = sequencer.snapshot.find_table("numbers")
        assert table is not None
        assert table.row_count == 1

    serving(test)


def test_token_is_remembered_across_a_takeover() -> None:
    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        first = await sequencer.submit(appending(sequencer.snapshot, 1, token=TOKEN))
        clock = FakeClock()
        second = Sequencer(
            await reign(store, "b", clock, dead=True), clock=clock, ids=CountedIds("t")
        )
        assert await second.submit(appending(second.snapshot, 1, token=TOKEN)) == first

    serving(test)


def test_token_older_than_the_kept_receipts_is_refused() -> None:
    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        for sequence in range(1, 70):
            token = IngestToken(writer="w", sequence=sequence)
            await sequencer.submit(appending(sequencer.snapshot, sequence, token=token))
        with pytest.raises(Conflict, match="w/1"):
            await sequencer.submit(appending(sequencer.snapshot, 1, token=TOKEN))

    serving(test)


@pytest.mark.parametrize(
    "faults",
    [
        [Fault.REPLY_LOST],
        [Fault.EXISTS_AFTER_SUCCESS],
        [Fault.BEFORE],
        [Fault.CONFLICT],
        [Fault.BEFORE, Fault.CONFLICT, Fault.REPLY_LOST],
    ],
)
def test_ambiguous_outcomes_are_settled(faults: list[Fault]) -> None:
    async def run() -> None:
        inner, clock = MemoryStore(), FakeClock()
        start = await reign(inner, "a", clock)
        await start.lease.release()
        opened = await reign(FaultyStore(inner, scripted({})), "b", clock)
        create_then = FaultyStore(inner, scripted({"create": faults}))
        opened.writer._store = create_then
        sequencer = Sequencer(opened, clock=clock, ids=CountedIds("s"))
        running = asyncio.create_task(sequencer.run())
        receipt = await sequencer.submit(CREATE)
        again = await sequencer.submit(appending(sequencer.snapshot, 1))
        running.cancel()
        assert (receipt.lsn, again.lsn) == (3, 4)
        assert await reader_of(inner).open() == sequencer.snapshot

    asyncio.run(run())


class Away(MemoryStore):
    """It answers, or it does not: then each attempt waits until the gate is open, and fails."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.seen: list[bytes] = []
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def create(self, name: str, data: bytes) -> None:
        self.seen.append(data)
        self.asked.set()
        await self.gate.wait()
        if self.away:
            raise Unavailable("away")
        await super().create(name, data)

    async def get(self, name: str) -> bytes:
        if self.away:
            raise Unavailable("away")
        return await super().get(name)


async def went_away(sequencer: Sequencer, store: Away) -> None:
    """A transaction with TOKEN has heard that nobody knows."""
    await sequencer.submit(CREATE)
    store.away = True
    store.seen.clear()
    with pytest.raises(Unavailable, match="unknown"):
        await sequencer.submit(appending(sequencer.snapshot, 1, token=TOKEN))


def test_store_that_is_away_is_unknown_then_the_same_bytes_are_committed() -> None:
    store = Away()

    async def test(sequencer: Sequencer, counting: CountingStore) -> None:
        await went_away(sequencer, store)
        store.away = False
        receipt = await sequencer.submit(appending(sequencer.snapshot, 1, token=TOKEN))
        assert receipt.lsn == 3
        assert len(set(store.seen)) == 1
        table = (await reader_of(counting).open()).find_table("numbers")
        assert table is not None
        assert table.row_count == 1

    serving(test, store)


def test_new_transactions_are_refused_at_once_while_the_store_is_away() -> None:
    store = Away()

    async def test(sequencer: Sequencer, counting: CountingStore) -> None:
        assert sequencer.away is None
        await went_away(sequencer, store)
        store.gate.clear()  # no attempt ends any more
        refused = r"not answered since 1970-01-01 00:00:00 UTC \(away\); nothing of this call was"
        for token in (None, IngestToken(writer="w", sequence=2)):
            with pytest.raises(Unavailable, match=refused):
                await sequencer.submit(appending(sequencer.snapshot, 2, token=token))
        with pytest.raises(Unavailable, match=refused):
            await sequencer.confirm()
        assert sequencer.away == "since 1970-01-01 00:00:00 UTC (away)"

    serving(test, store)


def test_a_known_token_waits_although_the_store_is_away() -> None:
    store = Away()

    async def test(sequencer: Sequencer, counting: CountingStore) -> None:
        await went_away(sequencer, store)
        store.gate.clear()
        again = asyncio.create_task(sequencer.submit(appending(sequencer.snapshot, 1, token=TOKEN)))
        await asyncio.sleep(0)
        store.away = False
        store.gate.set()
        assert (await again).lsn == 3
        assert sequencer.away is None
        assert (await sequencer.submit(appending(sequencer.snapshot, 2))).lsn == 4
        assert await reader_of(counting).open() == sequencer.snapshot

    serving(test, store)


def test_those_behind_a_group_that_nobody_knows_of_hear_it_too_and_follow_it() -> None:
    store = Away()
    later = IngestToken(writer="w", sequence=2)

    async def test(sequencer: Sequencer, counting: CountingStore) -> None:
        await sequencer.submit(CREATE)
        snapshot = sequencer.snapshot
        store.away = True
        store.gate.clear()
        store.asked.clear()
        first = asyncio.create_task(sequencer.submit(appending(snapshot, 1, token=TOKEN)))
        await store.asked.wait()
        behind = asyncio.create_task(sequencer.submit(appending(snapshot, 2, token=later)))
        confirming = asyncio.create_task(sequencer.confirm())
        await asyncio.sleep(0)
        store.gate.set()
        for task in (first, behind, confirming):
            with pytest.raises(Unavailable, match="unknown"):
                await task
        store.away = False
        assert (await sequencer.submit(appending(snapshot, 2, token=later))).lsn == 4
        assert (await sequencer.submit(appending(snapshot, 1, token=TOKEN))).lsn == 3
        table = (await reader_of(counting).open()).find_table("numbers")
        assert table is not None
        assert table.row_count == 2

    serving(test, store)


def test_a_store_that_refuses_at_once_is_left_in_peace() -> None:
    class Refusing(Away):
        async def create(self, name: str, data: bytes) -> None:
            if self.away:
                self.seen.append(data)
                if len(self.seen) == 4:
                    often.set()
                raise InvalidRequest("credentials expired")
            await super().create(name, data)

    often = asyncio.Event()
    store = Refusing()

    async def test(sequencer: Sequencer, counting: CountingStore) -> None:
        await went_away(sequencer, store)
        assert len(store.seen) == 1
        await often.wait()
        clock = sequencer._clock
        assert isinstance(clock, FakeClock)
        assert len(clock.sleeps_ms) >= 3
        assert set(clock.sleeps_ms) == {1_000}
        assert sequencer.away is not None
        assert "credentials expired" in sequencer.away
        store.away = False
        assert (await sequencer.submit(appending(sequencer.snapshot, 1, token=TOKEN))).lsn == 3

    serving(test, store)


def test_who_asks_a_primary_that_has_stopped_hears_why() -> None:
    store = Away()

    async def test(sequencer: Sequencer, counting: CountingStore) -> None:
        ended = asyncio.create_task(sequencer.ended())
        await went_away(sequencer, store)
        store.gate.clear()
        assert not ended.done()
        sequencer.stop(Fenced("replaced"))
        sequencer.stop(Unavailable("closed"))
        await ended
        for asking in (sequencer.outcome(TOKEN), sequencer.confirm(), sequencer.submit(CREATE)):
            with pytest.raises(Fenced, match="replaced"):
                await asking

    serving(test, store)


def test_fenced_sequencer_refuses_everything_for_good() -> None:
    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        snapshot = sequencer.snapshot
        await reign(store, "b", FakeClock(), dead=True)
        with pytest.raises(Fenced, match="b in epoch 2"):
            await sequencer.submit(appending(snapshot, 1))
        with pytest.raises(Fenced):
            await sequencer.submit(appending(snapshot, 2))
        assert sequencer.snapshot == snapshot

    serving(test)


def test_groups_are_closed_at_their_size() -> None:
    limits = SequencerLimits(group_bytes_max=2048)

    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        snapshot = sequencer.snapshot
        receipts = await asyncio.gather(
            *(sequencer.submit(appending(snapshot, n)) for n in range(20))
        )
        lsns = [r.lsn for r in receipts]
        assert lsns == sorted(lsns)
        assert len(set(lsns)) > 4
        assert await reader_of(store).open() == sequencer.snapshot

    serving(test, limits=limits)


def test_full_queue_refuses_and_says_so() -> None:
    limits = SequencerLimits(queue_transactions_max=3)

    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        snapshot = sequencer.snapshot
        results = await asyncio.gather(
            *(sequencer.submit(appending(snapshot, n)) for n in range(5)), return_exceptions=True
        )
        assert [isinstance(r, Unavailable) for r in results] == [False] * 3 + [True] * 2
        assert (await sequencer.submit(appending(snapshot, 9))).lsn == 4

    serving(test, limits=limits)


def test_empty_transaction_is_refused() -> None:
    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        with pytest.raises(InvalidRequest, match="empty"):
            await sequencer.submit(Transaction(operations=()))

    serving(test)


def test_only_who_reigns_refuses() -> None:
    """A primary that was replaced judges by the past: what it refuses may have been committed."""

    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        before = store.counts()
        await sequencer.confirm()
        assert (store.counts() - before).requests == 1
        successor = await reign(store, "b", FakeClock(), CountedIds("t"), dead=True)
        with pytest.raises(Fenced, match="written by b"):
            await sequencer.confirm()
        with pytest.raises(Fenced):
            await sequencer.submit(CREATE)
        assert successor.snapshot.find_table("numbers") is not None

    serving(test)


def test_confirming_waits_for_what_is_queued() -> None:
    """A refusal may be owed to a transaction that is not durable yet, and may never be."""
    slow = _Slow()

    async def test(sequencer: Sequencer, store: CountingStore) -> None:
        await sequencer.submit(CREATE)
        queued = asyncio.create_task(sequencer.submit(appending(sequencer.snapshot, 1)))
        await asyncio.sleep(0)
        confirming = asyncio.create_task(sequencer.confirm())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not confirming.done()
        slow.gate.set()
        await confirming
        assert queued.done()

    serving(test, slow)
