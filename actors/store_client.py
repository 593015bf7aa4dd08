"""What a client of any engine does by itself, with nothing but the store.

It reads the newest snapshot and the log, and it fits and uploads frames; only the commit, and the
values of identity columns, need the primary.
"""

from __future__ import annotations

import asyncio
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from actors.client import Progress
from actors.ingest import Ingest, OwnIngest
from actors.loads import numbered_sources
from actors.loop import LoopThread
from actors.messages import TableInfo
from actors.operations import AppendFiles, WriteMode, WriteOperation
from actors.settings import NodeSettings
from actors.write import files_operation, refuse_mode, write_operation
from storage.clock import SystemClock
from storage.conform import to_arrow
from storage.errors import ObjectMissing
from storage.ids import RandomIds
from storage.log.epoch import Owner
from storage.log.reader import LogReader
from storage.log.record import GroupHeader
from storage.log.standing import Standing, standing
from storage.log.tail import Tail
from storage.objects import ObjectStore, open_store
from storage.snapshot.model import Snapshot
from storage.sources_format import PARQUET_READING, SourceReading
from storage.target import to_number

__all__ = ["StoreClient"]


class StoreClient(ABC):
    """The part that engines share; see `actors.client.Engine` for what the methods promise."""

    def __init__(self, node: NodeSettings) -> None:
        self._node = node
        self._clock = SystemClock()
        self._ids = RandomIds()
        self._loop = LoopThread("mobula")
        self.store: ObjectStore = open_store(node.root, node.store, clock=self._clock)
        self._ingest: Ingest = OwnIngest(self.store, node, self._ids)
        self._reader = LogReader(self.store, node.database_id, node.branch)
        self._tail: Tail | None = None

    @property
    def database_id(self) -> str:
        return self._node.database_id

    def ensure_open(self) -> None:
        """Raises InvalidRequest: it is closed."""
        self._loop.ensure_open()

    @abstractmethod
    def reserve(self, sequence_id: int, count: int) -> int:
        """See `Engine.reserve`."""

    def prepare_write(
        self,
        info: TableInfo,
        frame: Any,
        mode: WriteMode = WriteMode.INSERT,
        inline_bytes: int = 0,
    ) -> WriteOperation:
        limit = self._node.settings.rows_inline_bytes_max - inline_bytes
        refuse_mode(info.target, mode)  # before numbers are taken for it
        rows = to_arrow(frame, info.target.table_name)
        numbered = self._numbered(info, rows.column_names, rows.num_rows)
        return self._loop.run(
            write_operation(self._ingest, numbered, rows, inline_bytes_max=limit, mode=mode)
        )

    def prepare_load(
        self,
        info: TableInfo,
        sources: Sequence[str],
        progress: Progress,
        reading: SourceReading = PARQUET_READING,
        mode: WriteMode = WriteMode.INSERT,
    ) -> AppendFiles:
        refuse_mode(info.target, mode)
        infos = self._numbered_sources(info, sources, reading)
        files = self._loop.run(self._ingest.sources(infos, sources, reading, progress))
        return files_operation(info, files, mode)

    def _numbered(self, info: TableInfo, names: Sequence[str], row_count: int) -> TableInfo:
        """With values reserved for the identity columns that such rows leave out."""
        columns = to_number(names, info.target) if row_count else ()
        first = {
            column.id: self.reserve(column.identity.sequence_id, row_count)
            for column in columns
            if column.identity is not None
        }
        target = dataclasses.replace(info.target, identity_first=first)
        return dataclasses.replace(info, target=target) if first else info

    def _numbered_sources(
        self, info: TableInfo, sources: Sequence[str], reading: SourceReading
    ) -> list[TableInfo]:
        """One for each source file, each with values of its own."""

        async def number(info: TableInfo, names: Iterable[str], row_count: int) -> TableInfo:
            return await asyncio.to_thread(self._numbered, info, list(names), row_count)

        return self._loop.run(numbered_sources(self._node, info, sources, reading, number))

    def snapshot(self) -> Snapshot:
        return self._loop.run(self._look())

    def log_headers(self, last: int) -> list[GroupHeader]:
        return self._loop.run(self._headers(last))

    def standing(self) -> Standing | None:
        found = self._loop.run(standing(self.store, self._clock))
        return found and dataclasses.replace(found, here=self._is_own(found.owner))

    @abstractmethod
    def _is_own(self, owner: Owner) -> bool:
        """Is it the primary of this process, or of this cluster?"""

    def close(self) -> None:
        if self._loop.closed:
            return
        self._loop.run(self.store.close())
        self._loop.close()

    async def _look(self) -> Snapshot:
        """The newest snapshot; after the first call only what is new is read."""
        if self._tail is not None:
            return await self._tail.advance()
        snapshot = await self._reader.open()
        self._tail = Tail(self._reader, snapshot, self._clock)
        return snapshot

    async def _headers(self, last: int) -> list[GroupHeader]:
        while True:
            newest = await self._look()
            first = max(1, newest.horizon, newest.lsn - last + 1)
            try:
                return [header async for header in self._reader.headers(first, newest.lsn)]
            except ObjectMissing:  # it was collected while we read, or it is lost
                if (await self._look()).horizon <= first:
                    raise
