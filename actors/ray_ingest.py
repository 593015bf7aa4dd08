"""Micropartitions made by Ray tasks: one per source file, one per slice of a large frame.

A frame is sorted and cut by whoever has it; slices go through the object store, a few at a time.
Each task writes its files, with the runs of their keys, and answers with their names.

After the first error of a write no task is started any more. Those under way end by themselves, and
nobody refers to what they store: `ray.cancel` of a task that is about to end can end the process
that calls it (decision 14).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import ray

from actors.client import Progress
from actors.ingest import Ingest
from actors.messages import TableInfo
from actors.ray_tasks import task_value
from actors.settings import NodeSettings
from storage.ingest import IngestedFile, slices_of
from storage.ingest import Progress as RowProgress
from storage.sources_format import SourceReading
from storage.target import IngestTarget

__all__ = ["IngestTasks", "RayIngest"]

TASK = "an ingest task"
TASKS_MIN = 16  # also where the cluster has no CPUs yet
CPUS_MIN = 0.1  # a task counts for so many, where the settings give it none


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestTasks:
    """How tasks are started: `spawn.start_load` and `spawn.start_slice`."""

    load: Callable[[NodeSettings, TableInfo, str, SourceReading], Any]
    slice: Callable[[NodeSettings, IngestTarget, Any], Any]


class RayIngest:
    """`Ingest` by tasks of the cluster; small frames stay in this process."""

    def __init__(self, own: Ingest, node: NodeSettings, tasks: IngestTasks) -> None:
        self._own = own
        self._node = node
        self._tasks = tasks

    async def rows(
        self, rows: pa.Table, target: IngestTarget, progress: RowProgress | None = None
    ) -> list[IngestedFile]:
        """See `Ingest.rows`."""
        settings = self._node.settings.ray
        if rows.nbytes < settings.ingest_bytes_min:
            return await self._own.rows(rows, target, progress)
        slices = await asyncio.to_thread(slices_of, rows, target)
        room = asyncio.Semaphore(settings.ingest_slices_max)
        done = 0

        async def one(part: pa.Table) -> list[IngestedFile]:
            nonlocal done
            async with room:
                shared = await asyncio.to_thread(ray.put, part)
                found = await task_value(self._tasks.slice(self._node, target, shared), TASK)
            assert isinstance(found, list)
            done += part.num_rows
            if progress is not None:
                progress(done)
            return found

        return await _all([one(part) for part in slices])

    async def sources(
        self,
        infos: Sequence[TableInfo],
        sources: Sequence[str],
        reading: SourceReading,
        progress: Progress,
    ) -> list[IngestedFile]:
        """See `Ingest.sources`."""
        rows_done = dict.fromkeys(range(len(sources)), 0)
        files_done = 0
        room = _Room(self._node.settings.ray.ingest_cpus)
        await room.grow()

        async def one(index: int, info: TableInfo, url: str) -> list[IngestedFile]:
            nonlocal files_done
            found: list[IngestedFile] = []
            async with room.place():
                async for reference in self._tasks.load(self._node, info, url, reading):
                    step = await task_value(reference, TASK)
                    if isinstance(step, int):
                        rows_done[index] = step
                    else:
                        found = step
                        files_done += 1
                    progress(sum(rows_done.values()), files_done)
            return found

        pairs = enumerate(zip(infos, sources, strict=True))
        return await _all([one(index, info, url) for index, (info, url) in pairs])


class _Room:
    """For twice as many tasks as the cluster has CPUs for: none of these idles, an autoscaler sees
    that more are wanted, and after an error there are few that nobody needs."""

    def __init__(self, cpus: float) -> None:
        """Args: cpus: of one task."""
        self._cpus = cpus
        self._places = asyncio.Semaphore(0)
        self._count = 0

    async def grow(self) -> None:
        """To what the cluster has now."""
        resources = await asyncio.to_thread(ray.cluster_resources)
        cpus = max(self._cpus, CPUS_MIN)
        wanted = max(TASKS_MIN, 2 * math.ceil(resources.get("CPU", 0) / cpus))
        for _ in range(self._count, wanted):
            self._places.release()
        self._count = max(self._count, wanted)

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Of one task, as soon as there is one."""
        async with self._places:
            yield
        await self.grow()


async def _all(work: Sequence[Coroutine[Any, Any, list[IngestedFile]]]) -> list[IngestedFile]:
    """All files in order. The first error ends the waiting for all others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [file for task in tasks for file in task.result()]
