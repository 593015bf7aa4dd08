"""Flushes and compactions by Ray tasks: with CPUs and a memory budget of their own, so that a
primary that takes writes neither sorts nor encodes anything large.

A task answers with the names of what it has stored. One that the cluster has no room for is done by
the primary itself, as small ones are: deltas must not grow because nodes are short. Tasks of
maintenance take at most half of the cluster's CPUs, so that they seldom wait for each other.
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

    def __init__(
        self,
        own: Rewriter,
        node: NodeSettings,
        start: StartRewriting,
        cluster_cpus: Callable[[], float],
    ) -> None:
        """Args:
        own: for what is small, and for what no node has room for.
        start: `spawn.start_rewriting`; what it returns gives the steps of `tasks.rewrite_rows`.
        cluster_cpus: all CPUs of the cluster at this moment; called in a thread.
        """
        self._own = own
        self._node = node
        self._start = start
        self._tasks = 0  # that were begun
        self._displaced = 0  # of them, that no node had room for
        self._avoided_until_s = 0.0  # of the event loop's clock
        self._cluster_cpus = cluster_cpus
        self._fitting = own.side_by_side  # tasks of a kind, when one was begun last

    @property
    def side_by_side(self) -> int:
        """See `Rewriter.side_by_side`."""
        return self._own.side_by_side if self._is_avoiding() else self._fitting

    def _is_avoiding(self) -> bool:
        return asyncio.get_running_loop().time() < self._avoided_until_s

    async def rewrite(self, work: Rewriting, progress: Progress) -> Rewritten:
        """See `Rewriter.rewrite`."""
        settings = self._node.settings.ray
        if work.size_bytes < settings.maintenance_bytes_min or self._is_avoiding():
            return await self._own.rewrite(work, progress)
        self._tasks += 1
        steps = await asyncio.to_thread(self._begun, work)
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

    def _begun(self, work: Rewriting) -> Any:
        settings = self._node.settings.ray
        fitting = int(self._cluster_cpus() / 4 / settings.maintenance_cpus)  # of either kind
        self._fitting = max(1, min(fitting, settings.maintenance_tasks_max))
        return self._start(self._node, work)

    def status(self) -> dict[str, int]:
        """See `Rewriter.status`."""
        return {"maintenance_tasks": self._tasks, "maintenance_displaced": self._displaced}
