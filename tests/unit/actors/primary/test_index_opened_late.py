"""The index of a table is opened while a group is open that then writes to the table."""

from __future__ import annotations

import asyncio

from actors.messages import Transaction
from actors.primary.primary import Primary
from storage.objects import MemoryStore
from tests.fakes import CountedIds, FakeClock
from tests.property.index_check import check_indexes
from tests.simulation.clients import BIGINT, new_table, operation_of
from tests.simulation.model import Effect
from tests.unit.storage.log.reigns import NUMBERS, appending, reign

OWN = 1_000  # keys from there on are written once


async def _primary(store: MemoryStore, name: str) -> Primary:
    clock = FakeClock()
    opened = await reign(store, name, clock, dead=True)
    return Primary(opened, store=store, clock=clock, ids=CountedIds(name))


async def _end(primary: Primary) -> None:
    for task in primary._tasks:
        task.cancel()
    await asyncio.gather(*primary._tasks, return_exceptions=True)
    primary._indexes.close()


def _upsert(primary: Primary, value: int) -> Transaction:
    info = primary.table("public", "accounts")
    shared = Effect("upsert", "accounts", ((1, value), (2, value)))
    own = Effect("insert", "accounts", ((value, value),))
    return Transaction(operations=(operation_of(info, shared), operation_of(info, own)))


def test_merged_deltas_of_the_group_are_found() -> None:
    async def story() -> None:
        store = MemoryStore()
        first = await _primary(store, "first")
        first._spawn(first._sequencer.run())
        await first.submit(Transaction(operations=(new_table("accounts", BIGINT), NUMBERS)))
        await first.submit(_upsert(first, OWN))
        await _end(first)
        second = await _primary(store, "second")
        waiting = [asyncio.ensure_future(second.submit(appending(second.snapshot, 1)))]
        await asyncio.sleep(0)  # its group is open, and nobody writes it yet
        waiting += [
            asyncio.ensure_future(second.submit(_upsert(second, OWN * n))) for n in range(2, 5)
        ]
        for _ in range(1_000):
            if len(second._sequencer._groups[-1].entries) == len(waiting):
                break
            await asyncio.to_thread(int)  # the index is opened in threads
        assert len(second._sequencer._groups[-1].entries) == len(waiting)
        second._spawn(second._sequencer.run())
        await asyncio.gather(*waiting)
        try:
            assert await check_indexes(second, store) == 2 + 4
        finally:
            await _end(second)

    asyncio.run(story())
