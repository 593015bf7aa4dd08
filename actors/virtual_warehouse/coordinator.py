"""The one coordinator of a virtual warehouse: follows the log, plans, hands fragments to workers.

It reads the store directly and answers while the primary is down. It takes no writes.
"""

from __future__ import annotations

from typing import Any

from actors.compute.pool import WorkerPool
from actors.compute.runner import QueryRunner
from actors.compute.streams import BatchStream
from actors.messages import Lookup, QueryReply, Statement
from actors.planner import Parsed
from actors.virtual_warehouse.follower import Follower
from storage.errors import InvalidRequest
from storage.snapshot.changes import VirtualWarehouse

__all__ = ["Coordinator"]


class Coordinator:
    """Answers reads of one virtual warehouse."""

    def __init__(
        self,
        warehouse: VirtualWarehouse,
        follower: Follower,
        runner: QueryRunner,
        pool: WorkerPool,
    ) -> None:
        self.warehouse = warehouse
        self._follower = follower
        self._runner = runner
        self._pool = pool
        self._queries_total = 0

    async def query(self, statement: Statement) -> QueryReply:
        """Rows of a read.

        Raises:
            InvalidRequest: a write (names the primary), or whatever the planner refuses.
            Unavailable: `min_lsn` was not reached in time.
            Cancelled: `timeout_ms` passed.
        """
        return await self._runner.answer(self._read(statement))

    async def get(self, lookup: Lookup) -> QueryReply:
        """Rows by primary key. Raises as `query`."""
        self._queries_total += 1
        return await self._runner.get(lookup)

    async def stream(self, statement: Statement) -> BatchStream:
        """The same, its rows as they come. Raises as `query`."""
        return await self._runner.stream(self._read(statement))

    def _read(self, statement: Statement) -> Parsed:
        parsed = self._runner.parse(statement)
        if parsed.writes:
            raise InvalidRequest(
                f"virtual warehouse {self.warehouse.name} only reads; send writes to the primary: "
                "db.sql(…), or `mobula sql` without --vw",
                "25006",
            )
        self._queries_total += 1
        return parsed

    def hint(self, lsn: int) -> None:
        """A push: `lsn` is committed."""
        self._follower.hint(lsn)

    def status(self) -> dict[str, Any]:
        """What `mobula status` shows of it."""
        return {
            "name": self.warehouse.name,
            "workers": self._pool.size,
            "worker_pids": self._pool.pids,
            "lsn": self._follower.snapshot.lsn,
            "queries_total": self._queries_total,
            "last_error": str(self._follower.last_error) if self._follower.last_error else None,
        }
