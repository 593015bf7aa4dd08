"""A cursor: runs one statement after another, and hands out the rows of the last.

A plain cursor has all rows of a statement when `execute` returns, as Arrow in memory; they become
tuples as they are fetched. A streaming cursor (`connection.cursor(stream=True)`) reads them from
the database as they are fetched, in bounded memory; it only reads, does not know `rowcount`, and
keeps a worker until the last row, the next `execute` or `close`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from warehouse.dbapi.errors import InterfaceError, ProgrammingError, translated
from warehouse.dbapi.many import InsertTemplate
from warehouse.dbapi.rows import Column, Rows, described

if TYPE_CHECKING:
    from warehouse.dbapi.connection import Connection
    from warehouse.result import Result

__all__ = ["Cursor", "Parameters"]

Parameters = Sequence[Any] | Mapping[str, Any]

_COUNTED = ("INSERT", "UPDATE", "DELETE", "MERGE", "SELECT", "COPY")


class Cursor:
    """Made by `Connection.cursor`. Not to be shared between threads.

    Attributes:
        connection: the one it is of.
        arraysize: rows that `fetchmany` gives by default.
        description: a tuple per column of the rows (`warehouse.dbapi.rows.Column`), or None.
        rowcount: rows of the result, or rows written; -1 where it is not known.
        statusmessage: what a statement did that is no query, as PostgreSQL says it.
    """

    lastrowid = None

    def __init__(self, connection: Connection, *, stream: bool = False) -> None:
        self.connection = connection
        self.arraysize = 1
        self.description: tuple[Column, ...] | None = None
        self.rowcount = -1
        self.statusmessage: str | None = None
        self._stream = stream
        self._rows: Rows | None = None
        self._closed = False

    @property
    def rownumber(self) -> int | None:
        """How many rows were fetched; None without rows."""
        return None if self._rows is None else self._rows.position

    def execute(self, operation: str, parameters: Parameters | None = None) -> Cursor:
        """Run one statement.

        Args:
            parameters: a mapping for `:name`, or a sequence for `:1`, `:2`, …; PostgreSQL's `$1`
                and `$name` mean the same.
        Returns: this cursor.
        """
        self._begin()
        values = () if parameters is None else _checked(parameters)
        with translated():
            if self._stream:
                self.connection.begin()
                stream = self.connection.target.stream(operation, values)
                self._show(Rows(stream.schema, iter(stream), stream.close))
                return self
            result = self.connection.run(operation, values)
        self._take(result)
        return self

    def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> Cursor:
        """Run a statement once per set of parameters; rows that it returns are dropped.

        An `INSERT … VALUES (…)` is sent a few thousand rows at a time, and commits as often: where
        it fails, the batches before are written, and `rowcount` says how many rows.
        """
        self._begin()
        rows = (_checked(parameters) for parameters in seq_of_parameters)
        total: int | None = 0
        self.rowcount = 0
        with translated():
            template = InsertTemplate.of(operation)
            for text, values in (
                template.statements(rows) if template else ((operation, row) for row in rows)
            ):
                result = self.connection.run(text, values)
                self.statusmessage = result.tag
                count = _count(result)
                total = None if total is None or count < 0 else total + count
                self.rowcount = -1 if total is None else total
        return self

    def callproc(self, procname: str, parameters: Sequence[Any] = ()) -> Sequence[Any]:
        """`CALL procname(…)`. Returns the parameters: there are no output ones."""
        places = ", ".join(f"${number}" for number in range(1, len(parameters) + 1))
        self.execute(f"CALL {procname}({places})", parameters)
        return parameters

    def nextset(self) -> None:
        """None: a statement has one set of rows at most."""
        self._fetched()

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Nothing to do: values say their types."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Nothing to do: values have any length."""

    # --- rows -------------------------------------------------------------------------------------

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or None after the last."""
        with translated():
            found = self._fetched().take(1)
        return found[0] if found else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows, at most `size` (by default `arraysize`); an empty list after the last."""
        count = self.arraysize if size is None else size
        if count < 0:
            raise InterfaceError(f"fetchmany: size is {count}")
        with translated():
            return self._fetched().take(count)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        with translated():
            return self._fetched().take(None)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    def fetch_arrow_table(self) -> pa.Table:
        """All rows that are left, as an Arrow table."""
        rows = self._fetched()
        with translated():
            return pa.Table.from_batches(list(rows.rest()), rows.schema)

    def fetch_record_batch_reader(self) -> pa.RecordBatchReader:
        """All rows that are left, batch by batch; of a streaming cursor as they come. The reader
        ends with the cursor's `close` and with its next `execute`."""
        rows = self._fetched()

        def batches() -> Iterator[pa.RecordBatch]:
            with translated():
                yield from rows.rest()

        return pa.RecordBatchReader.from_batches(rows.schema, batches())

    # --- life -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Drop the rows; the cursor cannot be used again."""
        self._drop()
        self._closed = True

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self) -> None:
        self._check()
        self._drop()

    def _check(self) -> None:
        if self._closed:
            raise InterfaceError("the cursor is closed")
        self.connection.check()

    def _drop(self) -> None:
        rows, self._rows = self._rows, None
        self.description, self.rowcount, self.statusmessage = None, -1, None
        if rows is not None:
            rows.close()

    def _take(self, result: Result) -> None:
        if result.has_rows:
            table = result.arrow()
            self._show(Rows(table.schema, iter(table.to_batches())))
        self.statusmessage = result.tag
        self.rowcount = _count(result)

    def _show(self, rows: Rows) -> None:
        self._rows = rows
        self.description = described(rows.schema)

    def _fetched(self) -> Rows:
        self._check()
        if self._rows is None:
            raise ProgrammingError("there are no rows: the last statement gave none, or none ran")
        return self._rows


def _checked(parameters: Any) -> Parameters:
    if isinstance(parameters, str | bytes) or not isinstance(parameters, Sequence | Mapping):
        raise ProgrammingError(
            f"parameters are a sequence or a mapping, not a {type(parameters).__name__}"
        )
    return parameters


def _count(result: Result) -> int:
    """Rows of the result, or written; -1 for statements that are about neither."""
    if result.tag is None:
        return len(result)
    verb, _, count = result.tag.partition(" ")
    if result.commit is not None and verb in _COUNTED:
        return int(count.split()[-1])
    return -1
