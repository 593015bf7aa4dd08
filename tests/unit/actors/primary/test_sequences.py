"""Values of sequences: durable before use, never twice, in blocks, to the last one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from actors.messages import Transaction
from actors.operations import (
    AdvanceSequence,
    DropTable,
    NewColumn,
    NewIdentity,
    NewTable,
    TruncateTable,
)
from actors.primary.sequencer import Sequencer
from actors.primary.sequences import BLOCK_VALUES, Reservations
from storage.errors import InvalidRequest, Unavailable, UnknownObject
from storage.objects import CountingStore, MemoryStore, ObjectStore
from storage.schema import Kind, ScalarType
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.reigns import reader_of, reign

SEQUENCE = 3  # after the schema public and the table


def creating(identity: NewIdentity, kind: Kind = Kind.BIGINT) -> Transaction:
    column = NewColumn(name="id", type=ScalarType(kind=kind), identity=identity)
    table = NewTable(schema="public", name="t", columns=(column,))
    return Transaction(operations=(table,))


UP = creating(NewIdentity(always=True))


def serving(
    test: Callable[[Sequencer, Reservations, CountingStore], Awaitable[None]],
    store: ObjectStore | None = None,
    create: Transaction = UP,
) -> None:
    async def run() -> None:
        counting = CountingStore(store or MemoryStore())
        clock = FakeClock()
        sequencer = Sequencer(await reign(counting, "a", clock), clock=clock, ids=CountedIds("s"))
        running = asyncio.create_task(sequencer.run())
        try:
            await sequencer.submit(create)
            reservations = Reservations(lambda: sequencer.working, sequencer.submit)
            await test(sequencer, reservations, counting)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())


def test_values_are_consecutive_and_cost_one_commit_per_block() -> None:
    async def test(sequencer: Sequencer, reservations: Reservations, store: CountingStore) -> None:
        before = store.counts()
        firsts = [await reservations.reserve(SEQUENCE, 300) for _ in range(4)]
        assert firsts == [1, 301, 601, 901]
        assert (store.counts() - before).create == 2
        assert sequencer.snapshot.sequences[SEQUENCE].next_value == 2 * BLOCK_VALUES + 1
        assert await reservations.reserve(SEQUENCE, 50_000) == 1201
        assert await reservations.reserve(SEQUENCE, 1) == 51_201

    serving(test)


def test_values_are_durable_before_they_are_given() -> None:
    async def test(sequencer: Sequencer, reservations: Reservations, store: CountingStore) -> None:
        first = await reservations.reserve(SEQUENCE, 5)
        durable = await reader_of(store).open()
        assert durable.sequences[SEQUENCE].next_value >= first + 5
        # A successor knows nothing of the block and begins behind it.
        successor = Reservations(lambda: sequencer.working, sequencer.submit)
        assert await successor.reserve(SEQUENCE, 5) == BLOCK_VALUES + 1
        # The block of the first is still its own; the next is not behind it.
        assert await reservations.reserve(SEQUENCE, BLOCK_VALUES - 5) == 6
        assert await reservations.reserve(SEQUENCE, 1) == 2 * BLOCK_VALUES + 1

    serving(test)


def test_a_sequence_that_begins_anew_gives_its_first_value_again() -> None:
    async def test(sequencer: Sequencer, reservations: Reservations, store: CountingStore) -> None:
        assert await reservations.reserve(SEQUENCE, 5) == 1
        truncate = TruncateTable(table_id=SEQUENCE - 1, restart_identity=True)
        await sequencer.submit(Transaction(operations=(truncate,)))
        assert await reservations.reserve(SEQUENCE, 5) == 1
        assert await reservations.reserve(SEQUENCE, 5) == 6

    serving(test)


def test_many_at_once_never_share_a_value() -> None:
    async def test(sequencer: Sequencer, reservations: Reservations, store: CountingStore) -> None:
        counts = [1 + n * 7 % 400 for n in range(60)]
        before = store.counts()
        firsts = await asyncio.gather(*(reservations.reserve(SEQUENCE, n) for n in counts))
        values = [v for f, n in zip(firsts, counts, strict=True) for v in range(f, f + n)]
        assert sorted(values) == list(range(1, sum(counts) + 1))
        assert (store.counts() - before).create <= sum(counts) // BLOCK_VALUES + 1

    serving(test)


def test_a_block_of_unknown_outcome_is_never_handed_out() -> None:
    class Away(MemoryStore):
        away = False

        async def create(self, name: str, data: bytes) -> None:
            if self.away:
                raise Unavailable("away")
            await super().create(name, data)

        async def get(self, name: str) -> bytes:
            if self.away:
                raise Unavailable("away")
            return await super().get(name)

    store = Away()

    async def test(
        sequencer: Sequencer, reservations: Reservations, counting: CountingStore
    ) -> None:
        store.away = True
        with pytest.raises(Unavailable, match="unknown"):
            await reservations.reserve(SEQUENCE, 5)
        store.away = False
        await sequencer.drain()
        assert await reservations.reserve(SEQUENCE, 5) == BLOCK_VALUES + 1
        durable = await reader_of(counting).open()
        assert durable.sequences[SEQUENCE].next_value == 2 * BLOCK_VALUES + 1

    serving(test, store)


def test_a_sequence_ends_at_its_bound() -> None:
    async def test(sequencer: Sequencer, reservations: Reservations, store: CountingStore) -> None:
        assert await reservations.reserve(SEQUENCE, 1) == 32_700
        message = r'reached maximum value of sequence "t_id_seq" \(32767\)'
        with pytest.raises(InvalidRequest, match=message) as caught:
            await reservations.reserve(SEQUENCE, 68)
        assert caught.value.sqlstate == "2200H"
        assert await reservations.reserve(SEQUENCE, 67) == 32_701
        with pytest.raises(InvalidRequest, match="reached maximum value"):
            await reservations.reserve(SEQUENCE, 1)

    serving(test, create=creating(NewIdentity(always=True, start=32_700), Kind.SMALLINT))


def test_steps_and_counting_down() -> None:
    async def test(sequencer: Sequencer, reservations: Reservations, store: CountingStore) -> None:
        assert await reservations.reserve(SEQUENCE, 2) == -1
        assert await reservations.reserve(SEQUENCE, 1) == -1 - 2 * 2**61
        with pytest.raises(InvalidRequest, match="reached minimum value"):
            await reservations.reserve(SEQUENCE, 2)
        assert await reservations.reserve(SEQUENCE, 1) == -1 - 3 * 2**61
        with pytest.raises(InvalidRequest, match="reached minimum value"):
            await reservations.reserve(SEQUENCE, 1)
        assert await reader_of(store).open() == sequencer.snapshot

    serving(test, create=creating(NewIdentity(always=True, increment=-(2**61))))


def test_what_cannot_be_reserved() -> None:
    async def test(sequencer: Sequencer, reservations: Reservations, store: CountingStore) -> None:
        for count in (0, -1, 1 << 41):
            with pytest.raises(InvalidRequest, match="expected 1 to"):
                await reservations.reserve(SEQUENCE, count)
        with pytest.raises(UnknownObject):
            await reservations.reserve(99, 1)
        await reservations.reserve(SEQUENCE, 1)
        drop = DropTable(schema="public", name="t")
        await sequencer.submit(Transaction(operations=(drop,)))
        with pytest.raises(UnknownObject):
            await reservations.reserve(SEQUENCE, 1)
        advance = AdvanceSequence(sequence_id=SEQUENCE, count=1)
        with pytest.raises(UnknownObject):
            await sequencer.submit(Transaction(operations=(advance,)))

    serving(test)
