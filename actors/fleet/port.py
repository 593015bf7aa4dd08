"""What the fleet and the coordinators ask of each other, as protocols and values.

The fleet owns the processes: it starts them, lends workers to coordinators, notices when one dies.
A coordinator says how many workers it wishes, and says so again every few seconds, so that neither
needs to remember what the other has forgotten. A worker is a coordinator's from `join` until that
gives it back, or until it dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from actors.fleet.shapes import WorkerShape, worker_shape
from actors.observed import QueryRecord, ScalingEvent, WarehouseRecord
from storage.snapshot.changes import VirtualWarehouse

__all__ = ["CoordinatorHandle", "FleetPort", "Observation", "Wish", "first_wish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How many workers of which shape a virtual warehouse wishes.

    `leader`: the process of its coordinator; the fleet does not hear one that it has replaced.
    Empty of the first wish, which is known before there is a coordinator.
    `serial`: greater than that of every wish before, since they may overtake each other.
    `members`: the workers that it has, so that one whose return was lost on the way is missed.
    """

    warehouse: str
    leader: str
    shape: WorkerShape
    clusters: int
    workers: int
    serial: int
    members: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a coordinator tells of itself: its virtual warehouse, and its queries if asked for."""

    warehouse: WarehouseRecord
    queries: tuple[QueryRecord, ...] = ()


class FleetPort(Protocol):
    """The fleet as a coordinator sees it. Calls return at once and do not raise: what is lost on
    the way is said again with the next wish."""

    def wish(self, wish: Wish, events: Sequence[ScalingEvent]) -> None:
        """See `Wish`. `events`: what led to it."""
        ...

    def give_back(self, leader: str, ids: Sequence[str]) -> None:
        """These workers are not needed any more; they are idle."""
        ...

    def dismiss(self, leader: str, id: str, why: str) -> None:  # noqa: A002
        """This worker is dead, or shall be: "died", "out of memory", "cancelled"."""
        ...

    def dropped(self, leader: str) -> None:
        """The catalogue no longer has its virtual warehouse: end it, once its queries are over."""
        ...


class CoordinatorHandle(Protocol):
    """A coordinator as the fleet sees it. Every call raises `WorkerLost` if its process is gone."""

    async def lead(self, warehouse: str, leader: str) -> int:
        """Become the coordinator of a virtual warehouse; its process id.

        Args: leader: what the fleet calls the process.
        Raises UnknownObject if the catalogue has none of that name, or why it cannot be opened.
        """
        ...

    async def take_over(self, workers: int) -> None:
        """Be awake: it follows one that died with so many idle workers, which join it now, or is a
        new one that begins so."""
        ...

    async def join(self, id: str, worker: Any, pid: int, shape: WorkerShape) -> None:  # noqa: A002
        """This worker is its own from now on. Args: worker: what the host made."""
        ...

    async def left(self, id: str) -> None:  # noqa: A002
        """This worker's process is gone."""
        ...

    async def shortage(self, text: str | None) -> None:
        """Why there are fewer workers than it wishes; None: there are not fewer any more."""
        ...

    async def observe(self, *, queries: bool) -> Observation: ...

    async def cancel(self, query_id: str) -> bool:
        """See `QueryLog.cancel`."""
        ...

    async def close(self, *, force: bool) -> None:
        """Take no more queries, let those that run end (at once with `force`), and say so."""
        ...


def first_wish(settings: VirtualWarehouse) -> Wish:
    """What a new virtual warehouse will wish when it wakes up."""
    return Wish(
        warehouse=settings.name,
        leader="",
        serial=0,
        shape=worker_shape(settings),
        clusters=settings.min_clusters,
        workers=settings.min_clusters * settings.size,
    )
