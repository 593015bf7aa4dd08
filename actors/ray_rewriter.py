"""Flushes and compactions by Ray tasks: with CPUs and a memory budget of their own, so that a
primary that takes writes neither sorts nor encodes anything large.

A task answers with the names of what it has stored. One that the cluster has no room for is done by
the primary itself, as small ones are: deltas must not grow because nodes are short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from actors.primary.rewriter import Rewriter
from actors.ray_tasks import task_value
from actors.settings import NodeSettings
from storage.errors import InternalError
from storage.ingest import Progress
from storage.rewrite import Rewritten
from storage.rewriting import Rewriting

__all__ = ["RayRewriter", "StartRewriting"]

AVOIDED_S = 300.0  # so long no task is begun after one that no node had room for

StartRewriting = Callable[[NodeSettings, Rewriting], Any]


class RayRewriter:
    """`Rewriter` by tasks of the cluster."""

    def __init__(self, own: Rewriter, node: NodeSettings, start: StartRewriting) -> None:
        """Args:
        own: for what is small, and for what no node has room for.
        start: `spawn.start_rewriting`; what it returns gives the steps of `tasks.rewrite_rows`.
        """
        self._own = own
        self._node = node
        self._start = start
        self._tasks = 0  # that were begun
        self._displaced = 0  # of them, that no node had room for
        self._avoided_until_s = 0.0  # of the event loop's clock

    async def rewrite(self, work: Rewriting, progress: Progress) -> Rewritten:
        """See `Rewriter.rewrite`."""
        settings = self._node.settings.ray
        now_s = asyncio.get_running_loop().time()
        if work.size_bytes < settings.maintenance_bytes_min or now_s < self._avoided_until_s:
            return await self._own.rewrite(work, progress)
        self._tasks += 1
        steps = await asyncio.to_thread(self._start, self._node, work)
        try:
            async with asyncio.timeout(settings.maintenance_start_s):
                step = await task_value(await anext(steps), "a task of maintenance")
        except TimeoutError:  # if it begins after all, nobody refers to what it stores
            self._displaced += 1
            self._avoided_until_s = asyncio.get_running_loop().time() + AVOIDED_S
            return await self._own.rewrite(work, progress)
        while isinstance(step, int):
            progress(step)
            step = await task_value(await anext(steps), "a task of maintenance")
        if not isinstance(step, Rewritten):
            raise InternalError(f"a task of maintenance answered {type(step).__name__}")
        return step

    def status(self) -> dict[str, int]:
        """See `Rewriter.status`."""
        return {"maintenance_tasks": self._tasks, "maintenance_displaced": self._displaced}
