"""The claim of a virtual warehouse on the versions that its queries read: one pin, while it is
needed.

Queries that are soon over need none: what is collected behind a newer version is read again at that
version (`compute/runner.py`). Longer ones are covered by a pin of the oldest version that any of
them reads. Who may not write to the store reads without a pin.
"""

from __future__ import annotations

from collections.abc import Callable

from storage.clock import Clock
from storage.collection.pins import Pin, write_pin
from storage.errors import InvalidRequest, MobulaError
from storage.ids import Ids
from storage.names import pin_name
from storage.objects import ObjectStore

__all__ = ["Claim"]

LOOK_MS = 1_000.0
LASTS_MS = 120_000
RENEW_MS = 20_000


class Claim:
    """Of one coordinator; `run` it in a task. Every look is a second apart.

    Attributes:
        last_error: why there is no pin now that there should be one.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        clock: Clock,
        ids: Ids,
        holder: str,
        oldest: Callable[[float], int | None],
    ) -> None:
        """Args:
        holder: who reads, for people.
        oldest: the oldest version that queries read which have run for so many ms; None: there is
            none.
        """
        self._store = store
        self._clock = clock
        self._name = pin_name(ids.new())
        self._holder = holder
        self._oldest = oldest
        self._lsn: int | None = None  # that is pinned
        self._written_ms = 0.0
        self._allowed = True
        self.last_error: MobulaError | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while self._allowed:
            await self._clock.sleep_ms(LOOK_MS)
            try:
                await self.look()
                self.last_error = None
            except InvalidRequest as error:
                self._allowed = False
                self.last_error = error
            except MobulaError as error:
                self.last_error = error

    async def look(self) -> None:
        """Pin what must be pinned now. 1 PUT when something is due, 1 DELETE at the end."""
        wanted = self._oldest(LOOK_MS)
        now_ms = self._clock.monotonic_ms()
        if wanted is None:
            await self.release()
        elif wanted != self._lsn or now_ms - self._written_ms >= RENEW_MS:
            pin = Pin(lsn=wanted, expires_ms=self._clock.now_ms() + LASTS_MS, holder=self._holder)
            await write_pin(self._store, self._name, pin)
            self._lsn, self._written_ms = wanted, now_ms

    async def release(self) -> None:
        """Claim nothing any more."""
        if self._lsn is not None:
            self._lsn = None
            await self._store.delete(self._name)
