"""Large writes by key that others overtake between their check and their turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pyarrow as pa
import pytest

from actors.messages import Transaction
from actors.operations import NewColumn, NewKey, NewTable, WriteMode
from actors.primary.primary import Primary
from actors.write import files_operation, rows_operation
from storage.delta import decode_rows
from storage.errors import InvalidRequest
from storage.ingest import write_table
from storage.objects import MemoryStore
from storage.schema import Kind, ScalarType
from storage.target import fit
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.reigns import reign

INTEGER = ScalarType(kind=Kind.INTEGER)
TABLE = NewTable(
    schema="public",
    name="t",
    columns=tuple(NewColumn(name=name, type=INTEGER) for name in "ab"),
    keys=(
        NewKey(name="t_pkey", columns=("a",), primary=True),
        NewKey(name="t_b_key", columns=("b",), primary=False),
    ),
)


class World:
    """A primary with one empty table; between check and turn of a load, `meanwhile` is called."""

    def __init__(self, primary: Primary, store: MemoryStore) -> None:
        self.primary = primary
        self._store = store
        self._ids = CountedIds("f")
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        checked = primary._bulk.checked

        async def overtaken(*arguments: Any) -> Any:
            found = await checked(*arguments)
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                await meanwhile()
            return found

        primary._bulk.checked = overtaken  # type: ignore[method-assign]

    async def load(self, mode: WriteMode, **columns: list[int]) -> int:
        info = self.primary.table("public", "t")
        rows = fit(pa.table(columns), info.target)
        files = await write_table(self._store, rows, info.target, ids=self._ids)
        return await self._done(files_operation(info, files, mode))

    async def write(self, mode: WriteMode, **columns: list[int]) -> int:
        info = self.primary.table("public", "t")
        return await self._done(rows_operation(info, fit(pa.table(columns), info.target), mode))

    async def _done(self, operation: Any) -> int:
        receipt = await self.primary.submit(Transaction(operations=(operation,)))
        return sum(receipt.row_counts)

    def delta_rows(self) -> list[dict[str, int]]:
        table = self.primary.snapshot.find_table("t", "public")
        assert table is not None
        return [row for d in table.deltas for row in decode_rows(d.rows, "t").to_pylist()]

    def live_count(self) -> int:
        table = self.primary.snapshot.find_table("t", "public")
        assert table is not None
        return table.row_count


def in_a_world(test: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        store, clock = MemoryStore(), FakeClock()
        primary = Primary(
            await reign(store, "a", clock), store=store, clock=clock, ids=CountedIds("p")
        )
        running = asyncio.create_task(primary._sequencer.run())
        try:
            await primary.submit(Transaction(operations=(TABLE,)))
            await test(World(primary, store))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            primary._indexes.close()

    asyncio.run(run())


def test_a_unique_value_that_came_meanwhile_is_seen() -> None:
    async def test(world: World) -> None:
        world.meanwhile = lambda: world.write(WriteMode.INSERT, a=[100], b=[2])
        with pytest.raises(InvalidRequest, match=r'"t_b_key".*Key \(b\)=\(2\) already exists'):
            await world.load(WriteMode.INSERT, a=[1, 2], b=[1, 2])
        assert world.live_count() == 1

    in_a_world(test)


def test_a_unique_value_that_came_with_files_meanwhile_is_seen() -> None:
    async def test(world: World) -> None:
        world.meanwhile = lambda: world.load(WriteMode.INSERT, a=[100], b=[2])
        with pytest.raises(InvalidRequest, match=r"Key \(b\)=\(2\) already exists"):
            await world.load(WriteMode.INSERT, a=[1, 2], b=[1, 2])
        assert world.live_count() == 1

    in_a_world(test)


def test_other_values_that_came_meanwhile_are_in_nobodys_way() -> None:
    async def test(world: World) -> None:
        world.meanwhile = lambda: world.write(WriteMode.INSERT, a=[100], b=[200])
        assert await world.load(WriteMode.INSERT, a=[1, 2], b=[1, 2]) == 2
        assert world.live_count() == 3

    in_a_world(test)


@pytest.mark.parametrize("mode", [WriteMode.INSERT, WriteMode.IGNORE, WriteMode.UPDATE])
def test_a_key_that_came_meanwhile_is_checked_again(mode: WriteMode) -> None:
    async def test(world: World) -> None:
        world.meanwhile = lambda: world.write(WriteMode.INSERT, a=[2], b=[20])
        if mode is WriteMode.INSERT:
            with pytest.raises(InvalidRequest, match=r"Key \(a\)=\(2\) already exists"):
                await world.load(mode, a=[1, 2], b=[1, 2])
        else:
            assert await world.load(mode, a=[1, 2], b=[1, 2]) == 1
        assert world.live_count() == (2 if mode is WriteMode.IGNORE else 1)

    in_a_world(test)


def test_a_row_that_came_meanwhile_is_replaced() -> None:
    async def test(world: World) -> None:
        await world.write(WriteMode.INSERT, a=[1, 2, 3], b=[11, 12, 13])
        world.meanwhile = lambda: world.write(WriteMode.UPSERT, a=[2, 9], b=[12, 19])
        assert await world.load(WriteMode.UPSERT, a=[2, 9], b=[12, 20]) == 2
        assert world.live_count() == 4

    in_a_world(test)


def test_a_row_that_an_update_leaves_out_has_no_value() -> None:
    async def test(world: World) -> None:
        await world.write(WriteMode.INSERT, a=[1], b=[11])
        assert await world.load(WriteMode.UPDATE, a=[7], b=[11]) == 0
        assert await world.load(WriteMode.UPDATE, a=[1, 7], b=[12, 11]) == 1
        assert world.live_count() == 1

    in_a_world(test)


def test_a_flush_meanwhile_hides_nothing() -> None:
    async def test(world: World) -> None:
        await world.write(WriteMode.INSERT, a=[1, 2, 3], b=[11, 12, 13])

        async def flushed() -> None:
            await world.write(WriteMode.UPSERT, a=[3], b=[14])
            assert await world.primary.flush() == 1

        world.meanwhile = flushed
        assert await world.load(WriteMode.UPSERT, a=[1, 3, 4], b=[11, 15, 16]) == 3
        assert world.live_count() == 4
        assert world.delta_rows() == []

    in_a_world(test)
