"""The fleet of a database: its started processes, and which virtual warehouse each works for.

1. A coordinator wishes workers of a shape. What it lacks comes from spare ones of that shape; for
   the rest new ones are started. Processes of one shape are alike, so whichever is ready first goes
   to who has waited longest.
2. A worker that is given back is spare. Of each shape as many spare ones are kept as the floor of
   its node type says, the others end. With floors of 0 an idle database holds no worker.
3. A process that dies is noticed at once. A worker is made good because the wish still stands; the
   virtual warehouse of a dead coordinator gets another one, which reads the log, is handed the
   workers that are idle, and goes on. Those that are busy for the dead one are ended.
4. Wishes that the cluster does not meet in time are told to their coordinators as a shortage.

One event loop. Where processes run is `host.py`; nothing here must survive: an earlier fleet's
processes introduce themselves, and coordinators repeat their wishes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.compute.workers import WorkerLost
from actors.fleet.host import Host
from actors.fleet.port import CoordinatorHandle, Wish
from actors.fleet.shapes import COORDINATOR, Shape, WorkerShape
from actors.observed import Observed, ScalingEvent
from storage.clock import Clock
from storage.errors import MobulaError, Unavailable
from storage.ids import Ids

__all__ = ["Fleet", "FleetLimits"]

EVENTS_MAX = 10_000
OPENINGS_MAX = 3  # coordinators that one call may lose while they open
RETRY_MS_MAX = 5_000.0
TEND_MS = 1_000.0
NODES_AGAIN_MS = 5_000.0
OBSERVE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLimits:
    """Attributes:
    floors: spare processes of a shape that are kept; of other shapes none.
    start_timeout_ms: how long a process may take to start before that is a shortage.
    """

    floors: Mapping[Shape, int] = field(default_factory=dict)
    start_timeout_ms: float = 60_000.0


@dataclass(slots=True, eq=False, kw_only=True)
class _Process:
    """`state`: "starting", "spare", "lent" or "leading"."""

    id: str
    shape: Shape
    handle: Any
    since_ms: float
    state: str = "starting"
    pid: int = 0
    warehouse: str = ""


@dataclass(slots=True, eq=False, kw_only=True)
class _Lead:
    """A virtual warehouse that has a coordinator, or gets one."""

    name: str
    process: _Process | None = None
    opening: asyncio.Task[_Process] | None = None
    wish: Wish | None = None
    wished_ms: float = 0.0  # since when it lacks workers
    short: bool = False


class Fleet:
    """See the module."""

    def __init__(self, host: Host, limits: FleetLimits, clock: Clock, ids: Ids) -> None:
        self._host = host
        self._limits = limits
        self._clock = clock
        self._ids = ids
        self._processes: dict[str, _Process] = {}
        self._leads: dict[str, _Lead] = {}
        self._wanted: deque[asyncio.Future[_Process]] = deque()  # coordinators
        self._events: deque[ScalingEvent] = deque(maxlen=EVENTS_MAX)
        self._failures: dict[Shape, int] = {}
        self._pauses: set[Shape] = set()  # shapes whose next start waits for a while
        self._tasks: set[asyncio.Task[Any]] = set()
        self._told: list[Mapping[str, float]] | None = None
        self._told_ms = 0.0
        self._closed = False

    # --- life -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take over what an earlier fleet has left, and tend it from now on."""
        for found in await self._host.found():
            process = _Process(
                id=found.id,
                shape=found.shape,
                handle=found.handle,
                since_ms=self._clock.monotonic_ms(),
                pid=found.pid,
                warehouse=found.warehouse,
            )
            self._processes[process.id] = process
            self._adopt(process)
            self._spawn(self._watch_gone(process))
        for lead in list(self._leads.values()):
            if lead.process is None:  # its coordinator died with the earlier fleet
                self._begin_opening(lead)
        self._reconcile()
        self._spawn(self._tend())

    def _adopt(self, process: _Process) -> None:
        if not process.warehouse:
            process.state = "spare"
            return
        lead = self._leads.setdefault(process.warehouse, _Lead(name=process.warehouse))
        if process.shape != COORDINATOR:
            process.state = "lent"
        elif lead.process is None:
            process.state, lead.process = "leading", process
        else:  # two of one virtual warehouse: it was being replaced
            self._end(process)

    async def close(self) -> None:
        """End every process, and the wish for nodes."""
        for name in list(self._leads):
            with contextlib.suppress(MobulaError, WorkerLost):
                await self.stop(name, force=True)
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in list(self._processes.values()):
            self._end(process)
        await self._host.nodes(())

    # --- what clients ask for ---------------------------------------------------------------------

    async def coordinator(self, name: str) -> Any:
        """The handle of a virtual warehouse's coordinator, which is started if none runs.

        Raises UnknownObject, or why it cannot be started.
        """
        lead = self._leads.setdefault(name, _Lead(name=name))
        if lead.process is not None:
            return lead.process.handle
        task = lead.opening or self._begin_opening(lead)
        return (await asyncio.shield(task)).handle

    async def stop(self, name: str, *, force: bool) -> None:
        """End a virtual warehouse's processes, once its queries are over, or at once."""
        lead = self._leads.get(name)
        if lead is None:
            return
        if lead.opening is not None:
            with contextlib.suppress(MobulaError, WorkerLost):
                await asyncio.shield(lead.opening)
        process = lead.process
        if process is not None:
            with contextlib.suppress(WorkerLost):
                await self._host.coordinator(process.handle).close(force=force)
        if self._leads.get(name) is lead:
            del self._leads[name]
        if process is not None:
            self._end(process)
        for worker in self._lent_to(name):
            self._end(worker)
        self._reconcile()

    def running(self) -> dict[str, Any]:
        """The handles of all coordinators, by virtual warehouse."""
        return {n: lead.process.handle for n, lead in self._leads.items() if lead.process}

    async def cancel(self, query_id: str) -> bool:
        """End a query of any virtual warehouse; whether there was one."""
        found = await self._of_all(lambda coordinator: coordinator.cancel(query_id))
        return any(found)

    async def observe(self, kind: str) -> list[Observed]:
        """What `mobula.{kind}()` shows; of virtual warehouses only those that run."""
        if kind == "scaling_events":
            return list(reversed(self._events))
        queries = kind == "queries"
        observed = await self._of_all(lambda coordinator: coordinator.observe(queries=queries))
        if not queries:
            return [found.warehouse for found in observed]
        with contextlib.suppress(MobulaError, WorkerLost, TimeoutError):
            async with asyncio.timeout(OBSERVE_S):
                primary = await self._host.primary_queries()
                return [*primary, *(query for found in observed for query in found.queries)]
        return [query for found in observed for query in found.queries]

    def status(self) -> dict[str, Any]:
        """Processes by shape and state."""
        counts: dict[tuple[str, str], int] = {}
        for process in self._processes.values():
            key = _shape_text(process.shape), process.state
            counts[key] = counts.get(key, 0) + 1
        return {
            "processes": [
                {"shape": shape, "state": state, "count": count}
                for (shape, state), count in sorted(counts.items())
            ],
            "pids": sorted(p.pid for p in self._processes.values() if p.pid),
            "warehouses": sorted(self._leads),
        }

    # --- what coordinators say (`FleetPort`) ------------------------------------------------------

    def wish(self, wish: Wish, events: Sequence[ScalingEvent]) -> None:
        """See `FleetPort`."""
        lead = self._leads.get(wish.warehouse)
        if lead is None or not self._leads_it(lead, wish.leader):
            return  # of a coordinator that has been replaced
        self._events.extend(events)
        if lead.wish is None or lead.wish.workers < wish.workers:
            lead.wished_ms = self._clock.monotonic_ms()
        lead.wish = wish
        self._reconcile()

    def give_back(self, leader: str, ids: Sequence[str]) -> None:
        """See `FleetPort`."""
        for id_ in ids:
            process = self._processes.get(id_)
            if process is not None and process.state == "lent":
                process.state, process.warehouse = "spare", ""
                self._spawn(self._returned(process))
        self._reconcile()

    def dismiss(self, leader: str, id: str, why: str) -> None:  # noqa: A002
        """See `FleetPort`."""
        process = self._processes.get(id)
        if process is None:
            return
        action = "worker lost" if why == "died" else "worker replaced"
        self._happened(process.warehouse, action, f"process {process.pid}: {why}")
        self._end(process)
        self._reconcile()

    # --- coordinators -----------------------------------------------------------------------------

    def _leads_it(self, lead: _Lead, leader: str) -> bool:
        """Whether this process leads the virtual warehouse, or is about to."""
        process = self._processes.get(leader)
        if process is None or process.warehouse != lead.name:
            return False
        return lead.process is None or lead.process is process

    def _begin_opening(self, lead: _Lead) -> asyncio.Task[_Process]:
        lead.opening = task = self._spawn(self._open(lead))
        return task

    async def _open(self, lead: _Lead) -> _Process:
        try:
            process = await self._opened(lead)
        except BaseException:
            lead.opening = None
            if self._leads.get(lead.name) is lead and lead.process is None:
                del self._leads[lead.name]
                for worker in self._lent_to(lead.name):
                    self._end(worker)
            self._reconcile()
            raise
        lead.process, lead.opening = process, None
        self._reconcile()
        return process

    async def _opened(self, lead: _Lead) -> _Process:
        for _ in range(OPENINGS_MAX):
            process = await self._coordinator_process()
            process.state, process.warehouse = "leading", lead.name
            coordinator = self._host.coordinator(process.handle)
            try:
                process.pid = await coordinator.lead(lead.name, process.id)
                await self._hand_over(lead, coordinator)
            except WorkerLost:
                self._end(process)
                continue
            except BaseException:
                self._end(process)
                raise
            return process
        raise Unavailable(
            f"virtual warehouse {lead.name}: its coordinator died {OPENINGS_MAX} times while it "
            "opened; the logs of Ray's workers say why"
        )

    async def _coordinator_process(self) -> _Process:
        turn: asyncio.Future[_Process] = asyncio.get_running_loop().create_future()
        self._wanted.append(turn)
        self._reconcile()
        limit_s = self._limits.start_timeout_ms / 1000
        done, _ = await asyncio.wait({turn}, timeout=limit_s)
        if done:
            return turn.result()
        self._wanted.remove(turn)
        raise Unavailable(
            f"no coordinator could be started within {limit_s:g} s; {await self._host.supply()}"
        )

    async def _hand_over(self, lead: _Lead, coordinator: CoordinatorHandle) -> None:
        """What its predecessor has left: it goes on with as many clusters."""
        idle = [worker for worker in self._lent_to(lead.name) if await self._is_idle(worker)]
        if idle:
            await coordinator.take_over(len(idle))
        for worker in idle:
            assert isinstance(worker.shape, WorkerShape)
            await coordinator.join(worker.id, worker.handle, worker.pid, worker.shape)

    async def _is_idle(self, worker: _Process) -> bool:
        """Whether it can be handed over; one that works for who is dead ends."""
        try:
            busy = await self._host.busy(worker.handle)
        except WorkerLost:
            busy = True
        if busy:
            self._end(worker)
        return not busy

    # --- processes --------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        """Lend what is spare, start what lacks, end what is too much."""
        if self._closed:
            return
        shapes = {p.shape for p in self._processes.values()} | set(self._limits.floors)
        shapes |= {lead.wish.shape for lead in self._leads.values() if lead.wish}
        if self._wanted:
            shapes.add(COORDINATOR)
        for shape in shapes:
            self._lend(shape)
            lacking = self._lacking(shape) + self._limits.floors.get(shape, 0)
            spare, starting = self._in_state(shape, "spare"), self._in_state(shape, "starting")
            missing = lacking - len(spare) - len(starting)
            for _ in range(max(missing, 0)):
                if shape not in self._pauses:
                    self._start(shape)
            for process in [*reversed(starting), *reversed(spare)][: max(-missing, 0)]:
                self._end(process)
        self._tell_nodes()

    def _lacking(self, shape: Shape) -> int:
        if shape == COORDINATOR:
            return len(self._wanted)
        return sum(self._deficit(lead, shape) for lead in self._leads.values())

    def _deficit(self, lead: _Lead, shape: Shape | None = None) -> int:
        wish = lead.wish
        if wish is None or (shape is not None and wish.shape != shape):
            return 0
        have = sum(worker.shape == wish.shape for worker in self._lent_to(lead.name))
        return max(wish.workers - have, 0)

    def _lend(self, shape: Shape) -> None:
        spare = deque(self._in_state(shape, "spare"))
        if shape == COORDINATOR:
            while spare and self._wanted:
                process = spare.popleft()
                process.state = "leading"
                self._wanted.popleft().set_result(process)
            return
        for lead in sorted(self._leads.values(), key=lambda lead: lead.wished_ms):
            while spare and lead.process is not None and self._deficit(lead, shape):
                process = spare.popleft()
                process.state, process.warehouse = "lent", lead.name
                self._spawn(self._joined(process, lead))

    async def _joined(self, process: _Process, lead: _Lead) -> None:
        assert isinstance(process.shape, WorkerShape)
        try:
            await self._host.lend(process.handle, lead.name)
        except WorkerLost:
            return  # `_watch_gone` sees to it
        if lead.process is None or process.state != "lent":
            return  # its next coordinator is handed it
        with contextlib.suppress(WorkerLost):
            coordinator = self._host.coordinator(lead.process.handle)
            await coordinator.join(process.id, process.handle, process.pid, process.shape)
            self._happened(lead.name, "worker ready", f"process {process.pid}")
            await self._relieve(lead)

    async def _returned(self, process: _Process) -> None:
        with contextlib.suppress(WorkerLost):
            await self._host.lend(process.handle, "")

    def _start(self, shape: Shape) -> None:
        id_ = self._ids.new()
        try:
            handle = self._host.start(id_, shape)
        except MobulaError:  # its node type is none of ours, say: then it remains a shortage
            self._pauses.add(shape)
            self._spawn(self._pause(shape))
            return
        process = _Process(id=id_, shape=shape, handle=handle, since_ms=self._clock.monotonic_ms())
        self._processes[id_] = process
        self._spawn(self._watch(process))

    async def _watch(self, process: _Process) -> None:
        try:
            process.pid = await self._host.ready(process.handle)
        except Exception:  # whatever it was, the next try may succeed
            if self._processes.get(process.id) is process:
                self._end(process)
                await self._pause(process.shape)
            return
        if self._processes.get(process.id) is not process:
            return
        self._failures.pop(process.shape, None)
        process.state = "spare"
        self._reconcile()
        await self._watch_gone(process)

    async def _pause(self, shape: Shape) -> None:
        """Before the next start of a shape that does not start."""
        self._pauses.add(shape)
        self._failures[shape] = failures = self._failures.get(shape, 0) + 1
        await self._clock.sleep_ms(min(50.0 * 2**failures, RETRY_MS_MAX))
        self._pauses.discard(shape)
        self._reconcile()

    async def _watch_gone(self, process: _Process) -> None:
        await self._host.gone(process.handle)
        if self._processes.pop(process.id, None) is None:
            return  # it was ended on purpose
        if process.state == "leading":
            self._lost_coordinator(process)
        elif process.state == "lent":
            self._happened(process.warehouse, "worker lost", f"process {process.pid} is gone")
            lead = self._leads.get(process.warehouse)
            if lead is not None and lead.process is not None:
                with contextlib.suppress(WorkerLost):
                    await self._host.coordinator(lead.process.handle).left(process.id)
        self._reconcile()

    def _lost_coordinator(self, process: _Process) -> None:
        lead = self._leads.get(process.warehouse)
        if lead is None or lead.process is not process:
            return  # it was being opened: who waits for it hears of it
        self._happened(lead.name, "coordinator lost", f"process {process.pid} is gone")
        lead.process, lead.wish = None, None
        self._begin_opening(lead)

    def _end(self, process: _Process) -> None:
        self._processes.pop(process.id, None)
        self._host.kill(process.handle)

    # --- shortages and nodes ----------------------------------------------------------------------

    async def _tend(self) -> None:
        while True:
            await self._clock.sleep_ms(TEND_MS)
            for lead in list(self._leads.values()):
                await self._look_for_shortage(lead)
            self._reconcile()

    async def _look_for_shortage(self, lead: _Lead) -> None:
        now_ms = self._clock.monotonic_ms()
        wish, lacking = lead.wish, self._deficit(lead)
        if not lacking:
            await self._relieve(lead)
            return
        if wish is None or lead.process is None or lead.short:
            return
        waited_ms = now_ms - lead.wished_ms
        if waited_ms < self._limits.start_timeout_ms:
            return
        lead.short = True
        have = wish.workers - lacking
        text = (
            f"virtual warehouse {lead.name} wishes {wish.workers} workers of "
            f"{_shape_text(wish.shape)}; after {waited_ms / 1000:.0f} s the cluster has given "
            f"{have}, and it serves with these; {await self._host.supply()}"
        )
        self._happened(lead.name, "shortage", text)
        with contextlib.suppress(WorkerLost):
            await self._host.coordinator(lead.process.handle).shortage(text)

    async def _relieve(self, lead: _Lead) -> None:
        if not lead.short or self._deficit(lead) or lead.process is None:
            return
        lead.short = False
        self._happened(lead.name, "shortage over", "it has all the workers it wishes")
        with contextlib.suppress(WorkerLost):
            await self._host.coordinator(lead.process.handle).shortage(None)

    def _tell_nodes(self) -> None:
        bundles: list[Mapping[str, float]] = [
            dict(self._host.bundle(lead.wish.shape))
            for lead in self._leads.values()
            if lead.wish is not None
            for _ in range(lead.wish.workers)
        ]
        now_ms = self._clock.monotonic_ms()
        if bundles == self._told and (not bundles or now_ms - self._told_ms < NODES_AGAIN_MS):
            return
        if self._told is None and not bundles:
            return
        self._told, self._told_ms = bundles, now_ms
        self._spawn(self._host.nodes(bundles))

    # --- small things -----------------------------------------------------------------------------

    def _in_state(self, shape: Shape, state: str) -> list[_Process]:
        found = self._processes.values()
        return [process for process in found if process.shape == shape and process.state == state]

    def _lent_to(self, name: str) -> list[_Process]:
        found = self._processes.values()
        return [p for p in found if p.state == "lent" and p.warehouse == name]

    def _happened(self, warehouse: str, action: str, reason: str) -> None:
        lead = self._leads.get(warehouse)
        wish = lead.wish if lead is not None else None
        self._events.append(
            ScalingEvent(
                happened_at=self._clock.now_ms(),
                warehouse=warehouse,
                action=action,
                clusters=wish.clusters if wish is not None else 0,
                workers=wish.workers if wish is not None else 0,
                reason=reason,
            )
        )

    async def _of_all(
        self, ask: Callable[[CoordinatorHandle], Coroutine[Any, Any, Any]]
    ) -> list[Any]:
        """What all coordinators answer, without those that do not."""

        async def one(handle: Any) -> Any:
            async with asyncio.timeout(OBSERVE_S):
                return await ask(self._host.coordinator(handle))

        handles = self.running().values()
        found = await asyncio.gather(*(one(handle) for handle in handles), return_exceptions=True)
        return [answer for answer in found if not isinstance(answer, BaseException)]

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _shape_text(shape: Shape) -> str:
    if not isinstance(shape, WorkerShape):
        return shape
    memory = f", {shape.memory_bytes >> 20} MiB" if shape.memory_bytes is not None else ""
    return f"{shape.cpus:g} CPUs{memory} on nodes of type {shape.node_type}"
