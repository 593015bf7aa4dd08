"""A small database in memory with everything that a check looks at, made by a real primary.

Names and bytes are the same each time. Two reigns; tables with exact and hashed keys, with NULLs in
a key, with every type, and without keys; files of loads and of flushes, deltas, delete bitmaps;
files that only earlier versions read; two checkpoints and groups behind them; and one file that was
never committed.
"""

from __future__ import annotations

import asyncio
import datetime
import decimal
import functools
import uuid
from typing import Any

import msgspec
import pyarrow as pa

from actors.messages import Transaction
from actors.operations import (
    DropTable,
    NewColumn,
    NewKey,
    NewTable,
    NewType,
    TruncateTable,
    WriteMode,
)
from actors.primary.limits import KeyedLimits
from actors.write import files_operation, rows_operation
from storage.format import DatabaseFormat
from storage.ingest import write_slices
from storage.log.epoch import read_owner
from storage.log.record import Group, GroupHeader
from storage.log.writer import LogWriter
from storage.names import FORMAT
from storage.objects import CountingStore, MemoryStore
from storage.schema import (
    ArrayType,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    StructType,
    VarCharType,
    arrow_schema,
)
from storage.scrub import Finding, Report, scrub
from storage.snapshot.changes import CatalogueChange, TableChange
from storage.snapshot.model import Snapshot, TableState
from tests.fakes import CountedIds, FakeClock
from tests.unit.actors.primary.keyed import (
    NEVER,
    NOT_BY_ITSELF,
    PRIMARY,
    UNIQUE,
    Keyed,
    start,
)
from tests.unit.storage.log.reigns import DATABASE, reader_of

__all__ = [
    "Objects",
    "appended",
    "checked",
    "copied",
    "last_log",
    "newest",
    "restored",
    "run",
    "small_database",
    "table",
    "wide_row",
]

Objects = dict[str, bytes]
INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT
LIMITS = KeyedLimits(flush=NEVER, compaction=NOT_BY_ITSELF, index_bytes=1 << 26)

EVERY_TYPE: dict[str, SqlType] = {
    "b": ScalarType(Kind.BOOLEAN),
    "i": ScalarType(Kind.SMALLINT),
    "d": DecimalType(9, 2),
    "w": DecimalType(30, 4),
    "f": ScalarType(Kind.DOUBLE),
    "r": ScalarType(Kind.REAL),
    "s": VarCharType(200),
    "e": EnumType("mood", ("sad", "glad")),
    "y": ScalarType(Kind.BYTEA),
    "u": ScalarType(Kind.UUID),
    "day": ScalarType(Kind.DATE),
    "at": ScalarType(Kind.TIMESTAMP),
    "z": ScalarType(Kind.TIMESTAMPTZ),
    "t": ScalarType(Kind.TIME),
    "p": ScalarType(Kind.INTERVAL),
    "j": ScalarType(Kind.JSONB),
    "a": ArrayType(element=ScalarType(Kind.INTEGER)),
    "c": StructType("pair", (("x", ScalarType(Kind.INTEGER)), ("m", DecimalType(9, 2)))),
}
WIDE_KEYS = (
    NewKey(name="wide_pkey", columns=("s", "i"), primary=True),
    NewKey(name="wide_u_key", columns=("u", "f", "at"), primary=False),
)


def wide_row(number: int) -> tuple[Any, ...]:
    moment = datetime.datetime(2026, 1, 1, 12) + datetime.timedelta(hours=number)
    empty = number % 5 == 4
    return (
        None if empty else number % 2 == 0,
        number,
        None if empty else decimal.Decimal(number) / 4,
        decimal.Decimal(number) / 8 + 10**20,
        None if empty else float("nan") if number % 7 == 6 and number > 40 else number / 3,
        float("nan") if number == 3 else number * 1.5,
        f"{number % 3}" * (100 if number % 2 else 3),  # some are longer than bounds may be
        "glad" if number % 2 else "sad",
        b"\xff" * (70 if number % 4 == 1 else number),
        uuid.UUID(int=number << 90).bytes,
        moment.date(),
        moment,
        moment.replace(tzinfo=datetime.UTC),
        moment.time(),
        {"months": number, "days": 1, "microseconds": 5},
        '{"n": 1}',
        None if empty else [number, None],
        {"x": number, "m": decimal.Decimal(number)},
    )


class Maker:
    """Writes to the tables of one reign."""

    def __init__(self, db: Keyed) -> None:
        self.db = db

    async def create(self, name: str, columns: dict[str, SqlType], *keys: NewKey) -> None:
        made = tuple(NewColumn(name=n, type=t) for n, t in columns.items())
        await self.submit(NewTable(schema="public", name=name, columns=made, keys=keys))

    async def submit(self, *operations: Any) -> None:
        await self.db.primary.submit(Transaction(operations=operations))

    def frame(self, name: str, rows: list[tuple[Any, ...]]) -> pa.Table:
        table = self.db.snapshot.find_table(name)
        assert table is not None
        schema = arrow_schema(table.columns)
        return pa.Table.from_pylist([dict(zip(schema.names, r, strict=True)) for r in rows], schema)

    async def write(self, name: str, mode: WriteMode, rows: list[tuple[Any, ...]]) -> None:
        info = self.db.primary.table("public", name)
        await self.submit(rows_operation(info, self.frame(name, rows), mode, None))

    async def load(self, name: str, mode: WriteMode, *slices: list[tuple[Any, ...]]) -> None:
        info = self.db.primary.table("public", name)
        ids = CountedIds(f"f{self.db.snapshot.lsn}")
        frames = [self.frame(name, rows) for rows in slices]
        files = await write_slices(self.db.store, frames, info.target, ids=ids)
        await self.submit(files_operation(info, files, mode, None))

    async def flush(self, name: str) -> None:
        table = self.db.snapshot.find_table(name)
        assert table is not None
        await self.db.primary._maintainer.upkeep.flush(table, self.db.snapshot)


