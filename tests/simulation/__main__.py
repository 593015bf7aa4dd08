"""Play many seeds; `make sim SEED=0 RUNS=200`.

    python -m tests.simulation --seed 0 --runs 10000 --jobs 2 --json summary.json
    python -m tests.simulation --seed 73                        # one seed, told
    python -m tests.simulation --case '{"seed": 73, "only": []}'  # a case as it was printed

A failing seed is printed, made small, and printed as a case that replays exactly; keep it in
`regressions.json`. Exits with 1 if any failed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.play import Report, play
from tests.simulation.shrink import shrink
from tests.simulation.world import Case

__all__ = ["Summary", "case_of", "main", "printed"]


@dataclasses.dataclass(slots=True)
class Summary:
    """What many runs came to."""

    runs: int = 0
    happened: Counter[str] = dataclasses.field(default_factory=Counter)
    simulated_s: float = 0.0
    violations: list[Report] = dataclasses.field(default_factory=list)

    def add(self, report: Report) -> None:
        self.runs += 1
        self.happened.update(report.happened)
        self.simulated_s += report.simulated_s
        if report.violation is not None:
            self.violations.append(report)

    def as_json(self) -> dict[str, object]:
        return {
            "seeds": self.runs,
            "violations": len(self.violations),
            "simulated_hours": round(self.simulated_s / 3600, 1),
            "happened": dict(sorted(self.happened.items())),
        }


def printed(case: Case) -> str:
    """A case as one line that `case_of` reads."""
    known = Case(seed=case.seed)
    found = {
        field.name: value
        for field in dataclasses.fields(Case)
        if (value := getattr(case, field.name)) != getattr(known, field.name)
    }
    return json.dumps({"seed": case.seed, **found})


def case_of(text: str) -> Case:
    """The case that `printed` wrote."""
    fields = json.loads(text)
    if fields.get("only") is not None:
        fields["only"] = tuple(fields["only"])
    return Case(**fields)


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
        for report in _reports(seeds, jobs):
            summary.add(report)
            progress.advance(bar)
            if report.violation is not None:
                console.print(f"seed {report.case.seed}: {report.violation}", markup=False)
            if not console.is_terminal and time.monotonic() - told > 60:
                told = time.monotonic()
                console.print(f"{summary.runs} of {len(seeds)} seeds", markup=False)
    return summary


def _reports(seeds: Sequence[int], jobs: int) -> Iterator[Report]:
    if jobs == 1:
        yield from (_of_seed(seed) for seed in seeds)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield from pool.map(_of_seed, seeds, chunksize=4)


def _of_seed(seed: int) -> Report:
    return play(Case.of(seed))


def _tell(report: Report, *, shrunk: bool) -> None:
    small = shrink(report) if shrunk else report
    sys.stdout.write(
        f"seed {report.case.seed} broke a promise: {report.violation}\n"
        f"  small: {printed(small.case)}\n  which: {small.violation}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
