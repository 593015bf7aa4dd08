"""What CALL, VACUUM and ANALYZE may ask of the primary: checkpoints, flushes, compactions, indexes
made anew, tables left behind.

None of them is a transaction of the caller's: their receipt says how far the log is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pyarrow as pa

from actors.fragments import QueryStats
from actors.messages import CommitReply, QueryReply, Session
from actors.planner import CallPlan, VacuumPlan
from actors.primary.primary import Primary
from actors.temporary import SILENT_MS
from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.snapshot.model import Receipt

__all__ = ["Procedures"]

_PROCEDURES = {
    "mobula.checkpoint": "mobula.checkpoint()",
    "mobula.flush": "mobula.flush() or mobula.flush('table')",
    "mobula.compact": "mobula.compact() or mobula.compact('table')",
    "mobula.recluster": "mobula.recluster() or mobula.recluster('table')",
    "mobula.repair_index": "mobula.repair_index() or mobula.repair_index('table')",
    "mobula.vacuum": "mobula.vacuum([retention [, age of uploads [, dry run]]])",
    "mobula.drop_temporary": "mobula.drop_temporary() or mobula.drop_temporary(seconds of silence)",
}


class Procedures:
    """Those of one primary."""

    def __init__(
        self, primary: Primary, drop_left_behind: Callable[[int, Session], Awaitable[int]]
    ) -> None:
        """Args: drop_left_behind: see `PrimaryService.drop_left_behind`."""
        self._primary = primary
        self._drop_left_behind = drop_left_behind

    async def call(self, plan: CallPlan, session: Session) -> CommitReply | QueryReply:
        """Raises UnknownObject (42883) for a procedure that does not exist."""
        match plan.procedure, plan.arguments:
            case "mobula.checkpoint", ():
                info = await self._primary.checkpoint()
                return CommitReply(receipt=self._receipt(info.lsn), tag=f"CHECKPOINT {info.name}")
            case "mobula.flush", () | (int(),):
                return self._done("FLUSH", await self._primary.flush(*plan.arguments))
            case "mobula.compact", () | (int(),):
                return self._done("COMPACT", await self._primary.compact(*plan.arguments))
            case "mobula.recluster", () | (int(),):
                return self._done("RECLUSTER", await self._primary.recluster(*plan.arguments))
            case "mobula.repair_index", () | (int(),):
                return self._done("REPAIR INDEX", await self._primary.repair_index(*plan.arguments))
            case "mobula.vacuum", (*durations,) if _are_durations(durations):
                return await self._collect(*durations)
            case "mobula.drop_temporary", ():
                return self._done(
                    "DROP TEMPORARY", await self._drop_left_behind(SILENT_MS, session)
                )
            case "mobula.drop_temporary", (int() | Decimal() | float() as seconds,):
                count = await self._drop_left_behind(int(seconds * 1000), session)
                return self._done("DROP TEMPORARY", count)
        if plan.procedure in _PROCEDURES:
            raise InvalidRequest(f"it is called as {_PROCEDURES[plan.procedure]}", "42883")
        hint = nearest(plan.procedure, _PROCEDURES)
        raise UnknownObject(f"procedure {plan.procedure} does not exist{hint}", "42883")

    async def _collect(
        self,
        retention_ms: int | None = None,
        uploads_ms: int | None = None,
        dry_run: bool | None = None,
    ) -> QueryReply:
        """One row for each object that is deleted, or would be, and for each pin."""
        found = await self._primary.collector.vacuum(
            retention_ms=retention_ms, uploads_ms=uploads_ms, dry_run=bool(dry_run)
        )
        rows = pa.table(
            {
                "object": pa.array([one.name for one in found.doomed], pa.large_string()),
                "size_bytes": pa.array([one.size_bytes for one in found.doomed], pa.int64()),
                "reason": pa.array([one.why.value for one in found.doomed], pa.large_string()),
            }
        )
        lsn = self._primary.snapshot.lsn
        return QueryReply(
            rows=rows,
            stats=QueryStats(snapshot_lsn=lsn),
            tag=f"VACUUM {len(found.doomed)}",
            receipt=self._receipt(lsn),
        )

    async def vacuum(self, plan: VacuumPlan) -> CommitReply:
        """VACUUM and ANALYZE. Statistics of files are exact and always there; deltas have none, so
        to analyze a table is to flush it."""
        for table_id in plan.table_ids:
            if plan.vacuum:
                await self._primary.vacuum(table_id, full=plan.full)
            else:
                await self._primary.flush(table_id)
        receipt = self._receipt(self._primary.snapshot.lsn)
        return CommitReply(receipt=receipt, tag="VACUUM" if plan.vacuum else "ANALYZE")

    def _done(self, what: str, count: int) -> CommitReply:
        receipt = self._receipt(self._primary.snapshot.lsn)
        return CommitReply(receipt=receipt, tag=f"{what} {count}")

    def _receipt(self, lsn: int) -> Receipt:
        return Receipt(lsn=lsn, tso=self._primary.snapshot.tso, row_counts=())


def _are_durations(values: list[object]) -> bool:
    """Two durations in ms and a Boolean, any of them NULL or left out."""
    kinds = (int, int, bool)
    return len(values) <= len(kinds) and all(
        value is None or type(value) is kind for value, kind in zip(values, kinds, strict=False)
    )
