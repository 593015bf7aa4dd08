"""Calls between processes over connections of our own, where every millisecond counts.

A call of a Ray actor passes through half a dozen threads on its way and costs 1 to 10 ms; over a
connection it takes a tenth of that (docs/decisions/0017-channels.md). So small requests and replies
take one; all else, and everything where a connection cannot be made, goes by Ray.

One connection, after both ends have shown that they know the key, which only Ray hands out:

    request    length u32 | id u64 | pickle of (method, argument)
    reply      length u32 | id u64 | status u8 | pickle

The status is 0 for a value, 1 for an error, 2 for the name of a value that cannot go this way, 3 if
the request did not unpickle.

Integers are little-endian; a length is that of what follows the id. Any number of requests may
be under way on a connection, and replies come in any order.

Who listens is `ChannelServer`; `Channel` is the other end in an event loop, `BlockingChannel` in
threads.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import os
import pickle
import secrets
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.errors import InternalError, MobulaError

__all__ = [
    "Address",
    "BlockingChannel",
    "Channel",
    "ChannelServer",
    "Disconnected",
    "Kept",
    "Method",
    "Unpacked",
    "pack",
]

FRAME = struct.Struct("<IQ")
FRAME_BYTES_MAX = 4 << 20
PROOF_BYTES = 32  # of a challenge, and of its answer
CONNECT_S = 2.0
SILENCE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 15_000}
IDLE_MAX = 64  # connections of one process that wait for the next call
KEPT_S = 60.0
VALUE, ERROR, KEPT, UNREAD = 0, 1, 2, 3


Method = Callable[[Any], Awaitable[Any]]


class Disconnected(Exception):
    """The connection could not be made, or broke off before the reply."""


class Unpacked(Exception):
    """The value cannot go over a connection: it is too large, or its class is not there."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a process listens, and the key that lets others in."""

    host: str
    port: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """A reply that cannot go over a connection; the server keeps it under this name for a while."""

    name: str


class _Pickler(pickle.Pickler):
    def __init__(self, sink: io.BytesIO, never: tuple[type, ...]) -> None:
        super().__init__(sink, protocol=5)
        self._never = never

    def persistent_id(self, value: Any) -> None:
        if isinstance(value, self._never):
            raise Unpacked


def pack(value: Any, never: tuple[type, ...] = ()) -> bytes:
    """As bytes. Raises Unpacked: it is too large, does not pickle, or has a `never`."""
    sink = io.BytesIO()
    try:
        _Pickler(sink, never).dump(value)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise Unpacked from error
    if sink.tell() >= FRAME_BYTES_MAX:
        raise Unpacked
    return sink.getvalue()


def _proof(key: bytes, side: bytes, challenge: bytes) -> bytes:
    return hmac.digest(key, side + challenge, hashlib.sha256)


def _frame(number: int, data: bytes) -> bytes:
    return FRAME.pack(len(data), number) + data


def _prompt(line: socket.socket) -> None:
    """Send at once what is there to send, and notice within 15 s a peer whose machine is gone: of a
    process that died its kernel tells at once."""
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in SILENCE.items():
        if hasattr(socket, option):  # Linux has them all
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _answer(data: bytes) -> Any:
    """The value of a reply, `Kept`, or the error raised that it is."""
    if data[0] == UNREAD:
        raise Unpacked
    found = pickle.loads(data[1:])
    if data[0] == ERROR:
        raise found
    return Kept(found) if data[0] == KEPT else found


class _Connection(asyncio.Protocol, ABC):
    """One end: the proof first, then frames."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._read = bytearray()
        self._challenge = os.urandom(PROOF_BYTES)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _prompt(transport.get_extra_info("socket"))

    def close(self) -> None:
        """Break it off; calls under way raise Disconnected."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._read += data
        if not self._proven():
            return
        while len(self._read) >= FRAME.size:
            length, number = FRAME.unpack_from(self._read)
            if length > FRAME_BYTES_MAX:
                self.close()
                return
            if len(self._read) < FRAME.size + length:
                return
            content = bytes(self._read[FRAME.size : FRAME.size + length])
            del self._read[: FRAME.size + length]
            self._came(number, content)

    @abstractmethod
    def _proven(self) -> bool:
        """Whether the peer has shown the key; nothing of it is unpickled before."""

    @abstractmethod
    def _came(self, number: int, content: bytes) -> None: ...

    def _send(self, number: int, content: bytes) -> None:
        if self._transport is not None:
            self._transport.write(_frame(number, content))


