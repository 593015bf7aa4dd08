"""Lifelines: the end of a connection is the end of its client."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actors.lifeline import Lifelines, hold_lifeline

HOST = "127.0.0.1"


class Stage:
    def __init__(self) -> None:
        self.gone: asyncio.Queue[str] = asyncio.Queue()
        self.lines = Lifelines(HOST, self.gone.put_nowait)

    async def hold(self, session: str) -> socket.socket:
        line = await asyncio.to_thread(hold_lifeline, await self.lines.address(), session)
        assert line is not None
        return line

    async def send(self, data: bytes) -> None:
        """Somebody sends this and goes."""
        _, writer = await asyncio.open_connection(*await self.lines.address())
        try:
            writer.write(data)
            await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()


def run(test: Callable[[Stage], Awaitable[None]]) -> None:
    async def bounded() -> None:
        stage, failures = Stage(), list[dict[str, Any]]()
        asyncio.get_running_loop().set_exception_handler(lambda _, found: failures.append(found))
        async with asyncio.timeout(10):
            await test(stage)
            await stage.lines.close()
        assert failures == []

    asyncio.run(bounded())


def test_a_client_is_gone_when_its_connection_ends() -> None:
    async def test(stage: Stage) -> None:
        first, second = await stage.hold("s1"), await stage.hold("s2")
        second.close()
        assert await stage.gone.get() == "s2"
        assert stage.gone.empty()
        first.close()
        assert await stage.gone.get() == "s1"

    run(test)


def test_everybody_connects_to_one_address() -> None:
    async def test(stage: Stage) -> None:
        found = await asyncio.gather(*(stage.lines.address() for _ in range(5)))
        assert len(set(found)) == 1

    run(test)


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\xfe\n", b"x" * 200_000])
def test_what_is_no_session_is_nobodys_end(data: bytes) -> None:
    async def test(stage: Stage) -> None:
        with contextlib.suppress(ConnectionError):  # it was shut out
            await stage.send(data)
        line = await stage.hold("s")
        line.close()
        assert await stage.gone.get() == "s"

    run(test)


def test_what_is_sent_after_the_session_means_nothing() -> None:
    async def test(stage: Stage) -> None:
        await stage.send(b"s\nGET / HTTP/1.1\r\n\r\n")
        assert await stage.gone.get() == "s"

    run(test)


def test_closing_is_nobodys_end() -> None:
    async def test(stage: Stage) -> None:
        line = await stage.hold("s")
        line.settimeout(10)
        (await stage.hold("other")).close()
        assert await stage.gone.get() == "other"  # so the first is known as well
        await stage.lines.close()
        assert await asyncio.to_thread(line.recv, 1) == b""
        line.close()
        assert stage.gone.empty()
        assert await asyncio.to_thread(hold_lifeline, (HOST, _free_port()), "s") is None

    run(test)


def test_one_that_cannot_be_reached_is_none() -> None:
    assert hold_lifeline((HOST, _free_port()), "s") is None


def test_one_that_breaks_while_it_begins_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((HOST, 0)) as server:
        made: list[socket.socket] = []

        def broken(address: tuple[str, int], timeout: float) -> socket.socket:
            line = socket.socket()
            line.connect(address)
            line.shutdown(socket.SHUT_WR)
            made.append(line)
            return line

        monkeypatch.setattr(socket, "create_connection", broken)
        assert hold_lifeline(server.getsockname(), "s") is None
        assert made[0].fileno() == -1


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])
