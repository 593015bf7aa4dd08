"""What maintenance does at a time: lanes, of which each does one thing after the other.

Work of two lanes never touches the same deltas, files or runs of indexes, so lanes run side by
side. A lane that is busy is taken by the next who waits for it, in the order of their coming; what
goes by itself begins only in lanes that are free, and only so many of one kind at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Lane", "Lanes", "Work"]

Work = Literal["flush", "index", "compact"]


@dataclass(frozen=True, slots=True)
class Lane:
    """The deltas or runs of indexes of one table, or the files of one partition of it (0: it has
    none)."""

    work: Work
    table_id: int
    partition: int = 0


class Lanes:
    """Of one maintainer; one event loop."""

    def __init__(self, side_by_side: Callable[[Work], int]) -> None:
        """Args: side_by_side: how many of a kind may be begun at a time."""
        self._side_by_side = side_by_side
        self._taken: set[Lane] = set()
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {}
        self._begun: Counter[Work] = Counter()

    def busy(self) -> frozenset[Lane]:
        """Those in which something is done, or kept from being done."""
        return frozenset(self._taken)

    def has_room(self, work: Work) -> bool:
        """May one more of a kind begin?"""
        return self._begun[work] < self._side_by_side(work)

    def is_free(self, lane: Lane) -> bool:
        """May something begin there?"""
        return lane not in self._taken and self.has_room(lane.work)

    def begin(self, lane: Lane) -> None:
        """Take a lane that is free; `end` it."""
        self._taken.add(lane)
        self._begun[lane.work] += 1

    def end(self, lane: Lane) -> None:
        """What was begun there is over."""
        self._begun[lane.work] -= 1
        self._leave(lane)

    @contextlib.asynccontextmanager
    async def held(self, lane: Lane) -> AsyncIterator[None]:
        """Wait until what is under way there is done; nothing else begins meanwhile."""
        await self._take(lane)
        try:
            yield
        finally:
            self._leave(lane)

    async def _take(self, lane: Lane) -> None:
        if lane not in self._taken:
            self._taken.add(lane)
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(lane, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was given to us all the same
                self._leave(lane)
            raise

    def _leave(self, lane: Lane) -> None:
        waiting = self._waiting.get(lane, deque())
        while waiting:
            following = waiting.popleft()
            if not following.done():
                following.set_result(None)  # it stays taken
                return
        self._waiting.pop(lane, None)
        self._taken.discard(lane)
