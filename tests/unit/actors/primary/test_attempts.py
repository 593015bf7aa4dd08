"""Calls with one token wait for each other, in their order; others do not."""

from __future__ import annotations

import asyncio

import pytest

from actors.primary.attempts import Attempts
from storage.snapshot.model import IngestToken

TOKEN, OTHER = (IngestToken(writer="w", sequence=number) for number in (1, 2))


def test_attempts_with_one_token_follow_each_other() -> None:
    async def run() -> None:
        attempts, told = Attempts(), list[str]()

        async def attempt(name: str, token: IngestToken | None) -> None:
            async with attempts.turn(token):
                told.append(f"{name} begins")
                for _ in range(5):
                    await asyncio.sleep(0)
                told.append(f"{name} ends")

        calls = [("a", TOKEN), ("b", TOKEN), ("c", OTHER), ("d", None), ("e", TOKEN)]
        await asyncio.gather(*(attempt(*call) for call in calls))
        mine = [line for line in told if line[0] in "abe"]
        assert mine == [f"{name} {verb}" for name in "abe" for verb in ("begins", "ends")]
        assert told.index("c begins") < told.index("a ends")
        assert told.index("d begins") < told.index("a ends")
        assert len(attempts) == 0

    asyncio.run(run())


def test_an_attempt_is_made_of_calls_of_one_task() -> None:
    async def run() -> None:
        attempts = Attempts()
        async with attempts.turn(TOKEN):
            async with attempts.turn(TOKEN):
                assert len(attempts) == 1
            other = asyncio.create_task(_take(attempts))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not other.done()
        await other
        assert len(attempts) == 0

    asyncio.run(run())


def test_who_gives_up_waiting_or_fails_leaves_the_turn_to_others() -> None:
    async def run() -> None:
        attempts = Attempts()
        waiting: list[asyncio.Task[None]] = []

        async def fails() -> None:
            async with attempts.turn(TOKEN):
                waiting.extend(asyncio.create_task(_take(attempts)) for _ in range(2))
                await asyncio.sleep(0)
                waiting[0].cancel()
                await asyncio.sleep(0)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fails()
        await waiting[1]
        assert waiting[0].cancelled()
        assert len(attempts) == 0

    asyncio.run(run())


async def _take(attempts: Attempts) -> None:
    async with attempts.turn(TOKEN):
        await asyncio.sleep(0)
