"""A primary in memory with one table, what it holds, and whether its indexes agree with that."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from actors.messages import Transaction
from actors.operations import (
    AppendFiles,
    DeleteRows,
    NewColumn,
    NewKey,
    NewTable,
    Operation,
    WriteMode,
    WriteRows,
)
from actors.primary.indexes import Indexes
from actors.primary.limits import KeyedLimits, SequencerLimits
from actors.primary.primary import Primary
from actors.primary.transactions import OpenTransaction
from actors.write import delete_operation, files_operation, rows_operation
from storage.compaction_policy import CompactionPolicy
from storage.delete_bitmap import Positions, encode_positions
from storage.delta import decode_rows
from storage.flush_policy import FlushPolicy
from storage.ingest import write_slices
from storage.key_rows import keys_in
from storage.micropartition import reader
from storage.names import index_prefix
from storage.objects import CountingStore, MemoryStore, ObjectStore
from storage.primary_key import TableIndex, locations_in
from storage.schema import Kind, ScalarType, SqlType, arrow_schema
from storage.snapshot.model import IngestToken, Receipt, Snapshot, TableState
from tests.fakes import CountedIds, StillClock
from tests.unit.storage.log.reigns import reader_of, reign

INTEGER = ScalarType(kind=Kind.BIGINT)
TEXT = ScalarType(kind=Kind.TEXT)
PRIMARY = NewKey(name="t_pkey", columns=("k",), primary=True)
UNIQUE = NewKey(name="t_u_key", columns=("u",), primary=False)
COLUMNS: dict[str, SqlType] = {"k": INTEGER, "u": INTEGER, "v": TEXT}
NEVER = FlushPolicy(deltas_max=1 << 30)  # nothing is flushed but by hand
NOT_BY_ITSELF = CompactionPolicy(holes_max=2.0, depth_max=1 << 30, small_files_max=1 << 30)

Row = tuple[Any, ...]


class GatedStore(MemoryStore):
    """Log objects wait while the gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()

    async def create(self, name: str, data: bytes) -> None:
        if name.startswith("log/"):
            await self.gate.wait()
        await super().create(name, data)


async def turns(count: int = 20) -> None:
    """Let the tasks that are ready go on."""
    for _ in range(count):
        await asyncio.sleep(0)


def other_table(name: str) -> NewTable:
    return NewTable(schema="public", name=name, columns=(NewColumn(name="n", type=INTEGER),))


