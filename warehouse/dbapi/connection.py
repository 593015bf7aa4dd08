"""A connection of PEP 249, over a database or one of its virtual warehouses.

There are no transactions of several statements yet: each statement commits by itself. `commit` has
nothing to do, and `rollback` refuses once something was written, rather than pretend.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol

from warehouse.database import Database
from warehouse.database import connect as open_database
from warehouse.dbapi import errors
from warehouse.dbapi.cursor import Cursor, Parameters
from warehouse.dbapi.errors import InterfaceError, NotSupportedError, translated
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
        self._written = False  # since the last commit()
        self._closed = False

    @property
    def autocommit(self) -> bool:
        """True: each statement commits by itself."""
        return True

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        if not value:
            raise NotSupportedError("there are no transactions of several statements yet", "0A000")

    def cursor(self, *, stream: bool = False) -> Cursor:
        """A new cursor; `stream`: see `warehouse.dbapi.cursor`."""
        self.check()
        return Cursor(self, stream=stream)

    def execute(self, operation: str, parameters: Parameters | None = None) -> Cursor:
        """`execute` of a new cursor."""
        return self.cursor().execute(operation, parameters)

    def commit(self) -> None:
        """Nothing to do: every statement is committed already."""
        self.check()
        self._written = False

    def rollback(self) -> None:
        """Nothing to do after reads. Raises NotSupportedError if something was written since the
        last `commit`: it is committed."""
        self.check()
        if self._written:
            raise NotSupportedError(
                "rollback: each statement commits by itself, and some wrote; there are no"
                " transactions of several statements yet",
                "0A000",
            )

    def close(self) -> None:
        """Close what `connect` opened. Cursors cannot be used again."""
        if not self._closed:
            self._closed = True
            if self._owned is not None:
                with translated():
                    self._owned.close()

    def run(self, operation: str, parameters: Parameters) -> Result:
        """Run a statement for a cursor."""
        result = self.target.sql(operation, parameters)
        self._written |= result.commit is not None
        return result

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
