"""A virtual warehouse that is only simulated: queries come, clusters start, and `decide` is asked.

Discrete events on a clock that nobody waits for: the same curve always gives the same run. Every
`TICK_MS`, and after each event, the policy is asked and its decision applied: clusters that are
wanted serve `start_ms` later, those that are not wanted any more stop at once if they were
starting, and otherwise take no further query and end with the last they have.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace

from actors.virtual_warehouse.scaling import TICK_MS, Limits, Load, LoadMeter, decide, wake

SECOND = 1_000.0
MINUTE = 60_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query, or all of a client that sends the next `pause_ms` after the last, until a time."""

    at_ms: float
    takes_ms: float
    until_ms: float = 0.0
    pause_ms: float = 1.0


@dataclass(slots=True)
class Run:
    """What happened: (ms, clusters wanted) after each change, their reasons, waits by query."""

    timeline: list[tuple[float, int]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    waits_ms: list[float] = field(default_factory=list)
    cluster_ms: float = 0.0
    served: list[tuple[float, int]] = field(default_factory=list)

    @property
    def counts(self) -> list[int]:
        return [clusters for _, clusters in self.timeline]

    @property
    def seconds(self) -> list[tuple[float, int]]:
        return [(at_ms / SECOND, clusters) for at_ms, clusters in self.timeline]

    @property
    def mean_wait_ms(self) -> float:
        return sum(self.waits_ms) / len(self.waits_ms)

    def first_ms(self, clusters: int) -> float:
        """When so many were wanted first."""
        return next(at_ms for at_ms, count in self.timeline if count >= clusters)


class _Warehouse:
    def __init__(self, limits: Limits, start_ms: float, clusters: int) -> None:
        self.limits, self.start_ms = limits, start_ms
        self.meter = LoadMeter(0.0)
        self.run = Run()
        self.now_ms = 0.0
        self.clusters = self.serving = clusters
        self.starting: list[float] = []  # when each will serve
        self.waiting: list[tuple[float, Query]] = []
        self.ends: list[tuple[float, int, Query]] = []
        self.arrivals: list[tuple[float, int, Query]] = []
        self._number = 0

    def arrive(self, at_ms: float, query: Query) -> None:
        self._number += 1
        heapq.heappush(self.arrivals, (at_ms, self._number, query))

    def step(self, until_ms: float) -> None:
        """To the next event, or tick."""
        tick_ms = (self.now_ms // TICK_MS + 1) * TICK_MS
        events = [self.arrivals[0][0] if self.arrivals else until_ms, *self.starting]
        events += [self.ends[0][0]] if self.ends else []
        after_ms = min([tick_ms, until_ms, *events])
        self.run.cluster_ms += (self.serving + len(self.starting)) * (after_ms - self.now_ms)
        self.now_ms = after_ms
        self._end()
        self._serve()
        while self.arrivals and self.arrivals[0][0] <= self.now_ms:
            _, _, query = heapq.heappop(self.arrivals)
            self.meter.queued(self.now_ms)
            self.waiting.append((self.now_ms, query))
        self._begin()
        self._decide()

    def _end(self) -> None:
        while self.ends and self.ends[0][0] <= self.now_ms:
            _, _, query = heapq.heappop(self.ends)
            self.meter.ended(self.now_ms, query.takes_ms)
            again_ms = self.now_ms + query.pause_ms
            if again_ms < query.until_ms:
                self.arrive(again_ms, query)

    def _serve(self) -> None:
        ready = [at_ms for at_ms in self.starting if at_ms <= self.now_ms]
        self.starting = [at_ms for at_ms in self.starting if at_ms > self.now_ms]
        self.serving += len(ready)
        if ready:
            self.run.served.append((self.now_ms, self.serving))

    def _begin(self) -> None:
        while self.waiting and len(self.ends) < self.serving * self.limits.slots_per_cluster:
            came_ms, query = self.waiting.pop(0)
            self.meter.started(self.now_ms)
            self.run.waits_ms.append(self.now_ms - came_ms)
            self._number += 1
            heapq.heappush(self.ends, (self.now_ms + query.takes_ms, self._number, query))

    def _decide(self) -> None:
        load = self.load()
        if load.clusters:
            decision = decide(load, self.limits, self.now_ms)
        elif load.queued:
            decision = wake(load, self.limits)
        else:
            return
        if decision.clusters == self.clusters:
            return
        self._resize(decision.clusters)
        self.run.timeline.append((self.now_ms, decision.clusters))
        self.run.reasons.append(decision.reason)
        again = decide(self.load(), self.limits, self.now_ms)
        assert again.clusters == self.clusters, f"{decision}, and at once {again}"

    def load(self) -> Load:
        return self.meter.load(self.now_ms, self.clusters, self.serving)

    def _resize(self, clusters: int) -> None:
        added = max(clusters - self.clusters, 0)
        self.starting += [self.now_ms + self.start_ms] * added
        for _ in range(self.clusters - clusters):
            if self.starting:
                self.starting.remove(max(self.starting))
            else:
                self.serving -= 1
        self.clusters = clusters
        assert clusters == 0 or self.limits.clamp(clusters) == clusters, "out of bounds"
        assert self.serving + len(self.starting) == clusters


def simulate(
    queries: list[Query],
    limits: Limits,
    *,
    until_ms: float,
    start_ms: float = SECOND,
    clusters: int | None = None,
) -> Run:
    """Run a curve. `clusters`: that serve at the beginning; by default min."""
    begun = limits.min_clusters if clusters is None else clusters
    warehouse = _Warehouse(limits, start_ms, begun)
    for query in queries:
        warehouse.arrive(query.at_ms, query)
    warehouse.load()  # as the coordinator does when it begins
    while warehouse.now_ms < until_ms:
        warehouse.step(until_ms)
    return warehouse.run


def both(queries: list[Query], limits: Limits, **how: float) -> tuple[Run, Run]:
    """The same curve with policy standard, and with economy."""
    runs = [
        simulate(queries, replace(limits, policy=policy), until_ms=how["until_ms"],
                 start_ms=how.get("start_ms", SECOND))
        for policy in ("standard", "economy")
    ]  # fmt: skip
    return runs[0], runs[1]
