"""Every ambiguous outcome of a create is settled by reading back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest

from storage.errors import InvalidRequest, Unavailable
from storage.objects import (
    CountingStore,
    Created,
    Exists,
    Fault,
    FaultyStore,
    MemoryStore,
    create_settled,
    scripted,
    seeded,
)
from tests.fakes import FakeClock

NAME = "log/1"


def settle(
    faults: dict[str, Sequence[Fault | None]], there: bytes | None = None
) -> tuple[Created | Exists, MemoryStore, CountingStore, FakeClock]:
    async def main() -> tuple[Created | Exists, MemoryStore, CountingStore, FakeClock]:
        inner, clock = MemoryStore(), FakeClock()
        if there is not None:
            await inner.put(NAME, there)
        counted = CountingStore(FaultyStore(inner, scripted(faults)), record=True)
        outcome = await create_settled(counted, NAME, b"ours", clock=clock)
        return outcome, inner, counted, clock

    return asyncio.run(main())


def test_a_clean_success_costs_one_request() -> None:
    outcome, _, counted, clock = settle({})
    assert outcome == Created()
    assert counted.requests == [("create", NAME)]
    assert clock.sleeps_ms == []


@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.EXISTS_AFTER_SUCCESS])
def test_our_own_object_is_recognised(fault: Fault) -> None:
    outcome, inner, counted, _ = settle({"create": [fault]})
    assert outcome == Created()
    assert counted.requests == [("create", NAME), ("get", NAME)]
    assert asyncio.run(inner.get(NAME)) == b"ours"


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.CONFLICT])
def test_an_absent_object_is_tried_again(fault: Fault) -> None:
    outcome, _, counted, clock = settle({"create": [fault, fault]})
    assert outcome == Created()
    assert [method for method, _ in counted.requests] == ["create", "get"] * 2 + ["create"]
    assert len(clock.sleeps_ms) == 2


@pytest.mark.parametrize("fault", [None, Fault.BEFORE, Fault.CONFLICT, Fault.REPLY_LOST])
def test_anothers_object_is_given_back(fault: Fault | None) -> None:
    outcome, inner, counted, _ = settle({"create": [fault]}, there=b"theirs")
    assert outcome == Exists(data=b"theirs")
    assert counted.requests == [("create", NAME), ("get", NAME)]
    assert asyncio.run(inner.get(NAME)) == b"theirs"


def test_an_attempt_that_was_done_and_cannot_be_read_back_is_still_ours() -> None:
    outcome, _, counted, _ = settle(
        {"create": [Fault.REPLY_LOST, Fault.BEFORE], "get": [Fault.BEFORE]}
    )
    assert outcome == Created()
    assert [method for method, _ in counted.requests] == ["create", "get"] * 2


def test_after_the_budget_the_outcome_is_unknown() -> None:
    clock = FakeClock()

    async def main() -> None:
        faulty = FaultyStore(MemoryStore(), lambda _method, _name: Fault.BEFORE)
        await create_settled(faulty, NAME, b"ours", clock=clock, budget_ms=2_000)

    with pytest.raises(Unavailable, match=r"log/1.*unknown after \d+ attempts"):
        asyncio.run(main())
    assert 500 < clock.moved_ms < 2_000


class Refusing(MemoryStore):
    def __init__(self, before: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.before = before

    async def create(self, name: str, data: bytes) -> None:
        if self.before is not None:
            self.before()
        raise InvalidRequest("403 for key x")


def test_a_refusal_with_nothing_there_is_passed_on() -> None:
    with pytest.raises(InvalidRequest, match="403"):
        asyncio.run(create_settled(Refusing(), NAME, b"ours", clock=FakeClock()))


def test_a_refusal_after_an_ambiguous_attempt_is_unknown() -> None:
    plan = scripted({"create": [Fault.BEFORE]})
    store = FaultyStore(Refusing(), plan)
    with pytest.raises(Unavailable, match="unknown whether"):
        asyncio.run(create_settled(store, NAME, b"ours", clock=FakeClock()))


def test_a_bad_name_is_refused_before_any_request() -> None:
    counted = CountingStore(MemoryStore())
    with pytest.raises(InvalidRequest, match=r"\.\."):
        asyncio.run(create_settled(counted, "../log", b"ours", clock=FakeClock()))
    assert counted.counts().requests == 0


def test_an_error_from_outside_the_tree_is_ambiguous_too() -> None:
    class Broken(MemoryStore):
        async def create(self, name: str, data: bytes) -> None:
            await super().create(name, data)
            raise RuntimeError("a library's surprise")

    assert asyncio.run(create_settled(Broken(), NAME, b"ours", clock=FakeClock())) == Created()


def test_cancellation_is_passed_on() -> None:
    async def main() -> None:
        reached = asyncio.Event()

        async def delay(_method: str, _name: str) -> None:
            reached.set()
            await asyncio.Event().wait()

        counted = CountingStore(FaultyStore(MemoryStore(), scripted({}), delay=delay), record=True)
        task = asyncio.create_task(create_settled(counted, NAME, b"ours", clock=FakeClock()))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert counted.requests == [("create", NAME)]

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(30))
def test_racing_writers_agree_whatever_fails(seed: int) -> None:
    rng = random.Random(seed)

    async def delay(_method: str, _name: str) -> None:
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)

    async def main() -> None:
        inner = MemoryStore()
        faulty = FaultyStore(inner, seeded(rng, 0.6), delay=delay)
        outcomes = await asyncio.gather(
            *(
                create_settled(faulty, NAME, b"nonce %d" % n, clock=FakeClock(), rng=rng)
                for n in range(8)
            ),
            return_exceptions=True,
        )
        written = await inner.get(NAME)
        for n, outcome in enumerate(outcomes):
            ours = written == b"nonce %d" % n
            assert isinstance(outcome, Unavailable) or outcome == (
                Created() if ours else Exists(data=written)
            ), f"seed {seed}"

    asyncio.run(main())
