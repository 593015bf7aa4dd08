"""What a meter records of queries, warehouses, events and the pool; what definitions promise."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from actors.virtual_warehouse.metrics import METRICS, PRIMARY, Meter, Metric, NoMetrics
from tests.unit.warehouse.observed_records import query_record, scaling_event, warehouse_record

DATABASE = "s3://bucket/db"


class Recorder:
    """`Metrics` that keeps values, and holds callers to what it is promised."""

    def __init__(self) -> None:
        self.values: list[tuple[str, float, tuple[str, ...]]] = []

    def record(self, metric: Metric, value: float, tags: Mapping[str, str]) -> None:
        assert metric in METRICS
        assert tuple(tags) == metric.tags
        assert tags["database"] == DATABASE
        assert all(isinstance(tag, str) for tag in tags.values())
        assert value > 0 if metric.kind == "counter" else value >= 0
        self.values.append((metric.name, value, tuple(tags.values())[1:]))

    def taken(self) -> list[tuple[str, float, tuple[str, ...]]]:
        """What came since the last time."""
        values, self.values = self.values, []
        return values

    def of(self, name: str) -> list[tuple[float, tuple[str, ...]]]:
        """What came since the last time, of one metric."""
        return [(value, tags) for found, value, tags in self.taken() if found == name]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def meter(recorder: Recorder) -> Meter:
    return Meter(recorder, DATABASE)


# --- definitions ----------------------------------------------------------------------------------


def test_names_are_those_that_prometheus_wants() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"mobula_[a-z_]+[a-z]", metric.name)
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert metric.description.endswith(".")


def test_buckets_ascend_and_only_histograms_have_them() -> None:
    for metric in METRICS:
        assert (metric.kind == "histogram") == bool(metric.boundaries)
        assert list(metric.boundaries) == sorted(set(metric.boundaries))
        assert all(boundary > 0 for boundary in metric.boundaries)


# --- queries --------------------------------------------------------------------------------------


def test_a_query_that_succeeded_counts_with_its_times_and_costs(
    meter: Meter, recorder: Recorder
) -> None:
    meter.query_ended(query_record("q"))
    assert recorder.taken() == [
        ("mobula_queries_total", 1, ("bi", "succeeded")),
        ("mobula_query_seconds", 1.5, ("bi",)),
        ("mobula_queue_seconds", 0.2, ("bi",)),
        ("mobula_cache_hits_total", 3, ("bi",)),
        ("mobula_cache_misses_total", 2, ("bi",)),
        ("mobula_spilled_bytes_total", 4096, ("bi",)),
    ]


def test_one_that_failed_says_nothing_about_how_long_queries_take(
    meter: Meter, recorder: Recorder
) -> None:
    nothing = {"cache_hits": 0, "files_scanned": 0, "spilled_bytes": 0}
    meter.query_ended(query_record("q", state="cancelled", **nothing))
    assert recorder.taken() == [
        ("mobula_queries_total", 1, ("bi", "cancelled")),
        ("mobula_queue_seconds", 0.2, ("bi",)),
    ]


def test_the_primarys_own_queries_have_a_name(meter: Meter, recorder: Recorder) -> None:
    meter.query_ended(query_record("q", warehouse=""))
    assert {tags[0] for _, _, tags in recorder.taken()} == {PRIMARY}


# --- warehouses -----------------------------------------------------------------------------------


def test_a_warehouse_is_shown_as_it_is(meter: Meter, recorder: Recorder) -> None:
    meter.publish(
        warehouse_record(
            "bi", clusters=2, clusters_wanted=3, workers=4, workers_wanted=6, busy=1, queued=7
        )
    )
    assert recorder.taken() == [
        ("mobula_queued", 7, ("bi",)),
        ("mobula_running", 1, ("bi",)),
        ("mobula_clusters", 2, ("bi",)),
        ("mobula_clusters_wanted", 3, ("bi",)),
        ("mobula_workers", 4, ("bi",)),
        ("mobula_workers_wanted", 6, ("bi",)),
    ]


def test_totals_become_increments(meter: Meter, recorder: Recorder) -> None:
    found = []
    for requests in (5, 5, 12):
        meter.publish(warehouse_record("bi", requests=requests))
        meter.publish(warehouse_record("etl", requests=1))
        found.append(recorder.of("mobula_store_requests_total"))
    assert found == [[(5, ("bi",)), (1, ("etl",))], [], [(7, ("bi",))]]
    meter.publish(warehouse_record("bi", requests=12, worker_seconds=0.25, read_bytes=9))
    assert [value[:2] for value in recorder.taken()[-2:]] == [
        ("mobula_worker_seconds_total", 0.25),
        ("mobula_read_bytes_total", 9),
    ]


def test_totals_of_a_coordinator_that_began_anew_are_added(
    meter: Meter, recorder: Recorder
) -> None:
    for total in (10.0, 4.0, 6.0):
        meter.publish(warehouse_record("bi", worker_seconds=total))
    grown = [value for value, _ in recorder.of("mobula_worker_seconds_total")]
    assert grown == [10, 4, 2]


def test_nothing_is_left_of_a_warehouse_that_is_dropped(meter: Meter, recorder: Recorder) -> None:
    meter.publish(warehouse_record("bi", workers=4, requests=10))
    told = {name for name, _, _ in recorder.taken()} - {"mobula_store_requests_total"}
    meter.dropped("bi")
    assert {(name, value) for name, value, _ in recorder.taken()} == {(n, 0) for n in told}
    meter.publish(warehouse_record("bi", requests=12))  # another one of that name
    assert recorder.of("mobula_store_requests_total") == [(12, ("bi",))]


# --- events, pool ---------------------------------------------------------------------------------


def test_events_and_losses_are_counted_by_their_kind(meter: Meter, recorder: Recorder) -> None:
    meter.scaled(scaling_event("scale out"))
    meter.worker_lost("bi", "memory")
    assert recorder.taken() == [
        ("mobula_scaling_events_total", 1, ("bi", "scale out")),
        ("mobula_worker_losses_total", 1, ("bi", "memory")),
    ]


def test_states_that_no_process_is_in_any_more_are_empty(meter: Meter, recorder: Recorder) -> None:
    meter.pool({("spot", "idle"): 2, ("spot", "starting"): 1})
    recorder.taken()
    meter.pool({("spot", "idle"): 3})
    assert sorted(recorder.of("mobula_pool_processes")) == [
        (0, ("spot", "starting")),
        (3, ("spot", "idle")),
    ]


def test_where_nobody_reads_nothing_happens() -> None:
    Meter(NoMetrics(), DATABASE).query_ended(query_record("q"))


# --- writes ---------------------------------------------------------------------------------------


def test_what_a_primary_wrote_counts_once(meter: Meter, recorder: Recorder) -> None:
    meter.written({"clients": 100, "maintenance": 0}, read=1.0, space=1.5)
    assert recorder.taken() == [
        ("mobula_written_bytes_total", 100, ("clients",)),
        ("mobula_read_amplification", 1.0, ()),
        ("mobula_space_amplification", 1.5, ()),
    ]
    meter.written({"clients": 150, "maintenance": 70}, read=1.0, space=1.5)
    name = "mobula_written_bytes_total"
    assert recorder.of(name) == [(50, ("clients",)), (70, ("maintenance",))]
    meter.written({"clients": 20, "maintenance": 70}, read=1.0, space=1.5)  # another one
    assert recorder.of(name) == [(20, ("clients",))]


def test_what_a_primary_keeps_and_deletes(meter: Meter, recorder: Recorder) -> None:
    meter.past(kept_bytes=70, pins=1, collected_bytes=0)
    assert recorder.taken() == [("mobula_past_bytes", 70, ()), ("mobula_pins", 1, ())]
    meter.past(kept_bytes=10, pins=0, collected_bytes=60)
    assert recorder.taken() == [
        ("mobula_past_bytes", 10, ()),
        ("mobula_pins", 0, ()),
        ("mobula_collected_bytes_total", 60, ()),
    ]
    for total, more in ((60, []), (80, [(20, ())]), (5, [(5, ())])):  # the last is of another one
        meter.past(kept_bytes=10, pins=0, collected_bytes=total)
        assert recorder.of("mobula_collected_bytes_total") == more