async def _first_reign(make: Maker) -> None:
    await make.db.create(PRIMARY, UNIQUE)
    for kind in (EVERY_TYPE["e"], EVERY_TYPE["c"]):
        assert isinstance(kind, EnumType | StructType)
        await make.submit(NewType(schema="public", name=kind.name, definition=kind))
    await make.create("wide", EVERY_TYPE, *WIDE_KEYS)
    await make.create("lines", {"n": ScalarType(Kind.BIGINT), "x": ScalarType(Kind.TEXT)})
    await make.write("t", INSERT, [(k, k * 10 if k % 3 else None, "a") for k in range(20)])
    await make.flush("t")
    await make.write("t", UPSERT, [(k, k * 10 + 1, "b") for k in range(10, 30)])
    await make.load("wide", INSERT, *([wide_row(n) for n in range(f, f + 9)] for f in (0, 9)))
    await make.db.primary.checkpoint()
    await make.load("lines", INSERT, [(n, f"line {n}") for n in range(50)])
    await make.submit(TruncateTable(table_id=make.db.primary.table("public", "lines").table_id))
    await make.create("gone", {"n": ScalarType(Kind.BIGINT)})
    await make.load("gone", INSERT, [(1,), (2,)])
    await make.submit(DropTable(schema="public", name="gone"))


async def _second_reign(make: Maker) -> None:
    await make.load("lines", INSERT, [(n, None) for n in range(7)], [(n, "x") for n in range(5)])
    await make.flush("t")
    await make.db.delete(3, 14)
    await make.write("wide", UPSERT, [wide_row(n) for n in (2, 11, 30)])
    await make.write("t", UPSERT, [(0, 2, "c"), (50, None, "c"), (51, None, "c")])
    await make.db.primary.checkpoint()
    await make.write("lines", INSERT, [(100, "late")])
    await make.db.delete(50)
    info = make.db.primary.table("public", "lines")
    rows = make.frame("lines", [(9, "never committed")])
    await write_slices(make.db.store, [rows], info.target, ids=CountedIds("abandoned"))


async def _database() -> Objects:
    inner = MemoryStore()
    whole = DatabaseFormat.of(DATABASE)
    await inner.create(FORMAT, msgspec.json.encode(whole))
    store = CountingStore(inner, record=True)
    for work in (_first_reign, _second_reign):
        db = await start(store, LIMITS)
        await work(Maker(db))
        await db.primary.close()
    return await copied(inner)


@functools.cache
def small_database() -> Objects:
    """All objects, by name."""
    return asyncio.run(_database())


async def copied(store: MemoryStore) -> Objects:
    """The objects of a store."""
    return {entry.name: await store.get(entry.name) async for entry in store.list("")}


async def restored(objects: Objects) -> MemoryStore:
    """A store with these objects."""
    store = MemoryStore()
    for name, data in objects.items():
        await store.put(name, data)
    return store


async def run(store: MemoryStore, **options: Any) -> tuple[list[Finding], Report]:
    """Check a store: all findings, and what the check says in the end."""
    found: list[Finding] = []
    report = await scrub(store, on_finding=found.append, **options)
    return found, report


def checked(objects: Objects, **options: Any) -> tuple[list[Finding], Report]:
    """Check these objects."""

    async def check() -> tuple[list[Finding], Report]:
        return await run(await restored(objects), **options)

    return asyncio.run(check())


# --- states that a primary would not write --------------------------------------------------------


async def _appended(
    objects: Objects,
    tables: dict[int, tuple[TableChange, ...]],
    catalogue: tuple[CatalogueChange, ...],
) -> Objects:
    store = await restored(objects)
    newest = await reader_of(store).open()
    header = GroupHeader(
        database_id=DATABASE,
        branch_id="main",
        lsn=newest.lsn + 1,
        tso=newest.tso + 1,
        epoch=newest.epoch,
        writer_id=(await read_owner(store, newest.epoch)).id,
        nonce="n" * 32,
        previous=newest.checksum,
        transactions=(),
    )
    writer = LogWriter(store, FakeClock(), next_lsn=newest.lsn + 1)
    await writer.append(Group(header=header, catalogue=catalogue, tables=tables))
    return await copied(store)


def appended(
    objects: Objects,
    table_id: int,
    *changes: TableChange,
    catalogue: tuple[CatalogueChange, ...] = (),
) -> Objects:
    """With one more group, whatever its records say."""
    tables = {table_id: changes} if changes else {}
    return asyncio.run(_appended(objects, tables, catalogue))


def newest(objects: Objects) -> Snapshot:
    """The newest version."""

    async def opened() -> Snapshot:
        return await reader_of(await restored(objects)).open()

    return asyncio.run(opened())


def table(objects: Objects, name: str) -> TableState:
    """A table of the newest version."""
    found = newest(objects).find_table(name)
    assert found is not None
    return found


def last_log(objects: Objects) -> str:
    """The name of the newest log object."""
    return max(name for name in objects if name.startswith("log/"))
