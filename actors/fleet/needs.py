"""What the cluster does not give: told to coordinators as a shortage, to the cluster as a wish.

A virtual warehouse that has lacked workers for too long is told so once, and once again when it
has them all. The wishes of all of them together are the nodes that there shall be; they are said
again now and then, since who hears them may have begun anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from actors.compute.workers import WorkerLost
from actors.fleet.books import Books, Lead, shape_text
from actors.fleet.host import Host
from storage.clock import Clock
from storage.errors import MobulaError

__all__ = ["Needs"]

NODES_AGAIN_MS = 5_000.0


class Needs:
    """See the module."""

    def __init__(
        self,
        host: Host,
        books: Books,
        clock: Clock,
        *,
        patience_ms: float,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        """Args:
        patience_ms: how long workers may be lacking before that is a shortage.
        spawn: begins something that goes on by itself.
        """
        self._host = host
        self._books = books
        self._clock = clock
        self._patience_ms = patience_ms
        self._spawn = spawn
        self._told: list[Mapping[str, float]] = []
        self._told_ms = 0.0

    def tell(self) -> None:
        """Say what has changed; called after every change."""
        for lead in self._books.leads.values():
            if lead.short and lead.process is not None and not self._books.lacks(lead):
                lead.short = False
                self._books.happened(lead.name, "shortage over", "it has the workers it wishes")
                self._spawn(self._say(lead, None))
        self._tell_nodes()

    async def look_for_shortages(self) -> None:
        """Called every second or so."""
        for lead in list(self._books.leads.values()):
            await self._look_for_shortage(lead)

    async def _look_for_shortage(self, lead: Lead) -> None:
        wish, since_ms = lead.wish, lead.lacks_since_ms
        if wish is None or since_ms is None or lead.process is None or lead.short:
            return
        waited_ms = self._clock.monotonic_ms() - since_ms
        if waited_ms < self._patience_ms:
            return
        supply = await self._host.supply()
        lacks = self._books.lacks(lead)
        if lead.wish is not wish or not lacks or lead.process is None:
            return  # things have changed meanwhile
        text = (
            f"virtual warehouse {lead.name} wishes {wish.workers} workers of "
            f"{shape_text(wish.shape)}; after {waited_ms / 1000:.0f} s the cluster has given "
            f"{wish.workers - lacks}, and it serves with these; {supply}"
        )
        lead.short = True
        self._books.happened(lead.name, "shortage", text)
        await self._say(lead, text)

    async def _say(self, lead: Lead, text: str | None) -> None:
        if lead.process is not None:
            with contextlib.suppress(MobulaError, WorkerLost):
                await self._host.coordinator(lead.process.handle).shortage(text)

    def _tell_nodes(self) -> None:
        bundles: list[Mapping[str, float]] = [
            dict(self._host.bundle(lead.wish.shape))
            for lead in self._books.leads.values()
            if lead.wish is not None
            for _ in range(lead.wish.workers)
        ]
        now_ms = self._clock.monotonic_ms()
        if bundles == self._told and (not bundles or now_ms - self._told_ms < NODES_AGAIN_MS):
            return
        self._told, self._told_ms = bundles, now_ms
        self._spawn(self._host.nodes(bundles))
