"""Which workers a virtual warehouse has, in which cluster, and what each of them does. No I/O.

A cluster is `size` workers; a query runs on one of them, and a cluster runs at most `slots` queries
at a time. Whoever decides says how many clusters there shall be (`arrange`); workers join one by
one, to the cluster that lacks most. What there is too much of drains: it takes no more queries, and
once a worker of it is idle it is `surplus`. A worker of another shape than the one wanted (the
settings have changed) goes on serving until one of the new shape has taken its place.

A query goes to a cluster that has a free slot: the least busy one under the policy "standard", so
that queries share a machine with few others, the busiest one under "economy", so that the others
can be drained. Within the cluster it goes to the idle worker that owns most of the bytes it reads
(`placement.py`), so that caches stay warm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.compute.workers import WorkerHandle
from actors.fleet.shapes import WorkerShape
from actors.virtual_warehouse.placement import Placement

__all__ = ["Clusters", "Member"]


@dataclass(slots=True, eq=False, kw_only=True)
class Member:
    """A worker of a virtual warehouse.

    Attributes:
        state: "warming", "idle" or "busy".
        gone: its process is, although it is busy.
    """

    id: str
    worker: WorkerHandle
    shape: WorkerShape
    cluster: int
    state: str = "warming"
    gone: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class _Cluster:
    number: int
    members: dict[str, Member] = field(default_factory=dict)
    placement: Placement = field(default_factory=Placement)

    @property
    def busy(self) -> int:
        return sum(member.state == "busy" for member in self.members.values())


class Clusters:
    """The clusters of one virtual warehouse."""

    def __init__(self, shape: WorkerShape, size: int, slots: int, policy: str) -> None:
        self._shape = shape
        self._size = size
        self._slots = slots
        self._policy = policy
        self._active: dict[int, _Cluster] = {}
        self._draining: dict[int, _Cluster] = {}
        self._numbers = 0

    # --- what shall be ----------------------------------------------------------------------------

    def reshape(self, shape: WorkerShape, size: int, slots: int, policy: str) -> None:
        """Other settings."""
        self._shape, self._size, self._slots, self._policy = shape, size, slots, policy

    def arrange(self, count: int) -> None:
        """So many clusters shall serve. The least busy ones go, of those the newest."""
        while len(self._active) > count:
            gone = min(self._active.values(), key=lambda c: (c.busy, len(c.members), -c.number))
            del self._active[gone.number]
            if gone.members:
                self._draining[gone.number] = gone
        for number in list(self._draining):  # one that still drains is warm
            if len(self._active) < count:
                self._active[number] = self._draining.pop(number)
        while len(self._active) < count:
            self._numbers += 1
            self._active[self._numbers] = _Cluster(number=self._numbers)

    @property
    def wanted(self) -> int:
        """Clusters that shall serve."""
        return len(self._active)

    @property
    def workers_wanted(self) -> int:
        """Of the shape that is wanted."""
        return len(self._active) * self._size

    @property
    def slots(self) -> int:
        """Queries that a cluster may run at a time."""
        return min(self._slots, self._size)

    # --- what is ----------------------------------------------------------------------------------

    @property
    def serving(self) -> int:
        """Clusters that have a worker which takes queries."""
        return sum(
            any(m.state != "warming" for m in c.members.values()) for c in self._all_active()
        )

    @property
    def draining(self) -> int:
        """Clusters that finish their queries and end."""
        return len(self._draining)

    @property
    def busy(self) -> int:
        """Workers that run a query."""
        return sum(member.state == "busy" for member in self.members)

    @property
    def ready(self) -> int:
        """Workers that take queries."""
        return sum(m.state != "warming" for c in self._all_active() for m in c.members.values())

    @property
    def free(self) -> int:
        """Queries that could begin at once."""
        return sum(min(max(self.slots - c.busy, 0), len(self._idle(c))) for c in self._all_active())

    @property
    def warming(self) -> list[Member]:
        """Workers that do not take queries yet."""
        found = (m for c in self._all_active() for m in c.members.values())
        return [member for member in found if member.state == "warming"]

    @property
    def members(self) -> list[Member]:
        """All workers."""
        clusters = (*self._active.values(), *self._draining.values())
        return [member for cluster in clusters for member in cluster.members.values()]

    def _all_active(self) -> list[_Cluster]:
        return list(self._active.values())

    # --- workers come and go ----------------------------------------------------------------------

    def join(self, id: str, worker: WorkerHandle, shape: WorkerShape) -> Member:  # noqa: A002
        """A worker has come; it takes queries once it is `ready`. It may be surplus at once."""
        cluster = min(
            self._all_active() or list(self._draining.values()) or [self._spare()],
            key=lambda c: (sum(m.shape == self._shape for m in c.members.values()), c.number),
        )
        member = Member(id=id, worker=worker, shape=shape, cluster=cluster.number)
        cluster.members[id] = member
        return member

    def _spare(self) -> _Cluster:
        """None is wanted any more: the worker goes straight back."""
        self._numbers += 1
        made = self._draining[self._numbers] = _Cluster(number=self._numbers)
        return made

    def serve(self, member: Member) -> None:
        """It takes queries from now on."""
        if member.state == "warming":
            member.state = "idle"
        if (cluster := self._cluster(member)) is not None and member.id in cluster.members:
            cluster.placement.add(member.id)

    def remove(self, id: str) -> Member | None:  # noqa: A002
        """A worker is gone; the member it was, if it was one."""
        for clusters in (self._active, self._draining):
            for cluster in list(clusters.values()):
                if (member := cluster.members.pop(id, None)) is not None:
                    cluster.placement.remove(id)
                    if not cluster.members:
                        self._draining.pop(cluster.number, None)
                    return member
        return None

    def find(self, id: str) -> Member | None:  # noqa: A002
        """The worker of that id, if it is one of these."""
        return next((member for member in self.members if member.id == id), None)

    @property
    def ids(self) -> frozenset[str]:
        """Of all workers."""
        return frozenset(member.id for member in self.members)

    def surplus(self) -> list[Member]:
        """Workers that are not needed and not busy."""
        found = [m for c in self._draining.values() for m in c.members.values()]
        for cluster in self._active.values():
            found += self._surplus_of(cluster)
        return [member for member in found if member.state != "busy"]

    def _surplus_of(self, cluster: _Cluster) -> list[Member]:
        """Of the shape that is wanted those beyond the size, and of another shape as many as those
        that serve have replaced; those first that would be missed least."""
        ranks = {"warming": 0, "idle": 1, "busy": 2}
        ranked = sorted(cluster.members.values(), key=lambda m: (ranks[m.state], m.id))
        new = [member for member in ranked if member.shape == self._shape]
        old = [member for member in ranked if member.shape != self._shape]
        serving = sum(member.state != "warming" for member in new)
        kept = max(self._size - serving, 0)
        return [*new[: max(len(new) - self._size, 0)], *old[: max(len(old) - kept, 0)]]

    def placement(self, member: Member) -> Placement:
        """Of the files in its cluster."""
        cluster = self._cluster(member)
        return Placement() if cluster is None else cluster.placement

    def _cluster(self, member: Member) -> _Cluster | None:
        return self._active.get(member.cluster) or self._draining.get(member.cluster)

    # --- queries ----------------------------------------------------------------------------------

    def take(self, files: Mapping[str, int]) -> Member | None:
        """An idle worker for a query that reads these files (name to bytes), busy from now on."""
        free = [c for c in self._active.values() if c.busy < self.slots and self._idle(c)]
        if not free:
            return None
        busiest = self._policy == "economy"
        cluster = min(free, key=lambda c: (-c.busy if busiest else c.busy, c.number))
        idle = self._idle(cluster)
        found = cluster.placement.best(files, idle) if files and len(idle) > 1 else min(idle)
        member = idle[found]
        member.state = "busy"
        return member

    def release(self, member: Member) -> None:
        """Its query is over."""
        if member.state == "busy":
            member.state = "idle"

    def _idle(self, cluster: _Cluster) -> dict[str, Member]:
        return {m.id: m for m in cluster.members.values() if m.state == "idle"}
