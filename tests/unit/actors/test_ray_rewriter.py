"""Which flushes and compactions are tasks of a cluster, and what becomes of those that fail."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
import ray.exceptions

from actors.ray_rewriter import RayRewriter
from actors.settings import NodeSettings, RaySettings, Settings
from storage.errors import CorruptData, InternalError, MobulaError, OutOfMemory, Unavailable
from storage.rewrite import Rewritten
from storage.rewriting import Rewriting
from storage.source_map import SourceMap

RESULT = Rewritten(gone=(), files=(), deleted={}, moved=SourceMap.of([]))


@dataclasses.dataclass
class Work:
    size_bytes: int


class Own:
    def __init__(self) -> None:
        self.done: list[Any] = []

    side_by_side = 2

    async def rewrite(self, work: Rewriting, progress: Callable[[int], None]) -> Rewritten:
        self.done.append(work)
        return RESULT

    def status(self) -> dict[str, int]:
        return {}


class Reference:
    def __init__(self, value: Any) -> None:
        self.value = value

    def future(self) -> Future[Any]:
        found: Future[Any] = Future()
        if isinstance(self.value, Exception) and not isinstance(self.value, MobulaError):
            found.set_exception(self.value)
        else:
            found.set_result(self.value)
        return found


class Steps:
    """What a task yields; None: nothing comes any more."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    async def __anext__(self) -> Reference:
        if self.values[0] is None:
            await asyncio.Event().wait()
        return Reference(self.values.pop(0))


def rewriting(*values: Any, size_bytes: int = 100) -> tuple[Any, list[int], Own, RayRewriter]:
    own, told = Own(), list[int]()
    settings = Settings(ray=RaySettings(maintenance_bytes_min=100, maintenance_start_s=0.01))
    node = NodeSettings(root="", store=None, branch="main", database_id="d", settings=settings)
    rewriter = RayRewriter(own, node, lambda node, work: Steps(*values), lambda: 16.0)
    work: Any = Work(size_bytes)
    return rewriter.rewrite(work, told.append), told, own, rewriter


def counts(rewriter: RayRewriter) -> tuple[int, int]:
    status = rewriter.status()
    return status["maintenance_tasks"], status["maintenance_displaced"]


def test_a_large_one_is_a_task_and_tells_its_progress() -> None:
    call, told, own, rewriter = rewriting(0, 5, 7, RESULT)
    assert asyncio.run(call) is RESULT
    assert (told, own.done, counts(rewriter)) == ([0, 5, 7], [], (1, 0))


def test_a_small_one_is_done_here() -> None:
    call, _, own, rewriter = rewriting(size_bytes=99)
    assert asyncio.run(call) is RESULT
    assert (len(own.done), counts(rewriter)) == (1, (0, 0))


def test_one_that_no_node_has_room_for_is_done_here_and_so_are_the_next() -> None:
    call, _, own, rewriter = rewriting(None)

    async def twice() -> None:
        assert await call is RESULT
        work: Any = Work(1 << 30)
        assert await rewriter.rewrite(work, lambda _: None) is RESULT

    asyncio.run(twice())
    assert (len(own.done), counts(rewriter)) == (2, (1, 1))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (CorruptData("data/x: rotten"), CorruptData),
        (ray.exceptions.OutOfMemoryError("node"), OutOfMemory),
        (ray.exceptions.WorkerCrashedError(), Unavailable),
        ("nonsense", InternalError),
    ],
)
def test_errors_are_ours(said: Any, error: type[MobulaError]) -> None:
    call, _, own, _ = rewriting(0, said)
    with pytest.raises(error):
        asyncio.run(call)
    assert own.done == []


def test_as_many_as_half_of_the_cluster_holds() -> None:
    async def run(cpus: float, most: int = 8) -> int:
        settings = Settings(ray=RaySettings(maintenance_bytes_min=1, maintenance_tasks_max=most))
        node = NodeSettings(root="", store=None, branch="main", database_id="d", settings=settings)
        found = RayRewriter(Own(), node, lambda node, work: Steps(0, RESULT), lambda: cpus)
        assert found.side_by_side == Own.side_by_side  # nobody has asked the cluster yet
        work: Any = Work(1)
        await found.rewrite(work, lambda _: None)
        return found.side_by_side

    assert [asyncio.run(run(cpus)) for cpus in (0.5, 2.0, 4.0, 8.0, 64.0)] == [1, 1, 2, 4, 8]
    assert asyncio.run(run(64.0, most=3)) == 3
