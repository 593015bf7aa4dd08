"""Many seeds, in several processes, what they come to, and cases as text."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.simulation.play import Report, play
from tests.simulation.world import Case

__all__ = ["Summary", "case_of", "printed", "reports"]


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


def reports(seeds: Sequence[int], jobs: int) -> Iterator[Report]:
    """One of each seed, in their order. Args: jobs: processes at a time."""
    if jobs == 1:
        yield from (_of_seed(seed) for seed in seeds)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield from pool.map(_of_seed, seeds, chunksize=4)


def _of_seed(seed: int) -> Report:
    return play(Case.of(seed))
