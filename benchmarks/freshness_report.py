"""What a run of the freshness benchmark found, and when a commit was first seen."""

from __future__ import annotations

import bisect
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.upsert_report import percentile

__all__ = ["FreshnessReport", "Sighting", "Way", "Written", "markdown", "visible_ms", "write_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One commit: its LSN, when it was begun and when its receipt came. Seconds of this machine's
    monotonic clock, which all its processes share."""

    lsn: int
    begun: float
    received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One look at a virtual warehouse: asked, answered, and the LSN that it answered at."""

    asked: float
    answered: float
    lsn: int


@dataclass(slots=True, kw_only=True)
class Way:
    """One measurement: how the warehouse hears of commits (`mode`), and how one looks (`probe`)."""

    mode: str
    probe: str
    visible_ms: list[float] = field(default_factory=list)
    commit_ms: list[float] = field(default_factory=list)
    look_ms: list[float] = field(default_factory=list)
    unseen: int = 0
    commits_per_second: float = 0.0


@dataclass(slots=True, kw_only=True)
class FreshnessReport:
    """One run."""

    write: str
    table_rows: int
    batch_rows: int
    rate: float
    seconds: float
    poll_ms: int
    seed: int
    machine: dict[str, str | int]
    ways: list[Way] = field(default_factory=list)


def way(mode: str, probe: str, written: Sequence[Written], sightings: Sequence[Sighting]) -> Way:
    """The numbers of one measurement. A commit that no look came after counts as unseen."""
    delays = visible_ms(written, sightings)
    span = written[-1].received - written[0].begun if written else 0.0
    return Way(
        mode=mode,
        probe=probe,
        visible_ms=[delay for delay in delays if delay is not None],
        commit_ms=[(one.received - one.begun) * 1000 for one in written],
        look_ms=[(one.answered - one.asked) * 1000 for one in sightings],
        unseen=delays.count(None),
        commits_per_second=len(written) / span if span else 0.0,
    )


def visible_ms(written: Sequence[Written], sightings: Sequence[Sighting]) -> list[float | None]:
    """For each commit, from its receipt to the first answer at its LSN or later.

    0 where the answer was there before the receipt; None where there is no such answer.

    Args:
        sightings: in the order in which they were answered; their LSNs never fall.
    """
    lsns = [one.lsn for one in sightings]
    found: list[float | None] = []
    for one in written:
        place = bisect.bisect_left(lsns, one.lsn)
        if place == len(lsns):
            found.append(None)
        else:
            found.append(max(0.0, (sightings[place].answered - one.received) * 1000))
    return found


def markdown(report: FreshnessReport) -> str:
    """A row for each way."""
    head = ["Hears by", "Looked at by", "Commits", "Commits/s", "Commit p50, ms", "Commit p99, ms"]
    head += ["Visible p50, ms", "Visible p99, ms", "Visible max, ms", "Look p50, ms", "Unseen"]
    lines = [head, ["---", "---", *["---:"] * (len(head) - 2)]]
    for one in report.ways:
        lines.append(
            [
                one.mode,
                one.probe,
                str(len(one.commit_ms)),
                f"{one.commits_per_second:.1f}",
                *(_ms(one.commit_ms, percent) for percent in (50, 99)),
                *(_ms(one.visible_ms, percent) for percent in (50, 99, 100)),
                _ms(one.look_ms, 50),
                str(one.unseen),
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_json(report: FreshnessReport, path: Path) -> None:
    """Everything that was measured, each delay included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")


def _ms(values: Sequence[float], percent: float) -> str:
    return f"{percentile(values, percent):.1f}" if values else "–"
