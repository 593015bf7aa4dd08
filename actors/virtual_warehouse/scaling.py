"""How many clusters a virtual warehouse shall have: a pure function of its load and its limits.

The coordinator asks `decide` after each event and every `TICK_MS`; whoever asks again at once, with
the decision applied, gets the same number. `clusters` counts what has been asked for, serving or
still starting, so that the same queue never asks twice. Clusters that do not serve yet are the
first to go when fewer are wanted.

1. Asleep: stays so. Waking is the coordinator's decision, when a query comes or on RESUME; `wake`
   says with how many clusters.
2. Outside of min and max, since they were altered: to the nearer of the two, at once.
3. Idle for `auto_suspend_ms`: none, whatever min says.
4. Scale out, up to max.
   standard: as soon as queries have been queueing for `PATIENCE_MS`, straight to the number of
   clusters that run everything there is at once.
   economy: to the number that would be full. That is what the work known now fills for `FULL_MS`,
   if recent queries tell how long one takes; of a query counts what one slot does of it in that
   time, and all clusters are counted, since the old ones take from the queue as well. Or what there
   was enough demand for all through the last minute, as when clients send short queries for ever.
   And one more whenever a query has waited for `STARVED_MS`, so that none waits for an estimate.
5. Scale in, one cluster at a time, when the peak of the trailing window would fit into fewer, not
   within `COOL_DOWN_MS` of clusters having been added or having begun to serve.

Where this comes from. Snowflake's two policies have the same aims: standard starts clusters as
soon as a query queues, economy only when a cluster would be busy for six minutes, and both watch
for minutes before they stop one. There a cluster is charged for at least a minute; here it comes
from a pool of started processes in well under a second and costs what it runs, so times are
shorter, and economy gives back sooner than standard. Kubernetes' autoscaler scales out at once, and
in by the highest wish of a window of five minutes: the same asymmetry, and the same window of
maxima, which alone stops most flapping. Ray Serve averages over 30 s and waits another 30 s before
it scales out: too late for people who wait for a query. KEDA's cool-down is for the last step to
zero only: `auto_suspend_ms` here.
"""

from __future__ import annotations

from dataclasses import dataclass

from actors.virtual_warehouse.load import WINDOW_LONG_MS, WINDOW_SHORT_MS, Load, LoadMeter
from storage.snapshot.changes import VirtualWarehouse

__all__ = ["TICK_MS", "Decision", "Limits", "Load", "LoadMeter", "decide", "wake"]

