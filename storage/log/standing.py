"""Who reigns, and is it alive? Asked by reading alone: no lease is taken, nobody is disturbed.

On a directory the operating system tells at once, where the owner held its lock. Otherwise one
watches the sign of life for up to a lease of the holder, on one's own clock. So does whoever wants
to take over (`takeover.py`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from storage.clock import Clock
from storage.log.epoch import Owner, newest_epoch, newest_owner, read_alive
from storage.objects import ObjectStore
from storage.objects.lock_probe import is_locked

__all__ = ["PRIMARY_LOCK", "Life", "Standing", "standing", "watch"]

PRIMARY_LOCK = "primary"


class Life(enum.Enum):
    """What is known of an owner; the value is for people."""

    ALIVE = "alive"
    RELEASED = "has stepped down"
    DEAD = "is dead: nobody holds the directory's lock"
    SILENT = "has given no sign of life for a lease"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who reigns.

    Attributes:
        locks: do primaries hold a lock there? Then `owner.locked` says whether this one did.
        here: it is the asking engine's own.
    """

    epoch: int
    owner: Owner
    life: Life
    locks: bool
    here: bool = False

    @property
    def alive(self) -> bool:
        return self.life is Life.ALIVE

    @property
    def who(self) -> str:
        """For people."""
        return f"{self.owner.id} at {self.owner.address} (epoch {self.epoch})"


async def standing(store: ObjectStore, clock: Clock) -> Standing | None:
    """Who reigns; None: nobody ever has. Takes up to a lease where there is no lock.

    Args: store: the one that has the locks, without wrappers.
    Raises: CorruptData naming an owner that does not decode; Unavailable.
    """
    while True:
        newest = await newest_owner(store)
        if newest is None:
            return None
        epoch, owner = newest
        held = is_locked(store, PRIMARY_LOCK)
        life = await _life(store, epoch, owner, held, clock)
        if life is not Life.SILENT or await newest_epoch(store) == epoch:
            return Standing(epoch=epoch, owner=owner, life=life, locks=held is not None)


async def _life(
    store: ObjectStore, epoch: int, owner: Owner, held: bool | None, clock: Clock
) -> Life:
    """Args: held: whether somebody has the lock; None: there is none."""
    if held is None or not owner.locked:
        return await watch(store, epoch, owner, clock)
    seen = await read_alive(store, epoch)
    if seen is not None and seen.released:
        return Life.RELEASED
    return Life.ALIVE if held else Life.DEAD


async def watch(store: ObjectStore, epoch: int, owner: Owner, clock: Clock) -> Life:
    """Watch an owner's sign of life until it changes, or one of its leases is over.

    Every tenth of the lease 1 GET. Our clock alone decides: what the sign says of time is nothing.
    """
    seen = await read_alive(store, epoch)
    if seen is not None and seen.released:
        return Life.RELEASED
    waited_ms, step_ms = 0.0, max(owner.lease_ms // 10, 1)
    started_ms = clock.monotonic_ms()
    while waited_ms <= owner.lease_ms:
        await clock.sleep_ms(step_ms)
        now = await read_alive(store, epoch)
        if now is not None and now.released:
            return Life.RELEASED
        if now != seen:
            return Life.ALIVE
        waited_ms = clock.monotonic_ms() - started_ms
    return Life.SILENT
