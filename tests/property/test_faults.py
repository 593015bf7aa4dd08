"""Clients, primaries that replace each other, and a store that fails and has outages.

Everything runs on one event loop; a random delay before each request makes the interleaving, and
the seed replays it. Clients repeat what they do not know the outcome of, with its token. At the end
every acknowledged transaction is in the log exactly once and whole, no refused one is, TSO rise,
and every reader that opens anywhere replays to the same snapshot.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from itertools import pairwise

import pytest

from actors.messages import Transaction
from actors.primary.limits import CheckpointPolicy
from actors.primary.primary import Primary
from storage.delta import decode_rows
from storage.errors import Conflict, Fenced, MobulaError, Unavailable
from storage.log.takeover import Reign
from storage.objects import MemoryStore
from storage.objects.faulty import Fault, FaultyStore, seeded
from storage.snapshot.model import IngestToken, Snapshot
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.reigns import NUMBERS, numbers, reader_of, reign

CLIENTS = 4
COMMITS_EACH = 12
TAKEOVERS = 3
REIGNS_MAX = 12
PROBABILITY = 1 / 6
OUTAGE_EVERY = 60  # requests, on average
OUTAGE_REQUESTS_MAX = 200


class World:
    """One store, one clock, the primary that clients believe in."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = FakeClock()
        self.truth = MemoryStore()
        self.primaries: list[Primary] = []
        self.acknowledged: dict[int, int] = {}  # number -> LSN
        self.reigns = 0
        self.opening = asyncio.Lock()
        self.single = seeded(self.rng, PROBABILITY)
        self.outage = 0  # requests that still fail, of whoever asks

    def store(self) -> FaultyStore:
        return FaultyStore(self.truth, self.plan, delay=self.delay)

    def plan(self, method: str, name: str) -> Fault | None:
        """Single faults, and now and then an outage that outlasts every retry."""
        if not self.outage and self.rng.randrange(OUTAGE_EVERY) == 0:
            self.outage = self.rng.randrange(OUTAGE_REQUESTS_MAX)
        if self.outage:
            self.outage -= 1
            return self.rng.choice([Fault.BEFORE, Fault.REPLY_LOST])
        return self.single(method, name)

    async def delay(self, method: str, name: str) -> None:
        for _ in range(self.rng.randrange(6)):
            await asyncio.sleep(0)

    async def take_over(self) -> None:
        """A new primary, whatever the old one is doing; again until the store lets it. One opener
        at a time: racing openers have tests of their own."""
        async with self.opening:
            await self._take_over()

    async def _take_over(self) -> None:
        while True:
            self.reigns += 1
            store = self.store()
            try:
                opened: Reign = await reign(
                    store, f"p{self.reigns}", self.clock, CountedIds(str(self.reigns)), dead=True
                )
            except (Unavailable, Fenced):
                continue
            primary = self.primary_of(opened, store)
            primary._spawn(primary._sequencer.run())
            primary._spawn(primary._checkpoints())
            self.primaries.append(primary)
            return

    def primary_of(self, opened: Reign, store: FaultyStore) -> Primary:
        return Primary(
            opened,
            store=store,
            clock=self.clock,
            ids=CountedIds(f"c{self.reigns}"),
            policy=CheckpointPolicy(tail_groups_max=5),
        )

    async def client(self, index: int) -> None:
        for number in range(COMMITS_EACH):
            value = index * 1000 + number
            token = IngestToken(writer=f"client-{index}", sequence=number + 1)
            self.acknowledged[value] = await self.commit(value, token)

    async def commit(self, value: int, token: IngestToken) -> int:
        while True:
            primary = self.primaries[-1]
            table = primary.snapshot.find_table("numbers")
            assert table is not None
            rows = (numbers(table, value, -value), numbers(table, value))
            try:
                receipt = await primary.submit(Transaction(operations=rows, token=token))
            except (Unavailable, Fenced, Conflict) as error:
                if isinstance(error, Unavailable) and self.reigns < REIGNS_MAX:
                    await self.take_over()  # the old one may still get its group through
                await self.delay("retry", "")
                continue
            assert receipt.row_counts == (2, 1)
            return receipt.lsn

    async def chaos(self) -> None:
        for _ in range(TAKEOVERS):
            for _ in range(self.rng.randrange(400)):
                await asyncio.sleep(0)
            await self.take_over()

    async def end(self) -> None:
        for primary in self.primaries:
            for task in primary._tasks:
                task.cancel()
            await asyncio.gather(*primary._tasks, return_exceptions=True)


async def play(seed: int) -> tuple[World, Snapshot]:
    world = World(seed)
    await world.take_over()
    while True:
        try:
            await world.primaries[-1].submit(
                Transaction(operations=(NUMBERS,), token=IngestToken(writer="setup", sequence=1))
            )
            break
        except Unavailable:
            continue
    await asyncio.gather(*(world.client(i) for i in range(CLIENTS)), world.chaos())
    await world.end()
    return world, await reader_of(world.truth).open()


def values_by_lsn(snapshot: Snapshot) -> dict[int, Counter[int]]:
    """The rows of each group: small deltas of one are joined before they are written."""
    table = snapshot.find_table("numbers")
    assert table is not None
    found: dict[int, Counter[int]] = {}
    for delta in table.deltas:
        values = decode_rows(delta.rows, "test")["n"].to_pylist()
        found.setdefault(delta.lsn, Counter()).update(values)
    return found


def check(world: World, final: Snapshot) -> None:
    """Every acknowledged transaction once, whole, at the LSN that its receipt said."""
    written = values_by_lsn(final)
    expected: dict[int, Counter[int]] = {}
    for value, lsn in world.acknowledged.items():  # it appends two rows, and then one more
        expected.setdefault(lsn, Counter()).update([value, -value, value])
    assert len(world.acknowledged) == CLIENTS * COMMITS_EACH
    assert written == expected
    assert world.primaries[-1]._sequencer._stopped is None  # nobody replaced it
    for primary in world.primaries:  # what a replaced primary believes is a prefix of the truth
        mine = values_by_lsn(primary.snapshot) if primary.snapshot.tables else {}
        assert mine == {lsn: group for lsn, group in written.items() if lsn <= primary.snapshot.lsn}


async def check_log(world: World, final: Snapshot) -> None:
    reader = reader_of(world.truth)
    headers = [header async for header in reader.headers(1, final.lsn)]
    assert [h.lsn for h in headers] == list(range(1, final.lsn + 1))
    assert all(a.tso < b.tso for a, b in pairwise(headers))
    assert all(a.epoch <= b.epoch for a, b in pairwise(headers))
    for lsn in (1, final.lsn // 2, final.lsn):  # by way of checkpoints, or without
        assert await reader.follow(await reader.open(at_lsn=lsn)) == final


def run(seed: int) -> None:
    sys.stdout.write(f"seed {seed}\n")

    async def story() -> None:
        try:
            world, final = await play(seed)
        except MobulaError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        check(world, final)
        await check_log(world, final)

    asyncio.run(story())


@pytest.mark.parametrize("seed", range(25))
def test_no_acknowledged_transaction_is_lost_or_doubled(seed: int) -> None:
    run(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1500))
def test_no_acknowledged_transaction_is_lost_or_doubled_in_many_more(seed: int) -> None:
    run(seed)
