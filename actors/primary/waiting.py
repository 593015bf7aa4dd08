"""Which tables have deltas that wait to be flushed: too many, or for too long."""

from __future__ import annotations

from collections.abc import Callable

from storage.clock import Clock
from storage.flush import flush_is_due, fullness
from storage.flush_policy import FlushPolicy
from storage.snapshot.model import Snapshot, TableState
from storage.table_options import flush_policy, is_maintained

__all__ = ["Waiting"]


class Waiting:
    """Of one maintainer. How long a delta waits is counted from when it was first looked at, so a
    new primary begins anew."""

    def __init__(
        self, database: FlushPolicy, clock: Clock, look_later: Callable[[float], None]
    ) -> None:
        """Args:
        database: for tables without options of their own.
        look_later: called with the seconds after which the next one may be due.
        """
        self._database = database
        self._clock = clock
        self._look_later = look_later
        self._oldest: dict[int, tuple[int, float]] = {}  # by table: its first delta, seen when

    def due(self, snapshot: Snapshot) -> list[TableState]:
        """Tables to be flushed now, those whose deltas are most beyond their bounds first."""
        now_ms = self._clock.monotonic_ms()
        waiting = [table for table in snapshot.tables.values() if table.deltas]
        seen = {}
        for table in waiting:
            first, since_ms = self._oldest.get(table.id, (0, 0.0))
            known = first == table.deltas[0].id
            seen[table.id] = (table.deltas[0].id, since_ms if known else now_ms)
        self._oldest = seen
        self._look_again(waiting, now_ms)
        shares = {table.id: self._share(table, now_ms) for table in waiting}
        found = [table for table in waiting if shares[table.id] >= 1]
        return sorted(found, key=lambda table: -shares[table.id])

    def is_full(self, table: TableState) -> bool:
        """Are there so many that writers have to wait?"""
        policy = flush_policy(self._database, table.options)
        return flush_is_due(policy, table, policy.full)

    def _share(self, table: TableState, now_ms: float) -> float:
        """A flush is due from 1 on; where maintenance is off, only for the sake of writers."""
        policy = flush_policy(self._database, table.options)
        size = fullness(policy, table)
        if not is_maintained(table.options):
            return size / policy.full
        age_s = (now_ms - self._oldest[table.id][1]) / 1_000
        return max(size, age_s / policy.age_s_max)

    def _look_again(self, waiting: list[TableState], now_ms: float) -> None:
        """When the first of those that are not due will have waited too long."""
        ends_ms = [
            self._oldest[table.id][1]
            + 1_000 * flush_policy(self._database, table.options).age_s_max
            for table in waiting
            if is_maintained(table.options)
        ]
        if later := [end for end in ends_ms if end > now_ms]:
            self._look_later((min(later) - now_ms) / 1_000)
