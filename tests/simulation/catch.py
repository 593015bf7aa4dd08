"""Find anew at which seed each planted mistake is found first, wherever stories have changed.

    python -m tests.simulation.catch            # all: minutes
    python -m tests.simulation.catch "skip the fence"

Writes `caught.json` and the table of `docs/reliability.md`. Exits with 1 if a mistake escapes.
"""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.planted import PLANTED, planted
from tests.simulation.play import play
from tests.simulation.world import Case

__all__ = ["BOUND", "CAUGHT", "first_seed", "main"]

BOUND = 300  # seeds within which each planted mistake must be found
CAUGHT = Path(__file__).parent / "caught.json"
DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"


def first_seed(name: str) -> int | None:
    """The first one that finds a mistake; None: none within `BOUND` does."""
    for seed in range(BOUND):
        with planted(name):
            if play(Case.of(seed)).violation is not None:
                return seed
    return None


def main(names: Sequence[str]) -> int:
    caught: dict[str, int] = json.loads(CAUGHT.read_text(encoding="utf-8"))
    found: dict[str, int | None] = {name: caught.get(name) for name in PLANTED}
    wanted = list(names or PLANTED)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        for name, seed in zip(wanted, pool.map(first_seed, wanted), strict=True):
            print(f"{name}: {found[name]} -> {seed}", flush=True)  # noqa: T201
            found[name] = seed
    known = {name: seed for name, seed in found.items() if seed is not None}
    CAUGHT.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    rows = "".join(f"| {name} | {seed} |\n" for name, seed in known.items())
    text = DOCUMENT.read_text(encoding="utf-8")
    table = re.compile(r"(\| Mistake \| First seed \|\n\|---\|---\|\n)(?:\|.*\n)*")
    DOCUMENT.write_text(table.sub(lambda head: head[1] + rows, text), encoding="utf-8")
    return int(len(known) < len(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
