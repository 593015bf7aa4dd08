"""The fleet of a database: its started processes, and which virtual warehouse each works for.

1. A coordinator wishes workers of a shape. What it lacks comes from spare ones of that shape; for
   the rest new ones are started. Processes of one shape are alike, so whichever is ready first goes
   to who has waited longest.
2. A worker that is given back is spare. Of each shape as many spare ones are kept as the floor of
   its node type says (`floors.py`), the others end: by default an idle database holds no worker.
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
from typing import Any, TypeVar

from actors.compute.workers import WorkerLost
from actors.fleet.books import Books, Lead, Process
from actors.fleet.floors import Floors
from actors.fleet.host import Host
from actors.fleet.needs import Needs
from actors.fleet.openings import Openings, ending
from actors.fleet.port import CoordinatorHandle, Wish
from actors.fleet.shapes import COORDINATOR, Shape, WorkerShape
from actors.observed import Observed, ScalingEvent, starting_warehouse
from actors.virtual_warehouse.metrics import Meter, NoMetrics
from storage.clock import Clock
from storage.errors import MobulaError, Unavailable
from storage.ids import Ids

__all__ = ["Fleet", "FleetLimits"]

RETRY_MS_MAX = 5_000.0
TEND_MS = 1_000.0
OBSERVE_S = 5.0
CLOSE_S = 10.0  # how long coordinators may take to end everything at once

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLimits:
    """Attributes:
    floors: spare processes of a shape that are kept; of other shapes none.
    start_timeout_ms: how long a process may take to start before that is a shortage.
    """

    floors: Mapping[Shape, int] = field(default_factory=dict)
    start_timeout_ms: float = 60_000.0


class Fleet:
    """See the module. `meter` hears what happens."""

    def __init__(
        self, host: Host, limits: FleetLimits, clock: Clock, ids: Ids, meter: Meter | None = None
    ) -> None:
        self._host = host
        self._limits = limits
        self._clock = clock
        self._ids = ids
        self._books = Books(clock, meter or Meter(NoMetrics(), ""))
        self._needs = Needs(
            host, self._books, clock, patience_ms=limits.start_timeout_ms, spawn=self._spawn
        )
        self._floors = Floors(limits.floors, clock)
        self._openings = Openings(
            host,
            self._books,
            clock,
            patience_ms=limits.start_timeout_ms,
            spawn=self._spawn,
            reconcile=self._reconcile,
            end=self._end,
        )
        self._failures: dict[Shape, int] = {}
        self._pauses: set[Shape] = set()  # shapes whose next start waits for a while
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    # --- life -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take over what an earlier fleet has left, and tend it from now on."""
        for found in await self._host.found():
            process = Process(
                id=found.id,
                shape=found.shape,
                handle=found.handle,
                pid=found.pid,
                warehouse=found.warehouse,
            )
            self._books.processes[process.id] = process
            self._adopt(process)
            self._spawn(self._watch_gone(process))
        for lead in list(self._books.leads.values()):
            if lead.process is None:  # its coordinator died with the earlier fleet
                self._begin_opening(lead)
                continue
            # It may never have heard of a worker, and we not of one that it gave back.
            for worker in self._books.lent_to(lead.name):
                self._spawn(self._join(worker, lead))
        self._reconcile()
        self._spawn(self._tend())

    def _adopt(self, process: Process) -> None:
        if not process.warehouse:
            process.state = "spare"
            return
        lead = self._books.leads.setdefault(process.warehouse, Lead(name=process.warehouse))
        if process.shape != COORDINATOR:
            process.state = "lent"
        elif lead.process is None:
            process.state, lead.process = "leading", process
        else:  # two of one virtual warehouse: it was being replaced
            self._end(process)

    async def close(self) -> None:
        """End every process, and the wish for nodes."""
        self._closed = True
        self._openings.close()
        stopping = [self.stop(name, force=True) for name in self._books.leads]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(*stopping, return_exceptions=True)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in list(self._books.processes.values()):
            self._end(process)
        await self._host.nodes(())

    # --- what clients ask for ---------------------------------------------------------------------

    async def coordinator(self, name: str, first: Wish | None = None) -> Any:
        """The handle of a virtual warehouse's coordinator, which is started if none runs; awake,
        with this first wish, so that its workers start meanwhile. Raises why it does not start.
        """
        if self._closed:
            raise ending()
        lead = self._books.leads.setdefault(name, Lead(name=name))
        if lead.process is not None:
            return lead.process.handle
        lead.wish = lead.wish or first
        task = lead.opening or self._begin_opening(lead)
        return (await asyncio.shield(task)).handle

    async def stop(self, name: str, *, force: bool) -> None:
        """End a virtual warehouse's processes, once its queries are over, or at once."""
        lead = self._books.leads.get(name)
        if lead is None:
            return
        lead.stopping += 1
        try:
            # Whatever these raise: its processes end now.
            with contextlib.suppress(Exception):
                if lead.opening is not None:
                    await asyncio.shield(lead.opening)
            with contextlib.suppress(Exception):
                if lead.process is not None:
                    await self._host.coordinator(lead.process.handle).close(force=force)
        except BaseException:  # nobody waits for it any more: it stays
            lead.stopping -= 1
            if lead.process is None and lead.opening is None and not self._closed:
                self._begin_opening(lead)
            raise
        self._forget(lead)

    def running(self) -> dict[str, Any]:
        """The handles of all coordinators, by virtual warehouse."""
        return {n: x.process.handle for n, x in self._books.leads.items() if x.process}

    async def cancel(self, query_id: str) -> bool:
        """End a query of any virtual warehouse; whether there was one."""
        found = await self._of_all(lambda coordinator: coordinator.cancel(query_id))
        return any(found)

    async def observe(self, kind: str) -> list[Observed]:
        """What `mobula.{kind}()` shows; of virtual warehouses only those that run or are to."""
        if kind == "scaling_events":
            return list(self._books.events)
        if kind == "tasks":
            return list(await self._of_primary(kind))
        queries = kind == "queries"
        observed = await self._of_all(lambda coordinator: coordinator.observe(queries=queries))
        if not queries:
            seen = {found.warehouse.name: found.warehouse for found in observed}
            silent = [n for n, x in self._books.leads.items() if n not in seen and not x.stopping]
            return [*seen.values(), *map(starting_warehouse, silent)]
        primary = await self._of_primary(kind)
        return [*primary, *(query for found in observed for query in found.queries)]

    async def _of_primary(self, kind: str) -> Sequence[Observed]:
        """Nothing if it does not answer: it may be starting."""
        with contextlib.suppress(MobulaError, WorkerLost, TimeoutError):
            async with asyncio.timeout(OBSERVE_S):
                return await self._host.observed_by_primary(kind)
        return ()

    def status(self) -> dict[str, Any]:
        """Processes by shape and state."""
        return self._books.status()

    # --- what coordinators say (`FleetPort`) ------------------------------------------------------

    def wish(self, wish: Wish, events: Sequence[ScalingEvent]) -> None:
        """See `FleetPort`."""
        lead = self._books.leads_it(wish.warehouse, wish.leader)
        if lead is None:
            return  # of a coordinator that has been replaced
        self._books.heard(events)
        self._books.wishes(lead, wish)
        for worker in self._books.forgotten(lead.name, wish.members):
            self._books.lost(worker, "its return was lost")
            self._end(worker)  # should that not be so after all, its query is repeated
        self._reconcile()

    def give_back(self, leader: str, ids: Sequence[str]) -> None:
        """See `FleetPort`."""
        for process in self._lent_by(leader, ids):
            process.state, process.warehouse, process.joined_ms = "spare", "", None
            self._spawn(self._returned(process))
        self._reconcile()

    def dismiss(self, leader: str, id: str, why: str) -> None:  # noqa: A002
        """See `FleetPort`."""
        for process in self._lent_by(leader, [id]):
            self._books.lost(process, why)
            self._end(process)
        self._reconcile()

    def dropped(self, leader: str) -> None:
        """See `FleetPort`."""
        process = self._books.processes.get(leader)
        if process is not None and self._books.leads_it(process.warehouse, leader) is not None:
            self._spawn(self.stop(process.warehouse, force=False))

    def _lent_by(self, leader: str, ids: Sequence[str]) -> list[Process]:
        """Those of the workers that this coordinator has: one that was replaced has none."""
        found = (self._books.processes.get(id_) for id_ in ids)
        return [
            process
            for process in found
            if process is not None
            and process.state == "lent"
            and self._books.leads_it(process.warehouse, leader) is not None
        ]

    # --- coordinators -----------------------------------------------------------------------------

    def _begin_opening(self, lead: Lead) -> asyncio.Task[Process]:
        lead.opening = task = self._spawn(self._open(lead))
        task.add_done_callback(_retrieve)
        return task

    async def _open(self, lead: Lead) -> Process:
        try:
            process = await self._openings.open(lead)
            if self._books.leads.get(lead.name) is not lead:
                self._end(process)
                raise Unavailable(f"virtual warehouse {lead.name} was stopped; ask again")
        except BaseException:
            lead.opening = None
            self._forget(lead)
            raise
        lead.process, lead.opening = process, None
        self._reconcile()
        return process

    def _lost_coordinator(self, process: Process) -> None:
        lead = self._books.leads.get(process.warehouse)
        if lead is None or lead.process is not process:
            return  # it was being opened: who waits for it hears of it
        self._books.happened(lead.name, "coordinator lost", f"process {process.pid} is gone")
        lead.process, lead.wish, lead.short = None, None, False
        self._openings.died(lead)
        if not lead.stopping:
            self._begin_opening(lead)

    def _forget(self, lead: Lead) -> None:
        """End what is left of a virtual warehouse."""
        if self._books.leads.get(lead.name) is lead:
            del self._books.leads[lead.name]
            if lead.process is not None:
                self._end(lead.process)
            for worker in self._books.lent_to(lead.name):
                self._end(worker)
        self._reconcile()

    # --- processes --------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        """Lend what is spare, start what lacks, end what is too much."""
        if self._closed:
            return
        self._books.look()
        for shape in self._shapes():
            lacking = self._lend(shape)
            spare = self._books.in_state(shape, "spare")
            starting = self._books.in_state(shape, "starting")
            missing = self._floors.missing(shape, lacking, len(spare) + len(starting))
            for _ in range(max(missing, 0)):
                if shape not in self._pauses:
                    self._start(shape)
            for process in [*reversed(starting), *reversed(spare)][: max(-missing, 0)]:
                self._end(process)
        self._books.look()
        self._needs.tell()

    def _shapes(self) -> set[Shape]:
        shapes = {process.shape for process in self._books.processes.values()}
        shapes |= {lead.wish.shape for lead in self._books.leads.values() if lead.wish}
        return shapes | self._floors.shapes | {COORDINATOR}

    def _lend(self, shape: Shape) -> int:
        """Give spare processes to who waits; how many are still lacking."""
        spare = deque(self._books.in_state(shape, "spare"))
        if shape == COORDINATOR:
            while spare and self._openings:
                self._openings.give(spare.popleft())
                self._floors.lent()
            return len(self._openings)
        lacking = 0
        for lead in self._books.lacking(shape):
            lacks = self._books.lacks(lead)
            while spare and lacks and lead.process is not None:
                process = spare.popleft()
                process.state, process.warehouse = "lent", lead.name
                self._floors.lent()
                self._spawn(self._join(process, lead, new=True))
                lacks -= 1
            lacking += lacks
        return lacking

    async def _join(self, process: Process, lead: Lead, *, new: bool = False) -> None:
        """Give a worker to its coordinator; one that it knows already is no news to it."""
        assert isinstance(process.shape, WorkerShape)
        with contextlib.suppress(WorkerLost):  # `_watch_gone` sees to it
            await self._host.lend(process.handle, lead.name)
            if lead.process is None or not self._books.is_lent_to(process, lead):
                return  # its next coordinator is handed it
            coordinator = self._host.coordinator(lead.process.handle)
            await coordinator.join(process.id, process.handle, process.pid, process.shape)
            process.joined_ms = self._clock.monotonic_ms()
            if not self._books.has(process):
                await coordinator.left(process.id)
            elif new:
                self._books.happened(lead.name, "worker ready", f"process {process.pid}")

    async def _returned(self, process: Process) -> None:
        with contextlib.suppress(WorkerLost):
            await self._host.lend(process.handle, "")

    def _start(self, shape: Shape) -> None:
        id_ = self._ids.new()
        try:
            handle = self._host.start(id_, shape)
        except Exception:  # its node type is none of ours, say: then it remains a shortage
            self._pauses.add(shape)
            self._spawn(self._pause(shape))
            return
        process = Process(id=id_, shape=shape, handle=handle)
        self._books.processes[id_] = process
        self._spawn(self._watch(process))

    async def _watch(self, process: Process) -> None:
        try:
            process.pid = await self._host.ready(process.handle)
        except Exception:  # whatever it was, the next try may succeed
            if self._books.has(process):
                self._end(process)
                if process.shape not in self._pauses:  # else others have failed with it
                    await self._pause(process.shape)
            return
        if not self._books.has(process):
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

    async def _watch_gone(self, process: Process) -> None:
        await self._host.gone(process.handle)
        if self._books.processes.pop(process.id, None) is None:
            return  # it was ended on purpose
        if process.state == "leading":
            self._lost_coordinator(process)
        elif process.state == "lent":
            self._books.lost(process, "died")
            self._reconcile()
            lead = self._books.leads.get(process.warehouse)
            if lead is not None and lead.process is not None:
                with contextlib.suppress(MobulaError, WorkerLost):
                    await self._host.coordinator(lead.process.handle).left(process.id)
        self._reconcile()

    def _end(self, process: Process) -> None:
        self._books.processes.pop(process.id, None)
        self._host.kill(process.handle)

    # --- small things -----------------------------------------------------------------------------

    async def _tend(self) -> None:
        while True:
            await self._clock.sleep_ms(TEND_MS)
            with contextlib.suppress(Exception):  # what failed is tried again in a second
                self._reconcile()
                self._books.count()
                await self._needs.look_for_shortages()

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

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at the error, so that asyncio does not complain where nobody waits for it."""
    if not task.cancelled():
        task.exception()
