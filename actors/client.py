"""How the outside reaches a database: one protocol, for every engine. Synchronous, thread-safe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pyarrow as pa

from actors.messages import (
    CommitReply,
    Lookup,
    QueryReply,
    Statement,
    TableInfo,
    Transaction,
    TransactionControl,
    TransactionReply,
)
from actors.observed import Observed
from actors.operations import AppendFiles, WriteMode, WriteOperation
from actors.primary.promotion import Promotion
from storage.log.epoch import Owner
from storage.log.record import GroupHeader
from storage.log.standing import Standing
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.model import IngestToken, Receipt, Snapshot
from storage.sources_format import PARQUET_READING, SourceReading

__all__ = ["BatchSource", "Engine", "Progress", "WarehouseClient"]

Progress = Callable[[int, int], None]  # (rows so far, files done so far)


class BatchSource(Protocol):
    """The rows of a query as they come. One reader; `close` from any thread."""

    @property
    def schema(self) -> pa.Schema:
        """Of the result."""
        ...

    def read(self) -> pa.RecordBatch | None:
        """The next batch, its columns in the schema's order and types but without its names; None
        after the last one. Raises the errors of the query."""
        ...

    def close(self) -> None:
        """End the work behind it; does not wait."""
        ...


class WarehouseClient(Protocol):
    """One virtual warehouse."""

    def stream(self, statement: Statement) -> BatchSource:
        """A read whose rows come batch by batch; the worker that makes them is taken meanwhile."""
        ...

    def get(self, lookup: Lookup) -> QueryReply:
        """Rows by primary key."""
        ...

    def query(self, statement: Statement) -> QueryReply:
        """Rows are a pa.Table here, whatever the engine."""
        ...

    def suspend(self, *, force: bool = False) -> None:
        """Give its workers back, once their queries are over, or at once with `force`."""
        ...

    def resume(self) -> None:
        """Take workers; returns when the first of them serves. Raises Unavailable."""
        ...

    def status(self) -> dict[str, Any]: ...


class Engine(Protocol):
    """One connection to one branch of a database."""

    @property
    def database_id(self) -> str: ...

    def execute(self, statement: Statement) -> QueryReply | CommitReply:
        """Any statement, on the primary. A write is repeated with its token until it is known to
        have happened or the timeout passes."""
        ...

    def stream(self, statement: Statement) -> BatchSource:
        """A read on the primary's compute; see `WarehouseClient.stream`."""
        ...

    def submit(self, transaction: Transaction) -> Receipt:
        """Commit a transaction; repeated like `execute`."""
        ...

    def outcome(self, token: IngestToken) -> Receipt | None:
        """What became of the transaction with that token, once all calls with it have ended; None:
        it is not in the log, and only a new call can bring it there. Repeated like `execute`."""
        ...

    def control(self, control: TransactionControl) -> TransactionReply:
        """Begin or end a transaction on the primary, or set and use its savepoints."""
        ...

    def table(self, schema: str, name: str) -> TableInfo: ...

    def reserve(self, sequence_id: int, count: int) -> int:
        """The first of `count` values of a sequence, the caller's for ever; the others follow in
        steps of its increment. See `actors.primary.sequences`."""
        ...

    def prepare_write(
        self,
        info: TableInfo,
        frame: Any,
        mode: WriteMode = WriteMode.INSERT,
        inline_bytes: int = 0,
    ) -> WriteOperation:
        """Fit a frame and upload what is large; commits nothing.

        Args:
            mode: what the rows do in a table with keys.
            inline_bytes: what the transaction already carries inline, so that it stays small
                enough for one log object however many appends it has.
        """
        ...

    def prepare_load(
        self,
        info: TableInfo,
        sources: Sequence[str],
        progress: Progress,
        reading: SourceReading = PARQUET_READING,
        mode: WriteMode = WriteMode.INSERT,
    ) -> AppendFiles:
        """Turn source files into micropartitions, in parallel; commits nothing.

        Args:
            reading: how they are read, all of them.
            mode: what the rows do in a table with keys.
        """
        ...

    def get(self, lookup: Lookup) -> QueryReply:
        """The rows of the newest snapshot that have these primary keys, through the index."""
        ...

    def snapshot(self) -> Snapshot:
        """The newest snapshot, read from the store alone."""
        ...

    def log_headers(self, last: int) -> list[GroupHeader]:
        """Headers of the newest `last` groups, oldest first, read from the store alone."""
        ...

    def start_warehouse(self, name: str, new: VirtualWarehouse | None = None) -> WarehouseClient:
        """Find the running virtual warehouse or start the one in the catalogue.

        Args: new: the settings of one that was just made, which begins awake.
        """
        ...

    def stop_warehouse(self, name: str, *, force: bool = False) -> None:
        """End its processes, if any run: once its queries are over, or at once with `force`."""
        ...

    def refresh_warehouse(self, name: str) -> None:
        """Have it look for new settings now, if it runs."""
        ...

    def observe(self, kind: str) -> Sequence[Observed]:
        """Records of `actors.observed.OBSERVED`, of what runs; starts nothing."""
        ...

    def cancel(self, query_id: str) -> bool:
        """End a query, wherever it waits or runs; whether there was one."""
        ...

    def status(self) -> dict[str, Any]:
        """Of the primary, if one runs here or on the cluster; empty otherwise."""
        ...

    def standing(self) -> Standing | None:
        """Who reigns, and whether it is alive, read from the store alone; None: nobody ever has.
        May take a lease of whoever reigns."""
        ...

    def release_primary(self) -> Owner | None:
        """Have the primary that runs here, in this process or on this cluster, finish what is
        queued and step down. Returns who that was; None: none reigns here."""
        ...

    def promote_primary(self) -> Promotion:
        """Take over now, whoever reigns. On a cluster its primary goes on; in this process it steps
        down again, and the next write opens one.

        Raises: Fenced: somebody else was promoted at the same time. Unavailable.
        """
        ...

    def shutdown(self) -> None:
        """End the primary and every virtual warehouse of this database, then close."""
        ...

    def close(self) -> None:
        """Leave; what runs on the cluster goes on."""
        ...
