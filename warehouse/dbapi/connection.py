"""A connection of PEP 249, over a database or one of its virtual warehouses.

A connection begins in autocommit: each statement commits by itself, and what defines tables, which
no transaction of several statements takes yet, works. `commit` then has nothing to do, and
`rollback` refuses once something was written, rather than pretend. With `autocommit = False` it is
as PEP 249 says: the first statement begins a transaction, `commit` and `rollback` end it.

The transaction is that of the `Database`, which has one at a time: connections over one database
that is open share it. Give `connect` a root, and each has its own.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol

from warehouse.database import Database
from warehouse.database import connect as open_database
from warehouse.dbapi import errors
from warehouse.dbapi.cursor import Cursor, Parameters
from warehouse.dbapi.errors import (
    InterfaceError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    translated,
)
from warehouse.result import Result
from warehouse.stream import RowStream
from warehouse.virtual_warehouse import VirtualWarehouse

__all__ = ["Connection", "apilevel", "connect", "paramstyle", "threadsafety"]

apilevel = "2.0"
threadsafety = 2  # threads may share the module and connections
paramstyle = "named"  # :name; also :1, $1 and $name


class Target(Protocol):
    """What runs the statements: a `Database` or a `VirtualWarehouse`."""

    def sql(self, text: str, parameters: Parameters = ()) -> Result: ...

    def stream(self, text: str, parameters: Parameters = ()) -> RowStream: ...


def connect(place: str | Database | VirtualWarehouse, **options: Any) -> Connection:
    """A connection.

    Args:
        place: the root of a database, opened for this connection; or a database or virtual
            warehouse that is open, and stays so when the connection is closed.
        options: for a root, as `warehouse.connect` takes them.
    """
    if not isinstance(place, str):
        if options:
            raise InterfaceError(f"options are for a root, not for {place!r}")
        return Connection(place)
    with translated():
        database = open_database(place, **options)
    return Connection(database, owned=database)


class Connection:
    """Made by `connect`. Threads may share it; each needs cursors of its own."""

    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    def __init__(self, target: Target, *, owned: Database | None = None) -> None:
        self.target = target
        self._owned = owned
        self._autocommit = True
        self._written = False  # since the last commit()
        self._closed = False

    @property
    def autocommit(self) -> bool:
        """True: each statement commits by itself. Cannot be set inside a transaction."""
        return self._autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self.check()
        if self._in_transaction:
            raise ProgrammingError("autocommit cannot be set inside a transaction", "25001")
        self._autocommit = bool(value)

    def cursor(self, *, stream: bool = False) -> Cursor:
        """A new cursor; `stream`: see `warehouse.dbapi.cursor`."""
        self.check()
        return Cursor(self, stream=stream)

    def execute(self, operation: str, parameters: Parameters | None = None) -> Cursor:
        """`execute` of a new cursor."""
        return self.cursor().execute(operation, parameters)

    def commit(self) -> None:
        """Commit the transaction that is open; without one there is nothing to do.

        Raises OperationalError: others have written what it depends on, or a statement of it had
        failed; it was rolled back.
        """
        self.check()
        self._written = False
        if self._in_transaction:
            with translated():
                if self.target.sql("COMMIT").tag != "COMMIT":
                    raise OperationalError(
                        "the transaction was rolled back: a statement of it had failed", "25P02"
                    )

    def rollback(self) -> None:
        """Roll back the transaction that is open.

        Raises NotSupportedError if there is none, and something was written since the last
        `commit`: it is committed.
        """
        self.check()
        if self._in_transaction:
            with translated():
                self.target.sql("ROLLBACK")
            return
        if self._written:
            raise NotSupportedError(
                "rollback: each statement commits by itself, and some wrote; set autocommit = False"
                " for transactions of several statements",
                "0A000",
            )

    def close(self) -> None:
        """Roll back a transaction that `autocommit = False` has begun, and close what `connect`
        opened. Cursors cannot be used again."""
        if not self._closed:
            if not self._autocommit:
                self.rollback()
            self._closed = True
            if self._owned is not None:
                with translated():
                    self._owned.close()

    def run(self, operation: str, parameters: Parameters) -> Result:
        """Run a statement for a cursor."""
        self.begin()
        result = self.target.sql(operation, parameters)
        self._written |= result.commit is not None and not self._in_transaction
        return result

    def begin(self) -> None:
        """Before a statement: the transaction that it belongs to, unless it commits by itself."""
        if not self._autocommit and not self._in_transaction:
            if not isinstance(self.target, Database):
                return  # a virtual warehouse only reads
            self.target.sql("BEGIN")
            self._written = False

    @property
    def _in_transaction(self) -> bool:
        return isinstance(self.target, Database) and self.target.in_transaction

    def check(self) -> None:
        """Raises InterfaceError on a closed connection."""
        if self._closed:
            raise InterfaceError("the connection is closed")

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
