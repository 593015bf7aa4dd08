"""Writes by key with tokens, while the store fails, primaries replace each other and deltas are
flushed.

As in test_faults.py, a random delay before each request makes the interleaving. Each transaction
upserts keys that all clients share, inserts a key of its own and deletes an older one: done twice,
it would be refused or count otherwise. At the end every acknowledged transaction is in the log
once, each key has the value of its last write, and the index of the last primary and of the next
one find every row at its place.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys

import pyarrow as pa
import pytest

from actors.messages import TableInfo, Transaction
from actors.operations import (
    NewColumn,
    NewKey,
    NewTable,
    Operation,
    WriteMode,
)
from actors.primary.limits import CheckpointPolicy, KeyedLimits
from actors.primary.primary import Primary
from actors.write import delete_operation, rows_operation
from storage.errors import Conflict, Fenced, MobulaError, Unavailable
from storage.flush_policy import FlushPolicy
from storage.log.takeover import Reign
from storage.objects.faulty import Fault, FaultyStore
from storage.schema import Kind, ScalarType
from storage.snapshot.model import IngestToken, Snapshot
from tests.fakes import CountedIds, FakeClock
from tests.property.index_check import check_indexes, live_rows
from tests.property.test_faults import REIGNS_MAX, World
from tests.unit.storage.log.reigns import reader_of, reign

CLIENTS = 4
COMMITS_EACH = 10
SHARED = 7
OWN = 1_000  # the first key of a client's own
LAG = 2  # a client deletes the key that it inserted so many commits before
BIGINT = ScalarType(Kind.BIGINT)
ACCOUNTS = NewTable(
    schema="public",
    name="accounts",
    columns=(
        NewColumn(name="id", type=BIGINT, nullable=False),
        NewColumn(name="value", type=BIGINT, nullable=False),
    ),
    keys=(NewKey(name="accounts_pkey", columns=("id",), primary=True),),
)


class KeyedWorld(World):
    """One store, and the primary that clients believe in; its maintenance runs too."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.healed = False
        self.wrote: dict[int, tuple[int, ...]] = {}  # number -> the shared keys it upserted

    def primary_of(self, opened: Reign, store: FaultyStore) -> Primary:
        primary = Primary(
            opened,
            store=store,
            clock=self.clock,
            ids=CountedIds(f"c{self.reigns}"),
            policy=CheckpointPolicy(tail_groups_max=5),
            keyed=KeyedLimits(flush=FlushPolicy(rows_max=12, deltas_max=4, full=1_000)),
        )
        primary._spawn(primary._maintainer.run())
        primary._maintainer.wake()
        return primary

    def plan(self, method: str, name: str) -> Fault | None:
        return None if self.healed else super().plan(method, name)

    async def client(self, index: int) -> None:
        source = random.Random(self.rng.random())
        for number in range(COMMITS_EACH):
            value = index * OWN + number + OWN
            self.wrote[value] = tuple(source.sample(range(SHARED), 3))
            token = IngestToken(writer=f"client-{index}", sequence=number + 1)
            self.acknowledged[value] = await self.commit(value, token)

    async def commit(self, value: int, token: IngestToken) -> int:
        deletes = value % OWN >= LAG
        while True:
            primary = self.primaries[-1]
            operations = _operations(primary.table("public", "accounts"), value, self.wrote[value])
            try:
                receipt = await primary.submit(Transaction(operations=operations, token=token))
            except (Unavailable, Fenced, Conflict) as error:
                if isinstance(error, Unavailable) and self.reigns < REIGNS_MAX:
                    await self.take_over()
                await self.delay("retry", "")
                continue
            assert receipt.row_counts == ((3, 1, 1) if deletes else (3, 1))
            return receipt.lsn

    async def end(self) -> None:
        await super().end()
        for primary in self.primaries:
            primary._indexes.close()


def _operations(info: TableInfo, value: int, shared: tuple[int, ...]) -> tuple[Operation, ...]:
    def rows(*keys: int) -> pa.Table:
        values = {"id": list(keys), "value": [value] * len(keys)}
        return pa.table(values, schema=pa.schema({"id": pa.int64(), "value": pa.int64()}))

    operations: list[Operation] = [
        rows_operation(info, rows(*shared), WriteMode.UPSERT),
        rows_operation(info, rows(value), WriteMode.INSERT),
    ]
    if value % OWN >= LAG:
        operations.append(delete_operation(info, rows(value - LAG).select(["id"])))
    return tuple(operations)


async def play(world: KeyedWorld) -> None:
    await world.take_over()
    while True:
        try:
            setup = Transaction(
                operations=(ACCOUNTS,), token=IngestToken(writer="setup", sequence=1)
            )
            await world.primaries[-1].submit(setup)
            break
        except Unavailable:
            continue
    await asyncio.gather(*(world.client(i) for i in range(CLIENTS)), world.chaos())


async def check(world: KeyedWorld) -> None:
    world.healed = True
    last = world.primaries[-1]
    assert last._sequencer._stopped is None
    await check_indexes(last, world.truth)
    await world.end()
    final = await reader_of(world.truth).open()
    await check_rows(world, final)
    await check_log(world, final)
    await check_successor(world)


async def check_rows(world: KeyedWorld, final: Snapshot) -> None:
    table = final.find_table("accounts")
    assert table is not None
    rows = await live_rows(table, world.truth)
    found = dict(rows)
    assert len(found) == len(rows) == table.row_count
    own = {value for value in world.acknowledged if value % OWN >= COMMITS_EACH - LAG}
    assert {key for key in found if key >= OWN} == own
    for key in range(SHARED):
        writers = [value for value, keys in world.wrote.items() if key in keys]
        newest = max((world.acknowledged[value] for value in writers), default=0)
        assert found.get(key) in [v for v in writers if world.acknowledged[v] == newest] or not (
            writers
        )


async def check_log(world: KeyedWorld, final: Snapshot) -> None:
    """Every acknowledged token once, at the LSN that its receipt said."""
    seen: dict[tuple[str, int], int] = {}
    async for header in reader_of(world.truth).headers(1, final.lsn):
        for transaction in header.transactions:
            if transaction.token_writer is not None and transaction.token_sequence is not None:
                token = (transaction.token_writer, transaction.token_sequence)
                assert token not in seen, token
                seen[token] = header.lsn
    for value, lsn in world.acknowledged.items():
        assert seen[f"client-{value // OWN - 1}", value % OWN + 1] == lsn


async def check_successor(world: KeyedWorld) -> None:
    opened = await reign(world.truth, "next", FakeClock(), CountedIds("next"), dead=True)
    successor = Primary(opened, store=world.truth, clock=FakeClock(), ids=CountedIds("next"))
    world.primaries.append(successor)
    await check_indexes(successor, world.truth)


def run(seed: int) -> None:
    sys.stdout.write(f"seed {seed}\n")

    async def story() -> None:
        world = KeyedWorld(seed)
        try:
            await play(world)
            await check(world)
        except (MobulaError, AssertionError) as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        finally:
            await world.end()

    asyncio.run(story())


FIRST, _, LAST = os.environ.get("MOBULA_SEEDS", "0-9").partition("-")


@pytest.mark.parametrize("seed", range(int(FIRST), int(LAST or FIRST) + 1))
def test_no_acknowledged_upsert_is_lost_or_doubled(seed: int) -> None:
    run(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_no_acknowledged_upsert_is_lost_or_doubled_in_many_more(seed: int) -> None:
    run(seed)
