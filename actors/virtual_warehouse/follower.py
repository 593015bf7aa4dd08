"""The newest snapshot, kept by following the log itself.

Pushes from the primary are hints to look now; without them it looks every `poll_ms`. It needs no
primary to be alive. Waiting for an LSN makes it look at once, and then ever less often.

While the log cannot be read (the store is away, an object is corrupt) questions are answered from
the newest snapshot that is known, and `last_error` says why it is not newer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from storage.clock import Clock
from storage.errors import MobulaError, Unavailable
from storage.log.reader import LogReader
from storage.log.tail import Tail
from storage.snapshot.model import Snapshot

__all__ = ["Follower"]

WAIT_STEP_MS_MAX = 50


class Follower:
    """Follows one branch's log. `run` it in a task; ask `latest` from others."""

    def __init__(
        self,
        reader: LogReader,
        snapshot: Snapshot,
        clock: Clock,
        poll_ms: int,
        changed: Callable[[Snapshot], None] = lambda snapshot: None,
    ) -> None:
        """Args: changed: hears of every newer snapshot."""
        self._tail = Tail(reader, snapshot, clock)
        self._clock = clock
        self._poll_ms = poll_ms
        self._turn = asyncio.Lock()
        self._hint = asyncio.Event()
        self._looked_ms = clock.monotonic_ms()
        self._changed = changed
        self._resting = False
        self.last_error: MobulaError | None = None  # of the newest look; None: it went well

    @property
    def snapshot(self) -> Snapshot:
        """What is known now, without looking."""
        return self._tail.snapshot

    @property
    def reopened(self) -> int:
        """How often it had fallen behind what the log still has, and read a checkpoint instead."""
        return self._tail.reopened

    async def run(self) -> None:
        """Look whenever hinted at or when `poll_ms` have passed, until cancelled. An error is kept
        in `last_error` and tried again later. With `poll_ms` 0 every question looks for itself, and
        there is nothing to do here."""
        while self._poll_ms:
            # Not `wait_for`: on Python 3.11 it swallows a cancellation that meets a hint.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_ms / 1000):
                    await self._hint.wait()
            self._hint.clear()
            if not self._resting:
                await self._look()

    def rest(self, resting: bool) -> None:
        """Whether nobody asks for a while: then it does not look by itself."""
        self._resting = resting

    def hint(self, lsn: int) -> None:
        """Somebody says that `lsn` is committed: look soon."""
        if lsn > self.snapshot.lsn:
            self._hint.set()

    async def advance(self, *, surely: bool = False) -> Snapshot:
        """Look now. See `Tail.advance`."""
        async with self._turn:
            known = self.snapshot
            found = await self._tail.advance(surely=surely)
            self._looked_ms = self._clock.monotonic_ms()
            if found.lsn != known.lsn:
                self._changed(found)
            return found

    async def _look(self) -> None:
        try:
            await self.advance()
            self.last_error = None
        except MobulaError as error:
            self.last_error = error

    def _must_look(self) -> bool:
        """Whether nobody else does, and what is known is old. While looks fail, `run` repeats them,
        and a question does not wait for a store that is away."""
        if self._clock.monotonic_ms() - self._looked_ms < self._poll_ms:
            return False
        return self._resting or self.last_error is None

    async def latest(self, min_lsn: int | None, timeout_ms: int) -> Snapshot:
        """A snapshot at `min_lsn` or later, and no older than `poll_ms` if the log can be read.

        Raises:
            Unavailable: `min_lsn` is not in the log after `timeout_ms`.
            MobulaError: the log cannot be read, and `min_lsn` is not known yet or `poll_ms` is 0.
        """
        if not self._poll_ms:
            await self.advance()
        elif self._must_look():
            await self._look()
        if min_lsn is None:
            return self.snapshot
        started_ms, step_ms, sure = self._clock.monotonic_ms(), 1, False
        while self.snapshot.lsn < min_lsn:
            waits_long = step_ms == WAIT_STEP_MS_MAX  # the next group may have been collected
            await self.advance(surely=waits_long and not sure)
            sure = sure or waits_long
            if self.snapshot.lsn >= min_lsn:
                break
            if self._clock.monotonic_ms() - started_ms + step_ms >= timeout_ms:
                raise Unavailable(
                    f"LSN {min_lsn} is not in the log within {timeout_ms} ms (newest: "
                    f"{self.snapshot.lsn}); is that commit of this database and branch?"
                )
            await self._clock.sleep_ms(step_ms)
            step_ms = min(step_ms * 2, WAIT_STEP_MS_MAX)
        return self.snapshot
