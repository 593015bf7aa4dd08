"""Makes a failing case small: fewer faults, fewer processes, less to do, the same failure.

1. Leave out faults and events: halves first, then ever smaller parts (delta debugging; Zeller and
   Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).
2. Fewer clients, readers, candidates, steps, as long as it fails in the same way.
3. Again from 1, until nothing more goes.

A fault that is left out changes what happens after it, so a smaller case may fail at another
moment; it counts if the same promise is broken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from tests.simulation.play import Report, play
from tests.simulation.world import Case

__all__ = ["shrink"]


def shrink(report: Report, *, tries_max: int = 150, run: Callable[[Case], Report] = play) -> Report:
    """The smallest failing case that was found from a failing one, and how it came out."""
    assert report.violation is not None
    best, tries = report, 0

    def still(case: Case) -> Report | None:
        nonlocal tries
        tries += 1
        found = run(case)
        return found if found.kind == report.kind else None

    improved = True
    while improved and tries < tries_max:
        improved = False
        for smaller in _smaller(best):
            if tries >= tries_max:
                break
            if (found := still(smaller)) is not None:
                best, improved = found, True
                break
    return best


def _smaller(report: Report) -> Iterator[Case]:
    """Cases to try, those that promise most first."""
    case, faults = report.case, report.faults
    if case.only != faults:
        yield dataclasses.replace(case, only=faults)  # those that came to happen
    part = len(faults)
    while part:
        for start in range(0, len(faults), part):
            kept = faults[:start] + faults[start + part :]
            yield dataclasses.replace(case, only=kept)
        part //= 2
    for name, least in (("steps", 1), ("clients", 1), ("readers", 0), ("candidates", 1)):
        value = getattr(case, name)
        for lower in sorted({least, value // 2, value - 1}):
            if least <= lower < value:
                yield dataclasses.replace(case, **{name: lower})
    for name in ("loss", "impatience"):
        if getattr(case, name):
            yield dataclasses.replace(case, **{name: 0.0})
