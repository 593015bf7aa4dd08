"""Settling what commits have put into the indexes, in a thread beside the commits.

An index in memory takes the keys of a commit as a small array of their own (`memory.py`). Making
the arrays few again moves up to a million entries, and nothing waits for that here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from storage.primary_key import TableIndex, Tier

__all__ = ["Settler", "settle_now"]

AT_ONCE_ENTRIES = 4_096  # are moved in less time than a thread is asked to


def settle_now(indexes: Iterable[TableIndex]) -> None:
    """Settle what is not yet, in the thread of the caller."""
    for index in indexes:
        for tier in index.unsettled():
            tier.settle()


class Settler:
    """Run `run` in a task of the event loop in which `settle` is called."""

    def __init__(self) -> None:
        self._due: dict[Tier, None] = {}  # in the order in which they came
        self._wake = asyncio.Event()

    def settle(self, indexes: Iterable[TableIndex]) -> None:
        """Settle what is not yet, soon."""
        for index in indexes:
            for tier in index.unsettled():
                if tier.size <= AT_ONCE_ENTRIES:
                    tier.settle()
                else:
                    self._due[tier] = None
                    self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                tier = next(iter(self._due))
                del self._due[tier]
                if not tier.is_settled:
                    await asyncio.to_thread(tier.settle)
