"""Ray actors as the plain parts see them: workers and coordinators; and Ray's errors as ours."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

import ray
import ray.exceptions

from actors.channel import Channel, Disconnected, Kept, Unpacked
from actors.compute.workers import WorkerLost
from actors.fleet.port import Observation
from actors.fleet.shapes import WorkerShape
from actors.fragments import Fragment, FragmentResult, HotFile, Warmed
from actors.shells.listening import pack_plain
from storage.errors import InternalError, MobulaError, WorkerExhausted

__all__ = ["RayCoordinator", "RayWorker", "answer"]

CLOSE_S = 5.0  # how long a worker may take to close
KILL_S = 0.1  # before a worker that the fleet shall end is ended anyhow
STOP_S = 0.5  # how long a stream may take to stop before its process is ended
USAGE_S = 0.5  # how often a worker that runs a query is asked what memory it takes
NEAR_LIMIT = 0.8  # a worker that died with so much of its memory taken died of it


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    """Errors of a call to a worker or coordinator as ours."""
    try:
        yield
    except ray.exceptions.OutOfMemoryError as error:
        raise WorkerExhausted(
            f"{what} took more memory than its node has; use larger workers or ask for less at once"
        ) from error
    except ray.exceptions.RayActorError as error:
        raise WorkerLost(str(error)) from error
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, MobulaError):
            raise error.cause from None
        raise InternalError(f"{what}: a process failed: {error}") from error


async def answer(reference: Any, what: str) -> Any:
    """What a call gave. Raises WorkerLost if the process is gone, or the error that it raised."""
    with _translated(what):
        return await asyncio.wrap_future(reference.future())


async def _connected(actor: Any) -> Channel | None:
    """A channel to a process; None: there is none to be had."""
    with contextlib.suppress(Disconnected, MobulaError, WorkerLost, ray.exceptions.RayError):
        address = await answer(actor.channel.remote(), "connecting to a worker")
        return None if address is None else await Channel.connect(address)
    return None


class RayWorker:
    """A `WorkerHandle` onto a worker actor."""

    def __init__(self, actor: Any, pid: int) -> None:
        self._actor = actor
        self.pid = pid
        self._memory_bytes = 0  # that it took when it was asked last
        self._connecting = asyncio.create_task(_connected(actor))

    async def execute(self, fragment: Fragment) -> FragmentResult:
        with _translated(f"query {fragment.query_id}"):
            try:
                found = await self._executed_here(fragment)
                return await self._executed_by_ray(fragment) if found is None else found
            except (ray.exceptions.RayActorError, Disconnected) as error:
                self._judge(fragment, error)
                raise WorkerLost(str(error)) from error

    async def _executed_here(self, fragment: Fragment) -> FragmentResult | None:
        """The result over the channel; None: it is not there, or not for this fragment."""
        channel = self._channel()
        if channel is None:
            return None
        try:
            call = channel.call(pack_plain(("execute", fragment)))
            found = await self._watched(asyncio.create_task(call))
        except Unpacked:
            return None
        if isinstance(found, Kept):
            return await self._taken(*self._actor.take.remote(found.name))
        stats, rows = found
        return FragmentResult(rows=rows, stats=stats)

    async def _executed_by_ray(self, fragment: Fragment) -> FragmentResult:
        return await self._taken(*self._actor.execute.remote(fragment))

    async def _taken(self, cost: Any, rows: Any) -> FragmentResult:
        stats, few = await self._watched(asyncio.wrap_future(cost.future()))
        return FragmentResult(rows=rows if few is None else few, stats=stats)

    async def _watched(self, found: asyncio.Future[Any]) -> Any:
        """What comes of it; meanwhile it is known what memory the worker takes."""
        self._memory_bytes = 0
        try:
            while not (await asyncio.wait({found}, timeout=USAGE_S))[0]:
                await self._look_at_memory(found)
            return found.result()
        finally:
            found.cancel()  # of a caller who gave up: nobody will ask what became of it

    async def _look_at_memory(self, found: asyncio.Future[Any]) -> None:
        usage = asyncio.wrap_future(self._actor.memory_bytes.remote().future())
        try:
            await asyncio.wait({found, usage}, timeout=USAGE_S, return_when=FIRST_COMPLETED)
            if usage.done() and usage.exception() is None:
                self._memory_bytes = usage.result()
        finally:
            usage.cancel()

    def _judge(self, fragment: Fragment, error: Exception) -> None:
        """Whether a worker that died did so of memory: nobody tells, when the kernel ended it."""
        limit = fragment.memory_bytes
        if limit is not None and self._memory_bytes >= NEAR_LIMIT * limit:
            raise WorkerExhausted(
                f"query {fragment.query_id}: its worker died when it took "
                f"{self._memory_bytes >> 20} of its {limit >> 20} MiB; use larger workers or ask "
                "for less at once"
            ) from error

    async def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        """References to the batches, then what they cost: the client fetches them from this node's
        object store. One batch is made ahead of the one that is asked for."""
        what = f"query {fragment.query_id}"
        await answer(self._actor.open_stream.remote(fragment), what)
        ended = False
        try:
            is_batch, batch = self._actor.next_batch.remote()
            while await answer(is_batch, what):
                ready, (is_batch, batch) = batch, self._actor.next_batch.remote()
                yield ready
            ended = True
            costs = await answer(batch, what)
            if costs is not None:
                yield costs
        finally:
            if not ended:
                await self._stop()

    async def _stop(self) -> None:
        """End a stream. Raises WorkerLost if the worker is still busy with it: it has to go."""
        stopped = asyncio.wrap_future(self._actor.close_stream.remote().future())
        done, _ = await asyncio.wait({stopped}, timeout=STOP_S)
        if not done or stopped.exception() is not None or await self.busy():
            raise WorkerLost("it does not stop")

    async def warm(self, files: Sequence[HotFile]) -> Warmed:
        warmed: Warmed = await answer(self._actor.warm.remote(list(files)), "warming a worker")
        return warmed

    async def busy(self) -> bool:
        return bool(await answer(self._actor.busy.remote(), "asking a worker"))

    def forget(self) -> None:
        if (channel := self._channel()) is not None:
            channel.close()
        self._connecting.cancel()

    def _channel(self) -> Channel | None:
        """None: it is not there yet, cannot be had, or has broken off: then Ray knows more."""
        connecting = self._connecting
        waits = not connecting.done() or connecting.cancelled()
        channel = None if waits else connecting.result()
        return channel if channel is not None and channel.open else None

    def kill(self) -> None:
        # The fleet was told why, and ends it too: who dies before it has heard is taken for lost.
        asyncio.get_running_loop().call_later(KILL_S, ray.kill, self._actor)

    async def close(self) -> None:
        with contextlib.suppress(ray.exceptions.RayError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.wrap_future(self._actor.close.remote().future())
        ray.kill(self._actor)


class RayCoordinator:
    """A `CoordinatorHandle` onto a coordinator actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def lead(self, warehouse: str, leader: str) -> int:
        return int(await self._ask("lead", warehouse, leader))

    async def take_over(self, workers: int) -> None:
        await self._ask("take_over", workers)

    async def join(self, id: str, worker: Any, pid: int, shape: WorkerShape) -> None:  # noqa: A002
        await self._ask("join", id, worker, pid, shape)

    async def left(self, id: str) -> None:  # noqa: A002
        await self._ask("left", id)

    async def shortage(self, text: str | None) -> None:
        await self._ask("shortage", text)

    async def observe(self, *, queries: bool) -> Observation:
        found: Observation = await self._ask("observe", queries)
        return found

    async def cancel(self, query_id: str) -> bool:
        return bool(await self._ask("cancel", query_id))

    async def close(self, *, force: bool) -> None:
        await self._ask("close", force)

    async def _ask(self, method: str, *arguments: Any) -> Any:
        reference = getattr(self._actor, method).remote(*arguments)
        return await answer(reference, f"a coordinator ({method})")
