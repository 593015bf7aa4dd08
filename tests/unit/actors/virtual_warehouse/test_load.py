"""What the meter tells of queries that come, run and end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.virtual_warehouse.load import (
    QUEUEING_MS_MAX,
    WINDOW_LONG_MS,
    WINDOW_SHORT_MS,
    LoadMeter,
)


@pytest.fixture
def meter() -> LoadMeter:
    return LoadMeter(0.0)


def test_queries_are_counted_from_coming_to_ending(meter: LoadMeter) -> None:
    for _ in range(3):
        meter.queued(10.0)
    meter.started(20.0)
    meter.started(20.0)
    meter.dropped(30.0)
    meter.ended(40.0, 20.0)
    load = meter.load(50.0, 1, 1)
    assert (load.running, load.queued, load.demand, load.peak_long) == (1, 0, 1, 3)


def test_a_query_that_lost_its_worker_waits_again_and_says_nothing_of_times(
    meter: LoadMeter,
) -> None:
    meter.queued(0.0)
    meter.started(0.0)
    meter.returned(500.0)
    load = meter.load(500.0, 1, 1)
    assert (load.running, load.queued, load.execute_ms) == (0, 1, None)


def test_a_queue_that_empties_for_a_moment_is_remembered_and_for_a_second_is_not(
    meter: LoadMeter,
) -> None:
    meter.queued(0.0)
    meter.started(200.0)
    meter.queued(201.0)
    assert meter.load(300.0, 1, 1).queueing_ms == 298.0
    meter.load(5_000.0, 1, 1)
    meter.started(5_000.0)
    assert meter.load(5_000.0, 1, 1).queueing_ms == QUEUEING_MS_MAX
    assert meter.load(5_400.0, 1, 1).queueing_ms == QUEUEING_MS_MAX - 400
    assert meter.load(6_000.0, 1, 1).queueing_ms == 0.0


def test_the_oldest_is_the_oldest_of_those_that_wait(meter: LoadMeter) -> None:
    for at_ms in (1_100.0, 1_900.0, 3_000.0):
        meter.queued(at_ms)
    assert meter.load(4_000.0, 1, 1).oldest_queued_ms == 1_000.0
    meter.started(4_000.0, 3_000.0)  # a more important one
    meter.started(4_000.0)
    assert meter.load(4_000.0, 1, 1).oldest_queued_ms == 1_000.0
    meter.dropped(4_000.0, 1_900.0)
    assert meter.load(4_000.0, 1, 1).oldest_queued_ms is None


def test_the_mean_is_of_all_queries_while_they_are_few_then_of_recent_ones(
    meter: LoadMeter,
) -> None:
    def run(execute_ms: float | None) -> float | None:
        meter.queued(0.0)
        meter.started(0.0)
        meter.ended(0.0, execute_ms)
        return meter.load(0.0, 1, 1).execute_ms

    assert run(None) is None
    assert run(100.0) == 100.0
    assert run(200.0) == 150.0
    assert run(None) == 150.0
    for _ in range(100):
        last = run(1_000.0)
    assert last == pytest.approx(1_000.0, rel=0.02)


def test_idleness_begins_when_the_last_query_ends(meter: LoadMeter) -> None:
    meter.queued(0.0)
    meter.started(0.0)
    meter.queued(10.0)
    assert meter.load(50.0, 1, 1).idle_since_ms is None
    meter.dropped(100.0)
    meter.ended(250.0, 250.0)
    assert meter.load(900.0, 1, 1).idle_since_ms == 250.0


def test_idleness_begins_anew_when_it_wakes_and_serves(meter: LoadMeter) -> None:
    meter.load(0.0, 1, 1)
    meter.load(1_000.0, 0, 0)
    assert meter.load(5_000.0, 2, 0).idle_since_ms == 5_000.0
    assert meter.load(9_000.0, 2, 0).idle_since_ms == 9_000.0
    assert meter.load(9_500.0, 2, 1).idle_since_ms == 9_500.0
    assert meter.load(9_900.0, 2, 0).idle_since_ms == 9_500.0  # one that is lost
    assert meter.load(9_900.0, 2, 2).idle_since_ms == 9_500.0


def test_changes_of_clusters_are_noticed(meter: LoadMeter) -> None:
    def times(now_ms: float, clusters: int, serving: int) -> tuple[float | None, float | None]:
        load = meter.load(now_ms, clusters, serving)
        return load.changed_ms, load.grown_ms

    assert times(0.0, 1, 1) == (0.0, 0.0)
    assert times(10.0, 3, 1) == (10.0, 10.0)
    assert times(20.0, 3, 1) == (10.0, 10.0)
    assert times(30.0, 3, 2) == (10.0, 30.0)
    assert times(40.0, 2, 2) == (40.0, 30.0)


Steps = list[tuple[float, bool]]


@given(st.lists(st.tuples(st.floats(0, 40_000), st.booleans()), max_size=40), st.floats(0, 100_000))
@settings(max_examples=200)
def test_extremes_are_those_of_the_windows_to_the_second(steps: Steps, pause_ms: float) -> None:
    """Against the whole history: windows begin up to a second early, never late."""
    meter, now_ms, level = LoadMeter(0.0), 0.0, 0
    history = [(-1e9, 0)]
    for wait_ms, comes in steps:
        now_ms += wait_ms
        if comes:
            meter.queued(now_ms)
        elif level:
            meter.dropped(now_ms)
        else:
            continue
        level += 1 if comes else -1
        history.append((now_ms, level))
    now_ms += pause_ms
    load = meter.load(now_ms, 1, 1)

    def levels(window_ms: float) -> list[int]:
        ends = [*[at_ms for at_ms, _ in history[1:]], now_ms]
        start_ms = now_ms - window_ms
        return [one for (_, one), end in zip(history, ends, strict=True) if end >= start_ms]

    for window_ms, peak in ((WINDOW_SHORT_MS, load.peak_short), (WINDOW_LONG_MS, load.peak_long)):
        assert max(levels(window_ms)) <= peak <= max(levels(window_ms + 1_000))
    assert min(levels(WINDOW_LONG_MS + 1_000)) <= load.trough_long <= min(levels(WINDOW_LONG_MS))
