"""A clock that only sleeping (or a test) moves: no test waits for real."""

from __future__ import annotations

import asyncio

__all__ = ["FakeClock"]


class FakeClock:
    """Sleeping takes no time and moves the clock."""

    def __init__(self) -> None:
        self.moved_ms = 0.0
        self.sleeps_ms: list[float] = []

    def now_ms(self) -> int:
        return round(self.moved_ms)

    def monotonic_ms(self) -> float:
        return self.moved_ms

    async def sleep_ms(self, duration_ms: float) -> None:
        self.sleeps_ms.append(duration_ms)
        self.moved_ms += duration_ms
        await asyncio.sleep(0)
