"""What a client of any engine does by itself, with nothing but the store.

It reads the newest snapshot and the log, and it fits and uploads frames; only the commit needs the
primary.
"""

from __future__ import annotations

from typing import Any

from actors.append import append_operation
from actors.loop import LoopThread
from actors.messages import AppendFiles, AppendRows, TableInfo
from actors.settings import NodeSettings
from storage.clock import SystemClock
from storage.ids import RandomIds
from storage.log.reader import LogReader
from storage.log.record import GroupHeader
from storage.objects import ObjectStore, open_store
from storage.snapshot.model import Snapshot

__all__ = ["StoreClient"]


class StoreClient:
    """The part that engines share; see `actors.client.Engine` for what the methods promise."""

    def __init__(self, node: NodeSettings) -> None:
        self._node = node
        self._clock = SystemClock()
        self._ids = RandomIds()
        self._loop = LoopThread("mobula")
        self.store: ObjectStore = open_store(node.root, node.store, clock=self._clock)
        self._reader = LogReader(self.store, node.database_id, node.branch)
        self._newest: Snapshot | None = None

    @property
    def database_id(self) -> str:
        return self._node.database_id

    def prepare_append(
        self, info: TableInfo, frame: Any, inline_bytes: int = 0
    ) -> AppendRows | AppendFiles:
        limit = self._node.settings.rows_inline_bytes_max - inline_bytes
        return self._loop.run(
            append_operation(self.store, info, frame, ids=self._ids, inline_bytes_max=limit)
        )

    def snapshot(self) -> Snapshot:
        return self._loop.run(self._look())

    def log_headers(self, last: int) -> list[GroupHeader]:
        return self._loop.run(self._headers(last))

    def close(self) -> None:
        self._loop.run(self.store.close())
        self._loop.close()

    async def _look(self) -> Snapshot:
        """The newest snapshot; after the first call only what is new is read."""
        known = self._newest
        self._newest = await (self._reader.follow(known) if known else self._reader.open())
        return self._newest

    async def _headers(self, last: int) -> list[GroupHeader]:
        newest = (await self._look()).lsn
        first = max(1, newest - last + 1)
        return [header async for header in self._reader.headers(first, newest)]
