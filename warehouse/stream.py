"""The rows of a query as they come: record batches in bounded memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import pyarrow as pa

from actors.client import BatchSource

__all__ = ["RowStream"]


class RowStream:
    """Record batches of one query, in its order; what `Database.stream` returns.

    Iterate over it, or give it to whatever takes Arrow streams (`pl.DataFrame(stream)`,
    `pa.table(stream)`, DuckDB): it has Arrow's stream protocol. A worker is taken until the last
    batch or `close`; a stream that is dropped closes itself. For one thread.

    Attributes:
        query_id: what the query is called while it runs.
    """

    def __init__(self, source: BatchSource, query_id: str = "") -> None:
        self.query_id = query_id
        self._source = source
        self._closed = False
        self._close = weakref.finalize(self, source.close)
        self._close.atexit = False

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns; a field's metadata has its SQL type."""
        return self._source.schema

    def read_next_batch(self) -> pa.RecordBatch:
        """The next rows. Raises StopIteration after the last ones, and the errors of the query,
        which end the stream."""
        try:
            found = None if self._closed else self._source.read()
        except BaseException:  # an interrupt too: nobody waits for the rows any more
            self.close()
            raise
        if found is None:
            self._closed = True
            raise StopIteration
        return pa.RecordBatch.from_arrays(found.columns, schema=self.schema)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        return self.read_next_batch()

    def read_all(self) -> pa.Table:
        """All rows that are left."""
        return pa.Table.from_batches(list(self), self.schema)

    def reader(self) -> pa.RecordBatchReader:
        """A `pa.RecordBatchReader` of the rows that are left, for who wants that very class. Its
        own `close` does not reach the query: close this stream, or drop both."""
        return pa.RecordBatchReader.from_batches(self.schema, self)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Arrow's PyCapsule protocol."""
        return self.reader().__arrow_c_stream__(requested_schema)

    def close(self) -> None:
        """End the query, read or not."""
        self._closed = True
        self._close()

    def __enter__(self) -> RowStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
