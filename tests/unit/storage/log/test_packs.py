"""Packs of old groups: bytes, names, and how readers find the log in them."""

from __future__ import annotations

import asyncio
import random

import pytest

from storage.errors import CorruptData
from storage.log.packs import Packs, list_packs, read_pack, write_pack
from storage.log.record import decode_header
from storage.names import log_name, pack_lsns, pack_name
from storage.objects import CountingStore, MemoryStore
from tests.unit.storage.log.packed import pack_log
from tests.unit.storage.log.reigns import DATABASE
from tests.unit.storage.log.test_log_reader import history


def some(first: int, last: int) -> list[tuple[int, bytes]]:
    return [(lsn, f"group {lsn}".encode() * 50) for lsn in range(first, last + 1)]


async def written(store: MemoryStore, *ranges: tuple[int, int]) -> None:
    for first, last in ranges:
        await write_pack(store, DATABASE, "main", some(first, last))


# --- one pack -------------------------------------------------------------------------------------


def test_a_pack_gives_back_the_bytes_of_its_groups() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore())
        made = await write_pack(store, DATABASE, "main", some(3, 9))
        assert (made.name, made.first_lsn, made.last_lsn) == (pack_name(3, 9), 3, 9)
        assert (store.counts().put, store.counts().get, store.counts().requests) == (1, 1, 2)
        data = await store.inner.get(made.name)
        assert made.size_bytes == len(data)
        assert read_pack(data, made.name) == dict(some(3, 9))
        assert await list_packs(store) == [made]

    asyncio.run(run())


def test_a_pack_that_does_not_come_back_as_it_was_written_is_none() -> None:
    class Mangling(MemoryStore):
        async def put(self, name: str, data: bytes) -> None:
            await super().put(name, data[:-1])

    async def run() -> None:
        with pytest.raises(CorruptData, match=pack_name(1, 2)):
            await write_pack(Mangling(), DATABASE, "main", some(1, 2))

    asyncio.run(run())


def test_every_damage_is_told_with_the_name() -> None:
    async def run() -> None:
        store = MemoryStore()
        made = await write_pack(store, DATABASE, "main", some(3, 9))
        data = await store.get(made.name)
        for place in range(0, len(data), 7):
            for damaged in (data[:place], _flipped(data, place)):
                with pytest.raises(CorruptData, match=made.name):
                    read_pack(damaged, made.name)

    asyncio.run(run())


def _flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_a_pack_under_the_name_of_another_is_told() -> None:
    async def run() -> None:
        store = MemoryStore()
        made = await write_pack(store, DATABASE, "main", some(3, 9))
        data = await store.get(made.name)
        for other in (pack_name(3, 8), pack_name(2, 9), pack_name(4, 10), log_name(3)):
            with pytest.raises(CorruptData, match=other):
                read_pack(data, other)

    asyncio.run(run())


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "logpack/",
        "logpack/x",
        "logpack/9-3",
        f"{pack_name(3, 9)}.bak",
        f"{pack_name(3, 9)}-1",
        pack_name(0, 9),
        pack_name(9, 3),
        "log/00000000000000000009-00000000000000000003",
        "logpack/0000000000000000000９-00000000000000000003",
    ],
)
def test_names_of_somebody_else_are_passed_over(name: str) -> None:
    async def run() -> None:
        assert pack_lsns(name) is None
        store = MemoryStore()
        await written(store, (1, 4))
        if name != "logpack/":
            await store.put(name, b"x")
        assert [pack.name for pack in await list_packs(store)] == [pack_name(1, 4)]

    asyncio.run(run())


def test_a_list_begins_with_the_pack_that_has_the_lsn() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore())
        ranges = [(1, 4), (5, 5), (6, 1_005), (1_006, 1_010)]
        await written(store.inner, *ranges)  # type: ignore[arg-type]
        for lsn in (*range(1, 8), 1_004, 1_005, 1_006, 1_010):
            before = store.counts()
            found = await list_packs(store, lsn)
            assert [(p.first_lsn, p.last_lsn) for p in found] == [
                one for one in ranges if one[1] >= lsn
            ]
            assert found[0].first_lsn <= lsn <= found[0].last_lsn
            assert (store.counts() - before).requests == 1
        assert await list_packs(store, 1_011) == []

    asyncio.run(run())


@pytest.mark.parametrize("seed", range(5))
def test_names_sort_as_last_lsns_do(seed: int) -> None:
    rng = random.Random(seed)
    pairs = []
    for _ in range(300):
        last = rng.choice([9, 10, 10**9, 2**62]) + rng.randrange(100)
        pairs.append((last, rng.randint(1, last)))
    assert [pack_lsns(name) for name in sorted(pack_name(f, n) for n, f in pairs)] == [
        (first, last) for last, first in sorted(pairs)
    ]
    for last, first in pairs:
        assert pack_name(1, last - 1) < pack_name(first, last)


# --- several of them ------------------------------------------------------------------------------


def test_groups_are_found_in_their_packs_and_each_is_read_once() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore())
        await written(store.inner, (1, 4), (6, 9))  # type: ignore[arg-type]
        packs = Packs(store, await list_packs(store))
        assert [packs.covers(lsn) for lsn in range(11)] == [
            False, True, True, True, True, False, True, True, True, True, False,
        ]  # fmt: skip
        assert (packs.name_of(4), packs.name_of(5)) == (pack_name(1, 4), None)
        before = store.counts()
        asked = [lsn for lsn in range(1, 10) if packs.covers(lsn)]
        found = await asyncio.gather(*(packs.get(lsn) for lsn in asked))
        assert dict(zip(asked, found, strict=True)) == dict([*some(1, 4), *some(6, 9)])
        assert (store.counts() - before).get == 2
        with pytest.raises(CorruptData, match=log_name(5)):
            await packs.get(5)

    asyncio.run(run())


def test_packs_that_overlap_are_as_good_as_one() -> None:
    """An interrupted collection may have left a shorter one, of the same groups."""

    async def run() -> None:
        store = MemoryStore()
        await written(store, (1, 4), (1, 6), (3, 9), (9, 9))
        packs = Packs(store, await list_packs(store))
        for lsn, data in some(1, 9):
            assert await packs.get(lsn) == data
        assert not packs.covers(10)
        for first in range(1, 10):
            later = Packs(store, await list_packs(store, first))
            assert all(later.covers(lsn) for lsn in range(first, 10))

    asyncio.run(run())


def test_headers_come_from_packs() -> None:
    async def run() -> None:
        store = MemoryStore()
        await history(store, 6)
        expected = decode_header(await store.get(log_name(4)), log_name(4))
        await pack_log(store, 1, 5)
        packs = Packs(store, await list_packs(store))
        assert await packs.header(4) == expected

    asyncio.run(run())


def test_a_missing_or_damaged_pack_is_told_by_whoever_reads_it() -> None:
    async def run() -> None:
        store = MemoryStore()
        await written(store, (1, 4), (5, 8))
        listed = await list_packs(store)
        await store.put(pack_name(1, 4), b"rubbish")
        await store.delete(pack_name(5, 8))
        for lsn in (2, 6):
            packs = Packs(store, listed)
            name = packs.name_of(lsn)
            assert name is not None
            with pytest.raises(CorruptData, match=name):
                await packs.get(lsn)

    asyncio.run(run())
