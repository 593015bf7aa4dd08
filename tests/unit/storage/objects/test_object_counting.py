"""Requests and bytes, exactly."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from storage.errors import ObjectMissing
from storage.objects import CountingStore, MemoryStore, RequestCounts


def test_every_method_is_counted_with_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"12345")

    async def main() -> None:
        store = CountingStore(MemoryStore(), record=True)
        await store.create("a", b"1")
        await store.put("b", b"12")
        await store.put_file("c", tmp_path / "source")
        written = store.counts()
        assert written == RequestCounts(create=1, put=1, put_file=1, written_bytes=8)
        await store.get("c")
        await store.get_range("c", -3, 2)
        await store.fetch("b", tmp_path / "target")
        with pytest.raises(ObjectMissing):
            await store.get("absent")
        assert [info.name async for info in store.list("")] == ["a", "b", "c"]
        await store.delete("a")
        assert store.counts() - written == RequestCounts(
            get=2, get_range=1, fetch=1, list=1, delete=1, read_bytes=9
        )
        assert store.counts().requests == 9
        assert store.requests[-3:] == [("get", "absent"), ("list", ""), ("delete", "a")]

    asyncio.run(main())


def test_nothing_is_recorded_unless_asked() -> None:
    store = CountingStore(MemoryStore())
    asyncio.run(store.put("a", b"1"))
    assert store.requests == []


def test_a_list_that_is_left_counts_the_pages_it_asked_for() -> None:
    async def main() -> None:
        store = CountingStore(MemoryStore())
        for n in range(10):
            await store.put(f"log/{n}", b"")
        listing = aiter(store.list("log/", page_size=3))
        for _ in range(4):
            await anext(listing)
        assert store.counts().list == 2

    asyncio.run(main())
