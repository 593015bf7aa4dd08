"""Old groups of the log, many in one object: `logpack/{last}-{first}` (`docs/formats/log.md`).

A pack holds the very bytes of the log objects that it stands for, which are deleted then. Readers
of an earlier version, and of the log's history, look here first: what is packed is the log,
whatever appears under `log/` again. Followers never need packs, for the newest groups are in none.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from storage.container import Section, open_header, pack, read_section
from storage.errors import CorruptData
from storage.log.record import GroupHeader, decode_header
from storage.names import PACK_PREFIX, log_name, pack_lsns, pack_name
from storage.objects import ObjectStore

__all__ = ["Pack", "Packs", "list_packs", "read_pack", "write_pack"]

MAGIC = b"MOBPCK01"


class PackHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which groups; a section has the bytes of the log object, its key is the place in the pack."""

    database_id: str
    branch_id: str
    first_lsn: int
    last_lsn: int
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A pack as it is listed."""

    name: str
    first_lsn: int
    last_lsn: int
    size_bytes: int


async def list_packs(store: ObjectStore, first_lsn: int = 1) -> list[Pack]:
    """The packs of groups from `first_lsn` on, by their last LSN. 1 LIST for each 1000."""
    found = []
    before = pack_name(1, first_lsn - 1) if first_lsn > 1 else ""
    # Of packs that end alike, the name of the one that begins first sorts first.
    async for entry in store.list(PACK_PREFIX, start_after=before):
        lsns = pack_lsns(entry.name)
        if lsns is not None and lsns[1] >= first_lsn:
            found.append(
                Pack(
                    name=entry.name,
                    first_lsn=lsns[0],
                    last_lsn=lsns[1],
                    size_bytes=entry.size_bytes,
                )
            )
    return found


async def write_pack(
    store: ObjectStore, database_id: str, branch_id: str, objects: Sequence[tuple[int, bytes]]
) -> Pack:
    """Pack log objects of consecutive LSNs, and read the pack back. 1 PUT, 1 GET.

    Args: objects: (LSN, bytes).
    Raises: CorruptData: it did not come back as it was written; try again.
    """
    first, last = objects[0][0], objects[-1][0]
    name = pack_name(first, last)
    data, _ = pack(
        MAGIC,
        [(place, found) for place, (_, found) in enumerate(objects)],
        lambda sections: PackHeader(
            database_id=database_id,
            branch_id=branch_id,
            first_lsn=first,
            last_lsn=last,
            sections=sections,
        ),
    )
    await store.put(name, data)
    if await store.get(name) != data:
        raise CorruptData(f"{name}: is not what was written there")
    return Pack(name=name, first_lsn=first, last_lsn=last, size_bytes=len(data))


def read_pack(data: bytes, name: str) -> dict[int, bytes]:
    """The bytes of its log objects by LSN. Raises CorruptData naming the pack."""
    header, _ = open_header(data, MAGIC, PackHeader, name)
    lsns = range(header.first_lsn, header.last_lsn + 1)
    if (header.first_lsn, header.last_lsn) != pack_lsns(name) or len(lsns) != len(header.sections):
        raise CorruptData(f"{name}: holds the groups {header.first_lsn} to {header.last_lsn}")
    return {
        lsn: read_section(data, MAGIC, section, name)
        for lsn, section in zip(lsns, header.sections, strict=True)
    }


@dataclass(slots=True)
class Packs:
    """Groups of some packs, for one reading; the pack that was read last is kept."""

    store: ObjectStore
    packs: Sequence[Pack]
    _objects: dict[int, bytes] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def covers(self, lsn: int) -> bool:
        """Whether some pack has that group."""
        return self.name_of(lsn) is not None

    def name_of(self, lsn: int) -> str | None:
        """The pack that has that group."""
        found = self._pack(lsn)
        return None if found is None else found.name

    async def header(self, lsn: int) -> GroupHeader:
        """The header of a group that is covered. Raises as `get`."""
        return decode_header(await self.get(lsn), log_name(lsn))

    def _pack(self, lsn: int) -> Pack | None:
        start = bisect_left(self.packs, lsn, key=lambda pack: pack.last_lsn)
        return next((p for p in self.packs[start:] if p.first_lsn <= lsn), None)

    async def get(self, lsn: int) -> bytes:
        """The log object of a group that is covered. Raises ObjectMissing, CorruptData."""
        async with self._turn:
            if lsn not in self._objects:
                found = self._pack(lsn)
                if found is None:
                    raise CorruptData(f"{log_name(lsn)}: is in no pack")
                self._objects = read_pack(await self.store.get(found.name), found.name)
            return self._objects[lsn]
