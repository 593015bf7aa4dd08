"""Time and names for tests: nothing waits for real, nothing is random."""

from __future__ import annotations

import asyncio

__all__ = ["CountedIds", "FakeClock", "StillClock"]


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


class StillClock:
    """Time stands still until it is moved; then those who have slept enough wake up."""

    def __init__(self) -> None:
        self.moved_ms = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now_ms(self) -> int:
        return round(self.moved_ms)

    def monotonic_ms(self) -> float:
        return self.moved_ms

    async def sleep_ms(self, duration_ms: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self.moved_ms + duration_ms, woken))
        await woken.wait()

    def move(self, duration_ms: float) -> None:
        self.moved_ms += duration_ms
        due = [woken for at, woken in self._sleepers if at <= self.moved_ms]
        self._sleepers = [one for one in self._sleepers if one[0] > self.moved_ms]
        for woken in due:
            woken.set()


class CountedIds:
    """Repeatable unique names."""

    def __init__(self, seed: str = "0") -> None:
        self._seed = seed
        self._made = 0

    def new(self) -> str:
        self._made += 1
        return f"{self._seed:0>16}{self._made:016x}"
