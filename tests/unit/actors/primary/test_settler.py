"""What commits have put into the indexes becomes few arrays, beside the commits."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from actors.primary.settler import AT_ONCE_ENTRIES, Settler, settle_now
from storage.primary_key import KeyIndex, Keys, LiveIds, Tier, locations_in
from storage.primary_key.table_index import TableIndex

BATCH = AT_ONCE_ENTRIES


def index_after(batches: int, size: int) -> TableIndex:
    """With keys of so many deltas, none of them settled yet."""
    index = TableIndex(keys={1: KeyIndex(exact=True)}, live=LiveIds.of(()))
    for number in range(batches):
        words = (np.arange(size) * batches + number).astype(np.uint64) << np.uint64(40)
        rows = np.arange(size, dtype=np.int64)
        index = index.added(number + 1, {1: (Keys(words), rows)})
    return index


def find_all(index: TableIndex, batches: int, size: int) -> list[int]:
    words = np.arange(size * batches).astype(np.uint64) << np.uint64(40)
    return [int(location) for location in index.keys[1].memory.find(Keys(words))]


def expected(batches: int, size: int) -> list[int]:
    rows = np.arange(size, dtype=np.int64)
    found = np.stack([locations_in(number + 1, rows) for number in range(batches)], axis=1)
    return [int(location) for location in found.reshape(-1)]


async def until_settled(index: TableIndex) -> None:
    async with asyncio.timeout(30):
        while list(index.unsettled()):  # noqa: ASYNC110 (a thread does it)
            await asyncio.sleep(0)


def test_large_tiers_are_settled_in_the_background() -> None:
    asyncio.run(_settling_in_the_background())


async def _settling_in_the_background() -> None:
    settler, index = Settler(), index_after(2, BATCH)
    running = asyncio.create_task(settler.run())
    settler.settle([index])
    assert len(list(index.unsettled())) == 1  # nobody has waited for it
    await until_settled(index)
    later = index_after(3, BATCH)
    settler.settle([index, later])
    settler.settle([later])
    await until_settled(later)
    assert find_all(later, 3, BATCH) == expected(3, BATCH)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_small_tiers_are_settled_at_once() -> None:
    index = index_after(2, AT_ONCE_ENTRIES // 2)
    Settler().settle([index])
    assert list(index.unsettled()) == []
    assert find_all(index, 2, AT_ONCE_ENTRIES // 2) == expected(2, AT_ONCE_ENTRIES // 2)


def test_what_is_settled_already_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(_settling_what_is_settled(monkeypatch))


async def _settling_what_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    settler, index = Settler(), index_after(2, BATCH)
    settler.settle([index])
    settle_now([index])
    assert list(index.unsettled()) == []

    def refused(self: Tier) -> None:
        raise AssertionError("settled twice")

    monkeypatch.setattr(Tier, "settle", refused)
    running = asyncio.create_task(settler.run())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