# --- the end that listens -------------------------------------------------------------------------


class ChannelServer:
    """Serves some methods of a process. One event loop."""

    def __init__(
        self,
        host: str,
        methods: Mapping[str, Method],
        *,
        pack: Callable[[Any], bytes] = pack,
    ) -> None:
        """Args:
        host: the address of this machine that others reach.
        methods: by name; each takes one argument.
        pack: replies as bytes; Unpacked from it: the reply is kept.
        """
        self.methods = methods
        self.pack = pack
        self.key = secrets.token_bytes(PROOF_BYTES)
        self._host = host
        self._server: asyncio.Server | None = None
        self._opening = asyncio.Lock()
        self._kept: dict[str, Any] = {}
        self.connections: set[_Served] = set()

    async def address(self) -> Address:
        """Where others connect; listens from the first call on. Raises OSError."""
        async with self._opening:
            if self._server is None:
                loop = asyncio.get_running_loop()
                self._server = await loop.create_server(lambda: _Served(self), self._host, 0)
        return Address(self._host, int(self._server.sockets[0].getsockname()[1]), self.key)

    def keep(self, value: Any) -> Kept:
        """Keep a value until it is taken, or for a minute. A method may do so itself."""
        name = secrets.token_hex(8)
        self._kept[name] = value
        asyncio.get_running_loop().call_later(KEPT_S, self._kept.pop, name, None)
        return Kept(name)

    def take(self, name: str) -> Any:
        """What was kept. Raises KeyError: it is not there any more."""
        return self._kept.pop(name)

    async def close(self) -> None:
        """Listen no more, and break off what is connected."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()


class _Served(_Connection):
    """One connection of a server."""

    def __init__(self, server: ChannelServer) -> None:
        super().__init__()
        self._server = server
        self._trusted = False
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.connections.add(self)
        assert self._transport is not None
        self._transport.write(self._challenge)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.connections.discard(self)

    def _came(self, number: int, content: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(number, content))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _proven(self) -> bool:
        if self._trusted:
            return True
        if len(self._read) < 2 * PROOF_BYTES:
            return False
        proof, theirs = self._read[:PROOF_BYTES], self._read[PROOF_BYTES : 2 * PROOF_BYTES]
        wanted = _proof(self._server.key, b"client", self._challenge)
        if self._transport is None or not hmac.compare_digest(proof, wanted):
            self.close()
            return False
        self._transport.write(_proof(self._server.key, b"server", bytes(theirs)))
        del self._read[: 2 * PROOF_BYTES]
        self._trusted = True
        return True

    async def _serve(self, number: int, request: bytes) -> None:
        try:
            method, argument = pickle.loads(request)
        except Exception:  # of a class that is only there
            self._send(number, bytes([UNREAD]))
            return
        status, reply = await self._replied(method, argument)
        self._send(number, bytes([status]) + reply)

    async def _replied(self, method: str, argument: Any) -> tuple[int, bytes]:
        server = self._server
        try:
            value = await server.methods[method](argument)
            if not isinstance(value, Kept):
                try:
                    return VALUE, server.pack(value)
                except Unpacked:
                    value = server.keep(value)
            return KEPT, pickle.dumps(value.name)
        except MobulaError as error:
            return ERROR, pickle.dumps(error)
        except Exception as error:
            return ERROR, pickle.dumps(InternalError(f"a process failed: {error!r}"))


# --- the ends that call ---------------------------------------------------------------------------


class Channel(_Connection):
    """One connection to a server, for any number of calls at a time. One event loop."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._key = key
        self._theirs: bytes | None = None
        self._trusted = asyncio.get_running_loop().create_future()
        self._calls: dict[int, asyncio.Future[bytes]] = {}
        self._number = 0

    @classmethod
    async def connect(cls, address: Address) -> Channel:
        """Raises Disconnected."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                _, channel = await loop.create_connection(
                    lambda: cls(address.key), address.host, address.port
                )
                try:
                    await channel._trusted
                except BaseException:
                    channel.close()
                    raise
        except (OSError, TimeoutError) as error:
            raise Disconnected(str(error)) from error
        return channel

    @property
    def open(self) -> bool:
        """Whether it has not broken off."""
        return self._transport is not None

    async def call(self, request: bytes) -> Any:
        """What the method returned, or `Kept`.

        Args: request: `pack` of (method, argument).
        Raises Disconnected, Unpacked, or what the method raised.
        """
        if self._transport is None:
            raise Disconnected("the connection is closed")
        self._number += 1
        number = self._number
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._calls[number] = reply
        self._send(number, request)
        try:
            return _answer(await reply)
        finally:
            self._calls.pop(number, None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        waiting = [self._trusted, *self._calls.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(Disconnected(str(exc or "the other end is gone")))
        if not self._trusted.cancelled():
            self._trusted.exception()  # who connects may have given up

    def _came(self, number: int, content: bytes) -> None:
        waiting = self._calls.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(content)

    def _proven(self) -> bool:
        if self._trusted.done():
            return True
        if self._theirs is None:
            if len(self._read) < PROOF_BYTES or self._transport is None:
                return False
            self._theirs = bytes(self._read[:PROOF_BYTES])
            del self._read[:PROOF_BYTES]
            self._transport.write(_proof(self._key, b"client", self._theirs) + self._challenge)
        if len(self._read) < PROOF_BYTES:
            return False
        wanted = _proof(self._key, b"server", self._challenge)
        if not hmac.compare_digest(bytes(self._read[:PROOF_BYTES]), wanted):
            self.close()
            return False
        del self._read[:PROOF_BYTES]
        self._trusted.set_result(None)
        return True


class BlockingChannel:
    """Connections to a server from any number of threads: one for each call that is under way."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: list[socket.socket] = []
        self._lock = threading.Lock()
        self._closed = False
        self.reached = False  # whether there ever was a connection

    def call(self, request: bytes, timeout_s: float | None) -> Any:
        """What the method returned, or `Kept`.

        Args:
            request: `pack` of (method, argument).
            timeout_s: how long nothing may come.
        Raises Disconnected, TimeoutError, Unpacked, or what the method raised.
        """
        line = self._line()
        try:
            line.settimeout(timeout_s)
            line.sendall(_frame(1, request))
            length, _ = FRAME.unpack(_exactly(line, FRAME.size))
            reply = _exactly(line, length)
        except OSError as error:
            line.close()
            if isinstance(error, TimeoutError) and error.errno is None:
                raise  # nothing came; with a number the kernel says that the machine is gone
            self.close()  # the others have broken off as well
            raise Disconnected(str(error)) from error
        except BaseException:  # Ctrl-C: the reply to this call must not be taken for another's
            line.close()
            raise
        self._keep(line)
        return _answer(reply)

    def close(self) -> None:
        """No more calls; those under way end by themselves."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for line in idle:
            line.close()

    def _keep(self, line: socket.socket) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < IDLE_MAX:
                self._idle.append(line)
                return
        line.close()

    def _line(self) -> socket.socket:
        with self._lock:
            if self._closed:
                raise Disconnected("the channel is closed")
            if self._idle:
                return self._idle.pop()
        try:
            line = self._connected()
        except OSError as error:
            raise Disconnected(str(error)) from error
        self.reached = True
        return line

    def _connected(self) -> socket.socket:
        address = self._address
        line = socket.create_connection((address.host, address.port), timeout=CONNECT_S)
        try:
            _prompt(line)
            challenge = os.urandom(PROOF_BYTES)
            theirs = _exactly(line, PROOF_BYTES)
            line.sendall(_proof(address.key, b"client", theirs) + challenge)
            proof = _exactly(line, PROOF_BYTES)
            if not hmac.compare_digest(proof, _proof(address.key, b"server", challenge)):
                raise ConnectionError("the other end does not know the key")
        except BaseException:
            line.close()
            raise
        return line


def _exactly(line: socket.socket, count: int) -> bytes:
    """So many bytes. Raises OSError, also at the end of the connection."""
    parts, left = [], count
    while left:
        part = line.recv(left)
        if not part:
            raise ConnectionError("the other end is gone")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
