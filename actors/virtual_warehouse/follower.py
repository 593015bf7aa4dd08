"""The newest snapshot, kept by following the log itself.

Pushes from the primary are hints to look now; without them it looks every `poll_ms`. It needs no
primary to be alive. Waiting for an LSN makes it look at once, and then ever less often.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from storage.clock import Clock
from storage.errors import MobulaError, Unavailable
from storage.log.reader import LogReader
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
        self._reader = reader
        self._snapshot = snapshot
        self._clock = clock
        self._poll_ms = poll_ms
        self._turn = asyncio.Lock()
        self._hint = asyncio.Event()
        self._looked_ms = clock.monotonic_ms()
        self._changed = changed
        self._resting = False
        self.last_error: MobulaError | None = None  # of the newest look in `run`

    @property
    def snapshot(self) -> Snapshot:
        """What is known now, without looking."""
        return self._snapshot

    async def run(self) -> None:
        """Look whenever hinted at or when `poll_ms` have passed, until cancelled. An error (the
        store is away, an object is corrupt) is kept in `last_error` and tried again later. With
        `poll_ms` 0 every question looks for itself, and there is nothing to do here."""
        while self._poll_ms:
            # Not `wait_for`: on Python 3.11 it swallows a cancellation that meets a hint.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_ms / 1000):
                    await self._hint.wait()
            self._hint.clear()
            if self._resting:
                continue
            try:
                await self.advance()
                self.last_error = None
            except MobulaError as error:
                self.last_error = error

    def rest(self, resting: bool) -> None:
        """Whether nobody asks for a while: then it does not look by itself."""
        self._resting = resting

    def hint(self, lsn: int) -> None:
        """Somebody says that `lsn` is committed: look soon."""
        if lsn > self._snapshot.lsn:
            self._hint.set()

    async def advance(self) -> Snapshot:
        """Look now. 1 GET when nothing is new."""
        async with self._turn:
            known = self._snapshot
            self._snapshot = await self._reader.follow(known)
            self._looked_ms = self._clock.monotonic_ms()
            if self._snapshot.lsn != known.lsn:
                self._changed(self._snapshot)
            return self._snapshot

    async def latest(self, min_lsn: int | None, timeout_ms: int) -> Snapshot:
        """A snapshot no older than `poll_ms`, and at `min_lsn` or later.

        Raises:
            Unavailable: `min_lsn` is not in the log after `timeout_ms`.
        """
        if self._clock.monotonic_ms() - self._looked_ms >= self._poll_ms:
            await self.advance()
        if min_lsn is None:
            return self._snapshot
        started_ms, step_ms = self._clock.monotonic_ms(), 1
        while self._snapshot.lsn < min_lsn:
            await self.advance()
            if self._snapshot.lsn >= min_lsn:
                break
            if self._clock.monotonic_ms() - started_ms + step_ms >= timeout_ms:
                raise Unavailable(
                    f"LSN {min_lsn} is not in the log within {timeout_ms} ms (newest: "
                    f"{self._snapshot.lsn}); is that commit of this database and branch?"
                )
            await self._clock.sleep_ms(step_ms)
            step_ms = min(step_ms * 2, WAIT_STEP_MS_MAX)
        return self._snapshot