class Keyed:
    """A primary that runs on the current event loop, and its table `t`."""

    def __init__(self, store: CountingStore, primary: Primary, clock: StillClock) -> None:
        self.store = store
        self.primary = primary
        self.clock = clock

    @property
    def snapshot(self) -> Snapshot:
        return self.primary.snapshot

    @property
    def table(self) -> TableState:
        found = self.snapshot.find_table("t")
        assert found is not None
        return found

    @property
    def index(self) -> TableIndex:
        return self.primary._sequencer.state.indexes[self.table.id]

    async def create(
        self,
        *keys: NewKey,
        columns: dict[str, SqlType] | None = None,
        name: str = "t",
        cluster_by: tuple[str, ...] = (),
    ) -> None:
        made = tuple(NewColumn(name=n, type=t) for n, t in (columns or COLUMNS).items())
        table = NewTable(schema="public", name=name, columns=made, keys=keys, cluster_by=cluster_by)
        await self.primary.submit(Transaction(operations=(table,)))

    # --- operations -------------------------------------------------------------------------------

    def frame(self, rows: Sequence[Row]) -> pa.Table:
        schema = arrow_schema(self.table.columns)
        names = schema.names
        return pa.Table.from_pylist([dict(zip(names, r, strict=True)) for r in rows], schema)

    def rows(
        self, mode: WriteMode, *rows: Row, read_lsn: int | None = None, name: str = "t"
    ) -> Any:
        """`WriteRows`, or `AppendRows` for a table without keys."""
        info = self.primary.table("public", name)
        return rows_operation(info, self.frame(rows), mode, read_lsn)

    def deleting(self, *keys: Any, read_lsn: int | None = None) -> WriteRows:
        info = self.primary.table("public", "t")
        (column,) = self.table.key_columns(self.table.keys[0])
        frame = pa.table({column.name: list(keys)}, schema=arrow_schema((column,)))
        return delete_operation(info, frame, read_lsn)

    def at(self, file_id: int, *positions: int, read_lsn: int) -> DeleteRows:
        return DeleteRows(
            table_id=self.table.id,
            positions={file_id: encode_positions(Positions(positions))},
            read_lsn=read_lsn,
        )

    async def files(
        self, mode: WriteMode, *slices: Sequence[Row], read_lsn: int | None = None
    ) -> AppendFiles:
        """A large write, one file for each slice; it is in the store already."""
        info = self.primary.table("public", "t")
        frames = [self.frame(rows) for rows in slices]
        ids = CountedIds(f"f{len(self.store.requests)}")
        files = await write_slices(self.store, frames, info.target, ids=ids)
        return files_operation(info, files, mode, read_lsn)

    async def submit(self, *operations: Operation, token: IngestToken | None = None) -> Receipt:
        return await self.primary.submit(Transaction(operations=operations, token=token))

    async def write(self, mode: WriteMode, *rows: Row) -> int:
        """The rows that counted."""
        return sum((await self.submit(self.rows(mode, *rows))).row_counts)

    async def delete(self, *keys: Any) -> int:
        return sum((await self.submit(self.deleting(*keys))).row_counts)

    async def together(self, *operations: Operation) -> list[Any]:
        """Each a transaction of its own, all of them in one group; receipts and errors."""
        before = self.snapshot.lsn
        found = await asyncio.gather(
            *(self.submit(operation) for operation in operations), return_exceptions=True
        )
        assert self.snapshot.lsn <= before + 1
        return found

    async def flush(self) -> None:
        if self.table.deltas:
            await self.primary._maintainer.upkeep.flush(self.table, self.snapshot)

    async def settled(self) -> None:
        """Return once maintenance has done what there is to do; what waits for time may wait."""
        found = self.primary._maintainer
        async with asyncio.timeout(10):
            while found._due.is_set() or found._lanes.busy():  # noqa: ASYNC110 (threads go on)
                await asyncio.sleep(0.001)

    async def begin(self, isolation: str = "repeatable read") -> OpenTransaction:
        return await self.primary.transactions.begin(isolation)

    # --- what is there ----------------------------------------------------------------------------

    async def located(self, table: TableState | None = None) -> dict[int, Row]:
        """Rows that are there, by location."""
        state = table or self.table
        parts: list[tuple[int, pa.Table]] = [
            (delta.id, decode_rows(delta.rows, "a delta")) for delta in state.deltas
        ]
        with tempfile.TemporaryDirectory() as directory:
            for file in state.files.table.select(["file_id", "name"]).to_pylist():
                path = Path(directory) / str(file["file_id"])
                await self.store.fetch(file["name"], path)
                parts.append((file["file_id"], reader.read(path, state.schema)))
        found = {}
        for number, rows in parts:
            gone = state.bitmaps.get(number)
            for position, row in enumerate(rows.to_pylist()):
                if gone is None or position not in gone:
                    found[number << 21 | position] = tuple(row.values())
        return found

    async def all(self, table: TableState | None = None) -> list[Row]:
        return sorted((await self.located(table)).values(), key=repr)

    async def check(self) -> None:
        """The open index, and one that is opened anew, know where every key is, and no other."""
        table = self.table
        assert table == (await reader_of(self.store).open()).find_table("t")
        found = await self.located()
        for index in (self.index, await self.opened(table)):
            await self._check(index, table, found)

    async def opened(self, table: TableState) -> TableIndex:
        prefix = lambda: index_prefix("main", 99, 0)  # noqa: E731
        indexes = Indexes(self.store, ids=CountedIds("o"), name_prefix=prefix, budget_bytes=1 << 20)
        try:
            return await indexes.open(table)
        finally:
            indexes.close()

    async def _check(self, index: TableIndex, table: TableState, found: dict[int, Row]) -> None:
        every = self.frame(list(found.values()))
        for key in table.keys:
            own = keys_in(every, table.key_columns(key))
            where = [list(found)[row] for row in own.positions().tolist()]
            assert index.find(key.id, own.keys, table).tolist() == where
        for delta in table.deltas:
            gone = table.bitmaps.get(delta.id)
            if gone is None:
                continue
            rows = decode_rows(delta.rows, "a delta")
            for key in table.keys:
                own = keys_in(rows, table.key_columns(key))
                at = index.find(key.id, own.keys, table)
                dead = [p in gone for p in own.positions().tolist()]
                own_at = locations_in(delta.id, own.positions())
                assert not (at == own_at)[dead].any()


def keyed(
    test: Callable[[Keyed], Awaitable[None]],
    *keys: NewKey,
    columns: dict[str, SqlType] | None = None,
    cluster_by: tuple[str, ...] = (),
    store: ObjectStore | None = None,
    flush: FlushPolicy = NEVER,
    compaction: CompactionPolicy = NOT_BY_ITSELF,
    room_timeout_ms: int = 60_000,
    limits: SequencerLimits | None = None,
) -> None:
    """Run a test with a primary whose table has these keys (PRIMARY, if it is silent)."""

    async def run() -> None:
        made = await start(
            CountingStore(store or MemoryStore(), record=True),
            KeyedLimits(
                flush=flush,
                compaction=compaction,
                room_timeout_ms=room_timeout_ms,
                index_bytes=1 << 26,
            ),
            limits,
        )
        await made.create(*keys, columns=columns, cluster_by=cluster_by)
        try:
            await test(made)
        finally:
            await made.primary.close()

    asyncio.run(run())


async def start(
    store: CountingStore, limits: KeyedLimits, sequencer: SequencerLimits | None = None
) -> Keyed:
    """A new primary over what is there."""
    clock = StillClock()
    name = f"p{len(store.requests)}"
    reigning = await reign(store, name, clock, dead=True)  # type: ignore[arg-type]
    primary = Primary(
        reigning, store=store, clock=clock, ids=CountedIds(name), keyed=limits, limits=sequencer
    )
    primary.start()
    return Keyed(store, primary, clock)
