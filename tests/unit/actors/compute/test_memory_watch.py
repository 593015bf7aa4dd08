"""The watch over memory: its peak, the limit told before the process ends, and when it does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from actors.compute.memory import MemoryWatch, anonymous_bytes

MIB = 1 << 20


class Stage:
    """A process that takes what the test says."""

    def __init__(self) -> None:
        self.bytes = MIB
        self.looked = threading.Event()
        self.ended = threading.Event()
        self.heard: list[bool] = []
        self.watch = MemoryWatch(self.measure, self.end)

    def measure(self) -> int:
        self.looked.set()
        return self.bytes

    def end(self) -> None:
        self.ended.set()

    async def look(self) -> None:
        """Wait until the thread has looked."""
        for _ in range(2):  # the first look may have begun before
            self.looked.clear()
            await asyncio.to_thread(self.looked.wait, 10)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.compute.memory.LOOK_S", 0.001)
    monkeypatch.setattr("actors.compute.memory.LAST_WORDS_S", 0.2)


def run(test: Callable[[Stage], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test(Stage())

    asyncio.run(bounded())


def test_the_peak_is_kept() -> None:
    async def test(stage: Stage) -> None:
        with stage.watch.over(None) as watched:
            stage.bytes = 9 * MIB
            await stage.look()
            stage.bytes = 2 * MIB
            await stage.look()
        assert watched.peak_bytes == 9 * MIB
        assert not stage.ended.is_set()
        assert stage.watch.current_bytes == 2 * MIB

    run(test)


def test_a_peak_at_the_very_end_counts() -> None:
    async def test(stage: Stage) -> None:
        with stage.watch.over(None) as watched:
            stage.bytes = 5 * MIB
        assert watched.peak_bytes == 5 * MIB

    run(test)


def test_who_waits_hears_that_the_limit_was_passed_before_the_process_ends() -> None:
    async def test(stage: Stage) -> None:
        with pytest.raises(MemoryError), stage.watch.over(4 * MIB) as watched:  # noqa: PT012
            stage.bytes = 6 * MIB
            assert await watched.exceeded == 6 * MIB
            stage.heard.append(stage.ended.is_set())
            raise MemoryError
        assert stage.heard == [False]
        assert await asyncio.to_thread(stage.ended.wait, 10)

    run(test)


def test_a_query_that_was_over_does_not_end_the_process() -> None:
    async def test(stage: Stage) -> None:
        with stage.watch.over(4 * MIB) as watched:
            stage.bytes = 6 * MIB
            await watched.exceeded
        stage.bytes = MIB
        with stage.watch.over(4 * MIB) as watched:  # the thread is there for the next one
            stage.bytes = 3 * MIB
            await stage.look()
            await stage.look()
        assert watched.peak_bytes == 3 * MIB
        assert not await asyncio.to_thread(stage.ended.wait, 0.3)

    run(test)


def test_the_limit_itself_may_be_taken() -> None:
    async def test(stage: Stage) -> None:
        with stage.watch.over(4 * MIB) as watched:
            stage.bytes = 4 * MIB
            await stage.look()
            assert not watched.exceeded.done()
        assert watched.exceeded.cancelled()

    run(test)


def test_an_error_of_the_query_itself_ends_nothing() -> None:
    async def test(stage: Stage) -> None:
        with pytest.raises(ValueError, match="bad"), stage.watch.over(4 * MIB):
            raise ValueError("bad")
        stage.bytes = 9 * MIB
        assert not await asyncio.to_thread(stage.ended.wait, 0.3)

    run(test)


def test_the_memory_of_this_process_is_known() -> None:
    assert anonymous_bytes() > MIB
