"""What a run of the elasticity benchmark found; and what records of queries say of a scale-out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.upsert_report import percentile

__all__ = ["WANTED_MS", "ElasticityReport", "ScaleOutError", "markdown", "scale_out", "write_json"]

QUEUED_MS_MIN = 1.0  # every query passes through the queue; one that finds a worker idle, in less

WANTED_MS: dict[tuple[str, str], float] = {
    ("pool", "create to first row"): 1_000,
    ("pool", "resume to first row"): 1_000,
    ("pool", "suspend to all given back"): 1_000,
    ("pool", "suspend to all freed"): 1_000,
    ("pool", "queueing to decision"): 2_000,
    ("pool", "decision to first query served"): 1_000,
    ("node launch", "queueing to decision"): 2_000,
    ("node launch", "node there to first row"): 1_000,
    ("node launch", "node there to first query served"): 1_000,
}
"""What the project wants, by way and measure; the others are for comparison."""


class ScaleOutError(Exception):
    """The records of a round do not show a scale-out."""


@dataclass(slots=True, kw_only=True)
class ElasticityReport:
    """One run: milliseconds of each round, by way ("pool", "cold", "node launch") and measure."""

    rounds: int
    size: int
    clients: int
    clusters: int
    scale_factor: float
    seed: int
    machine: dict[str, str | int]
    autoscaler: int | None = None
    times_ms: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, way: str, found: Mapping[str, float]) -> None:
        """The measures of one round."""
        measures = self.times_ms.setdefault(way, {})
        for measure, ms in found.items():
            measures.setdefault(measure, []).append(ms)


def scale_out(
    queries: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]], clusters: int
) -> dict[str, float]:
    """What happened when, in ms, in a virtual warehouse that was saturated.

    Args:
        queries: the records of its load, rows of `mobula.queries()`.
        events: rows of `mobula.scaling_events()` about it. Both have times in ms since 1970.
        clusters: that it shall have in the end; it had one before.
    Raises:
        ScaleOutError: no query waited, nothing was decided, or not all clusters served.
    """
    waited = [q for q in queries if q["queued_ms"] >= QUEUED_MS_MIN]
    if not waited:
        raise ScaleOutError("no query waited: give it more clients")
    queueing = min(q["started_at"] + q["plan_ms"] for q in waited)
    # An event has whole milliseconds.
    out = (e["happened_at"] for e in events if e["action"] == "scale out")
    decided = min((at for at in out if at >= queueing - 1), default=None)
    if decided is None:
        raise ScaleOutError("queries waited, and no scale-out was decided")
    begun: dict[int, float] = {}  # by cluster, its first query
    for query in queries:
        if query["cluster"] is not None:
            at = query["started_at"] + query["plan_ms"] + query["queued_ms"]
            begun[query["cluster"]] = min(at, begun.get(query["cluster"], at))
    served = sorted(begun.values())
    if len(served) != clusters:
        raise ScaleOutError(f"{len(served)} clusters ran queries, not {clusters}")
    return {
        "queueing to decision": max(decided - queueing, 0.0),
        "decision to first query served": max(served[1] - decided, 0.0),
        "decision to all clusters serving": max(served[-1] - decided, 0.0),
    }


def summary(report: ElasticityReport) -> list[dict[str, Any]]:
    """A row for each way and measure."""
    return [
        {
            "way": way,
            "measure": measure,
            "rounds": len(times),
            "p50_ms": percentile(times, 50),
            "p99_ms": percentile(times, 99),
            "wanted_ms": WANTED_MS.get((way, measure)),
        }
        for way, measures in report.times_ms.items()
        for measure, times in measures.items()
    ]


def markdown(report: ElasticityReport) -> str:
    """A row for each way and measure, and whether its p99 is as it is wanted."""
    head = ["Way", "Measure", "Rounds", "p50, ms", "p99, ms", "Wanted, ms", "Met"]
    lines = [head, ["---", "---", *["---:"] * 4, "---"]]
    for row in summary(report):
        wanted = row["wanted_ms"]
        lines.append(
            [
                row["way"],
                row["measure"],
                str(row["rounds"]),
                f"{row['p50_ms']:,.0f}",
                f"{row['p99_ms']:,.0f}",
                "" if wanted is None else f"{wanted:,.0f}",
                "" if wanted is None else "yes" if row["p99_ms"] <= wanted else "no",
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_json(report: ElasticityReport, path: Path) -> None:
    """Everything that was measured, each round included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**asdict(report), "summary": summary(report)}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
