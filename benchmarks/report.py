"""From raw times to medians, ratios, totals and geometric means: as JSON and as Markdown."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["Report", "markdown", "summary", "write_json"]


@dataclass(slots=True, kw_only=True)
class Report:
    """What one run of the benchmark found, filled while it runs.

    times_ms: by system and query, one time per measured run; failures: by system and query, why it
    gave no answer or a wrong one. The first system is the base of all ratios.
    """

    scale_factor: float
    runs: int
    threads: int
    machine: dict[str, str | int]
    queries: list[int]
    versions: dict[str, str] = field(default_factory=dict)
    prepare_seconds: dict[str, float] = field(default_factory=dict)
    rows: dict[int, int] = field(default_factory=dict)
    times_ms: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    failures: dict[str, dict[int, str]] = field(default_factory=dict)

    def medians_ms(self, system: str) -> dict[int, float]:
        """Median time of each query that the system answers rightly."""
        times = self.times_ms[system]
        return {query: statistics.median(times[query]) for query in self.queries if times[query]}

    def common_queries(self) -> list[int]:
        """The queries that every system answers rightly: totals and means are over these."""
        failed = {query for failures in self.failures.values() for query in failures}
        return [query for query in self.queries if query not in failed]


def summary(report: Report) -> dict[str, dict[str, float]]:
    """Total, ratio of totals, and geometric mean of the queries' ratios, by system.

    A ratio is the system's time divided by the base's: above 1 the base is faster.
    """
    common = report.common_queries()
    medians = {system: report.medians_ms(system) for system in report.times_ms}
    if not common:
        return {}
    base = next(iter(medians.values()))
    found = {}
    for system, times in medians.items():
        total_ms = sum(times[query] for query in common)
        found[system] = {
            "total_ms": total_ms,
            "total_ratio": total_ms / sum(base[query] for query in common),
            "geometric_mean_ratio": statistics.geometric_mean(
                times[query] / base[query] for query in common
            ),
        }
    return found


def write_json(report: Report, path: Path) -> None:
    """Everything that was measured, raw times included."""
    content = asdict(report)
    content["medians_ms"] = {system: report.medians_ms(system) for system in report.times_ms}
    content["common_queries"] = report.common_queries()
    content["summary"] = summary(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def markdown(report: Report) -> str:
    """A table for the README: medians in milliseconds, and the ratio to the first system."""
    systems = list(report.times_ms)
    medians = {system: report.medians_ms(system) for system in systems}
    head = ["Query", "Rows", *(f"{name} ({report.versions[name]})" for name in systems)]
    lines = [head, ["---:"] * len(head)]
    for query in report.queries:
        cells = [_cell(report, medians, system, query) for system in systems]
        lines.append([str(query), str(report.rows.get(query, "")), *cells])
    lines += _totals(report, systems)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(report: Report, medians: dict[str, dict[int, float]], system: str, query: int) -> str:
    if query in report.failures[system]:
        return "failed"
    ms = medians[system][query]
    base = medians[next(iter(medians))].get(query)
    return f"{ms:.0f}" if base is None else f"{ms:.0f} ({ms / base:.2f})"


def _totals(report: Report, systems: list[str]) -> list[list[str]]:
    found = summary(report)
    if not found:
        return []
    count = len(report.common_queries())
    totals = [
        f"**{found[system]['total_ms']:.0f} ({found[system]['total_ratio']:.2f})**"
        for system in systems
    ]
    means = [f"**{found[system]['geometric_mean_ratio']:.2f}**" for system in systems]
    return [
        [f"**total of {count}**", "", *totals],
        ["**geometric mean of ratios**", "", *means],
    ]
