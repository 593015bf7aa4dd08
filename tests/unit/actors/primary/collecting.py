"""A primary in memory whose past is collected, and what a test asks of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from actors.operations import AppendFiles, DropTable, NewColumn, NewTable, TruncateTable, WriteMode
from actors.primary.collector import Collected
from actors.primary.limits import CheckpointPolicy, KeyedLimits
from actors.primary.primary import Primary
from actors.write import files_operation
from storage.collection.policy import RetentionPolicy
from storage.format import DatabaseFormat
from storage.ingest import write_slices
from storage.names import FORMAT, checkpoint_lsn
from storage.objects import CountingStore, MemoryStore, ObjectInfo, ObjectStore
from storage.schema import arrow_schema
from storage.snapshot.model import Snapshot
from tests.fakes import CountedIds, StillClock
from tests.unit.actors.primary.keyed import INTEGER, NEVER, NOT_BY_ITSELF, PRIMARY, UNIQUE, Keyed
from tests.unit.storage.log.reigns import DATABASE, reader_of, reign

__all__ = ["POLICY", "Crashing", "Past", "busy", "collecting", "opened"]

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT
LIMITS = KeyedLimits(flush=NEVER, compaction=NOT_BY_ITSELF, index_bytes=1 << 26)
POLICY = RetentionPolicy(every_ms=0, follow_ms=0, pack_ms=0, pack_groups=4)
NO_CHECKPOINTS = CheckpointPolicy(tail_bytes_max=1 << 40, tail_groups_max=1 << 30)

Contents = dict[str, list[Any]]


class Past(Keyed):
    """A primary whose versions are remembered. `lines` is a table without keys."""

    versions: dict[int, Contents]

    async def add_tables(self) -> None:
        columns = (NewColumn(name="n", type=INTEGER),)
        await self.submit(NewTable(schema="public", name="lines", columns=columns))

    async def lines(self, *numbers: int, table: str = "lines") -> AppendFiles:
        """A large write to a table without keys; its file is in the store already."""
        info = self.primary.table("public", table)
        frame = self.frame_of(table, [(n,) for n in numbers])
        ids = CountedIds(f"l{len(self.store.requests)}")
        files = await write_slices(self.store, [frame], info.target, ids=ids)
        return files_operation(info, files, INSERT, None)

    def frame_of(self, name: str, rows: list[Any]) -> pa.Table:
        table = self.snapshot.find_table(name)
        assert table is not None
        schema = arrow_schema(table.columns)
        return pa.Table.from_pylist([dict(zip(schema.names, r, strict=True)) for r in rows], schema)

    async def note(self) -> int:
        """Remember the newest version; its LSN."""
        self.versions[self.snapshot.lsn] = await self.contents(self.snapshot)
        return self.snapshot.lsn

    async def contents(self, snapshot: Snapshot) -> Contents:
        return {table.name: await self.all(table) for table in snapshot.tables.values()}

    async def check_versions(self, horizon: int) -> None:
        """All that are remembered from the horizon on can be opened and read."""
        for lsn, expected in self.versions.items():
            if lsn >= horizon:
                found = await reader_of(self.store).open(at_lsn=lsn)
                assert found.lsn == lsn
                assert await self.contents(found) == expected

    async def vacuum(self, *, dry_run: bool = False, **limits: int) -> Collected:
        return await self.primary.collector.vacuum(dry_run=dry_run, **limits)

    async def vacuum_all(self, *, dry_run: bool = False) -> Collected:
        """Nothing of the past, no upload that is not committed."""
        return await self.vacuum(retention_ms=0, uploads_ms=0, dry_run=dry_run)

    async def names(self, *prefixes: str) -> set[str]:
        return {
            entry.name
            for prefix in prefixes or ("",)
            async for entry in self.store.list(prefix)
            if not entry.name.startswith("epoch/")
        }

    async def stored(self) -> set[str]:
        """Objects of data and indexes."""
        return await self.names("data/", "index/")

    def live(self) -> set[str]:
        """Those that the newest version has."""
        tables = self.snapshot.tables.values()
        files = {name for table in tables for name in table.files.names}
        return files | {run.name for table in tables for run in table.index_runs}

    def buried(self) -> set[str]:
        return {one.name for grave in self.snapshot.graveyard for one in grave.objects}

    async def roots(self) -> list[int]:
        """The LSNs of checkpoints, oldest first."""
        names = await self.names("checkpoint/")
        return sorted(checkpoint_lsn(name) for name in names if name.endswith("/root"))

    async def crash(self) -> None:
        """End at once, as a process that is killed."""
        for task in self.primary._tasks:
            task.cancel()
        await asyncio.gather(*self.primary._tasks, return_exceptions=True)
        self.primary._indexes.close()


async def opened(
    store: ObjectStore, policy: RetentionPolicy = POLICY, clock: StillClock | None = None
) -> Past:
    """A new primary over what is there."""
    counting = CountingStore(store, record=True)
    clock = clock or StillClock()
    owners = [entry async for entry in store.list("epoch/")]
    name = f"p{len(owners)}"
    reigning = await reign(counting, name, clock, dead=True)  # type: ignore[arg-type]
    primary = Primary(
        reigning,
        store=counting,
        clock=clock,
        ids=CountedIds(name),
        policy=NO_CHECKPOINTS,
        keyed=LIMITS,
        retention=policy,
    )
    primary.start()
    made = Past(counting, primary, clock)
    made.versions = {}
    return made


def collecting(
    test: Callable[[Past], Awaitable[None]],
    policy: RetentionPolicy = POLICY,
    store: ObjectStore | None = None,
) -> None:
    """Run a test with a primary that has the tables t (with keys) and lines."""

    async def run() -> None:
        inner = store or MemoryStore()
        await inner.create(FORMAT, msgspec.json.encode(DatabaseFormat.of(DATABASE)))
        made = await opened(inner, policy)
        made.clock.move(10)
        await made.create(PRIMARY, UNIQUE)
        await made.add_tables()
        try:
            async with asyncio.timeout(60):
                await test(made)
        finally:
            await made.primary.close()

    asyncio.run(run())


async def busy(db: Past, *, step_ms: int = 10) -> None:
    """A bit of everything that leaves something behind: flush, compaction, deletes, index runs,
    TRUNCATE, DROP; and checkpoints. All versions are remembered."""

    async def done() -> None:
        await db.note()
        db.clock.move(step_ms)

    await db.write(INSERT, *((k, k * 10, "a") for k in range(8)))
    await done()
    await db.flush()
    await done()
    await db.write(UPSERT, *((k, k * 10 + 1, "b") for k in range(4, 12)))
    await db.flush()
    await done()
    await db.primary.checkpoint()
    await db.submit(await db.lines(1, 2, 3))
    await done()
    await db.delete(0, 5)
    await db.primary.compact(db.table.id)
    await done()
    await db.submit(await db.files(INSERT, [(20, 200, "c"), (21, 210, "c")]))
    await db.primary.checkpoint()
    await done()
    await db.submit(TruncateTable(table_id=db.primary.table("public", "lines").table_id))
    await done()
    columns = (NewColumn(name="n", type=INTEGER),)
    await db.submit(NewTable(schema="public", name="gone", columns=columns))
    await db.submit(await db.lines(7, table="gone"))
    await done()
    await db.submit(DropTable(schema="public", name="gone"))
    await db.primary.checkpoint()
    await done()
    await db.primary.repair_index(db.table.id)
    await db.submit(await db.lines(4, 5))
    await done()


class Crashing:
    """An `ObjectStore` that dies at one call: then, or after it was done, nothing answers."""

    def __init__(self, inner: ObjectStore) -> None:
        self.inner = inner
        self.calls = 0
        self.dies_at = 0  # never
        self.afterwards = False  # the call is done, but nobody hears of it
        self.dead = asyncio.Event()

    @property
    def url(self) -> str:
        return self.inner.url

    async def _call(self, call: Callable[[], Awaitable[Any]]) -> Any:
        self.calls += 1
        dies = self.calls == self.dies_at
        if self.dead.is_set() or (dies and not self.afterwards):
            await self._die()
        try:
            return await call()
        finally:
            if dies:
                await self._die()

    async def _die(self) -> None:
        self.dead.set()
        await asyncio.Event().wait()

    async def create(self, name: str, data: bytes) -> None:
        await self._call(lambda: self.inner.create(name, data))

    async def put(self, name: str, data: bytes) -> None:
        await self._call(lambda: self.inner.put(name, data))

    async def get(self, name: str) -> bytes:
        found: bytes = await self._call(lambda: self.inner.get(name))
        return found

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        found: bytes = await self._call(lambda: self.inner.get_range(name, start, length))
        return found

    async def put_file(self, name: str, path: Path) -> None:
        await self._call(lambda: self.inner.put_file(name, path))

    async def fetch(self, name: str, path: Path) -> int:
        found: int = await self._call(lambda: self.inner.fetch(name, path))
        return found

    async def delete(self, name: str) -> None:
        await self._call(lambda: self.inner.delete(name))

    async def close(self) -> None: ...

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        async def page() -> list[ObjectInfo]:
            pages = self.inner.list(prefix, start_after=start_after, page_size=page_size)
            return [entry async for entry in pages]

        for entry in await self._call(page):
            yield entry

    async def until_dead(self, work: Awaitable[object]) -> bool:
        """Do it until it ends or the store dies; whether it did."""
        doing, dying = asyncio.ensure_future(work), asyncio.ensure_future(self.dead.wait())
        await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
        for task in (doing, dying):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return self.dead.is_set()
