"""The rows that a cursor still has: Arrow batches, turned into tuples only as they are fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from storage.schema import CharType, DecimalType, VarCharType
from warehouse.algebra.types import base_name
from warehouse.execution.result_types import sql_type_of
from warehouse.values import python_rows

__all__ = ["Column", "Rows", "described"]

CHUNK_ROWS = 4096  # rows that become tuples at once

# name, type_code, display_size, internal_size, precision, scale, null_ok
Column = tuple[str, str, int | None, int | None, int | None, int | None, bool | None]

_BYTES = {
    "bool": 1, "int2": 2, "int4": 4, "int8": 8, "float4": 4, "float8": 8, "date": 4, "time": 8,
    "timestamp": 8, "timestamptz": 8, "interval": 16, "uuid": 16,
}  # fmt: skip


def described(schema: pa.Schema) -> tuple[Column, ...]:
    """`Cursor.description` of rows; null_ok is not known and None."""
    return tuple(_described(field) for field in schema)


def _described(field: pa.Field) -> Column:
    kind = sql_type_of(field)
    code = base_name(kind)
    match kind:
        case DecimalType(precision, scale):
            return (field.name, code, None, None, precision, scale, None)
        case VarCharType(length) | CharType(length):
            return (field.name, code, length, None, None, None, None)
        case _:
            return (field.name, code, None, _BYTES.get(code), None, None, None)


class Rows:
    """Batches in order, and how far they are read. `close` ends what makes them."""

    def __init__(
        self,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.schema = schema
        self.close = close
        self.position = 0
        self._batches = batches
        self._unread: list[pa.RecordBatch] = []  # taken from `_batches`, not yet tuples
        self._made: list[tuple[Any, ...]] = []  # tuples of `_chunk`
        self._chunk: pa.RecordBatch | None = None
        self._next = 0  # in `_made`

    def take(self, count: int | None) -> list[tuple[Any, ...]]:
        """The next rows, at most `count`; all with None."""
        taken: list[tuple[Any, ...]] = []
        while count is None or len(taken) < count:
            if self._next == len(self._made) and not self._advance():
                break
            end = len(self._made) if count is None else self._next + count - len(taken)
            taken += self._made[self._next : end]
            self._next = min(end, len(self._made))
        self.position += len(taken)
        return taken

    def rest(self) -> Iterator[pa.RecordBatch]:
        """The rows that were not taken, as batches; they are taken then."""
        if self._chunk is not None and self._next < len(self._made):
            yield self._counted(self._chunk.slice(self._next))
        self._chunk, self._made, self._next = None, [], 0
        while self._unread:
            yield self._counted(self._unread.pop())
        for batch in self._batches:
            yield self._counted(batch)

    def _counted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        self.position += batch.num_rows
        return batch

    def _advance(self) -> bool:
        """Make tuples of the next rows; False at the end."""
        while not self._unread:
            batch = next(self._batches, None)
            if batch is None:
                self._chunk, self._made, self._next = None, [], 0
                return False
            if batch.num_rows:
                self._unread.append(batch)
        batch = self._unread.pop()
        self._chunk = batch.slice(0, CHUNK_ROWS)
        if batch.num_rows > CHUNK_ROWS:
            self._unread.append(batch.slice(CHUNK_ROWS))
        self._made, self._next = python_rows(self._chunk), 0
        return True
