"""Channels of shells (`actors.channel`): where one listens, and what cannot go over them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import ray

from actors.channel import Address, ChannelServer, Kept, Method, pack
from actors.shells.opening import node_address
from storage.errors import Unavailable

__all__ = ["Listening", "pack_plain"]

TLS_VARIABLE = "RAY_USE_TLS"


# Ray counts references to objects only where they go through its hands.
pack_plain = partial(pack, never=(ray.ObjectRef,))


class Listening:
    """What a shell does so that some of its methods can be called over a channel, too."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self._server = ChannelServer(node_address(), methods, pack=pack_plain)

    async def address(self) -> Address | None:
        """None: there is none to be had. A cluster that encrypts what it says has no channels."""
        if os.environ.get(TLS_VARIABLE, "0").lower() not in ("", "0", "false"):
            return None
        try:
            return await self._server.address()
        except OSError:
            return None

    def keep(self, value: Any) -> Kept:
        """See `ChannelServer.keep`."""
        return self._server.keep(value)

    async def close(self) -> None:
        """Whoever calls from now on looks for another process."""
        await self._server.close()

    def take(self, name: str) -> Any:
        """A reply that did not fit; see `ChannelServer.take`."""
        try:
            return self._server.take(name)
        except KeyError:
            raise Unavailable("the reply was kept for a minute, and is gone; ask again") from None
