"""A group on its way to the log: the transactions in it, what they change, and who waits.

Groups stand in a queue. The last one is open and takes transactions; it is sealed when the next one
opens or its turn comes (`sequencer.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.messages import Transaction
from actors.operations import (
    AppendFiles,
    AppendRows,
    Collect,
    DeleteRows,
    NewTable,
    Operation,
    WriteRows,
)
from actors.primary.merge import merged
from actors.primary.resolved import Resolved
from actors.primary.state import WriterState
from actors.primary.traffic import Tally
from storage.errors import MobulaError
from storage.key_rows import RowKeys
from storage.log.record import OperationRecord, TransactionRecord
from storage.snapshot.changes import CatalogueChange, DropTable, TableChange
from storage.snapshot.model import Receipt

__all__ = ["Entry", "OpenGroup", "carried", "fail", "record_of", "size_bytes_of"]


@dataclass(slots=True)
class Entry:
    """A transaction in an open group, and who waits for it."""

    record: TransactionRecord
    waiters: list[asyncio.Future[Receipt]] = field(default_factory=list)

    @property
    def row_counts(self) -> tuple[int, ...]:
        return tuple(operation.row_count for operation in self.record.operations)


@dataclass(slots=True)
class OpenGroup:
    """A group that is not durable yet.

    `before`: the state that its first transaction met; `keys`: see `Resolved.deltas`; `written`: by
    transaction and table, see `Resolved.written`; `tally`: bytes to be counted
    when it is durable.
    """

    lsn: int
    before: WriterState
    entries: list[Entry] = field(default_factory=list)
    catalogue: list[CatalogueChange] = field(default_factory=list)
    tables: dict[int, list[TableChange]] = field(default_factory=dict)
    keys: dict[tuple[int, int], Mapping[int, RowKeys]] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    size_bytes: int = 0
    sealed: bool = False

    def add(self, entry: Entry, resolved: list[Resolved], size_bytes: int) -> None:
        self.entries.append(entry)
        self.size_bytes += size_bytes
        for one in resolved:
            self.keys.update(one.deltas)
            self.catalogue += one.catalogue
            for table_id, changes in one.tables.items():
                self.tables.setdefault(table_id, []).extend(changes)
            for change in one.catalogue:
                if isinstance(change, DropTable):
                    self.tables.pop(change.table_id, None)

    def seal(self, working: WriterState) -> WriterState:
        """Merge what it does to the same rows. Returns the state with it, `working` until now."""
        self.sealed = True
        better = {}
        for table_id, changes in self.tables.items():
            table = self.before.snapshot.tables.get(table_id)
            if (found := merged(changes, table, self.before, self.keys)) is not None:
                better[table_id] = found
        self.keys = {}
        if not better:
            return working
        for table_id, found in better.items():
            self.tables[table_id] = list(found.changes)
        indexes = {k: v.index for k, v in better.items() if v.index is not None}
        whole = Resolved(
            kind="group",
            catalogue=tuple(self.catalogue),
            tables={k: tuple(v) for k, v in self.tables.items()},
            indexes={**working.indexes, **indexes},
        )
        return self.before.after(whole, self.lsn)


def size_bytes_of(transaction: Transaction) -> int:
    """What a transaction adds to its group, roughly."""
    size = 256
    for operation in map(carried, transaction.operations):
        match operation:
            case AppendRows():
                size += len(operation.rows)
            case WriteRows():
                size += len(operation.rows or b"") + 8 * operation.row_count
            case DeleteRows():
                size += sum(len(positions) for positions in operation.positions.values())
            case AppendFiles():
                size += sum(512 * (1 + len(row.statistics)) for row in operation.files)
            case Collect():
                size += sum(map(len, (*operation.planned, *operation.ended)))
            case _:
                size += 1024
    return size


def carried(operation: Operation) -> Operation:
    """The part of an operation that may be large."""
    if isinstance(operation, NewTable) and operation.rows is not None:
        return operation.rows
    return operation


def record_of(transaction: Transaction, resolved: list[Resolved]) -> TransactionRecord:
    token = transaction.token
    return TransactionRecord(
        user=transaction.session.user,
        operations=tuple(
            OperationRecord(kind=r.kind, table_id=r.table_id, row_count=r.row_count)
            for r in resolved
        ),
        token_writer=token.writer if token else None,
        token_sequence=token.sequence if token else None,
    )


def fail(group: OpenGroup, error: MobulaError) -> None:
    for entry in group.entries:
        waiters, entry.waiters = entry.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)
