"""One attempt of a transaction at a time: calls with the same token wait for each other.

A client that has waited long enough makes its call again, while the first one may still be at work
here. Only one of the two can commit. But the other might be refused, for what the first is doing or
for anything else, and the client, which hears of the second alone, would take that as the end: and
then the first commits. So an attempt begins when all earlier ones have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from storage.snapshot.model import IngestToken

__all__ = ["Attempts"]


@dataclass(slots=True)
class _Turns:
    """Of one token. Those who wait get their turn in the order in which they came."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: asyncio.Task[Any] | None = None  # whose turn it is
    callers: int = 0


class Attempts:
    """Of one primary; one event loop."""

    def __init__(self) -> None:
        self._turns: dict[IngestToken, _Turns] = {}

    def __len__(self) -> int:
        """Tokens with attempts under way."""
        return len(self._turns)

    @asynccontextmanager
    async def turn(self, token: IngestToken | None) -> AsyncIterator[None]:
        """The only attempt with this token; within one task also inside itself. Without a token
        nobody waits."""
        task = asyncio.current_task()
        known = self._turns.get(token) if token is not None else None
        if token is None or (known is not None and known.task is task):
            yield
            return
        turns = self._turns.setdefault(token, _Turns())
        turns.callers += 1
        try:
            async with turns.lock:
                turns.task = task
                try:
                    yield
                finally:
                    turns.task = None
        finally:
            turns.callers -= 1
            if not turns.callers:
                del self._turns[token]
