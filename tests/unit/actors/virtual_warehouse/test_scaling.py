"""Load curves, simulated, and the numbers of clusters that the policies make of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.virtual_warehouse.scaling import (
    COOL_DOWN_MS,
    PATIENCE_MS,
    TICK_MS,
    WINDOW_MS,
    Limits,
    Load,
    decide,
    wake,
)
from storage.snapshot.changes import VirtualWarehouse
from tests.unit.actors.virtual_warehouse.simulator import (
    MINUTE,
    SECOND,
    Query,
    Run,
    both,
    simulate,
)

POLICIES = ("standard", "economy")
LIMITS = Limits(min_clusters=1, max_clusters=4, slots_per_cluster=1, auto_suspend_ms=5 * MINUTE)
LIMITS_ECONOMY = replace(LIMITS, policy="economy")
DECIDED_MS = PATIENCE_MS + TICK_MS  # from the first query that waits to the decision of standard


def at_once(count: int, takes_ms: float, at_ms: float = 0.0) -> list[Query]:
    return [Query(at_ms=at_ms, takes_ms=takes_ms) for _ in range(count)]


def clients(count: int, takes_ms: float, from_ms: float, until_ms: float) -> list[Query]:
    return [Query(at_ms=from_ms, takes_ms=takes_ms, until_ms=until_ms) for _ in range(count)]


def limits(policy: str, **changes: float) -> Limits:
    return replace(LIMITS, policy=policy, **changes)  # type: ignore[arg-type]


BURST = at_once(12, 20 * SECOND, at_ms=10 * SECOND)
SAWTOOTH = [
    Query(at_ms=cycle * 2 * MINUTE + number * 5 * SECOND, takes_ms=30 * SECOND)
    for cycle in range(5)
    for number in range(12)
]
RAMP = [
    Query(at_ms=minute * MINUTE, takes_ms=4 * SECOND, until_ms=(16 - minute) * MINUTE)
    for minute in range(8)
]


# --- burst ----------------------------------------------------------------------------------------


def test_burst_is_answered_at_once_with_all_clusters_and_these_leave_one_by_one() -> None:
    run = simulate(BURST, limits("standard"), until_ms=10 * MINUTE)
    assert run.seconds == [(10.25, 4), (131, 3), (136, 2), (141, 1), (371.25, 0)]
    assert run.reasons == [
        "1 query runs and 11 wait, for 0.25 s or longer: 12 clusters of 1 slot would run them at "
        "once; max is 4",
        "at most 3 queries ran or waited in the last 60 s: 3 clusters of 1 slot would do",
        "at most 0 queries ran or waited in the last 60 s: 1 cluster of 1 slot would do",
        "at most 0 queries ran or waited in the last 60 s: 1 cluster of 1 slot would do",
        "idle for 300 s: auto_suspend is 300 s",
    ]


def test_burst_on_economy_starts_what_the_work_fills_once_it_is_known_how_long_queries_take() -> (
    None
):
    run = simulate(BURST, limits("economy"), until_ms=10 * MINUTE)
    assert run.seconds == [(30, 3), (112, 2), (131, 1), (411, 0)]
    assert run.reasons[0] == (
        "1 query runs and 10 wait, 20 s each: they fill 3 clusters of 1 slot for 60 s"
    )


@pytest.mark.parametrize("start_ms", [100.0, 5 * SECOND, 30 * SECOND])
def test_one_queue_is_asked_for_once_however_long_clusters_take_to_start(start_ms: float) -> None:
    run = simulate(
        at_once(3, 2 * MINUTE), limits("standard"), start_ms=start_ms, until_ms=2 * MINUTE
    )
    assert run.seconds == [(0.25, 3)]
    assert run.served == [(250.0 + start_ms, 3)]


# --- sawtooth, ramp -------------------------------------------------------------------------------


def test_sawtooth_keeps_standards_clusters_from_tooth_to_tooth() -> None:
    run = simulate(SAWTOOTH, limits("standard"), until_ms=16 * MINUTE)
    assert run.seconds == [
        (5.25, 2), (10.25, 3), (15.25, 4), (631, 3), (636, 2), (641, 1), (885, 0),
    ]  # fmt: skip


def test_sawtooth_lets_economy_follow_each_tooth_with_two_changes_up_and_two_down() -> None:
    run = simulate(SAWTOOTH, limits("economy"), until_ms=16 * MINUTE)
    assert max(run.counts) == 4
    for tooth in range(1, 4):
        start_ms = (tooth * 120 + 45) * SECOND
        inside = [at_ms for at_ms, _ in run.timeline if start_ms <= at_ms < start_ms + 2 * MINUTE]
        assert len(inside) <= 4, run.seconds


def test_slow_ramp_is_climbed_and_descended_step_by_step() -> None:
    run = simulate(RAMP, limits("standard", max_clusters=8), until_ms=25 * MINUTE)
    assert run.counts == [2, 3, 4, 5, 6, 7, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    for clusters in range(2, 9):
        begins_ms = (clusters - 1) * MINUTE
        assert begins_ms < run.first_ms(clusters) <= begins_ms + 2 * DECIDED_MS


def test_economy_climbs_a_ramp_of_short_queries_when_the_demand_has_lasted() -> None:
    run = simulate(RAMP, limits("economy", max_clusters=8), until_ms=25 * MINUTE)
    assert run.counts == [2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0]
    assert run.reasons[0] == (
        "1 query runs and 2 wait, never fewer than 2 in the last 60 s: they fill 2 clusters of 1 "
        "slot"
    )


# --- idle, constant, one long query ---------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_idle_is_suspended_on_time_and_only_once(policy: str) -> None:
    run = simulate([], limits(policy, min_clusters=2), until_ms=30 * MINUTE)
    assert run.seconds == [(300, 0)]


def test_idle_is_never_suspended_without_auto_suspend() -> None:
    endless = replace(LIMITS, auto_suspend_ms=None)
    assert simulate([], endless, until_ms=30 * MINUTE).timeline == []


def test_what_was_suspended_wakes_for_a_query_with_min_clusters() -> None:
    late = at_once(1, SECOND, at_ms=10 * MINUTE)
    run = simulate(late, limits("standard", min_clusters=2), until_ms=20 * MINUTE)
    assert run.seconds == [(300, 0), (600, 2), (902, 0)]
    assert run.waits_ms == [SECOND]  # of the start


@pytest.mark.parametrize("policy", POLICIES)
def test_one_long_query_changes_nothing_and_is_never_suspended(policy: str) -> None:
    run = simulate(at_once(1, 8 * MINUTE), limits(policy), until_ms=20 * MINUTE)
    assert run.seconds == [(13 * 60, 0)]


def test_constant_load_changes_once_and_stays() -> None:
    run = simulate(clients(3, 500, 0, 30 * MINUTE), limits("standard"), until_ms=30 * MINUTE)
    assert run.seconds == [(0.25, 3)]


@pytest.mark.parametrize("policy", POLICIES)
def test_constant_load_that_fits_changes_nothing(policy: str) -> None:
    fits = limits(policy, slots_per_cluster=3)
    run = simulate(clients(3, 500, 0, 30 * MINUTE), fits, until_ms=30 * MINUTE)
    assert run.timeline == []


def test_two_clients_whose_queue_is_empty_between_two_queries_are_seen_to_queue() -> None:
    run = simulate(clients(2, 200, 0, MINUTE), limits("standard"), until_ms=MINUTE)
    assert run.counts == [2]
    assert run.first_ms(2) <= 2 * SECOND


def test_short_bursts_that_one_cluster_works_off_start_none() -> None:
    bursts = [Query(at_ms=n * SECOND, takes_ms=20) for n in range(60) for _ in range(8)]
    assert simulate(bursts, limits("standard"), until_ms=MINUTE).timeline == []


# --- flapping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("period_s", [4, 10, 25, 40])
def test_load_around_a_threshold_does_not_flap(period_s: int) -> None:
    """Every second period needs two clusters, the others one."""
    curve = [
        query
        for n in range(900 // period_s)
        for query in at_once(1 + n % 2, 0.7 * period_s * SECOND, at_ms=n * period_s * SECOND)
    ]
    run = simulate(curve, limits("standard"), until_ms=15 * MINUTE)
    assert run.counts in ([2], [2, 1])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("period_s", [15, 45, 90, 130, 200])
def test_changes_are_bounded_whatever_the_period(policy: str, period_s: int) -> None:
    """Between two changes up of the same step lie at least the cool-down and the way down."""
    curve = [
        query
        for n in range(1800 // period_s)
        for query in at_once(10, 12 * SECOND, at_ms=n * period_s * SECOND)
    ]
    run = simulate(curve, limits(policy), until_ms=30 * MINUTE)
    grown = [after for before, after in pairwise([(0.0, 1), *run.timeline]) if after[1] > before[1]]
    assert all(later - at >= SECOND for (at, _), (later, _) in pairwise(grown))
    shrunk_after_growing = [
        after[0] - before[0]
        for before, after in pairwise(run.timeline)
        if before in grown and after[1] < before[1]
    ]
    assert all(quiet_ms >= COOL_DOWN_MS for quiet_ms in shrunk_after_growing)
    assert len(run.timeline) <= 6 * (30 * MINUTE / max(COOL_DOWN_MS, period_s * SECOND) + 1)


# --- slow nodes, limits, size ---------------------------------------------------------------------


def test_start_that_takes_longer_than_the_cool_down_is_waited_for_while_queries_wait() -> None:
    slow_ms = 1.5 * COOL_DOWN_MS
    run = simulate(BURST, limits("standard"), start_ms=slow_ms, until_ms=10 * MINUTE)
    assert run.seconds == [(10.25, 4), (191, 3), (201, 2), (206, 1), (440.25, 0)]
    assert run.served == [(100_250.0, 4)]


def test_clusters_that_come_too_late_are_not_waited_for() -> None:
    run = simulate(
        at_once(4, 5 * SECOND), limits("standard"), start_ms=10 * MINUTE, until_ms=3 * MINUTE
    )
    assert run.seconds == [(0.25, 4), (66, 3), (71, 2), (76, 1)]
    assert run.served == []


def test_max_is_reached_and_never_exceeded() -> None:
    run = simulate(at_once(100, 10 * SECOND), limits("standard"), until_ms=15 * MINUTE)
    assert run.seconds == [(0.25, 4), (311, 3), (316, 2), (321, 1), (551.25, 0)]


def test_clusters_of_several_slots_are_counted_by_slots() -> None:
    many = at_once(17, 30 * SECOND)
    run = simulate(
        many, limits("standard", slots_per_cluster=4, max_clusters=10), until_ms=10 * MINUTE
    )
    assert run.seconds == [(0.25, 5), (91, 4), (96, 3), (101, 2), (106, 1), (331.25, 0)]


def test_min_is_kept_while_awake() -> None:
    run = simulate(BURST, limits("standard", min_clusters=3), until_ms=10 * MINUTE)
    assert run.counts == [4, 3, 0]


# --- both policies on the same curve --------------------------------------------------------------


@pytest.mark.parametrize(
    "curve",
    [BURST, SAWTOOTH, RAMP, at_once(60, 15 * SECOND), clients(6, 3 * SECOND, 0, 10 * MINUTE)],
    ids=["burst", "sawtooth", "ramp", "many", "clients"],
)
def test_economy_takes_less_and_standard_waits_less(curve: list[Query]) -> None:
    standard, economy = both(curve, replace(LIMITS, max_clusters=8), until_ms=30 * MINUTE)
    assert economy.cluster_ms < standard.cluster_ms
    assert standard.mean_wait_ms < economy.mean_wait_ms
    assert standard.counts[-1] == economy.counts[-1] == 0


def test_economy_lets_no_query_starve_when_nobody_knows_how_long_queries_take() -> None:
    run = simulate(
        at_once(6, 20 * MINUTE), limits("economy", slots_per_cluster=4), until_ms=10 * MINUTE
    )
    assert run.seconds == [(120, 2)]
    assert run.reasons == [
        "4 queries run and 2 wait, the first for 120 s: one more cluster, though it may not be full"
    ]
    assert run.waits_ms == [0, 0, 0, 0, 121 * SECOND, 121 * SECOND]


def test_economy_starts_clusters_when_long_queries_have_waited_for_a_minute() -> None:
    run = simulate(at_once(3, 20 * MINUTE), limits("economy"), until_ms=10 * MINUTE)
    assert run.seconds == [(61, 3)]


def test_economy_waits_for_the_cluster_that_is_starting_before_it_starts_one_more() -> None:
    """At 361 s the second cluster serves; the two queries that still wait starve from then on."""
    run = simulate(
        at_once(10, 20 * MINUTE),
        limits("economy", slots_per_cluster=4),
        start_ms=5 * MINUTE,
        until_ms=10 * MINUTE,
    )
    assert run.seconds == [(61, 2), (481, 3)]


def test_economy_does_not_take_one_long_query_for_many() -> None:
    """One that takes ten minutes fills one slot of four, not ten minutes of a cluster."""
    load = Load(clusters=1, serving=1, running=4, queued=1, execute_ms=10 * MINUTE)
    four = limits("economy", slots_per_cluster=4)
    assert decide(load, four, NOW_MS).clusters == 1
    assert decide(replace(load, queued=4), four, NOW_MS).clusters == 2


def test_economy_counts_lasting_demand_only_when_all_clusters_have_served_for_as_long() -> None:
    load = Load(
        clusters=2, serving=2, running=2, queued=8, oldest_queued_ms=NOW_MS, trough_long=4
    )  # fmt: skip
    assert decide(load, LIMITS_ECONOMY, NOW_MS).clusters == 4
    assert decide(replace(load, serving=1), LIMITS_ECONOMY, NOW_MS).clusters == 2
    assert decide(replace(load, grown_ms=NOW_MS - 59_000), LIMITS_ECONOMY, NOW_MS).clusters == 2


def test_economy_heeds_the_greater_of_its_two_estimates() -> None:
    load = Load(
        clusters=1, serving=1, running=1, queued=5, execute_ms=20 * SECOND, trough_long=4
    )  # fmt: skip
    assert decide(load, limits("economy"), NOW_MS).clusters == 4
    assert decide(replace(load, trough_long=0), limits("economy"), NOW_MS).clusters == 2


CURVES = st.lists(
    st.builds(
        Query,
        at_ms=st.floats(0, 5 * MINUTE),
        takes_ms=st.floats(10, 2 * MINUTE),
        until_ms=st.one_of(st.just(0.0), st.floats(0, 5 * MINUTE)),
        pause_ms=st.floats(1, 30 * SECOND),
    ),
    min_size=1,
    max_size=12,
)


@given(
    curve=CURVES,
    policy=st.sampled_from(POLICIES),
    slots=st.integers(1, 3),
    start_ms=st.floats(10, 2 * MINUTE),
)
@settings(max_examples=30, deadline=None)
def test_any_curve_is_served_decided_in_time_and_ends_suspended(
    curve: list[Query], policy: str, slots: int, start_ms: float
) -> None:
    """The simulator itself checks bounds, and that asking again at once changes nothing."""
    last_ms = 45 * MINUTE  # all queries on one cluster, and auto_suspend
    run = simulate(
        curve, limits(policy, slots_per_cluster=slots), start_ms=start_ms, until_ms=last_ms
    )
    assert len(run.waits_ms) >= len(curve)
    assert run.counts[-1] == 0
    _check_steps(run)


def _check_steps(run: Run) -> None:
    for (at_ms, before), (later_ms, after) in pairwise([(-MINUTE, 1), *run.timeline]):
        if 0 < after < before:
            assert after == before - 1
            assert later_ms - at_ms >= 5 * SECOND


@given(
    first_s=st.floats(0, 60),
    extra=st.integers(1, 20),
    takes_s=st.floats(3, 600),
    slots=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_standard_decides_within_two_seconds_of_queueing(
    first_s: float, extra: int, takes_s: float, slots: int
) -> None:
    curve = at_once(slots + extra, takes_s * SECOND, at_ms=first_s * SECOND)
    policy = limits("standard", slots_per_cluster=slots)
    run = simulate(curve, policy, until_ms=first_s * SECOND + 3 * SECOND)
    assert run.counts == [policy.clamp(policy.needed(slots + extra))]
    assert run.first_ms(2) - first_s * SECOND <= 2 * SECOND


# --- the function ---------------------------------------------------------------------------------

NOW_MS = 1_000_000.0
AGES = st.floats(0, 300_000).map(lambda age_ms: NOW_MS - age_ms)


@st.composite
def loads(draw: st.DrawFn) -> tuple[Load, Limits]:
    low = draw(st.integers(1, 5))
    allowed = Limits(
        min_clusters=low,
        max_clusters=draw(st.integers(low, 12)),
        policy=draw(st.sampled_from(POLICIES)),
        slots_per_cluster=draw(st.integers(1, 5)),
        auto_suspend_ms=draw(st.none() | st.floats(1_000, 600_000)),
    )
    clusters = draw(st.integers(0, 14))
    running, queued = draw(st.integers(0, 20)), draw(st.integers(0, 40))
    peak = draw(st.integers(running + queued, 80))
    load = Load(
        clusters=clusters,
        serving=draw(st.integers(0, clusters)),
        running=running,
        queued=queued,
        queueing_ms=draw(st.floats(0, 1_000)),
        oldest_queued_ms=draw(AGES) if queued else None,
        idle_since_ms=None if running + queued else draw(AGES),
        execute_ms=draw(st.none() | st.floats(1, 600_000)),
        peak_short=draw(st.integers(running + queued, peak)),
        peak_long=peak,
        trough_long=draw(st.integers(0, running + queued)),
        changed_ms=draw(st.none() | AGES),
        grown_ms=draw(st.none() | AGES),
    )
    return load, allowed


def applied(load: Load, clusters: int) -> Load:
    """What a coordinator reports at once after it has taken a decision."""
    if clusters == load.clusters:
        return load
    grown_ms = NOW_MS if clusters > load.clusters else load.grown_ms
    serving = min(load.serving, clusters)
    return replace(
        load, clusters=clusters, serving=serving, changed_ms=NOW_MS, grown_ms=grown_ms
    )  # fmt: skip


@given(loads())
@settings(max_examples=500)
def test_decisions_are_within_bounds_and_have_a_reason(case: tuple[Load, Limits]) -> None:
    load, allowed = case
    decision = decide(load, allowed, NOW_MS)
    assert decision.reason
    asleep = load.clusters == 0 or (decision.clusters == 0 and not load.demand)
    assert asleep or allowed.min_clusters <= decision.clusters <= allowed.max_clusters


@given(loads())
@settings(max_examples=500)
def test_asking_again_at_once_changes_nothing(case: tuple[Load, Limits]) -> None:
    load, allowed = case
    clusters = decide(load, allowed, NOW_MS).clusters
    if allowed.clamp(load.clusters) != load.clusters:  # limits come first, then the load
        load = applied(load, clusters)
        clusters = decide(load, allowed, NOW_MS).clusters
    assert decide(applied(load, clusters), allowed, NOW_MS).clusters == clusters


@given(loads(), st.integers(1, 30))
@settings(max_examples=500)
def test_a_longer_queue_never_wants_fewer_clusters(case: tuple[Load, Limits], more: int) -> None:
    load, allowed = case
    longer = replace(
        load,
        queued=load.queued + more,
        peak_short=load.peak_short + more,
        peak_long=load.peak_long + more,
        oldest_queued_ms=load.oldest_queued_ms or NOW_MS,
        idle_since_ms=None,
    )
    few = decide(load, allowed, NOW_MS).clusters
    assert decide(longer, allowed, NOW_MS).clusters >= few
    assert wake(longer, allowed).clusters >= wake(load, allowed).clusters


@pytest.mark.parametrize(("clusters", "wanted"), [(1, 2), (9, 5)])
def test_altered_limits_are_followed_at_once(clusters: int, wanted: int) -> None:
    altered = Limits(min_clusters=2, max_clusters=5)
    decision = decide(Load(clusters=clusters, serving=clusters), altered, NOW_MS)
    assert decision.clusters == wanted
    assert decision.reason == "its limits are 2 to 5 clusters"


def test_suspended_stays_suspended_whatever_waits() -> None:
    load = Load(clusters=0, serving=0, queued=50, queueing_ms=1_000.0)
    assert decide(load, LIMITS, NOW_MS).clusters == 0


def test_wake_asks_for_what_waits_within_the_limits() -> None:
    def woken(policy: str, queued: int, **known: float) -> int:
        load = Load(clusters=0, serving=0, queued=queued, **known)  # type: ignore[arg-type]
        return wake(load, limits(policy, slots_per_cluster=2)).clusters

    assert [woken("standard", queued) for queued in (0, 1, 2, 3, 7, 99)] == [1, 1, 1, 2, 4, 4]
    assert [woken("economy", queued) for queued in (0, 1, 99)] == [1, 1, 1]
    assert [woken("economy", queued, execute_ms=40_000.0) for queued in (5, 6, 99)] == [1, 2, 4]


def test_standard_outlasts_a_minute_and_economy_does_not() -> None:
    assert WINDOW_MS == {"standard": 60_000, "economy": 20_000}


def test_limits_come_from_the_settings_of_the_virtual_warehouse() -> None:
    warehouse = VirtualWarehouse(
        name="bi", size=4, worker_cpus=1.0, cache_bytes=1 << 30, max_clusters=3, auto_suspend_s=60,
        scaling_policy="economy",
    )  # fmt: skip
    assert Limits.of(warehouse) == Limits(
        min_clusters=1, max_clusters=3, policy="economy", slots_per_cluster=4,
        auto_suspend_ms=60_000.0,
    )  # fmt: skip
    fewer = VirtualWarehouse(
        name="bi", size=4, worker_cpus=1.0, cache_bytes=1 << 30, max_concurrency=2
    )
    assert Limits.of(fewer).slots_per_cluster == 2
    assert Limits.of(fewer).auto_suspend_ms is None
