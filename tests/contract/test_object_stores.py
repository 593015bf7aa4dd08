"""What every object store promises (`storage/objects/base.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from storage.errors import InvalidRequest, ObjectExists, ObjectMissing
from storage.objects import CountingStore, ObjectStore

T = TypeVar("T")

BAD_NAMES = [
    "",
    "/a",
    "a/",
    "a//b",
    "../a",
    "a/../b",
    "a/.",
    ".",
    "a\nb",
    "a\\b",
    "tmp/a",
    "x" * 256,
    "/".join(["x" * 99] * 9),
]


def run(store: ObjectStore, body: Coroutine[Any, Any, T]) -> T:
    """Run the test in the store's event loop and close the store there."""

    async def main() -> T:
        try:
            return await body
        finally:
            await store.close()

    return asyncio.run(main())


async def names(store: ObjectStore, prefix: str = "", **options: Any) -> list[str]:
    return [info.name async for info in store.list(prefix, **options)]


async def put_all(store: ObjectStore, all_names: list[str]) -> None:
    await asyncio.gather(*(store.put(name, name.encode()) for name in all_names))


def test_one_of_thirty_concurrent_creates_wins(store: ObjectStore) -> None:
    async def attempt(number: int) -> bytes | None:
        data = f"writer {number}".encode()
        try:
            await store.create("log/1", data)
        except ObjectExists:
            return None
        return data

    async def body() -> None:
        outcomes = await asyncio.gather(*(attempt(number) for number in range(30)))
        winners = [data for data in outcomes if data is not None]
        assert len(winners) == 1
        assert await store.get("log/1") == winners[0]

    run(store, body())


@pytest.mark.parametrize("size_bytes", [0, 1, 10 << 20])
def test_bytes_come_back_as_they_were(store: ObjectStore, size_bytes: int) -> None:
    data = (bytes(range(256)) * (size_bytes // 256 + 1))[:size_bytes]

    async def body() -> None:
        await store.create("data/created", data)
        await store.put("data/put", data)
        assert await store.get("data/created") == data
        assert await store.get("data/put") == data
        assert [info.size_bytes async for info in store.list("data/")] == [size_bytes] * 2

    run(store, body())


def test_create_of_an_existing_object_leaves_it_alone(store: ObjectStore) -> None:
    async def body() -> None:
        await store.create("a/b", b"first")
        for data in (b"second", b"first"):
            with pytest.raises(ObjectExists, match="a/b"):
                await store.create("a/b", data)
        assert await store.get("a/b") == b"first"

    run(store, body())


def test_put_replaces(store: ObjectStore) -> None:
    async def body() -> None:
        await store.create("epoch/1/alive", b"a longer value")
        await store.put("epoch/1/alive", b"short")
        assert await store.get("epoch/1/alive") == b"short"

    run(store, body())


def test_delete_is_idempotent_and_frees_the_name(store: ObjectStore) -> None:
    async def body() -> None:
        await store.delete("a/b/c")
        await store.create("a/b/c", b"1")
        await store.delete("a/b/c")
        await store.delete("a/b/c")
        assert await names(store) == []
        await store.create("a/b/c", b"2")
        assert await store.get("a/b/c") == b"2"

    run(store, body())


def test_missing_objects_are_reported_by_name(store: ObjectStore, tmp_path: Path) -> None:
    async def body() -> None:
        await store.put("a/b", b"1")
        for name in ("nothing", "a", "a/c", "a/b/c"):
            with pytest.raises(ObjectMissing, match=name):
                await store.get(name)
            with pytest.raises(ObjectMissing, match=name):
                await store.get_range(name, 0, 1)
            with pytest.raises(ObjectMissing, match=name):
                await store.fetch(name, tmp_path / "file")
        assert not (tmp_path / "file").exists()

    run(store, body())


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, 10, b"0123456789"),
        (0, 3, b"012"),
        (4, 3, b"456"),
        (9, 1, b"9"),
        (8, 100, b"89"),
        (10, 5, b""),
        (99, 5, b""),
        (3, 0, b""),
        (-3, 3, b"789"),
        (-5, 2, b"56"),
        (-10, 10, b"0123456789"),
        (-20, 4, b"0123"),
        (-20, 20, b"0123456789"),
    ],
)
def test_ranges(store: ObjectStore, start: int, length: int, expected: bytes) -> None:
    async def body() -> None:
        await store.put("digits", b"0123456789")
        assert await store.get_range("digits", start, length) == expected

    run(store, body())


@pytest.mark.parametrize(("start", "length"), [(0, 5), (-5, 5), (3, 1)])
def test_an_empty_object_has_empty_ranges(store: ObjectStore, start: int, length: int) -> None:
    async def body() -> None:
        await store.put("empty", b"")
        assert await store.get_range("empty", start, length) == b""

    run(store, body())


@pytest.mark.parametrize(("start", "length"), [(0, -1), (-3, 4)])
def test_undefined_ranges_are_refused(store: ObjectStore, start: int, length: int) -> None:
    async def body() -> None:
        with pytest.raises(InvalidRequest, match="digits"):
            await store.get_range("digits", start, length)

    run(store, body())


TREE = [
    "a-b",
    "a-b/c",
    "a.b",
    "a/a",
    "a/b",
    "a/b-c",
    "a/b0",
    "a/c/d",
    "a0",
    "ab",
    "b",
    "é/x",
    "日",
]
# A directory cannot hold an object and a directory of one name.
TREE_ON_ANY_STORE = [name for name in TREE if name != "a-b"]


