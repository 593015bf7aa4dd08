"""A log in memory that is packed and deleted as a collector would, for tests."""

from __future__ import annotations

from storage.log.packs import Pack, write_pack
from storage.log.record import Group, GroupHeader, decode, encode
from storage.names import log_name
from storage.objects import ObjectStore
from tests.unit.storage.log.reigns import DATABASE

__all__ = ["delete_log", "fence_at", "pack_log"]


async def pack_log(
    store: ObjectStore, first: int, last: int, size: int = 1_000, *, delete: bool = True
) -> list[Pack]:
    """Pack the groups of [first, last], so many in each pack, and delete what is packed."""
    packs = []
    for start in range(first, last + 1, size):
        lsns = range(start, min(start + size, last + 1))
        objects = [(lsn, await store.get(log_name(lsn))) for lsn in lsns]
        packs.append(await write_pack(store, DATABASE, "main", objects))
    if delete:
        await delete_log(store, first, last)
    return packs


async def delete_log(store: ObjectStore, first: int, last: int) -> None:
    for lsn in range(first, last + 1):
        await store.delete(log_name(lsn))


def fence_at(group: bytes, lsn: int, writer: str = "late") -> bytes:
    """The fence of an opener who knows all groups before that one: `group` is another at `lsn`."""
    header = decode(group, log_name(lsn)).header
    fence = GroupHeader(
        database_id=header.database_id,
        branch_id=header.branch_id,
        lsn=lsn,
        tso=header.tso + 1,
        epoch=header.epoch + 1,
        writer_id=writer,
        nonce="late" * 8,
        previous=header.previous,
        transactions=(),
    )
    return encode(Group(header=fence))
