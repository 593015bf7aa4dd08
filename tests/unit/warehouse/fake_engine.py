"""An engine that only records what it is asked for, with a catalogue of virtual warehouses."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from actors.fragments import QueryStats
from actors.messages import (
    CommitReply,
    Lookup,
    QueryReply,
    Statement,
    Transaction,
    TransactionControl,
    TransactionReply,
)
from actors.observed import Observed
from actors.operations import Operation
from actors.primary.resolve import resolve
from actors.settings import NodeSettings, Settings
from storage.errors import MobulaError
from storage.snapshot import changes as c
from storage.snapshot.model import Receipt, Snapshot
from warehouse.database import Database
from warehouse.planning.parse import StatementParser

__all__ = ["FakeEngine", "connected"]

ROWS = pa.table({"a": [1]})


class FakeEngine:
    """`asked`: what came to whom, "primary" or the name of a virtual warehouse, in order.

    `failing`: raised by `start_warehouse` and `resume`; `running`: ids of queries to cancel.
    """

    database_id = "db"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.sent: list[Statement | Lookup] = []
        self.operations: list[Operation] = []
        self.failing: MobulaError | None = None
        self.running: set[str] = set()
        self._snapshot = Snapshot(database_id="db", branch_id="main", lsn=1)
        self._parser = StatementParser()

    @property
    def lsn(self) -> int:
        return self._snapshot.lsn

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def submit(self, transaction: Transaction) -> Receipt:
        for operation in transaction.operations:
            self.operations.append(operation)
            for change in resolve(operation, self._snapshot, self.lsn).catalogue:
                self._apply(change)
        return self._receipt()

    def execute(self, statement: Statement) -> QueryReply | CommitReply:
        parsed = self._parser.parse(statement)
        if not parsed.writes or statement.session.transaction:
            return self.answer("primary", statement)
        self.asked.append(("primary", statement.sql))
        self.sent.append(statement)
        temporary = getattr(parsed.tree, "temporary", False)
        return CommitReply(receipt=self._receipt(), tag="WROTE", temporary=temporary)

    def get(self, lookup: Lookup) -> QueryReply:
        return self.answer("primary", lookup)

    def stream(self, statement: Statement) -> FakeStream:
        self.answer("primary", statement)
        return FakeStream()

    def control(self, control: TransactionControl) -> TransactionReply:
        receipt = self._receipt() if control.action == "commit" else None
        return TransactionReply(transaction="t1", receipt=receipt)

    def start_warehouse(self, name: str, new: object = None) -> FakeWarehouse:
        self.asked.append((name, "start"))
        if self.failing is not None:
            raise self.failing
        return FakeWarehouse(self, name)

    def stop_warehouse(self, name: str, *, force: bool = False) -> None:
        self.asked.append((name, "stop at once" if force else "stop"))

    def refresh_warehouse(self, name: str) -> None:
        self.asked.append((name, "refresh"))

    def observe(self, kind: str) -> Sequence[Observed]:
        return ()

    def cancel(self, query_id: str) -> bool:
        return query_id in self.running

    def close(self) -> None:
        pass

    def answer(self, where: str, asked: Statement | Lookup) -> QueryReply:
        self.asked.append((where, asked.sql if isinstance(asked, Statement) else "get"))
        self.sent.append(asked)
        return QueryReply(rows=ROWS, stats=QueryStats())

    def _receipt(self) -> Receipt:
        self._snapshot = dataclasses.replace(self._snapshot, lsn=self.lsn + 1)
        return Receipt(lsn=self.lsn, tso=0, row_counts=(1,))

    def _apply(self, change: Any) -> None:
        known = dict(self._snapshot.virtual_warehouses)
        match change:
            case c.CreateVirtualWarehouse() | c.AlterVirtualWarehouse():
                known[change.warehouse.name] = change.warehouse
            case c.DropVirtualWarehouse():
                del known[change.name]
        self._snapshot = dataclasses.replace(self._snapshot, virtual_warehouses=known)


class FakeWarehouse:
    """A `WarehouseClient`."""

    def __init__(self, engine: FakeEngine, name: str) -> None:
        self._engine = engine
        self._name = name

    def query(self, statement: Statement) -> QueryReply:
        return self._engine.answer(self._name, statement)

    def stream(self, statement: Statement) -> FakeStream:
        self._engine.answer(self._name, statement)
        return FakeStream()

    def get(self, lookup: Lookup) -> QueryReply:
        return self._engine.answer(self._name, lookup)

    def suspend(self, *, force: bool = False) -> None:
        self._engine.asked.append((self._name, "suspend at once" if force else "suspend"))

    def resume(self) -> None:
        self._engine.asked.append((self._name, "resume"))
        if self._engine.failing is not None:
            raise self._engine.failing

    def status(self) -> dict[str, Any]:
        return {"name": self._name}


class FakeStream:
    """A `BatchSource` of one batch."""

    schema = ROWS.schema

    def __init__(self) -> None:
        self._left = ROWS.to_batches()

    def read(self) -> pa.RecordBatch | None:
        return self._left.pop() if self._left else None

    def close(self) -> None:
        pass


def connected(engine: FakeEngine) -> Database:
    """A connection over it."""
    node = NodeSettings(
        root="memory://fake", store=None, branch="main", database_id="db", settings=Settings()
    )
    return Database(engine, node)  # type: ignore[arg-type]