TICK_MS = 250.0  # with PATIENCE_MS: half a second from the first query that waits to the decision
PATIENCE_MS = 250.0  # many queries take less: a queue that is gone by then needs no cluster
FULL_MS = 60_000.0  # long against the 10 s in which a node comes up
STARVED_MS = 120_000.0  # what nobody wants to wait for a query to begin, however much it saves
COOL_DOWN_MS = 60_000.0  # a cluster that has filled its cache gets to use it
STEP_MS = 5_000.0  # between two steps in: a load that comes back meanwhile finds the rest
# Standard outlasts the pauses of a dashboard that refreshes every minute; economy, of a person
# between two queries, no longer.
WINDOW_MS = {"standard": WINDOW_LONG_MS, "economy": WINDOW_SHORT_MS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the settings of a virtual warehouse allow.

    Attributes:
        policy: "standard" or "economy".
        slots_per_cluster: queries that a cluster runs at a time.
        auto_suspend_ms: idle for so long, it gives all its clusters back; None: never.
    """

    min_clusters: int
    max_clusters: int
    policy: str = "standard"
    slots_per_cluster: int = 1
    auto_suspend_ms: float | None = None

    @classmethod
    def of(cls, warehouse: VirtualWarehouse) -> Limits:
        """From its settings, which the primary has checked."""
        suspend_s = warehouse.auto_suspend_s
        return cls(
            min_clusters=warehouse.min_clusters,
            max_clusters=warehouse.max_clusters,
            policy=warehouse.scaling_policy,
            slots_per_cluster=warehouse.max_concurrency or warehouse.size,
            auto_suspend_ms=None if suspend_s is None else suspend_s * 1000.0,
        )

    def clamp(self, clusters: int) -> int:
        """The nearest number of clusters that an awake virtual warehouse may have."""
        return min(max(clusters, self.min_clusters), self.max_clusters)

    def needed(self, queries: int) -> int:
        """Clusters that run so many queries at once."""
        return -(-queries // self.slots_per_cluster)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Clusters wanted from now on, and why, in words: for `mobula.scaling_events()`."""

    clusters: int
    reason: str


def decide(load: Load, limits: Limits, now_ms: float) -> Decision:
    """How many clusters there shall be. Pure: see the module. `load` is as of `now_ms`."""
    if load.clusters == 0:
        return Decision(clusters=0, reason="it is suspended")
    bounded = limits.clamp(load.clusters)
    if bounded != load.clusters:
        why = f"its limits are {limits.min_clusters} to {limits.max_clusters} clusters"
        return Decision(clusters=bounded, reason=why)
    out = _scale_out_economy if limits.policy == "economy" else _scale_out_standard
    return (
        _suspend(load, limits, now_ms)
        or out(load, limits, now_ms)
        or _scale_in(load, limits, now_ms)
        or Decision(
            clusters=load.clusters,
            reason=f"{_work(load)} on {_clusters(load.clusters)}: nothing to change",
        )
    )


def wake(load: Load, limits: Limits) -> Decision:
    """With how many clusters one that sleeps wakes up: those that its policy has for the queries
    that wait, and never fewer than min."""
    economy = limits.policy == "economy"
    wanted = _filled(load, limits) if economy else limits.needed(load.demand)
    woken = limits.clamp(wanted)
    return Decision(clusters=woken, reason=f"{_work(load)}: it wakes with {_clusters(woken)}")


# --- the rules ------------------------------------------------------------------------------------


def _suspend(load: Load, limits: Limits, now_ms: float) -> Decision | None:
    if load.idle_since_ms is None or limits.auto_suspend_ms is None:
        return None
    idle_ms = now_ms - load.idle_since_ms
    if idle_ms < limits.auto_suspend_ms:
        return None
    limit = _seconds(limits.auto_suspend_ms)
    why = f"idle for {_seconds(idle_ms)}: auto_suspend is {limit}"
    return Decision(clusters=0, reason=why)


def _scale_out_standard(load: Load, limits: Limits, now_ms: float) -> Decision | None:
    needed = limits.needed(load.demand)
    if not load.queued or load.queueing_ms < PATIENCE_MS or limits.clamp(needed) <= load.clusters:
        return None
    why = (
        f"{_work(load)}, for {_seconds(load.queueing_ms)} or longer: {_clusters(needed)} of "
        f"{_slots(limits)} would run them at once{_but_at_most(needed, limits)}"
    )
    return Decision(clusters=limits.clamp(needed), reason=why)


def _scale_out_economy(load: Load, limits: Limits, now_ms: float) -> Decision | None:
    if not load.queued:
        return None
    filled, lasting = _filled(load, limits), _lasting(load, limits, now_ms)
    full = max(filled, lasting)
    if limits.clamp(full) > load.clusters:
        fill = f"fill {_clusters(full)} of {_slots(limits)}"
        if filled == full:
            why = f"{_seconds(load.execute_ms or 0.0)} each: they {fill} for {_seconds(FULL_MS)}"
        else:
            window = _seconds(WINDOW_LONG_MS)
            why = f"never fewer than {load.trough_long} in the last {window}: they {fill}"
        why += _but_at_most(full, limits)
        return Decision(clusters=limits.clamp(full), reason=f"{_work(load)}, {why}")
    if _starved(load, limits, now_ms):
        waited = _seconds(now_ms - (load.oldest_queued_ms or 0.0))
        why = f"the first for {waited}: one more cluster, though it may not be full"
        return Decision(clusters=load.clusters + 1, reason=f"{_work(load)}, {why}")
    return None


def _filled(load: Load, limits: Limits) -> int:
    """Clusters that the work known now keeps full for `FULL_MS`; 0: nobody can tell."""
    filled_ms = load.demand * min(load.execute_ms or 0.0, FULL_MS)
    return int(filled_ms // (limits.slots_per_cluster * FULL_MS))


def _lasting(load: Load, limits: Limits, now_ms: float) -> int:
    """Clusters that there has been enough demand for, all through the long window; 0: they were
    fewer for a part of it, so that the demand may have been theirs to work off."""
    if load.serving < load.clusters or _since(load.grown_ms, now_ms) < WINDOW_LONG_MS:
        return 0
    return load.trough_long // limits.slots_per_cluster


def _starved(load: Load, limits: Limits, now_ms: float) -> bool:
    """A query has waited too long, and no cluster that might take it is new or on its way."""
    since_ms = load.oldest_queued_ms
    if not load.queued or since_ms is None or load.serving < load.clusters:
        return False
    if limits.clamp(limits.needed(load.demand)) <= load.clusters:
        return False
    return now_ms - max(since_ms, load.grown_ms or 0.0, load.changed_ms or 0.0) >= STARVED_MS


def _scale_in(load: Load, limits: Limits, now_ms: float) -> Decision | None:
    window_ms = WINDOW_MS[limits.policy]
    peak = max(load.peak_short if window_ms == WINDOW_SHORT_MS else load.peak_long, load.demand)
    enough = limits.clamp(limits.needed(peak))
    if enough >= load.clusters:
        return None
    if _since(load.grown_ms, now_ms) < COOL_DOWN_MS or _since(load.changed_ms, now_ms) < STEP_MS:
        return None
    why = (
        f"at most {_queries(peak)} ran or waited in the last {_seconds(window_ms)}: "
        f"{_clusters(enough)} of {_slots(limits)} would do"
    )
    return Decision(clusters=load.clusters - 1, reason=why)


def _since(then_ms: float | None, now_ms: float) -> float:
    return float("inf") if then_ms is None else now_ms - then_ms


# --- words ----------------------------------------------------------------------------------------


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _clusters(number: int) -> str:
    return _count(number, "cluster", "clusters")


def _queries(number: int) -> str:
    return _count(number, "query", "queries")


def _slots(limits: Limits) -> str:
    return _count(limits.slots_per_cluster, "slot", "slots")


def _work(load: Load) -> str:
    runs, waits = "runs" if load.running == 1 else "run", "waits" if load.queued == 1 else "wait"
    return f"{_queries(load.running)} {runs} and {load.queued} {waits}"


def _but_at_most(clusters: int, limits: Limits) -> str:
    return f"; max is {limits.max_clusters}" if clusters > limits.max_clusters else ""


def _seconds(duration_ms: float) -> str:
    return f"{round(duration_ms / 1000, 2):g} s"
