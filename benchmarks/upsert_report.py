"""What a run of the upsert benchmark found: values, percentiles, a table in Markdown, JSON."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["Outcome", "UpsertReport", "markdown", "percentile", "write_json"]

_HEAD = (
    "Rows in the table",
    "System",
    "Rows/s",
    "p50, ms",
    "p99, ms",
    "Batches",
    "Synced",
    "Written by a commit, KB",
    "Written in all, KB a batch",
    "CPU, ms a batch",
    "Peak memory, MB",
    "Load, s",
    "On disk, MB",
    "First commit after load, s",
    "First commit after the run, s",
)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What one system did at one size of the table; filled while it runs.

    Attributes:
        first_seconds: from opening what was loaded, in a new process, to the return of a batch.
        again_seconds: the same after the run, so with all that its batches left behind.
        times_ms, commit_bytes: of each measured batch. Bytes are what the system's process has
            given to write() during the call; of Mobula, what the commit put into the store.
        written_bytes, cpu_ms: of the process from the first measured batch to the last, so with
            what it did in the background.
        peak_bytes: resident memory, from opening to the end of the run, without the load.
        failure: why it stopped early or does not count.
    """

    version: str = ""
    synced: bool = True
    load_seconds: float | None = None
    load_peak_bytes: int | None = None
    disk_bytes: int | None = None
    first_seconds: float | None = None
    again_seconds: float | None = None
    times_ms: list[float] = field(default_factory=list)
    commit_bytes: list[int] = field(default_factory=list)
    written_bytes: int | None = None
    cpu_ms: float | None = None
    peak_bytes: int | None = None
    failure: str | None = None

    def rows_per_second(self, batch_rows: int) -> float | None:
        """Rows over the time that commits took, the slow ones included."""
        total_ms = sum(self.times_ms)
        return batch_rows * len(self.times_ms) * 1000 / total_ms if total_ms else None

    def of_batch(self, total: float | None) -> float | None:
        """The mean share of a batch."""
        return None if total is None or not self.times_ms else total / len(self.times_ms)


@dataclass(slots=True, kw_only=True)
class UpsertReport:
    """One run: by table size and system, what was found."""

    batch_rows: int
    batches: int
    seconds: float
    seed: int
    machine: dict[str, str | int]
    batch_parquet_bytes: int = 0
    outcomes: dict[int, dict[str, Outcome]] = field(default_factory=dict)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank): always
    one that was measured. Of fewer than 100 values the 99th is the largest."""
    rank = max(1, math.ceil(percent / 100 * len(values)))
    return sorted(values)[rank - 1]


def summary(report: UpsertReport) -> list[dict[str, str | float | int | None]]:
    """A row for each size and system, with the numbers of the table."""
    return [
        {"table_rows": rows, "system": name, **_numbers(report, outcome)}
        for rows, outcomes in report.outcomes.items()
        for name, outcome in outcomes.items()
    ]


def write_json(report: UpsertReport, path: Path) -> None:
    """Everything that was measured, raw times included."""
    content = {**asdict(report), "summary": summary(report)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def markdown(report: UpsertReport) -> str:
    """The table, and below it what a batch takes compressed and who failed."""
    lines = [list(_HEAD), ["---:", "---", *["---:"] * (len(_HEAD) - 2)]]
    for rows, outcomes in report.outcomes.items():
        for name, outcome in outcomes.items():
            lines.append([f"{rows:,}", f"{name} ({outcome.version})", *_cells(report, outcome)])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    batch = (
        f"A batch has {report.batch_rows:,} rows, half of them new, and takes "
        f"{_count(report.batch_parquet_bytes / 1000)} KB as Parquet with zstd."
    )
    failures = [
        f"{name}, {rows:,} rows: {outcome.failure}"
        for rows, outcomes in report.outcomes.items()
        for name, outcome in outcomes.items()
        if outcome.failure
    ]
    return "\n".join([table, "", batch, *failures])


def _numbers(report: UpsertReport, outcome: Outcome) -> dict[str, float | int | None]:
    times = outcome.times_ms
    return {
        "rows_per_second": outcome.rows_per_second(report.batch_rows),
        "p50_ms": percentile(times, 50) if times else None,
        "p99_ms": percentile(times, 99) if times else None,
        "batches": len(times),
        "commit_bytes_p50": statistics.median(outcome.commit_bytes) if times else None,
        "written_bytes_per_batch": outcome.of_batch(outcome.written_bytes),
        "cpu_ms_per_batch": outcome.of_batch(outcome.cpu_ms),
        "peak_bytes": outcome.peak_bytes,
        "load_seconds": outcome.load_seconds,
        "disk_bytes": outcome.disk_bytes,
        "first_seconds": outcome.first_seconds,
        "again_seconds": outcome.again_seconds,
    }


def _cells(report: UpsertReport, outcome: Outcome) -> list[str]:
    found = _numbers(report, outcome)
    return [
        _count(found["rows_per_second"]),
        _count(found["p50_ms"]),
        _count(found["p99_ms"]),
        _count(found["batches"]),
        "yes" if outcome.synced else "no",
        _count(found["commit_bytes_p50"], 1e3),
        _count(found["written_bytes_per_batch"], 1e3),
        _count(found["cpu_ms_per_batch"]),
        _count(found["peak_bytes"], 1e6),
        _count(found["load_seconds"]),
        _count(found["disk_bytes"], 1e6),
        _count(found["first_seconds"]),
        _count(found["again_seconds"]),
    ]


def _count(value: float | None, unit: float = 1) -> str:
    """With a digit after the point below 10, two below 1; "–" for what was not measured."""
    if value is None:
        return "–"
    scaled = value / unit
    if isinstance(scaled, int) or scaled == int(scaled) or scaled >= 10:
        return f"{scaled:,.0f}"
    return f"{scaled:.1f}" if scaled >= 1 else f"{scaled:.2f}"
