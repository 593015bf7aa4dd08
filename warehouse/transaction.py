"""Several writes as one commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from actors.client import Engine
from actors.messages import (
    AppendRows,
    Operation,
    Session,
    Transaction,
    WriteMode,
    WriteRows,
)
from actors.write import delete_operation, key_schema
from storage.errors import InvalidRequest, NotYet
from storage.snapshot.model import IngestToken
from warehouse.keys import key_rows
from warehouse.result import Commit
from warehouse.table import split_name

__all__ = ["TransactionScope", "TransactionTable"]


class TransactionTable:
    """A table inside a transaction: its writes are committed with the transaction's others.

    They are fitted to the table now, and done in their order when the transaction commits.
    """

    def __init__(
        self, name: str, engine: Engine, add: Callable[..., None], session: Session
    ) -> None:
        self._schema, self._table = split_name(name, session)
        self.name = f"{self._schema}.{self._table}"
        self._engine = engine
        self._add = add

    def append(self, frame: Any) -> None:
        """See `Table.append`."""
        self._write(frame, WriteMode.INSERT)

    def insert(self, frame: Any, *, ignore: bool = False) -> None:
        """See `Table.insert`."""
        self._write(frame, WriteMode.IGNORE if ignore else WriteMode.INSERT)

    def upsert(self, frame: Any) -> None:
        """See `Table.upsert`."""
        self._write(frame, WriteMode.UPSERT)

    def update(self, frame: Any) -> None:
        """See `Table.update`; of whole rows by key."""
        self._write(frame, WriteMode.UPDATE)

    def delete(self, keys: Any) -> None:
        """See `Table.delete`; by key."""
        info = self._engine.table(self._schema, self._table)
        rows = key_rows(keys, key_schema(info.target, "delete"), self._table)
        self._add(lambda _: delete_operation(info, rows))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    def _write(self, frame: Any, mode: WriteMode) -> None:
        info = self._engine.table(self._schema, self._table)
        self._add(lambda inline: self._engine.prepare_write(info, frame, mode, inline))


class TransactionScope:
    """Writes to any number of tables, committed together when the block ends without an error.

    with db.transaction() as tx:
        tx.table("orders").append(orders)
        tx.table("lineitem").append(lines)
    tx.commit.lsn

    Nothing of it is visible before, to anybody.
    """

    def __init__(
        self,
        engine: Engine,
        commit: Callable[[Transaction], Commit],
        token: IngestToken | None,
        session: Session,
    ) -> None:
        self._engine = engine
        self._submit = commit
        self._token = token
        self._session = session
        self._operations: list[Operation] = []
        self._open = False
        self.commit: Commit | None = None

    def table(self, name: str) -> TransactionTable:
        """A table whose writes belong to this transaction."""
        return TransactionTable(name, self._engine, self._add, self._session)

    def sql(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        """Not yet: statements inside a transaction."""
        raise NotYet(
            "SQL inside a transaction is not there yet; append works, db.sql commits alone"
        )

    def __enter__(self) -> TransactionScope:
        if self._open or self.commit is not None:
            raise InvalidRequest("a transaction object is used once; call db.transaction() again")
        self._open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False
        if kind is None and self._operations:
            self.commit = self._submit(
                Transaction(operations=tuple(self._operations), token=self._token)
            )

    def _add(self, prepare: Callable[[int], Operation]) -> None:
        """One more operation. Args: prepare: gets how many bytes of rows there are already."""
        if not self._open:
            raise InvalidRequest("the transaction has ended; nothing was written")
        carrying = (o for o in self._operations if isinstance(o, AppendRows | WriteRows))
        self._operations.append(prepare(sum(len(o.rows or b"") for o in carrying)))
