"""Lanes of maintenance: one thing at a time, so many of a kind, first come, first served."""

from __future__ import annotations

import asyncio

from actors.primary.lanes import Lane, Lanes
from tests.unit.actors.primary.keyed import turns

A, B, C = (Lane("flush", number) for number in (1, 2, 3))


def lanes(side_by_side: int = 2) -> Lanes:
    return Lanes(lambda work: side_by_side)


def test_so_many_of_a_kind_begin_and_no_lane_twice() -> None:
    found = lanes()
    found.begin(A)
    assert not found.is_free(A)
    assert found.is_free(B)
    found.begin(B)
    assert not found.is_free(C)
    assert found.is_free(Lane("compact", 1))
    found.end(A)
    assert found.is_free(A)
    assert found.is_free(C)
    assert found.busy() == {B}


def test_who_waits_goes_in_order_before_what_begins_by_itself() -> None:
    async def run() -> None:
        found, told = lanes(), list[str]()
        found.begin(A)
        go_on = asyncio.Event()

        async def waits(name: str) -> None:
            async with found.held(A):
                told.append(name)
                await go_on.wait()

        waiting = [asyncio.create_task(waits(name)) for name in "xyz"]
        await turns()
        assert told == []
        found.end(A)
        assert not found.is_free(A)
        await turns()
        assert told == ["x"]
        waiting[1].cancel()
        go_on.set()
        await turns()
        assert told == ["x", "z"]
        assert found.is_free(A)

    asyncio.run(run())


def test_a_lane_that_is_given_to_somebody_who_has_left_is_passed_on() -> None:
    async def run() -> None:
        found = lanes()
        found.begin(A)

        async def waits() -> None:
            async with found.held(A):
                pass

        waiting = asyncio.create_task(waits())
        await turns()
        found.end(A)
        waiting.cancel()  # it has been given to it already
        await turns()
        assert found.is_free(A)

    asyncio.run(run())


def test_what_is_held_counts_for_no_kind() -> None:
    async def run() -> None:
        found = lanes(1)
        async with found.held(A):
            assert not found.is_free(A)
            assert found.is_free(B)
        assert found.is_free(A)

    asyncio.run(run())
