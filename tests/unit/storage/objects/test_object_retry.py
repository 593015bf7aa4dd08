"""What is repeated, how long, and what is said in the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.errors import InvalidRequest, ObjectExists, ObjectMissing, Unavailable
from storage.objects import (
    CountingStore,
    Fault,
    FaultyStore,
    MemoryStore,
    ObjectInfo,
    ObjectStore,
    RetryingStore,
    backoff_ms,
    scripted,
)
from tests.fakes import FakeClock


def always(fault: Fault) -> FaultyStore:
    return FaultyStore(MemoryStore("memory://lost"), lambda _method, _name: fault)


def retrying(inner: ObjectStore, clock: FakeClock, budget_ms: int = 30_000) -> RetryingStore:
    return RetryingStore(inner, clock=clock, budget_ms=budget_ms, rng=random.Random(1))


def test_idempotent_calls_are_repeated_until_they_succeed(tmp_path: Path) -> None:
    methods = ("put", "get", "get_range", "put_file", "fetch", "delete", "list")
    plan = scripted({method: [Fault.BEFORE, Fault.REPLY_LOST] for method in methods})
    counted = CountingStore(FaultyStore(MemoryStore(), plan))
    (tmp_path / "source").write_bytes(b"file")

    async def main() -> None:
        store = retrying(counted, FakeClock())
        await store.put("a", b"1")
        assert await store.get("a") == b"1"
        assert await store.get_range("a", 0, 1) == b"1"
        await store.put_file("b", tmp_path / "source")
        assert await store.fetch("b", tmp_path / "target") == 4
        assert [info.name async for info in store.list("")] == ["a", "b"]
        await store.delete("a")

    asyncio.run(main())
    assert (tmp_path / "target").read_bytes() == b"file"
    for method in methods:
        assert getattr(counted.counts(), method) == 3, method


def test_create_is_asked_once() -> None:
    clock = FakeClock()
    counted = CountingStore(always(Fault.BEFORE))
    with pytest.raises(Unavailable):
        asyncio.run(retrying(counted, clock).create("a", b"1"))
    assert counted.counts().create == 1
    assert clock.sleeps_ms == []


def test_answers_of_the_store_are_not_repeated() -> None:
    async def main() -> None:
        counted = CountingStore(MemoryStore())
        store = retrying(counted, FakeClock())
        with pytest.raises(ObjectMissing):
            await store.get("absent")
        with pytest.raises(InvalidRequest):
            await store.put("/bad", b"1")
        await store.create("a", b"1")
        with pytest.raises(ObjectExists):
            await store.create("a", b"1")
        assert counted.counts().requests == 4

    asyncio.run(main())


def test_after_the_budget_the_last_error_is_told() -> None:
    clock = FakeClock()
    counted = CountingStore(always(Fault.BEFORE))
    with pytest.raises(Unavailable) as caught:
        asyncio.run(retrying(counted, clock).get("log/1"))
    attempts = counted.counts().get
    assert str(caught.value).startswith(f"memory://lost: get 'log/1' failed {attempts} times in ")
    assert Fault.BEFORE.value in str(caught.value)
    assert "repeat the call" in str(caught.value)
    assert 20_000 < clock.moved_ms < 30_000
    assert 8 <= attempts <= 20


def test_no_attempt_starts_that_would_end_past_the_budget() -> None:
    clock = FakeClock()

    async def swallow(_method: str, _name: str) -> None:
        clock.moved_ms += 5_000

    lost = FaultyStore(MemoryStore(), lambda _method, _name: Fault.BEFORE, delay=swallow)
    with pytest.raises(Unavailable):
        asyncio.run(retrying(lost, clock).get("log/1"))
    assert 20_000 < clock.moved_ms <= 30_000


def test_pauses_double_to_a_limit_with_jitter() -> None:
    rng = random.Random(7)
    for attempt in range(1, 40):
        full_ms = min(5_000, 50 * 2 ** (attempt - 1))
        assert full_ms / 2 <= backoff_ms(attempt, rng) <= full_ms
    assert len({backoff_ms(10, rng) for _ in range(20)}) > 10


class Stumbling(MemoryStore):
    """Its listing breaks after every third entry."""

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        given = 0
        async for info in super().list(prefix, start_after=start_after, page_size=page_size):
            if given == 3:
                raise Unavailable("stumbled")
            given += 1
            yield info


def test_a_list_goes_on_where_it_broke() -> None:
    clock = FakeClock()

    async def main() -> None:
        inner = Stumbling()
        names = [f"log/{n:03d}" for n in range(10)]
        for name in names:
            await inner.put(name, b"")
        store = retrying(inner, clock)
        assert [info.name async for info in store.list("log/", page_size=3)] == names
        assert [i.name async for i in store.list("log/", start_after="log/006")] == names[7:]

    asyncio.run(main())
    assert len(clock.sleeps_ms) == 3


def test_each_page_of_a_list_has_its_own_budget() -> None:
    clock = FakeClock()
    faults = [None, Fault.BEFORE, None, Fault.BEFORE, Fault.BEFORE, None]

    async def main() -> None:
        inner = MemoryStore()
        for n in range(6):
            await inner.put(f"log/{n}", b"")
        store = retrying(FaultyStore(inner, scripted({"list": faults})), clock, budget_ms=300)
        assert len([info async for info in store.list("log/", page_size=2)]) == 6

    asyncio.run(main())
    assert len(clock.sleeps_ms) == 3
