"""How a process becomes the primary: the file lock of a directory, then the takeover in the log.

On a directory of one machine the lock proves that the predecessor is dead, and nothing is waited
for; on an object store its signs of life decide (`storage/log/takeover.py`). A lock that is held is
tried a few times: somebody may only have asked whether it is (`storage/objects/lock_probe.py`).

A primary that was promoted (`force`) asks neither. It may then reign without the lock, which a
process that hangs still holds; its `Owner` says so, and whoever comes next goes by signs of life.
"""

from __future__ import annotations

import dataclasses

import msgspec

from storage.clock import Clock
from storage.errors import Unavailable
from storage.ids import Ids
from storage.log.epoch import Owner, newest_owner
from storage.log.reader import LogReader
from storage.log.standing import PRIMARY_LOCK
from storage.log.takeover import Reign, holder_message, take_over
from storage.objects import CountingStore, HeldLock, LockingStore, ObjectStore

__all__ = ["reign_of"]

PROBED_MS = (1, 5, 20)  # pauses between attempts; who asks for a lock has it for microseconds


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """`lock`: ours now, None: there is none to have; `dead`: nobody can be reigning."""

    lock: HeldLock | None
    dead: bool


async def _lock(store: ObjectStore, clock: Clock, *, force: bool) -> _Found:
    """Take the lock of a directory.

    Raises:
        Unavailable: the primary that reigns holds it; names it.
    """
    if not isinstance(store, LockingStore):
        return _Found(None, dead=force)
    lock = store.try_lock(PRIMARY_LOCK)
    for pause_ms in PROBED_MS:
        if lock is None:
            await clock.sleep_ms(pause_ms)
            lock = store.try_lock(PRIMARY_LOCK)
    try:
        newest = await newest_owner(store)
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    if lock is None and not force and (newest is None or newest[1].locked):
        raise Unavailable(holder_message(store.url, newest))
    # Without a lock it reigned by its signs of life; a lock says nothing about it.
    return _Found(lock, dead=force or newest is None or newest[1].locked)


async def reign_of(
    store: CountingStore,
    reader: LogReader,
    *,
    owner: Owner,
    clock: Clock,
    ids: Ids,
    force: bool = False,
) -> tuple[Reign, HeldLock | None]:
    """Take over; releases what it holds when that fails.

    Args: force: at once, whoever reigns: it is fenced, and stops.
    """
    lock: HeldLock | None = None
    try:
        found = await _lock(store.inner, clock, force=force)
        lock = found.lock
        reign = await take_over(
            store,
            reader,
            owner=msgspec.structs.replace(owner, locked=lock is not None),
            clock=clock,
            ids=ids,
            predecessor_is_dead=found.dead,
        )
    except BaseException:
        if lock is not None:
            lock.release()
        await store.close()
        raise
    return reign, lock
