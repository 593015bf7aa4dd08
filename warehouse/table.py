"""A table by name: appending to it, and one commit over several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from actors.client import Engine
from actors.messages import AppendRows, Operation, Session, Transaction
from actors.temporary import TEMPORARY, temporary_schema
from storage.errors import InvalidRequest, NotYet
from storage.snapshot.model import PUBLIC, IngestToken
from warehouse.result import Commit

__all__ = ["Table", "TransactionScope", "TransactionTable", "split_name"]

_KEYED = "keyed writes need a primary key, which this version does not have yet"


def split_name(name: str, session: Session | None = None) -> tuple[str, str]:
    """(schema, table) of `table` or `schema.table`; names are taken as they are written.

    `pg_temp.table` is a temporary table of the session.
    """
    schema, dot, table = name.rpartition(".")
    if schema == TEMPORARY:
        schema = (temporary_schema(session) if session else None) or schema
    return (schema, table) if dot else (PUBLIC, name)


class _KeyedWrites:
    """What tables with a primary key will take; until then every call says so."""

    name: str

    def insert(self, frame: Any) -> Commit:
        """Not yet: rows with a primary key, a duplicate being an error."""
        raise NotYet(f"{self.name}.insert: {_KEYED}; append adds rows")

    def upsert(self, frame: Any) -> Commit:
        """Not yet: insert or replace by primary key."""
        raise NotYet(f"{self.name}.upsert: {_KEYED}; append adds rows")

    def update(self, *args: Any, **kwargs: Any) -> Commit:
        """Not yet: change rows by key or predicate."""
        raise NotYet(f"{self.name}.update: {_KEYED}")

    def delete(self, keys: Any) -> Commit:
        """Not yet: remove rows by key or predicate."""
        raise NotYet(f"{self.name}.delete: {_KEYED}")

    def get(self, keys: Any) -> Any:
        """Not yet: rows by primary key."""
        raise NotYet(f"{self.name}.get: {_KEYED}; use SQL")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


class Table(_KeyedWrites):
    """One table of a database. Made by `Database.table`; checked to exist when it is used."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        commit: Callable[[Sequence[Operation], IngestToken | None], Commit],
        session: Session,
    ) -> None:
        self._engine = engine
        self._schema, self._table = split_name(name, session)
        self.name = f"{self._schema}.{self._table}"
        self._commit = commit

    def append(self, frame: Any, *, token: IngestToken | None = None) -> Commit:
        """Add the rows of a Polars, Arrow or pandas frame, all or none, and return when durable.

        Columns are matched by name; absent ones get their DEFAULT, the next numbers of their
        identity, or NULL. Small frames go into the log, large
        ones become micropartitions.

        Args:
            token: makes the call repeatable: the same token commits once, and the repeated call
                gets the first receipt. Without one the connection makes its own.
        Raises:
            UnknownObject: no such table. InvalidRequest: the frame does not fit (column, types), or
                a row breaks a CHECK.
        """
        info = self._engine.table(self._schema, self._table)
        return self._commit([self._engine.prepare_append(info, frame)], token)


class TransactionTable(_KeyedWrites):
    """A table inside a transaction: its appends are committed with the transaction's others."""

    def __init__(
        self, name: str, append: Callable[[str, str, Any], None], session: Session
    ) -> None:
        self._schema, self._table = split_name(name, session)
        self.name = f"{self._schema}.{self._table}"
        self._append = append

    def append(self, frame: Any) -> None:
        """Add rows when the transaction commits; they are fitted to the table now."""
        self._append(self._schema, self._table, frame)


class TransactionScope:
    """Appends to any number of tables, committed together when the block ends without an error.

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
        """A table whose appends belong to this transaction."""
        return TransactionTable(name, self._append, self._session)

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

    def _append(self, schema: str, table: str, frame: Any) -> None:
        if not self._open:
            raise InvalidRequest("the transaction has ended; nothing was written")
        info = self._engine.table(schema, table)
        inline = sum(len(o.rows) for o in self._operations if isinstance(o, AppendRows))
        self._operations.append(self._engine.prepare_append(info, frame, inline))
