"""How a process becomes the primary: the file lock of a directory, then the takeover in the log.

On a directory of one machine the lock proves that the predecessor is dead, and nothing is waited
for; on an object store its signs of life decide (`storage/log/takeover.py`).
"""

from __future__ import annotations

from storage.clock import Clock
from storage.errors import Unavailable
from storage.ids import Ids
from storage.log.epoch import Owner, newest_epoch, read_owner
from storage.log.reader import LogReader
from storage.log.takeover import Reign, take_over
from storage.objects import CountingStore, HeldLock, LocalStore, ObjectStore

__all__ = ["reign_of"]

PRIMARY_LOCK = "primary"


async def _lock(store: ObjectStore) -> HeldLock | None:
    """On a directory: the file lock that proves that no other primary lives. Others: None.

    Raises:
        Unavailable: somebody holds it; names the holder.
    """
    if not isinstance(store, LocalStore):
        return None
    lock = store.try_lock(PRIMARY_LOCK)
    if lock is None:
        epoch = await newest_epoch(store)
        holder = await read_owner(store, epoch) if epoch else None
        who = f"{holder.id} at {holder.address} (epoch {epoch})" if holder else "just starting"
        raise Unavailable(
            f"{store.url} has a primary: {who}. Write through it, or stop it first; "
            "reading needs no primary"
        )
    return lock


async def reign_of(
    store: CountingStore,
    reader: LogReader,
    *,
    owner: Owner,
    clock: Clock,
    ids: Ids,
) -> tuple[Reign, HeldLock | None]:
    """Take over; releases what it holds when that fails."""
    lock: HeldLock | None = None
    try:
        lock = await _lock(store.inner)
        reign = await take_over(
            store,
            reader,
            owner=owner,
            clock=clock,
            ids=ids,
            predecessor_is_dead=lock is not None,
        )
    except BaseException:
        if lock is not None:
            lock.release()
        await store.close()
        raise
    return reign, lock
