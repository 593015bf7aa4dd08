"""A coordinator begins to lead its virtual warehouse: a process for it, the log, its predecessor's
workers.

Processes are given to who has waited longest. One that dies while it opens is replaced, and one
that dies again and again only after a pause: what kills it would kill the next one as well.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from actors.compute.workers import WorkerLost
from actors.fleet.books import Books, Lead, Process
from actors.fleet.host import Host
from actors.fleet.port import CoordinatorHandle
from actors.fleet.shapes import WorkerShape
from storage.clock import Clock
from storage.errors import Unavailable

__all__ = ["Openings", "ending"]

OPENINGS_MAX = 3  # coordinators that one call may lose while they open
STEADY_MS = 60_000.0  # who has lived so long did not die of what killed those before
PAUSE_MS = 50.0
PAUSE_MS_MAX = 5_000.0


class Openings:
    """See the module."""

    def __init__(
        self,
        host: Host,
        books: Books,
        clock: Clock,
        *,
        patience_ms: float,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        reconcile: Callable[[], None],
        end: Callable[[Process], None],
    ) -> None:
        """Args:
        patience_ms: how long a process may take to start.
        spawn: begins something that goes on by itself.
        reconcile: gives spare processes to who waits, and starts what lacks.
        end: a process.
        """
        self._host = host
        self._books = books
        self._clock = clock
        self._patience_ms = patience_ms
        self._spawn = spawn
        self._reconcile = reconcile
        self._end = end
        self._turns: deque[asyncio.Future[Process]] = deque()
        self._closed = False

    def __len__(self) -> int:
        """How many wait for a process."""
        return len(self._turns)

    def give(self, process: Process) -> None:
        """A spare process to who has waited longest."""
        process.state = "leading"
        self._turns.popleft().set_result(process)

    def close(self) -> None:
        """Nobody gets a process any more."""
        self._closed = True
        for turn in self._turns:
            turn.set_exception(ending())
        self._turns.clear()

    def died(self, lead: Lead) -> None:
        """The coordinator that has led is gone."""
        if self._clock.monotonic_ms() - lead.led_ms >= STEADY_MS:
            lead.deaths = 0
        lead.deaths += 1

    async def open(self, lead: Lead) -> Process:
        """A process that leads, and has the workers that are left. Raises why there is none."""
        for _ in range(OPENINGS_MAX):
            if lead.deaths > 1:
                await self._clock.sleep_ms(min(PAUSE_MS * 2**lead.deaths, PAUSE_MS_MAX))
            process = await self._process()
            process.warehouse = lead.name
            coordinator = self._host.coordinator(process.handle)
            try:
                process.pid = await coordinator.lead(lead.name, process.id)
                await self._hand_over(lead, coordinator)
            except WorkerLost:
                lead.deaths += 1
                self._end(process)
                continue
            except BaseException:
                self._end(process)
                raise
            if self._books.has(process):  # else it died when nobody called it
                lead.led_ms = self._clock.monotonic_ms()
                return process
            lead.deaths += 1
        raise Unavailable(
            f"virtual warehouse {lead.name}: its coordinator died {OPENINGS_MAX} times while it "
            "opened; the logs of Ray's workers say why"
        )

    async def _process(self) -> Process:
        if self._closed:
            raise ending()
        turn: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        self._reconcile()
        late = self._spawn(self._clock.sleep_ms(self._patience_ms))
        try:
            waits: set[asyncio.Future[Any]] = {turn, late}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if turn.done():
                return turn.result()
        finally:
            late.cancel()
            if turn in self._turns:
                self._turns.remove(turn)
        raise Unavailable(
            f"no coordinator could be started within {self._patience_ms / 1000:g} s; "
            f"{await self._host.supply()}"
        )

    async def _hand_over(self, lead: Lead, coordinator: CoordinatorHandle) -> None:
        """What its predecessor has left: it goes on with as many clusters."""
        lent = self._books.lent_to(lead.name)
        for worker in lent:
            worker.joined_ms = None  # it was its predecessor's
        idle = [worker for worker in lent if await self._is_idle(worker)]
        if idle or lead.wish is not None:
            await coordinator.take_over(len(idle))
        for worker in idle:
            assert isinstance(worker.shape, WorkerShape)
            await coordinator.join(worker.id, worker.handle, worker.pid, worker.shape)
            worker.joined_ms = self._clock.monotonic_ms()
        while dead := [worker for worker in idle if not self._books.has(worker)]:
            await coordinator.left(dead[0].id)  # it died when nobody was there to hear of it
            idle.remove(dead[0])

    async def _is_idle(self, worker: Process) -> bool:
        """Whether it can be handed over; one that works for who is dead ends."""
        try:
            busy = await self._host.busy(worker.handle)
        except WorkerLost:
            busy = True
        if busy:
            self._end(worker)
        return not busy


def ending() -> Unavailable:
    """What is raised while the fleet ends."""
    return Unavailable("the processes of the database are being ended; connect again")
