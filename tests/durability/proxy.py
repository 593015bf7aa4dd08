"""A proxy on the loopback that fails as networks and object stores do, by plan.

    with running_proxy(server.endpoint_url, seeded(random.Random(7), FAULTS)) as proxy:
        ...  # a client of proxy.url
        proxy.plan = no_faults  # the trouble ends
        print(proxy.counts)

1. A request is read whole, body and all. The plan is asked, and names a `Fault` or None.
2. The very bytes go to the server, on a connection of their own: what a client signed stays true.
3. The reply is read whole, and its very bytes go back, all or some of them, or none.

Clients may keep their connections, send bodies of known length or in chunks, and wait for
`100 Continue`, which the proxy says itself. A request that is held for long is sent on although its
client has given up, or died: servers meet such late arrivals, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from actors.loop import LoopThread

__all__ = [
    "Fault",
    "Plan",
    "Proxy",
    "Request",
    "Waits",
    "no_faults",
    "running_proxy",
    "scripted",
    "seeded",
]

_HEAD_BYTES_MAX = 1 << 20
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_LINGER = struct.pack("ii", 1, 0)


class Fault(Enum):
    """What goes wrong with one request."""

    DROP = "the connection ends before the request reaches the server"
    LOSE_REPLY = "the server does it, and the connection ends before the reply"
    CUT_REPLY = "the reply ends half way"
    DELAY_REQUEST = "the request takes its time"
    DELAY_REPLY = "the reply takes its time"
    STALL_REQUEST = "the request arrives after the client's time-out"
    STALL_REPLY = "the server does it at once, the reply comes after the client's time-out"
    SLOW_DOWN = "503 SlowDown, and nothing is done"
    CONFLICT = "409 ConditionalRequestConflict to a conditional PUT, and nothing is done"
    EXPIRED = "403 ExpiredToken, and nothing is done"
    STRANGER = "200 with a page that is not S3's, and nothing is done"


_ANSWERED = {
    Fault.SLOW_DOWN: ("503 Slow Down", "SlowDown", "Please reduce your request rate."),
    Fault.CONFLICT: ("409 Conflict", "ConditionalRequestConflict", "Another one is under way."),
    Fault.EXPIRED: ("403 Forbidden", "ExpiredToken", "The provided token has expired."),
    Fault.STRANGER: ("200 OK", "", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, as it came. Names of `headers` are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    data: bytes

    @property
    def conditional(self) -> bool:
        """A PUT that must not replace anything."""
        return self.method == "PUT" and "if-none-match" in self.headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A server's reply, whole. `keep`: the connection may be used again."""

    data: bytes
    keep: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long a delay takes, drawn between the two, and a stall."""

    delay_s_min: float = 0.005
    delay_s_max: float = 0.1
    stall_s: float = 2.0


Plan = Callable[[Request], Fault | None]


def no_faults(request: Request) -> Fault | None:
    """Everything passes."""
    return None


def scripted(faults: Sequence[Fault | None]) -> Plan:
    """The n-th request meets the n-th fault; afterwards none."""
    left = list(faults)
    return lambda request: left.pop(0) if left else None


def seeded(source: random.Random, chances: Mapping[Fault, float]) -> Plan:
    """Each request meets each fault with its chance; one number is drawn for each request. A
    conflict is for conditional PUTs alone."""

    def plan(request: Request) -> Fault | None:
        left = source.uniform(0.0, 1.0)
        for fault, chance in chances.items():
            left -= chance
            if left < 0:
                return fault if fault is not Fault.CONFLICT or request.conditional else None
        return None

    return plan


class Proxy:
    """Made by `running_proxy`, in whose block it listens.

    Attributes:
        url: where it listens.
        plan: asked once for each request; may be replaced at any time.
        counts: how often each fault was met, by its name, and all `requests`.
    """

    def __init__(self, upstream: str, plan: Plan, *, waits: Waits, source: random.Random) -> None:
        parts = urlsplit(upstream)
        assert parts.scheme == "http"
        assert parts.hostname is not None
        self._server_at = (parts.hostname, parts.port or 80)
        self._waits = waits
        self._source = source
        self._handlers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.plan = plan
        self.url = ""
        self.counts: Counter[str] = Counter()

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, limit=_HEAD_BYTES_MAX
        )
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Let go of all connections. What is held is never sent on."""
        assert self._server is not None
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests of one client's connection, until either has enough of it."""
        try:
            while await self._one(await _read_request(reader, writer), writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it has hung up
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Serve a request; whether the client may send another."""
        fault = self.plan(request)
        self.counts["requests"] += 1
        if fault is not None:
            self.counts[fault.name.lower()] += 1
        if fault is Fault.DROP:
            return False
        if fault in _ANSWERED:
            return await _send(_answer(fault, request), writer)
        await self._wait(fault, Fault.DELAY_REQUEST, Fault.STALL_REQUEST)
        reply = await self._forward(request)
        await self._wait(fault, Fault.DELAY_REPLY, Fault.STALL_REPLY)
        if reply is None or fault is Fault.LOSE_REPLY:
            return False
        if fault is Fault.CUT_REPLY:
            half = reply.data[: len(reply.data) // 2]
            return await _send(Reply(data=half, keep=False), writer)
        return await _send(reply, writer)

    async def _wait(self, fault: Fault | None, delay: Fault, stall: Fault) -> None:
        if fault is delay:
            waits = self._waits
            await asyncio.sleep(self._source.uniform(waits.delay_s_min, waits.delay_s_max))
        elif fault is stall:
            await asyncio.sleep(self._waits.stall_s)

    async def _forward(self, request: Request) -> Reply | None:
        """The server's reply; None: it gave none."""
        try:
            reader, writer = await asyncio.open_connection(*self._server_at, limit=_HEAD_BYTES_MAX)
        except OSError:
            return None
        own: socket.socket = writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)  # leaves no TIME_WAIT
        try:
            writer.write(request.data)
            await writer.drain()
            return await _read_reply(reader, request.method)
        except (ConnectionError, asyncio.IncompleteReadError):
            return None
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextmanager
def running_proxy(
    upstream: str,
    plan: Plan = no_faults,
    *,
    waits: Waits | None = None,
    source: random.Random | None = None,
) -> Iterator[Proxy]:
    """A proxy in front of a server, in a thread of its own.

    Args:
        upstream: the server's URL, http://host:port.
        source: of the lengths of delays.
    """
    proxy = Proxy(upstream, plan, waits=waits or Waits(), source=source or random.Random(0))
    loop = LoopThread("proxy")
    try:
        loop.run(proxy.open())
        yield proxy
        loop.run(proxy.close())
    finally:
        loop.close()


