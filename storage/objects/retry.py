"""Repeats what may be repeated while a store is unavailable, within a budget of time.

Every idempotent call (get, get_range, put, put_file, fetch, delete, each page of a list) that
raises `Unavailable` is made again after an exponential pause with jitter. `create` passes through
once: its outcome is ambiguous and `settle.create_settled` repeats it knowingly.

No attempt starts that would end past the budget if it took as long as the one before, so a server
that swallows packets costs about the budget and not the budget plus a time-out.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import tenacity

from storage.clock import Clock
from storage.errors import Unavailable
from storage.objects.base import ObjectInfo, ObjectStore
from storage.objects.names import check_list

__all__ = ["RetryingStore", "backoff_ms"]

T = TypeVar("T")

_PAUSE_MS_MIN = 50
_PAUSE_MS_MAX = 5_000


def backoff_ms(attempt: int, rng: random.Random) -> int:
    """The pause after failed attempt number `attempt` (from 1): 50 ms doubling to 5 s, half random.

    Source: "Exponential Backoff and Jitter", AWS Architecture Blog, 2015 (equal jitter).
    """
    full_ms = min(_PAUSE_MS_MAX, _PAUSE_MS_MIN << min(attempt - 1, 16))
    return round(full_ms * rng.uniform(0.5, 1.0))


@dataclass(slots=True, kw_only=True)
class _Budget:
    clock: Clock
    budget_ms: int
    started_ms: float
    attempt_started_ms: float

    def begin(self, state: tenacity.RetryCallState) -> None:
        if state.attempt_number > 1:  # the first has been made
            self.attempt_started_ms = self.clock.monotonic_ms()

    def is_spent(self, state: tenacity.RetryCallState) -> bool:
        now_ms = self.clock.monotonic_ms()
        next_ms = state.upcoming_sleep * 1000 + (now_ms - self.attempt_started_ms)
        return now_ms - self.started_ms + next_ms >= self.budget_ms

    async def pause(self, duration_s: float) -> None:
        await self.clock.sleep_ms(duration_s * 1000)


class RetryingStore:
    """An `ObjectStore` that outlives short outages of the one inside."""

    def __init__(
        self,
        inner: ObjectStore,
        *,
        clock: Clock,
        budget_ms: int = 30_000,
        rng: random.Random | None = None,
    ) -> None:
        """Args: budget_ms: for one call with all its repetitions; rng: the source of jitter."""
        self._inner = inner
        self._clock = clock
        self._budget_ms = budget_ms
        self._rng = rng if rng is not None else random.Random()

    @property
    def url(self) -> str:
        return self._inner.url

    @property
    def inner(self) -> ObjectStore:
        """The store inside, which does not repeat."""
        return self._inner

    async def create(self, name: str, data: bytes) -> None:
        await self._inner.create(name, data)

    async def put(self, name: str, data: bytes) -> None:
        await self._repeat(f"put {name!r}", lambda: self._inner.put(name, data))

    async def get(self, name: str) -> bytes:
        return await self._repeat(f"get {name!r}", lambda: self._inner.get(name))

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        what = f"get a range of {name!r}"
        return await self._repeat(what, lambda: self._inner.get_range(name, start, length))

    async def put_file(self, name: str, path: Path) -> None:
        await self._repeat(f"put {name!r}", lambda: self._inner.put_file(name, path))

    async def fetch(self, name: str, path: Path) -> int:
        return await self._repeat(f"fetch {name!r}", lambda: self._inner.fetch(name, path))

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        """As the store inside; after a failed page it goes on after the last name given out."""
        check_list(prefix, page_size)
        last = start_after
        pages: AsyncIterator[ObjectInfo] | None = None

        async def page() -> Sequence[ObjectInfo]:
            nonlocal pages
            if pages is None:
                pages = self._inner.list(prefix, start_after=last, page_size=page_size)
            try:
                return await _take(pages, page_size)
            except Unavailable:
                pages = None  # a generator that raised is over: start another at `last`
                raise

        while found := await self._repeat(f"list {prefix!r}", page):
            for info in found:
                yield info
            last = found[-1].name

    async def delete(self, name: str) -> None:
        await self._repeat(f"delete {name!r}", lambda: self._inner.delete(name))

    async def close(self) -> None:
        await self._inner.close()

    async def _repeat(self, action: str, call: Callable[[], Awaitable[T]]) -> T:
        """The first attempt goes by itself: nearly all succeed, and repeating has a price."""
        started_ms = self._clock.monotonic_ms()
        try:
            return await call()
        except Unavailable as error:
            return await self._repeat_after(error, action, call, started_ms)

    async def _repeat_after(
        self, first: Unavailable, action: str, call: Callable[[], Awaitable[T]], started_ms: float
    ) -> T:
        budget = _Budget(
            clock=self._clock,
            budget_ms=self._budget_ms,
            started_ms=started_ms,
            attempt_started_ms=started_ms,
        )
        known: Unavailable | None = first
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(Unavailable),
            before=budget.begin,
            wait=lambda state: backoff_ms(state.attempt_number, self._rng) / 1000,
            stop=budget.is_spent,
            sleep=budget.pause,
            reraise=True,
        )

        # tenacity awaits only what it recognises as a coroutine function; a lambda is none.
        async def attempt() -> T:
            nonlocal known
            if known is not None:
                error, known = known, None
                raise error
            return await call()

        try:
            return await retrying(attempt)
        except Unavailable as error:
            waited_ms = self._clock.monotonic_ms() - budget.started_ms
            attempts = retrying.statistics["attempt_number"]
            raise Unavailable(
                f"{self.url}: {action} failed {attempts} times in {waited_ms / 1000:.1f} s, "
                f"the last time with: {error}. Restore the store and repeat the call"
            ) from error


async def _take(pages: AsyncIterator[ObjectInfo], count_max: int) -> Sequence[ObjectInfo]:
    found: list[ObjectInfo] = []
    while len(found) < count_max:
        try:
            found.append(await anext(pages))
        except StopAsyncIteration:
            break
    return found
