"""The simulation itself: seeds keep every promise, stories replay, mistakes are found.

MOBULA_RUNS=1000 plays so many seeds instead of the 60 of every day and the 200 of `make test-all`;
`make sim` is for more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import catch
from tests.simulation.catch import BOUND
from tests.simulation.many import case_of, printed
from tests.simulation.planted import PLANTED, planted
from tests.simulation.play import play
from tests.simulation.shrink import shrink
from tests.simulation.world import Case

RUNS = int(os.environ.get("MOBULA_RUNS", "200"))
DAILY = 60 if RUNS == 200 else RUNS  # the others of 200 belong to `make test-all`
AT_ONCE = 10  # seeds of one test
HERE = Path(__file__).parent
REGRESSIONS = json.loads((HERE / "regressions.json").read_text(encoding="utf-8"))
CAUGHT: dict[str, int] = json.loads(catch.CAUGHT.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=[pytest.mark.slow] if first >= DAILY else [])
        for first in range(0, RUNS, AT_ONCE)
    ],
)
def test_every_promise_holds(first: int) -> None:
    for seed in range(first, min(first + AT_ONCE, RUNS)):
        report = play(Case.of(seed))
        if report.violation is not None:
            sys.stdout.write(f"seed {seed}: {report.violation}\n")
            sys.stdout.write(f"made small: {printed(shrink(report).case)}\n")
            raise report.violation


def test_a_seed_is_one_story_in_every_process() -> None:
    """Whatever the hashes of strings are."""
    code = (
        "from tests.simulation.play import play; from tests.simulation.world import Case\n"
        "for seed in range(4):\n"
        "    case = Case(seed=seed, clients=2, steps=5, trouble=0.1, directory=seed % 2 == 0)\n"
        "    print(play(case).digest)"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": str(HERE.parents[1])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashes in ("1", "2")
    }
    assert len(told) == 1
    assert len(set(told.pop().split())) == 4


def test_many_seeds_in_two_processes_come_to_one_summary(tmp_path: Path) -> None:
    """As `make sim` plays them."""
    chosen = ["--seed", "3", "--runs", "6", "--jobs", "2", "--json", str(tmp_path / "found")]
    subprocess.run(
        [sys.executable, "-m", "tests.simulation", *chosen], cwd=HERE.parents[1], check=True
    )
    found = json.loads((tmp_path / "found").read_text(encoding="utf-8"))
    assert (found["seeds"], found["violations"], found["happened"]["histories"]) == (6, 0, 6)
    assert found["happened"]["commits"] == sum(
        play(Case.of(seed)).happened["commits"] for seed in range(3, 9)
    )


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_found(name: str) -> None:
    """`caught.json` says at which seed it was found last: that one is tried first. Where stories
    have changed since, `python -m tests.simulation.catch` finds it anew, and this is fast again."""
    likely = CAUGHT[name]
    for tried, seed in enumerate((likely, *(s for s in range(BOUND) if s != likely))):
        with planted(name):
            report = play(Case.of(seed))
        if report.violation is not None:
            sys.stdout.write(f"seed {seed}, the {tried + 1}. tried: {report.violation}\n")
            return
    pytest.fail(f"{name}: not found within {BOUND} seeds")


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_found_from_the_first_seed_on(name: str) -> None:
    found = catch.first_seed(name)
    assert found is not None, f"{name}: not found within {BOUND} seeds"
    assert found == CAUGHT[name], "python -m tests.simulation.catch"


@pytest.mark.parametrize("kept", REGRESSIONS, ids=[one["what"] for one in REGRESSIONS])
def test_what_was_found_stays_mended(kept: dict[str, str]) -> None:
    """Each has been a defect of Mobula; `planted` names the mistake that brings it back."""
    assert kept["planted"] in PLANTED
    report = play(case_of(json.dumps(kept["case"])))
    assert report.violation is None, report.violation


def test_who_is_to_die_at_a_call_that_is_refused_dies_there() -> None:
    """And is followed by another: the disk would else end its process at some later step, unheard
    (met by seed 10805: the only candidate, at the first call)."""
    report = play(Case.of(10805))
    assert report.violation is None, report.violation
    assert report.happened["commits"] > 0


def test_a_failing_case_is_made_small_and_replays() -> None:
    name = "a flush forgets what was deleted meanwhile"
    with planted(name):
        report = play(Case.of(CAUGHT[name]))
        assert report.violation is not None
        small = shrink(report, tries_max=15)
        assert small.kind == report.kind
        assert size(small.case) < size(report.case)
        again = play(case_of(printed(small.case)))
        assert (again.kind, again.digest) == (small.kind, small.digest)
    assert play(small.case).violation is None


def size(case: Case) -> int:
    faults = 1_000 if case.only is None else len(case.only)
    return faults + case.steps + case.clients + case.readers + case.candidates


def test_the_document_shows_every_planted_mistake() -> None:
    document = (HERE.parents[1] / "docs" / "reliability.md").read_text(encoding="utf-8")
    for name in PLANTED:
        assert f"| {name} | {CAUGHT[name]} |" in document
