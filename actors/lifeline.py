"""Noticing that a client is gone: a connection that it keeps open, and that its death closes.

Ray tells nobody that the caller of an actor's method has died; a reference that it owned is known
to be lost after two seconds at the earliest. The kernel closes a process's connections in the
moment it dies. So a client opens one to each process that works for it, says which session it is,
and sends nothing more. One that cannot connect goes without: then its queries end by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

__all__ = ["Lifelines", "hold_lifeline"]

CONNECT_S = 2.0
SESSION_BYTES_MAX = 200


class Lifelines:
    """The end where the work is. One event loop."""

    def __init__(self, host: str, gone: Callable[[str], None]) -> None:
        """Args:
        host: the address of this machine that clients reach.
        gone: called with a session whose client has gone.
        """
        self._host = host
        self._gone = gone
        self._server: asyncio.Server | None = None
        self._opening = asyncio.Lock()
        self._lines: set[asyncio.StreamWriter] = set()
        self._closed = False

    async def address(self) -> tuple[str, int]:
        """Where clients connect; listens from the first call on. Raises OSError."""
        async with self._opening:
            if self._server is None:
                self._server = await asyncio.start_server(self._serve, self._host, 0)
        return self._host, int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more, and let go of those that are connected."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        for line in list(self._lines):
            line.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = ""
        self._lines.add(writer)
        try:
            with contextlib.suppress(OSError, ValueError):  # broken off, or not one of ours
                session = (await reader.readline()).decode("ascii").strip()
                while await reader.read(SESSION_BYTES_MAX):
                    pass
            if session and not self._closed:
                self._gone(session)
        finally:
            self._lines.discard(writer)
            writer.close()


def hold_lifeline(address: tuple[str, int], session: str) -> socket.socket | None:
    """Connect to where the work is; closing the socket says that we are gone. None: not reachable.

    Args: session: `messages.Session.id`.
    """
    try:
        line = socket.create_connection(address, timeout=CONNECT_S)
    except OSError:
        return None
    try:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        line.sendall(session.encode("ascii") + b"\n")
    except OSError:
        line.close()
        return None
    return line
