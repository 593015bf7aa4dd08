"""What tests of the log share: a database in memory, its reader, and primaries over it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pyarrow as pa

from actors.messages import Transaction
from actors.operations import AppendRows, NewColumn, NewTable
from storage.delta import encode_rows
from storage.ids import Ids
from storage.log.epoch import Owner
from storage.log.reader import LogReader
from storage.log.record import Group, GroupHeader
from storage.log.takeover import Reign, take_over
from storage.objects import MemoryStore, ObjectStore
from storage.schema import Kind, ScalarType, arrow_schema
from storage.snapshot.model import IngestToken, Snapshot, TableState
from tests.fakes import CountedIds, FakeClock

DATABASE = "d" * 32
NUMBERS = NewTable(
    schema="public",
    name="numbers",
    columns=(NewColumn(name="n", type=ScalarType(Kind.BIGINT)),),
)


def reader_of(store: ObjectStore) -> LogReader:
    return LogReader(store, DATABASE, "main")


def owner(name: str) -> Owner:
    return Owner(id=name, nonce=f"nonce of {name}", address=f"host of {name}", lease_ms=10_000)


async def reign(
    store: ObjectStore, name: str, clock: FakeClock, ids: Ids | None = None, *, dead: bool = False
) -> Reign:
    return await take_over(
        store,
        reader_of(store),
        owner=owner(name),
        clock=clock,
        ids=ids or CountedIds(name),
        predecessor_is_dead=dead,
    )


def numbers(table: TableState, *values: int) -> AppendRows:
    rows = pa.table({"n": list(values)}, schema=arrow_schema(table.columns))
    return AppendRows(
        table_id=table.id,
        schema_version=table.schema.version,
        row_count=len(values),
        rows=encode_rows(rows),
    )


def appending(snapshot: Snapshot, *values: int, token: IngestToken | None = None) -> Transaction:
    table = snapshot.find_table("numbers")
    assert table is not None
    return Transaction(operations=(numbers(table, *values),), token=token)


class HookedStore(MemoryStore):
    """A store in which something happens right before an object is first created."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}

    async def create(self, name: str, data: bytes) -> None:
        if (hook := self.before.pop(name, None)) is not None:
            await hook()
        await super().create(name, data)


def empty_group(after: Snapshot, writer: str) -> Group:
    """A group without changes that a primary of epoch 1 might still send."""
    return Group(
        header=GroupHeader(
            database_id=DATABASE,
            branch_id="main",
            lsn=after.lsn + 1,
            tso=after.tso + 1,
            epoch=1,
            writer_id=writer,
            nonce="late",
            previous=after.checksum,
            transactions=(),
        )
    )