# --- messages -------------------------------------------------------------------------------------


async def _send(reply: Reply, writer: asyncio.StreamWriter) -> bool:
    writer.write(reply.data)
    await writer.drain()
    return reply.keep


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    """Raises IncompleteReadError: the client has hung up."""
    head = await reader.readuntil(b"\r\n\r\n")
    start, headers = _parsed(head)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(_CONTINUE)
    method, target, _ = start.split(" ", 2)
    data = head + (await _read_body(reader, headers) or b"")
    return Request(method=method, target=target, headers=headers, data=data)


async def _read_reply(reader: asyncio.StreamReader, method: str) -> Reply:
    """The final reply; interim ones (100) are passed over."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        start, headers = _parsed(head)
        status = int(start.split(" ")[1])
        if status >= 200:
            break
    keep = not start.startswith("HTTP/1.0") and headers.get("connection", "").lower() != "close"
    if method == "HEAD" or status in (204, 304):
        return Reply(data=head, keep=keep)
    body = await _read_body(reader, headers)
    if body is None:  # its end is the end of the connection
        return Reply(data=head + await reader.read(), keep=False)
    return Reply(data=head + body, keep=keep)


def _parsed(head: bytes) -> tuple[str, dict[str, str]]:
    """The first line, and the headers by names in lower case."""
    start, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return start, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes | None:
    """The body as it travels, chunks with their frames; None where no header says its length."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _read_chunks(reader)
    if "content-length" not in headers:
        return None
    return await reader.readexactly(int(headers["content-length"]))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """RFC 9112, 7.1: chunks, the last one of size 0, then trailers and an empty line."""
    found = bytearray()
    size = -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        found += line
        if size:
            found += await reader.readexactly(size + 2)
    while line != b"\r\n":
        line = await reader.readuntil(b"\r\n")
        found += line
    return bytes(found)


def _answer(fault: Fault, request: Request) -> Reply:
    """What S3, or who stands in front of it, answers then."""
    status, code, message = _ANSWERED[fault]
    body = (
        f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code>"
        f"<Message>{message}</Message></Error>"
    )
    if fault is Fault.STRANGER:
        body = "<html><body>Please sign in.</body></html>"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return Reply(data=(head + body * (request.method != "HEAD")).encode(), keep=True)
