"""Metrics by Ray: each process hands its values to the agent of its node, where Prometheus fetches
them from all nodes, as `ray_` and the metric's name.

Values travel every 10 s (`metrics_report_interval_ms` of Ray's system configuration). Ray rounds
what a histogram observed to the middle of its bucket. A gauge of a process that has ended goes
away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.util.metrics import Counter, Gauge, Histogram

from actors.virtual_warehouse.metrics import METRICS, Metric

__all__ = ["RayMetrics"]


class RayMetrics:
    """`Metrics` of a process that is connected to Ray."""

    def __init__(self) -> None:
        self._made = {metric.name: _made(metric) for metric in METRICS}

    def record(self, metric: Metric, value: float, tags: Mapping[str, str]) -> None:
        """See `Metrics.record`."""
        taker = self._made[metric.name]
        match metric.kind:
            case "gauge":
                taker.set(value, dict(tags))
            case "counter":
                taker.inc(value, dict(tags))
            case "histogram":
                taker.observe(value, dict(tags))


def _made(metric: Metric) -> Any:
    name, told, tags = metric.name, metric.description, metric.tags
    match metric.kind:
        case "gauge":
            return Gauge(name, told, tags)
        case "counter":
            return Counter(name, told, tags)
        case "histogram":
            return Histogram(name, told, list(metric.boundaries), tags)
