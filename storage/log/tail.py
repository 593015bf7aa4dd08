"""The newest snapshot, kept by looking at the log again and again.

An absent next group means that what is known is the newest, or that the group was collected while
nobody looked. Groups are collected behind newer checkpoints only, and not before they are some age:
so who has not looked for a while asks for the newest checkpoint, too, and opens anew where that is
newer.
"""

from __future__ import annotations

from storage.clock import Clock
from storage.log.reader import LogReader
from storage.snapshot.model import Snapshot

__all__ = ["SURE_MS", "Tail"]

SURE_MS = 30_000  # half of what log objects outlive checkpoints by: `RetentionPolicy.follow_ms`


class Tail:
    """One branch's newest snapshot, as far as is known. Not reentrant.

    Attributes:
        reopened: how often it had fallen behind what the log still has.
    """

    def __init__(self, reader: LogReader, snapshot: Snapshot, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._sure_ms = clock.monotonic_ms()
        self.snapshot = snapshot
        self.reopened = 0

    async def advance(self, *, surely: bool = False) -> Snapshot:
        """Look now. 1 GET when nothing is new, and 1 LIST after half a minute, or with `surely`.

        Raises CorruptData, Unavailable; then what is known stays.
        """
        began_ms = self._clock.monotonic_ms()
        found = await self._reader.follow(self.snapshot)
        if surely or began_ms - self._sure_ms >= SURE_MS:
            if not await self._reader.is_newest(found):
                found = await self._reader.open()
                self.reopened += 1
            self._sure_ms = began_ms
        self.snapshot = found
        return found
