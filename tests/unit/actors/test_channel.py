"""Channels: calls and replies, what does not fit, who is let in, and ends that go away."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from actors import channel
from actors.channel import (
    FRAME_BYTES_MAX,
    Address,
    BlockingChannel,
    Channel,
    ChannelServer,
    Disconnected,
    Kept,
    Unpacked,
    pack,
)
from storage.errors import InternalError, InvalidRequest

HOST = "127.0.0.1"


class Methods:
    """What the server serves; `gates` hold calls of `held` back by their argument."""

    def __init__(self) -> None:
        self.gates: dict[int, asyncio.Event] = {}
        self.called: list[str] = []
        self.entered = asyncio.Semaphore(0)

    def all(self) -> dict[str, Callable[[Any], Awaitable[Any]]]:
        return {"echo": self.echo, "held": self.held, "fails": self.fails, "breaks": self.breaks}

    async def echo(self, value: Any) -> Any:
        self.called.append("echo")
        return value

    async def held(self, number: int) -> int:
        self.entered.release()
        await self.gates.setdefault(number, asyncio.Event()).wait()
        return number

    async def fails(self, text: str) -> None:
        raise InvalidRequest(text, "22023")

    async def breaks(self, text: str) -> None:
        raise ValueError(text)


def playing(test: Callable[[ChannelServer, Methods, Address], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        methods = Methods()
        server = ChannelServer(HOST, methods.all())
        try:
            await test(server, methods, await server.address())
        finally:
            await server.close()

    asyncio.run(run())


async def in_thread(call: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(call)


def test_calls_and_replies_in_any_order() -> None:
    async def test(server: ChannelServer, methods: Methods, address: Address) -> None:
        line = await Channel.connect(address)
        calls = [asyncio.create_task(line.call(pack(("held", n)))) for n in range(3)]
        assert await line.call(pack(("echo", {"a": [1, None]}))) == {"a": [1, None]}
        for number in (2, 0, 1):
            methods.gates[number].set()
            assert await calls[number] == number
        line.close()

    playing(test)


def test_errors_are_raised_where_the_call_was_made() -> None:
    async def test(server: ChannelServer, methods: Methods, address: Address) -> None:
        line, blocking = await Channel.connect(address), BlockingChannel(address)
        for method, kind, said in (
            ("fails", InvalidRequest, "too large"),
            ("breaks", InternalError, r"ValueError\('too large'\)"),
            ("unknown", InternalError, "unknown"),
        ):
            request = pack((method, "too large"))
            with pytest.raises(kind, match=said):
                await line.call(request)
            with pytest.raises(kind, match=said):
                await in_thread(lambda request=request: blocking.call(request, 5.0))
        assert await line.call(pack(("echo", 1))) == 1
        blocking.close()

    playing(test)


def test_what_is_too_large_goes_another_way() -> None:
    async def test(server: ChannelServer, methods: Methods, address: Address) -> None:
        with pytest.raises(Unpacked):
            pack(("echo", bytes(FRAME_BYTES_MAX)))
        line = await Channel.connect(address)
        large = bytes(FRAME_BYTES_MAX)

        async def gives_large(argument: Any) -> bytes:
            return large

        async def keeps(argument: Any) -> Kept:
            return server.keep(argument)

        server.methods = {"large": gives_large, "keeps": keeps}
        for method, value in (("large", large), ("keeps", 7)):
            found = await line.call(pack((method, 7)))
            assert isinstance(found, Kept)
            assert server.take(found.name) == value
            with pytest.raises(KeyError):
                server.take(found.name)

    playing(test)


def test_what_is_kept_goes_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: ChannelServer, methods: Methods, address: Address) -> None:
        kept = server.keep(1)
        monkeypatch.setattr(channel, "KEPT_S", 0.0)
        gone = server.keep(2)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(KeyError):
            server.take(gone.name)
        assert server.take(kept.name) == 1

    playing(test)


def test_a_machine_that_is_gone_is_no_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: ChannelServer, methods: Methods, address: Address) -> None:
        blocking = BlockingChannel(address)
        assert await in_thread(lambda: blocking.call(pack(("echo", 1)), 5.0)) == 1

        def silent(line: socket.socket, count: int) -> bytes:
            raise TimeoutError(errno.ETIMEDOUT, "no answer to probes")

        monkeypatch.setattr(channel, "_exactly", silent)
        with pytest.raises(Disconnected):
            await in_thread(lambda: blocking.call(pack(("echo", 2)), 5.0))

    playing(test)


def test_what_may_not_travel_does_not() -> None:
    assert pack([1, "a"], never=(set,))
    with pytest.raises(Unpacked):
        pack([1, {2}], never=(set, frozenset))
    with pytest.raises(Unpacked):
        pack(lambda: None)


class _OnlyHere:
    """Cannot be unpickled."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> None:
    raise AttributeError("no such class")


