"""Time, injected. The only module that may read the machine's clocks.

Wall time orders versions for people (TSO); monotonic time measures leases and timeouts. The
simulation replaces both.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the core may know about time."""

    def now_ms(self) -> int:
        """Wall time: milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic_ms(self) -> float:
        """Milliseconds since an arbitrary start; never goes back."""
        ...

    async def sleep_ms(self, duration_ms: float) -> None:
        """Return after `duration_ms` of monotonic time."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000  # noqa: TID251 - the one place that may

    def monotonic_ms(self) -> float:
        return time.monotonic_ns() / 1_000_000

    async def sleep_ms(self, duration_ms: float) -> None:
        await asyncio.sleep(duration_ms / 1000)
