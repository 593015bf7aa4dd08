"""Promotion: somebody takes over now, whoever reigns, because people say so.

The reign of the one before ends with a fence in the log: it can acknowledge nothing from then on,
and hears `Fenced` with its next write or sign of life, whichever comes first.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from actors.primary.reign import reign_of
from storage.clock import Clock
from storage.errors import MobulaError
from storage.ids import Ids
from storage.log.epoch import Owner, read_owner
from storage.log.reader import LogReader
from storage.log.takeover import Reign
from storage.objects import CountingStore, ObjectStore

__all__ = ["Promotion", "promote_for_a_moment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """Who reigns now.

    Attributes:
        before: who reigned before; None: nobody ever had.
        lsn: of the fence.
        took_ms: until the fence was durable; None: it reigned already, nothing was done.
        reigns: it goes on; else it has stepped down again, and whoever comes next need not wait.
    """

    before: Owner | None
    owner: Owner
    epoch: int
    lsn: int
    took_ms: float | None
    reigns: bool = True

    @classmethod
    async def of(
        cls,
        reign: Reign,
        store: ObjectStore,
        clock: Clock,
        began_ms: float | None,
        *,
        reigns: bool = True,
    ) -> Promotion:
        """Args: began_ms: when it was asked for, monotonic; None: it was not."""
        took_ms = None if began_ms is None else clock.monotonic_ms() - began_ms
        before = await read_owner(store, reign.epoch - 1) if reign.epoch > 1 else None
        return cls(
            before=before,
            owner=reign.owner,
            epoch=reign.epoch,
            lsn=reign.snapshot.lsn,
            took_ms=took_ms,
            reigns=reigns,
        )


async def promote_for_a_moment(
    store: CountingStore, reader: LogReader, *, owner: Owner, clock: Clock, ids: Ids
) -> Promotion:
    """Fence whoever reigns, and step down again: for a process that will not stay.

    Args: store: closed afterwards.
    Raises: Fenced: somebody else was promoted at the same time. CorruptData, Unavailable.
    """
    began_ms = clock.monotonic_ms()
    reign, lock = await reign_of(store, reader, owner=owner, clock=clock, ids=ids, force=True)
    try:
        promotion = await Promotion.of(reign, store, clock, began_ms, reigns=False)
        with contextlib.suppress(MobulaError):  # then the next one waits for a lease
            await reign.lease.release()
    finally:
        if lock is not None:
            lock.release()
        await store.close()
    return promotion