def test_list_is_in_byte_order_of_full_names(store: ObjectStore) -> None:
    async def body() -> None:
        await put_all(store, TREE_ON_ANY_STORE[::-1])
        expected = sorted(TREE_ON_ANY_STORE, key=str.encode)
        assert expected.index("a-b/c") < expected.index("a.b") < expected.index("a/a")
        for page_size in (1, 2, 5, 1000):
            assert await names(store, page_size=page_size) == expected
        sizes = {info.name: info.size_bytes async for info in store.list("")}
        assert sizes == {name: len(name.encode()) for name in expected}

    run(store, body())


@pytest.mark.parametrize("prefix", ["a", "a/", "a/b", "a-", "a.b", "a/c/", "b", "nothing/", "é"])
def test_list_prefix_need_not_end_at_a_directory(store: ObjectStore, prefix: str) -> None:
    async def body() -> None:
        await put_all(store, TREE_ON_ANY_STORE)
        expected = sorted(name for name in TREE_ON_ANY_STORE if name.startswith(prefix))
        assert await names(store, prefix) == expected

    run(store, body())


def test_list_starts_after_any_string(store: ObjectStore) -> None:
    async def body() -> None:
        await put_all(store, TREE_ON_ANY_STORE)
        for prefix in ("", "a", "a/", "a/b"):
            for after in [*TREE_ON_ANY_STORE, "0", "a", "a/", "a/b/", "a/bb", "a/zz", "zz"]:
                expected = sorted(
                    n for n in TREE_ON_ANY_STORE if n.startswith(prefix) and n > after
                )
                found = await names(store, prefix, start_after=after, page_size=3)
                assert found == expected, (prefix, after)

    run(store, body())


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (1, 1), (9, 3), (10, 4)])
def test_list_asks_once_per_page(store: ObjectStore, count: int, pages: int) -> None:
    counted = CountingStore(store)

    async def body() -> None:
        await put_all(store, [f"log/{n:03d}" for n in range(count)])
        assert len(await names(counted, "log/", page_size=3)) == count
        assert counted.counts().list == pages

    run(store, body())


def test_list_may_be_left_early(store: ObjectStore) -> None:
    async def body() -> None:
        await put_all(store, [f"log/{n:03d}" for n in range(10)])
        async with aclosing(store.list("log/", page_size=2)) as listing:  # type: ignore[type-var]
            async for info in listing:
                assert info.name == "log/000"
                break
        assert len(await names(store, "log/")) == 10

    run(store, body())


def test_list_sees_what_was_written_since_the_last_one(store: ObjectStore) -> None:
    async def body() -> None:
        assert await names(store, "log/") == []
        await store.create("log/1", b"1")
        assert await names(store, "log/") == ["log/1"]
        await store.create("log/2", b"2")
        await store.delete("log/1")
        assert await names(store, "log/") == ["log/2"]

    run(store, body())


@pytest.mark.parametrize("page_size", [0, 1001])
def test_page_sizes_that_no_server_has_are_refused(store: ObjectStore, page_size: int) -> None:
    async def body() -> None:
        with pytest.raises(InvalidRequest, match="page_size"):
            await names(store, page_size=page_size)

    run(store, body())


@pytest.mark.parametrize("prefix", ["/a", "a//b", "../a", "a/../b"])
def test_bad_prefixes_are_refused(store: ObjectStore, prefix: str) -> None:
    async def body() -> None:
        with pytest.raises(InvalidRequest, match="prefix"):
            await names(store, prefix)

    run(store, body())


def test_bad_names_are_refused_by_every_method(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"1")

    async def body() -> None:
        for name in BAD_NAMES:
            for call in (
                store.create(name, b"1"),
                store.put(name, b"1"),
                store.get(name),
                store.get_range(name, 0, 1),
                store.put_file(name, source),
                store.fetch(name, tmp_path / "target"),
                store.delete(name),
            ):
                with pytest.raises(InvalidRequest):
                    await call
        assert await names(store) == []

    run(store, body())


def test_fetch_makes_a_file(store: ObjectStore, tmp_path: Path) -> None:
    target = tmp_path / "file"
    data = bytes(range(256)) * 40_000

    async def body() -> None:
        await store.create("data/1", data)
        assert await store.fetch("data/1", target) == len(data)
        assert target.read_bytes() == data
        await store.put("data/1", b"replaced")
        await store.delete("data/1")
        assert target.read_bytes() == data
        await store.create("data/2", b"2")
        with pytest.raises(InvalidRequest, match="data/2"):
            await store.fetch("data/2", target)
        assert target.read_bytes() == data

    run(store, body())


def test_put_file_makes_and_replaces(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source.parquet"

    async def body() -> None:
        for data in (b"", b"first", b"second" * 1000):
            source.write_bytes(data)
            await store.put_file("data/1", source)
            assert await store.get("data/1") == data
        source.write_bytes(b"later")
        assert await store.get("data/1") == b"second" * 1000
        with pytest.raises(InvalidRequest, match="absent"):
            await store.put_file("data/2", tmp_path / "absent")
        with pytest.raises(InvalidRequest):
            await store.put_file("data/2", tmp_path)
        assert await names(store) == ["data/1"]

    run(store, body())


def test_many_calls_at_once(store: ObjectStore) -> None:
    async def body() -> None:
        all_names = [f"data/{n:03d}" for n in range(100)]
        await asyncio.gather(*(store.create(name, name.encode()) for name in all_names))
        found = await asyncio.gather(*(store.get(name) for name in all_names))
        assert found == [name.encode() for name in all_names]
        assert await names(store, "data/", page_size=30) == all_names

    run(store, body())
