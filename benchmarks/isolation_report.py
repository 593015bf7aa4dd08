"""What a run of the isolation benchmark found: times alone and beside a load, and counters."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.clients import Timed
from benchmarks.upsert_report import percentile

__all__ = [
    "WANTED_RATIO",
    "Counted",
    "IsolationReport",
    "Phase",
    "markdown",
    "pooled",
    "within",
    "write_json",
]

WANTED_RATIO = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A span of the monotonic clock, alone or beside the load; what begins in it counts for it."""

    loaded: bool
    begun: float
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What moved in a span: of the primary or of a virtual warehouse, requests to the object store
    and bytes read from it; `queries` that virtual warehouses ran meanwhile."""

    who: str
    span: str
    seconds: float
    queries: int
    requests: int
    read_bytes: int


@dataclass(slots=True, kw_only=True)
class IsolationReport:
    """One run. `times_ms`: by what was measured ("commit", "query"), "alone" and "loaded", by
    label, the times; commits have one label."""

    rounds: int
    seconds: float
    scale_factor: float
    batch_rows: int
    rate: float
    clients: int
    seed: int
    machine: dict[str, str | int]
    cores: dict[str, list[int]] = field(default_factory=dict)
    times_ms: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    load_queries: dict[str, int] = field(default_factory=dict)
    counted: list[Counted] = field(default_factory=list)

    def add(self, what: str, times: Sequence[Timed], phases: Sequence[Phase]) -> None:
        """The times of one measurement, each to the phase that it began in."""
        self.times_ms[what] = {
            "alone": within(times, [p for p in phases if not p.loaded]),
            "loaded": within(times, [p for p in phases if p.loaded]),
        }


def within(times: Sequence[Timed], phases: Sequence[Phase]) -> dict[str, list[float]]:
    """Milliseconds, by label, of the calls that began in one of the phases."""
    found: dict[str, list[float]] = {}
    for one in times:
        if any(phase.begun <= one.begun < phase.ended for phase in phases):
            found.setdefault(one.label, []).append(one.ms)
    return found


def pooled(times_ms: Mapping[str, Sequence[float]]) -> list[float]:
    """The times of all labels."""
    return [ms for times in times_ms.values() for ms in times]


def typical_ratio(
    alone: Mapping[str, Sequence[float]], loaded: Mapping[str, Sequence[float]]
) -> float | None:
    """Geometric mean, over the labels that both have, of the ratio of medians; None: there are
    none. So a query that takes long weighs no more than the others."""
    ratios = [
        statistics.median(loaded[label]) / statistics.median(alone[label])
        for label in alone
        if label in loaded
    ]
    return statistics.geometric_mean(ratios) if ratios else None


def summary(report: IsolationReport) -> list[dict[str, Any]]:
    """A row for each thing that was measured. Ratios are loaded by alone."""
    found = []
    for what, times in report.times_ms.items():
        alone, loaded = pooled(times["alone"]), pooled(times["loaded"])
        row: dict[str, Any] = {"what": what, "alone": len(alone), "loaded": len(loaded)}
        for percent in (50, 99):
            pair = [percentile(t, percent) if t else None for t in (alone, loaded)]
            row[f"alone_p{percent}_ms"], row[f"loaded_p{percent}_ms"] = pair
            both = pair[0] and pair[1]
            row[f"p{percent}_ratio"] = pair[1] / pair[0] if both else None
        row["typical_ratio"] = typical_ratio(times["alone"], times["loaded"])
        found.append(row)
    return found


def markdown(report: IsolationReport) -> str:
    """The times, then what the counters say."""
    head = ["Measured", "Alone", "p50, ms", "p99, ms", "Beside", "p50, ms", "p99, ms"]
    head += ["p50 ratio", "Ratio of medians", f"p99 ratio (wanted {WANTED_RATIO:g})"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for row in summary(report):
        cells = [row["what"]]
        for side in ("alone", "loaded"):
            cells.append(str(row[side]))
            cells += [_number(row[f"{side}_p{percent}_ms"], 1) for percent in (50, 99)]
        ratios = ("p50_ratio", "typical_ratio", "p99_ratio")
        lines.append([*cells, *(_number(row[ratio], 2) for ratio in ratios)])
    head = ["Counters of", "While", "Seconds", "Queries of virtual warehouses", "Requests", "Bytes"]
    counters = [head, ["---", "---", *["---:"] * 4]]
    for one in report.counted:
        cells = [one.who, one.span, f"{one.seconds:.1f}"]
        counters.append([*cells, f"{one.queries:,}", f"{one.requests:,}", f"{one.read_bytes:,}"])
    tables = ["\n".join(f"| {' | '.join(line)} |" for line in t) for t in (lines, counters)]
    return "\n\n".join(tables)


def write_json(report: IsolationReport, path: Path) -> None:
    """Everything that was measured, each time included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**asdict(report), "summary": summary(report)}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
