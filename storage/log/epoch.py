"""Epochs: who reigns, and whether the owner is alive.

`epoch/{n}/owner` is created once and never deleted: the greatest n reigns. `epoch/{n}/alive` is
refreshed by the owner; it only spares waiting. Safety rests on the fence in the log
(`log/takeover.py`), never on these clocks.
"""

from __future__ import annotations

import msgspec

from storage.clock import Clock
from storage.errors import CorruptData, ObjectMissing
from storage.names import EPOCH_PREFIX, alive_name, epoch_of, is_owner_name, owner_name
from storage.objects import Created, ObjectStore, create_settled

__all__ = [
    "Alive",
    "Lease",
    "Owner",
    "claim",
    "newest_epoch",
    "newest_owner",
    "read_alive",
    "read_owner",
]


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who took an epoch. `id` is stable across restarts of one primary, `nonce` is not;
    `address` is for people; `locked`: on a directory, it held the operating system's lock."""

    id: str
    nonce: str
    address: str
    lease_ms: int
    locked: bool = True  # as every owner on a directory once did


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life: a counter, and whether the owner has stepped down."""

    nonce: str
    beat: int
    released: bool = False


async def newest_epoch(store: ObjectStore) -> int:
    """The greatest epoch that has an owner, 0 if none. 1 LIST."""
    newest = 0
    async for entry in store.list(EPOCH_PREFIX):
        if is_owner_name(entry.name):
            newest = max(newest, epoch_of(entry.name))
    return newest


async def newest_owner(store: ObjectStore) -> tuple[int, Owner] | None:
    """The epoch that reigns and its owner; None: there was none yet. 1 LIST, 1 GET."""
    epoch = await newest_epoch(store)
    return (epoch, await read_owner(store, epoch)) if epoch else None


async def read_owner(store: ObjectStore, epoch: int) -> Owner:
    """The owner of an epoch. Raises CorruptData."""
    name = owner_name(epoch)
    try:
        return msgspec.json.decode(await store.get(name), type=Owner)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptData(f"{name}: does not decode: {error}") from error


async def read_alive(store: ObjectStore, epoch: int) -> Alive | None:
    """The newest sign of life of an epoch, or None."""
    try:
        return msgspec.json.decode(await store.get(alive_name(epoch)), type=Alive)
    except (ObjectMissing, msgspec.DecodeError, UnicodeDecodeError):
        return None


async def claim(store: ObjectStore, epoch: int, owner: Owner, clock: Clock) -> bool:
    """Take an epoch; False if another was first."""
    data = msgspec.json.encode(owner)
    outcome = await create_settled(store, owner_name(epoch), data, clock=clock)
    return isinstance(outcome, Created)


class Lease:
    """The owner's side of `alive`: `beat` at least every third of the lease, `release` at the end.

    Liveness only: a lease that lapses harms nobody, a successor fences us in the log.
    """

    def __init__(self, store: ObjectStore, epoch: int, owner: Owner) -> None:
        self._store = store
        self._epoch = epoch
        self._owner = owner
        self._beat = 0

    @property
    def interval_ms(self) -> int:
        """How often to `beat`."""
        return self._owner.lease_ms // 3

    async def beat(self) -> None:
        """Refresh the sign of life. 1 PUT."""
        self._beat += 1
        await self._write(released=False)

    async def successor(self) -> Owner | None:
        """Who has taken the next epoch, or None. 1 GET."""
        try:
            return await read_owner(self._store, self._epoch + 1)
        except ObjectMissing:
            return None

    async def release(self) -> None:
        """Step down, so that a successor need not wait. 1 PUT."""
        self._beat += 1
        await self._write(released=True)

    async def _write(self, *, released: bool) -> None:
        alive = Alive(nonce=self._owner.nonce, beat=self._beat, released=released)
        await self._store.put(alive_name(self._epoch), msgspec.json.encode(alive))
