"""What a run of the benchmark of sustained upserts found: turns, a table in Markdown, JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.upsert_report import percentile

__all__ = ["Run", "SustainedReport", "Turn", "markdown", "summary", "write_json"]

_HEAD = (
    "System",
    "Minute",
    "Rows/s",
    "p50, ms",
    "p99, ms",
    "Query p50, ms",
    "Delta rows",
    "Level-0 files",
    "Files",
    "Foreground, MB",
    "Background, MB",
    "Memory, MB",
    "Machine",
)


@dataclass(slots=True, kw_only=True)
class Turn:
    """One turn of one system.

    Attributes:
        seconds: of the turn, without those in which batches were made.
        commit_ms, query_ms: of each batch and of each query beside them.
        rss_bytes: the most resident memory of its process.
        machine_speed: rounds a second (`calibration.py`), before and after it on average.
        numbers: what it says of itself, on average over the turn, or of bytes in it; by name.
    """

    batches: int
    seconds: float
    commit_ms: list[float]
    query_ms: list[float]
    rss_bytes: int
    machine_speed: float | None = None
    numbers: dict[str, float] = field(default_factory=dict)

    def rows_per_second(self, batch_rows: int) -> float:
        """Over the whole turn, so with whatever stood between two batches."""
        return self.batches * batch_rows / self.seconds


@dataclass(slots=True, kw_only=True)
class Run:
    """One system. `failure`: why it stopped early or does not count."""

    version: str = ""
    synced: bool = True
    load_seconds: float | None = None
    turns: list[Turn] = field(default_factory=list)
    failure: str | None = None

    @property
    def batches(self) -> int:
        """That were written."""
        return sum(turn.batches for turn in self.turns)


@dataclass(slots=True, kw_only=True)
class SustainedReport:
    """A run: by system, what was found."""

    table_rows: int
    batch_rows: int
    partitions: int
    turn_seconds: float
    seed: int
    machine: dict[str, str | int]
    runs: dict[str, Run] = field(default_factory=dict)


def summary(report: SustainedReport) -> list[dict[str, Any]]:
    """A row for each system and turn."""
    return [
        {"system": name, "minute": number, **_numbers(turn, report)}
        for name, run in report.runs.items()
        for number, turn in enumerate(run.turns, 1)
    ]


def write_json(report: SustainedReport, path: Path) -> None:
    """Everything that was measured, raw times included."""
    content = {**asdict(report), "summary": summary(report)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def markdown(report: SustainedReport) -> str:
    """The table, then each system over all its turns, and who failed."""
    lines = [list(_HEAD), ["---", *["---:"] * (len(_HEAD) - 1)]]
    for name, run in report.runs.items():
        for number, turn in enumerate(run.turns, 1):
            found = list(_numbers(turn, report).values())
            lines.append([name, str(number), *map(_cell, found)])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([table, "", *map(_whole, report.runs.items())])


def _whole(one: tuple[str, Run]) -> str:
    name, run = one
    if run.failure is not None:
        return f"{name} ({run.version}): {run.failure}"
    written = {
        which: sum(turn.numbers.get(f"{which}_bytes", 0) for turn in run.turns)
        for which in ("foreground", "background")
    }
    foreground, total = written["foreground"], sum(written.values())
    shown = f"{total / foreground:.2f}" if foreground else "-"
    flat = [turn.rows_per_second(1) for turn in run.turns]
    slowest = min(flat) / flat[0] if flat else 1.0
    return (
        f"{name} ({run.version}): {run.batches:,} batches, write amplification {shown}, slowest "
        f"minute {slowest:.2f} of the first"
    )


def _numbers(turn: Turn, report: SustainedReport) -> dict[str, float | None]:
    found = turn.numbers
    foreground, background = found.get("foreground_bytes"), found.get("background_bytes")
    return {
        "rows_per_second": turn.rows_per_second(report.batch_rows),
        "p50_ms": _percentile(turn.commit_ms, 50),
        "p99_ms": _percentile(turn.commit_ms, 99),
        "query_p50_ms": statistics.median(turn.query_ms) if turn.query_ms else None,
        "delta_rows": found.get("delta_rows"),
        "level_0": found.get("level_0"),
        "files": found.get("files"),
        "foreground_mb": None if foreground is None else foreground / 1e6,
        "background_mb": None if background is None else background / 1e6,
        "rss_mb": turn.rss_bytes / 1e6,
        "machine": _relative(turn, report),
    }


def _relative(turn: Turn, report: SustainedReport) -> float | None:
    """The machine's speed, as a part of the best of all turns."""
    known = [t.machine_speed for run in report.runs.values() for t in run.turns if t.machine_speed]
    return None if turn.machine_speed is None else turn.machine_speed / max(known)


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return percentile(values, percent) if values else None


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    if 0.1 <= value < 2 and value != int(value):
        return f"{value:.2f}"
    return f"{value:,.1f}" if value < 100 and value != int(value) else f"{value:,.0f}"
