"""What the fleet knows: its processes, the virtual warehouses they work for, and what these lack.

No I/O and no tasks: `fleet.py` acts, and writes down here what it did.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from actors.fleet.port import Wish
from actors.fleet.shapes import Shape, WorkerShape
from actors.observed import ScalingEvent
from actors.virtual_warehouse.metrics import Meter
from storage.clock import Clock

__all__ = ["Books", "Lead", "Process", "shape_text"]

EVENTS_MAX = 10_000
FORGOTTEN_MS = 10_000.0


@dataclass(slots=True, eq=False, kw_only=True)
class Process:
    """`state`: "starting", "spare", "lent" or "leading"; `warehouse`: whose it is then.

    `joined_ms`: since when its coordinator has it; None: it is on its way.
    """

    id: str
    shape: Shape
    handle: Any
    state: str = "starting"
    pid: int = 0
    warehouse: str = ""
    joined_ms: float | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Lead:
    """A virtual warehouse that has a coordinator, or gets one.

    Attributes:
        lacks_since_ms: since when it has fewer workers than it wishes, or wishes more than before;
            None: it has them all.
        short: it was told that there are no more.
        stopping: so many wait for its end; a coordinator that dies now is not replaced.
        deaths: coordinators that died one after the other, each soon after it began.
        led_ms: since when the last one has led.
    """

    name: str
    process: Process | None = None
    opening: asyncio.Task[Process] | None = None
    wish: Wish | None = None
    lacks_since_ms: float | None = None
    short: bool = False
    stopping: int = 0
    deaths: int = 0
    led_ms: float = 0.0


class Books:
    """See the module."""

    def __init__(self, clock: Clock, meter: Meter) -> None:
        self._clock = clock
        self._meter = meter
        self._events: deque[ScalingEvent] = deque(maxlen=EVENTS_MAX)
        self.processes: dict[str, Process] = {}
        self.leads: dict[str, Lead] = {}

    # --- processes --------------------------------------------------------------------------------

    def has(self, process: Process) -> bool:
        """Whether it is one of ours, and not known to be gone."""
        return self.processes.get(process.id) is process

    def in_state(self, shape: Shape, state: str) -> list[Process]:
        """In the order in which they came."""
        found = self.processes.values()
        return [process for process in found if process.shape == shape and process.state == state]

    def lent_to(self, name: str) -> list[Process]:
        """The workers of a virtual warehouse."""
        found = self.processes.values()
        return [p for p in found if p.state == "lent" and p.warehouse == name]

    def forgotten(self, name: str, members: Collection[str]) -> list[Process]:
        """Workers of a virtual warehouse that are not among those that it has, though they joined
        it so long ago that it must have known when it said so."""
        limit_ms = self._clock.monotonic_ms() - FORGOTTEN_MS
        return [
            worker
            for worker in self.lent_to(name)
            if worker.id not in members
            and worker.joined_ms is not None
            and worker.joined_ms <= limit_ms
        ]

    def is_lent_to(self, process: Process, lead: Lead) -> bool:
        """Whether it still is, and there is a coordinator to have it."""
        lent = process.state == "lent" and process.warehouse == lead.name
        return lent and self.has(process) and lead.process is not None

    # --- virtual warehouses -----------------------------------------------------------------------

    def leads_it(self, name: str, leader: str) -> Lead | None:
        """The virtual warehouse, if this process leads it or is about to; None: it was replaced."""
        lead, process = self.leads.get(name), self.processes.get(leader)
        if lead is None or process is None or process.warehouse != name:
            return None
        if process.state != "leading" or lead.process not in (None, process):
            return None
        return lead

    def lacks(self, lead: Lead) -> int:
        """How many workers fewer it has than it wishes."""
        if (wish := lead.wish) is None:
            return 0
        have = sum(worker.shape == wish.shape for worker in self.lent_to(lead.name))
        return max(wish.workers - have, 0)

    def lacking(self, shape: Shape) -> list[Lead]:
        """Who lacks workers of a shape, those who have waited longest first."""
        found = [
            lead
            for lead in self.leads.values()
            if lead.wish is not None and lead.wish.shape == shape and self.lacks(lead)
        ]
        return sorted(found, key=lambda lead: lead.lacks_since_ms or 0.0)

    def wishes(self, lead: Lead, wish: Wish) -> None:
        """What it wishes from now on. One that was overtaken by a later one is forgotten."""
        before = lead.wish
        if before is not None and before.leader == wish.leader and before.serial >= wish.serial:
            return
        lead.wish = wish
        if before is None or before.shape != wish.shape or before.workers < wish.workers:
            lead.lacks_since_ms = None  # it has not waited for that yet
        self.look()

    def look(self) -> None:
        """Notice who lacks workers, and who does not any more."""
        for lead in self.leads.values():
            if not self.lacks(lead):
                lead.lacks_since_ms = None
            elif lead.lacks_since_ms is None:
                lead.lacks_since_ms = self._clock.monotonic_ms()

    # --- to be looked at --------------------------------------------------------------------------

    @property
    def events(self) -> list[ScalingEvent]:
        """The newest first."""
        return list(reversed(self._events))

    def heard(self, events: Sequence[ScalingEvent]) -> None:
        """What a coordinator has decided."""
        for event in events:
            self._add(event)

    def happened(self, warehouse: str, action: str, reason: str) -> None:
        """See `ScalingEvent`."""
        lead = self.leads.get(warehouse)
        wish = lead.wish if lead is not None else None
        self._add(
            ScalingEvent(
                happened_at=self._clock.now_ms(),
                warehouse=warehouse,
                action=action,
                clusters=wish.clusters if wish is not None else 0,
                workers=wish.workers if wish is not None else 0,
                reason=reason,
            )
        )

    def lost(self, process: Process, why: str) -> None:
        """A worker died, or had to."""
        action = "worker lost" if why == "died" else "worker replaced"
        self.happened(process.warehouse, action, f"process {process.pid}: {why}")
        self._meter.worker_lost(process.warehouse, why)

    def count(self) -> None:
        """Tell the meter how many processes there are."""
        counts: Counter[tuple[str, str]] = Counter()
        for process in self.processes.values():
            shape = process.shape
            kind = shape.node_type if isinstance(shape, WorkerShape) else shape
            counts[kind, process.state] += 1
        self._meter.pool(counts)

    def _add(self, event: ScalingEvent) -> None:
        self._events.append(event)
        self._meter.scaled(event)

    def status(self) -> dict[str, Any]:
        """Processes by shape and state."""
        counts: dict[tuple[str, str], int] = {}
        for process in self.processes.values():
            key = shape_text(process.shape), process.state
            counts[key] = counts.get(key, 0) + 1
        return {
            "processes": [
                {"shape": shape, "state": state, "count": count}
                for (shape, state), count in sorted(counts.items())
            ],
            "pids": sorted(p.pid for p in self.processes.values() if p.pid),
            "warehouses": sorted(self.leads),
        }


def shape_text(shape: Shape) -> str:
    """For people."""
    if not isinstance(shape, WorkerShape):
        return shape
    memory = f", {shape.memory_bytes >> 20} MiB" if shape.memory_bytes is not None else ""
    return f"{shape.cpus:g} CPUs{memory} on nodes of type {shape.node_type}"
