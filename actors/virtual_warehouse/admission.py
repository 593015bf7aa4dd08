"""The queries that wait for a worker: by priority, then in the order they came; bounded."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field

from actors.fragments import Fragment
from actors.virtual_warehouse.clusters import Member

__all__ = ["Waiting", "WaitingQueries"]


def _future() -> asyncio.Future[Member]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False, kw_only=True)
class Waiting:
    """One that waits. `turn` is done once it has a worker.

    Attributes:
        files: that it reads, name to bytes.
        since_ms: when it came, by the monotonic clock.
    """

    fragment: Fragment
    files: dict[str, int]
    since_ms: float
    turn: asyncio.Future[Member] = field(default_factory=_future)


class WaitingQueries:
    """A priority queue whose entries may leave it at any time."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Waiting]] = []
        self._count = 0
        self._serial = 0

    def __len__(self) -> int:
        return self._count

    def add(self, waiting: Waiting) -> None:
        """One more."""
        self._serial += 1
        heapq.heappush(self._heap, (-waiting.fragment.priority, self._serial, waiting))
        self._count += 1

    def next(self) -> Waiting | None:
        """The one whose turn is next; stays in the queue."""
        while self._heap and self._heap[0][2].turn.done():
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def left(self) -> None:
        """One whose turn came, or who gave up: its `turn` is done."""
        self._count -= 1

    def fail(self, error: Exception) -> int:
        """All of them end in an error; how many."""
        failed = 0
        while (waiting := self.next()) is not None:
            waiting.turn.set_exception(error)
            failed += 1
        return failed
