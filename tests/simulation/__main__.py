"""Play many seeds; `make sim SEED=0 RUNS=200`.

    python -m tests.simulation --seed 0 --runs 10000 --jobs 2 --json summary.json
    python -m tests.simulation --seed 73                        # one seed, told
    python -m tests.simulation --case '{"seed": 73, "only": []}'  # a case as it was printed

A failing seed is printed, made small, and printed as a case that replays exactly; keep it in
`regressions.json`. Exits with 1 if any failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.many import Summary, case_of, printed, reports
from tests.simulation.play import Report, play
from tests.simulation.shrink import shrink

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--case", help="one case, as it was printed")
    parser.add_argument("--json", type=Path, help="where the summary goes")
    parser.add_argument("--no-shrink", action="store_true", help="print failures as they are")
    chosen = parser.parse_args(arguments)
    console = Console(stderr=True)
    if chosen.case is not None:
        summary = Summary()
        summary.add(play(case_of(chosen.case)))
    else:
        seeds = range(chosen.seed, chosen.seed + chosen.runs)
        summary = _played(seeds, chosen.jobs, console)
    for report in summary.violations:
        _tell(report, shrunk=not chosen.no_shrink and chosen.case is None)
    text = json.dumps(summary.as_json(), indent=2)
    print(text)  # noqa: T201
    if chosen.json is not None:
        chosen.json.write_text(text + "\n", encoding="utf-8")
    return 1 if summary.violations else 0


def _played(seeds: Sequence[int], jobs: int, console: Console) -> Summary:
    summary = Summary()
    columns = (TextColumn("seeds"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("seeds", total=len(seeds))
        told = time.monotonic()
        for report in reports(seeds, jobs):
            summary.add(report)
            progress.advance(bar)
            if report.violation is not None:
                console.print(f"seed {report.case.seed}: {report.violation}", markup=False)
            if not console.is_terminal and time.monotonic() - told > 60:
                told = time.monotonic()
                console.print(f"{summary.runs} of {len(seeds)} seeds", markup=False)
    return summary


def _tell(report: Report, *, shrunk: bool) -> None:
    small = shrink(report) if shrunk else report
    sys.stdout.write(
        f"seed {report.case.seed} broke a promise: {report.violation}\n"
        f"  small: {printed(small.case)}\n  which: {small.violation}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
