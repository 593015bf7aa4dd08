"""The old end of the log: packed, and deleted.

Fences never go: create-if-absent forgets a name that is deleted, and a primary that was replaced
must find its next slot taken for ever (`docs/formats/log.md`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from storage.collection.boundaries import Boundaries
from storage.collection.doomed import Doomed, Why
from storage.collection.policy import RetentionPolicy
from storage.errors import ObjectMissing
from storage.log.packs import Pack, Packs, list_packs, write_pack
from storage.log.record import GroupHeader, decode, decode_header
from storage.names import LOG_PREFIX, is_log_name, log_lsn, log_name
from storage.objects import ObjectStore
from storage.windows import windows

__all__ = ["OldLog"]

AT_ONCE = 32  # objects that are fetched or deleted


def is_fence(header: GroupHeader) -> bool:
    """Whether it is the first group of a reign."""
    return not header.transactions


@dataclass(slots=True)
class OldLog:
    """Of one primary. `allowed` is awaited before objects are deleted: it raises where somebody
    else reigns; `written` hears of the bytes of packs."""

    store: ObjectStore
    database_id: str
    branch_id: str
    policy: RetentionPolicy
    allowed: Callable[[], Awaitable[None]]
    written: Callable[[int], None] = lambda size_bytes: None
    _fences: set[int] = field(default_factory=set)

    async def due(self, bounds: Boundaries) -> AsyncIterator[Doomed]:
        """What `collect` would delete, but for what it would pack first."""
        packs = Packs(self.store, await list_packs(self.store))
        for pack in self._old_packs(packs, bounds):
            yield pack
        async for some in self._old_objects(packs, bounds):
            for one in some:
                yield one

    async def collect(self, bounds: Boundaries) -> AsyncIterator[Doomed]:
        """Pack and delete; what is yielded is deleted."""
        packs = await self._packed(bounds, await list_packs(self.store))
        await self.allowed()
        for pack in self._old_packs(packs, bounds):
            await self.store.delete(pack.name)
            yield pack
        async for some in self._old_objects(packs, bounds):
            await asyncio.gather(*(self._delete(one.name) for one in some))
            for one in some:
                yield one

    async def _packed(self, bounds: Boundaries, known: list[Pack]) -> Packs:
        """Write the packs that are full; those there are then. Raises CorruptData: a log object is
        not whole, or was not on its way here."""
        packs = list(known)
        first = max([bounds.log_until, *(pack.last_lsn for pack in known)]) + 1
        if bounds.pack_until + 1 - first < self.policy.pack_groups:
            return Packs(self.store, packs)
        objects: list[tuple[int, bytes]] = []
        size = 0
        for lsns in windows(range(first, bounds.pack_until + 1), AT_ONCE):
            for lsn, data in zip(lsns, await self._get_all(lsns), strict=True):
                if data is None and not objects:
                    continue  # a collection that kept less was here before
                if data is None:
                    return Packs(self.store, packs)
                decode(data, log_name(lsn))  # a pack goes before the object: it must be whole
                objects.append((lsn, data))
                size += len(data)
                if len(objects) >= self.policy.pack_groups or size >= self.policy.pack_bytes:
                    ids = (self.database_id, self.branch_id)
                    packs.append(await write_pack(self.store, *ids, objects))
                    self.written(packs[-1].size_bytes)
                    objects, size = [], 0
        return Packs(self.store, packs)

    def _old_packs(self, packs: Packs, bounds: Boundaries) -> list[Doomed]:
        return [
            Doomed(name=pack.name, size_bytes=pack.size_bytes, why=Why.LOG)
            for pack in packs.packs
            if pack.last_lsn <= bounds.log_until
        ]

    async def _old_objects(self, packs: Packs, bounds: Boundaries) -> AsyncIterator[list[Doomed]]:
        """Log objects that may go, a few at a time."""
        sizes: dict[int, int] = {}
        async for entry in self.store.list(LOG_PREFIX):
            if not is_log_name(entry.name):
                continue
            lsn = log_lsn(entry.name)
            if lsn > max(bounds.log_until, bounds.pack_until):
                break
            if lsn not in self._fences and (lsn <= bounds.log_until or packs.covers(lsn)):
                sizes[lsn] = entry.size_bytes
        for lsns in windows(sizes, AT_ONCE):
            found = []
            for lsn, data in zip(lsns, await self._get_all(lsns), strict=True):
                why = Why.LOG if lsn <= bounds.log_until else Why.PACKED
                if data is None:
                    continue
                if is_fence(decode_header(data, log_name(lsn))):
                    self._fences.add(lsn)
                elif why is Why.LOG or await packs.get(lsn) == data:
                    found.append(Doomed(name=log_name(lsn), size_bytes=sizes[lsn], why=why))
            yield found

    async def _delete(self, name: str) -> None:
        await self.store.delete(name)

    async def _get_all(self, lsns: Iterable[int]) -> list[bytes | None]:
        """Log objects; None: it is gone."""
        return await asyncio.gather(*(self._get(lsn) for lsn in lsns))

    async def _get(self, lsn: int) -> bytes | None:
        try:
            return await self.store.get(log_name(lsn))
        except ObjectMissing:
            return None
