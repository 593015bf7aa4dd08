"""Metrics as Prometheus fetches them from the agent of a node."""

from __future__ import annotations

import re
import time
import urllib.request

import pytest

from actors.ray_metrics import RayMetrics
from actors.virtual_warehouse.metrics import METRICS, Meter
from tests.ray_cluster import RayCluster
from tests.unit.warehouse.observed_records import query_record, scaling_event, warehouse_record

AGENT_WAIT_S = 60
DATABASE = "/a/database"
SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")


@pytest.mark.ray
@pytest.mark.slow  # values travel every ten seconds
def test_every_metric_reaches_prometheus_by_its_name(ray_cluster: RayCluster) -> None:
    meter = Meter(RayMetrics(), DATABASE)
    meter.query_ended(query_record("q1"))
    meter.query_ended(query_record("q2", elapsed_ms=40_000.0))
    meter.scaled(scaling_event("scale out"))
    meter.worker_lost("bi", "memory")
    meter.pool({("default", "idle"): 3})
    meter.written({"clients": 100, "maintenance": 300}, read=1.5, space=1.25)
    meter.past(kept_bytes=70, pins=1, collected_bytes=60)
    costs = {"worker_seconds": 2.5, "requests": 11, "read_bytes": 1 << 20}
    meter.publish(warehouse_record("bi", workers=2, workers_wanted=4, queued=5, **costs))
    found = samples_when_there()
    assert found["ray_mobula_queries_total", "state", "succeeded"] == 2
    assert found["ray_mobula_workers", "warehouse", "bi"] == 2
    assert found["ray_mobula_worker_seconds_total", "warehouse", "bi"] == 2.5
    assert found["ray_mobula_query_seconds_bucket", "le", "2.5"] == 1
    assert found["ray_mobula_query_seconds_bucket", "le", "60.0"] == 2
    assert found["ray_mobula_query_seconds_count", "database", DATABASE] == 2
    assert found["ray_mobula_worker_losses_total", "why", "memory"] == 1
    assert found["ray_mobula_scaling_events_total", "action", "scale out"] == 1
    assert found["ray_mobula_written_bytes_total", "by", "maintenance"] == 300
    assert found["ray_mobula_space_amplification", "database", DATABASE] == 1.25
    assert found["ray_mobula_collected_bytes_total", "database", DATABASE] == 60
    assert found["ray_mobula_pool_processes", "node_type", "default"] == 3


def samples_when_there() -> dict[tuple[str, str, str], float]:
    """Values by the metric's name, and the name and value of each of its tags."""
    deadline = time.monotonic() + AGENT_WAIT_S
    missing = {metric.name for metric in METRICS}
    while time.monotonic() < deadline:
        page = fetched()
        missing = {
            n for n in missing if not re.search(rf"^ray_{n}(_count)?\{{", page, re.MULTILINE)
        }
        if not missing:
            return samples(page)
        time.sleep(1)
    raise AssertionError(f"not fetched within {AGENT_WAIT_S} s: {sorted(missing)}")


def fetched() -> str:
    import ray

    (node,) = ray.nodes()
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def samples(page: str) -> dict[tuple[str, str, str], float]:
    found = {}
    for line in page.splitlines():
        sample = SAMPLE.match(line)
        if sample is not None and DATABASE in sample[2]:
            for tag, value in re.findall(r'(\w+)="([^"]*)"', sample[2]):
                found[sample[1], tag, value] = float(sample[3])
    return found