def test_a_request_that_does_not_unpickle_is_told_apart() -> None:
    async def test(server: ChannelServer, methods: Methods, address: Address) -> None:
        line = await Channel.connect(address)
        with pytest.raises(Unpacked):
            await line.call(pack(("echo", _OnlyHere())))
        assert await line.call(pack(("echo", 1))) == 1

    playing(test)


def test_nobody_is_let_in_without_the_key() -> None:
    async def test(server: ChannelServer, methods: Methods, address: Address) -> None:
        wrong = replace(address, key=bytes(32))
        with pytest.raises(Disconnected):
            await Channel.connect(wrong)
        blocking = BlockingChannel(wrong)
        with pytest.raises(Disconnected):
            await in_thread(lambda: blocking.call(pack(("echo", 1)), 5.0))
        assert not blocking.reached

        def unproven() -> bytes:
            with socket.create_connection((address.host, address.port), timeout=5.0) as line:
                request = pack(("echo", 1))
                line.sendall(bytes(64) + len(request).to_bytes(4, "little") + bytes(8) + request)
                return b"".join(iter(lambda: line.recv(4096), b""))

        assert len(await in_thread(unproven)) == 32  # the challenge, and nothing after it
        assert methods.called == []

    playing(test)


def test_a_server_that_does_not_know_the_key_is_not_believed() -> None:
    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(32))
        await reader.readexactly(64)
        writer.write(bytes(32) + b"".join([bytes(12)]))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def test() -> None:
        server = await asyncio.start_server(impostor, HOST, 0)
        address = Address(HOST, server.sockets[0].getsockname()[1], bytes(32))
        with pytest.raises(Disconnected):
            await Channel.connect(address)
        with pytest.raises(Disconnected, match="does not know the key"):
            await in_thread(lambda: BlockingChannel(address).call(pack(("echo", 1)), 5.0))
        server.close()

    asyncio.run(test())


def test_calls_under_way_hear_that_the_other_end_is_gone() -> None:
    async def test(server: ChannelServer, methods: Methods, address: Address) -> None:
        line, blocking = await Channel.connect(address), BlockingChannel(address)
        request = pack(("held", 1))
        calls = [
            asyncio.create_task(line.call(request)),
            asyncio.create_task(in_thread(lambda: blocking.call(request, 5.0))),
        ]
        for _ in calls:
            await methods.entered.acquire()
        await server.close()
        for call in calls:
            with pytest.raises(Disconnected):
                await call
        assert blocking.reached
        assert not line.open
        with pytest.raises(Disconnected):
            await line.call(request)
        with pytest.raises(Disconnected):
            await in_thread(lambda: blocking.call(request, 5.0))

    playing(test)


def test_a_reply_that_comes_too_late_is_not_taken_for_another() -> None:
    async def test(server: ChannelServer, methods: Methods, address: Address) -> None:
        blocking = BlockingChannel(address)
        with pytest.raises(TimeoutError):
            await in_thread(lambda: blocking.call(pack(("held", 1)), 0.01))
        methods.gates.setdefault(1, asyncio.Event()).set()
        assert await in_thread(lambda: blocking.call(pack(("echo", 2)), 5.0)) == 2
        blocking.close()

    playing(test)


def test_threads_share_connections_and_no_replies() -> None:
    async def test(server: ChannelServer, methods: Methods, address: Address) -> None:
        blocking = BlockingChannel(address)
        begun = threading.Barrier(8)

        def ask(number: int) -> list[int]:
            begun.wait()
            return [blocking.call(pack(("echo", (number, n))), 5.0) for n in range(50)]

        with ThreadPoolExecutor(8) as threads:
            loop = asyncio.get_running_loop()
            found = await asyncio.gather(*(loop.run_in_executor(threads, ask, n) for n in range(8)))
        assert found == [[(number, n) for n in range(50)] for number in range(8)]
        assert 1 <= len(server.connections) <= 8
        blocking.close()

    playing(test)
