"""The one coordinator of a virtual warehouse: follows the log, plans, hands fragments to workers.

It reads the store directly and answers while the primary is down. It takes no writes. Its settings
are those of the snapshot: whoever alters them commits, and it follows.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from actors.compute.queries import QueryLog
from actors.compute.runner import QueryRunner
from actors.compute.streams import BatchStream
from actors.messages import Lookup, QueryReply, Statement
from actors.observed import WarehouseRecord, warehouse_record
from actors.planner import Parsed
from actors.virtual_warehouse.elastic import ElasticWorkers
from actors.virtual_warehouse.follower import Follower
from storage.errors import InvalidRequest
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.model import Snapshot

__all__ = ["Coordinator"]

A = TypeVar("A", Statement, Lookup)


class Coordinator:
    """Answers reads of one virtual warehouse."""

    def __init__(
        self,
        settings: VirtualWarehouse,
        follower: Follower,
        runner: QueryRunner,
        workers: ElasticWorkers,
        queries: QueryLog,
    ) -> None:
        self.settings = settings
        self.workers = workers
        self.queries = queries
        self._follower = follower
        self._runner = runner

    async def query(self, statement: Statement) -> QueryReply:
        """Rows of a read.

        Raises:
            InvalidRequest: a write (names the primary), or whatever the planner refuses.
            Unavailable: `min_lsn` was not reached in time; or as of `ElasticWorkers.run`.
            Cancelled: `timeout_ms` passed, or somebody has ended it.
            OutOfMemory: it takes more than a worker may have.
        """
        return await self.queries.answered(self._limited(statement), self._answer)

    async def get(self, lookup: Lookup) -> QueryReply:
        """Rows by primary key. Raises as `query`."""
        return await self.queries.answered(self._limited(lookup), self._runner.get)

    async def stream(self, statement: Statement) -> BatchStream:
        """The same, its rows as they come. Raises as `query`."""
        return await self.queries.streamed(self._limited(statement), self._open_stream)

    async def _answer(self, statement: Statement) -> QueryReply:
        return await self._runner.answer(self._read(statement))

    async def _open_stream(self, statement: Statement) -> BatchStream:
        return await self._runner.stream(self._read(statement))

    def _limited(self, asked: A) -> A:
        """With the timeout of the virtual warehouse, where that is shorter."""
        limit_s = self.settings.statement_timeout_s
        if limit_s is None or limit_s * 1000 >= asked.timeout_ms:
            return asked
        return dataclasses.replace(asked, timeout_ms=max(int(limit_s * 1000), 1))

    def _read(self, statement: Statement) -> Parsed:
        parsed = self._runner.parse(statement)
        if parsed.writes:
            raise InvalidRequest(
                f"virtual warehouse {self.settings.name} only reads; send writes to the primary: "
                "db.sql(…), or `mobula sql` without --vw",
                "25006",
            )
        return parsed

    def hint(self, lsn: int) -> None:
        """A push: `lsn` is committed."""
        self._follower.hint(lsn)

    async def refresh(self) -> None:
        """Look for new settings now."""
        await self._follower.advance()

    def follow(self, snapshot: Snapshot) -> bool:
        """Take over the settings of a snapshot; whether the catalogue has it still."""
        found = snapshot.virtual_warehouses.get(self.settings.name)
        if found is None:
            return False
        if found != self.settings:
            self.settings = found
            self.workers.change(found)
        return True

    def status(self) -> dict[str, Any]:
        """What `VirtualWarehouse.status` shows of it."""
        error = self._follower.last_error
        return {
            "name": self.settings.name,
            "state": self.workers.state,
            "workers": self.workers.clusters.ready,
            "worker_pids": sorted(m.worker.pid for m in self.workers.clusters.members),
            "queries_running": len(self.queries),
            "queries_total": self.queries.total,
            "last_error": str(error) if error else None,
            "lsn": self._follower.snapshot.lsn,
            "reopened": self._follower.reopened,
        }

    def record(self, *, requests: int, read_bytes: int, pid: int) -> WarehouseRecord:
        """What `mobula.warehouses()` shows of it.

        Args: requests, read_bytes: of its own reading.
        """
        clusters = self.workers.clusters
        return dataclasses.replace(
            warehouse_record(self.settings),
            state=self.workers.state,
            clusters=clusters.serving,
            clusters_wanted=clusters.wanted,
            clusters_draining=clusters.draining,
            workers=clusters.ready,
            workers_wanted=clusters.workers_wanted,
            workers_starting=max(clusters.workers_wanted - clusters.ready, 0),
            busy=clusters.busy,
            queued=self.workers.queued,
            queries=self.queries.total,
            worker_seconds=self.queries.worker_seconds,
            requests=requests + self.queries.requests + self.workers.warm_requests,
            read_bytes=read_bytes + self.queries.read_bytes + self.workers.warm_bytes,
            lsn=self._follower.snapshot.lsn,
            coordinator_pid=pid,
            shortage=self.workers.shortage,
        )
