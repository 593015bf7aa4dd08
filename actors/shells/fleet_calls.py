"""The fleet as other processes see it: the calls of a coordinator, and what can be asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from actors.compute.workers import WorkerLost
from actors.fleet.port import Wish
from actors.observed import Observed, ScalingEvent
from actors.shells.handles import answer
from storage.errors import Unavailable

__all__ = ["RayFleet", "observed_by_fleet"]

OBSERVE_S = 10.0


class RayFleet:
    """`FleetPort` onto the fleet's actor."""

    def __init__(self, find: Callable[[], Any | None]) -> None:
        """Args: find: the actor, if it runs. It is looked for each time: a fleet that was ended may
        have been made anew."""
        self._find = find

    def wish(self, wish: Wish, events: Sequence[ScalingEvent]) -> None:
        if (fleet := self._find()) is not None:
            fleet.wish.remote(wish, tuple(events))

    def give_back(self, leader: str, ids: Sequence[str]) -> None:
        if (fleet := self._find()) is not None:
            fleet.give_back.remote(leader, tuple(ids))

    def dismiss(self, leader: str, id: str, why: str) -> None:  # noqa: A002
        if (fleet := self._find()) is not None:
            fleet.dismiss.remote(leader, id, why)

    def dropped(self, leader: str) -> None:
        if (fleet := self._find()) is not None:
            fleet.dropped.remote(leader)


async def observed_by_fleet(fleet: Any | None, kind: str) -> Sequence[Observed]:
    """What the fleet has to show; nothing if it does not run. Raises Unavailable: it does not
    answer, which says nothing of what runs."""
    if fleet is None:
        return ()
    try:
        async with asyncio.timeout(OBSERVE_S):
            found: Sequence[Observed] = await answer(fleet.observe.remote(kind), "the fleet")
            return found
    except (WorkerLost, TimeoutError):
        raise Unavailable("the fleet does not answer; it restarts by itself: ask again") from None
