"""Random histories of tables with keys, in partitions: every version is what it would be without.

And what is in which partition is checked: a check of the whole database finds nothing.

MOBULA_SEEDS=1000-1100 plays those seeds instead of the few of every day.
"""

from __future__ import annotations

import asyncio
import random
import sys

import pytest

from storage.objects import MemoryStore
from storage.scrub import Finding, Severity, scrub
from tests.property.keyed_history import history
from tests.property.keyed_model import partitioning
from tests.property.seeds import seeds

STEPS = 30


@pytest.mark.parametrize("seed", seeds("400-405", daily=2))
def test_every_version_equals_the_model(seed: int) -> None:
    sys.stdout.write(f"seed {seed}\n")
    source = random.Random(f"partitions {seed}")

    with history(seed, partitioning(source, 0.9)) as made:
        for step in range(STEPS):
            made.step()
            made.check_newest()
            if step % 10 == 9:
                made.check_index()
        made.check_every_version()
        if seed % 2:
            made.db.sql("CALL mobula.repair_index()")
            made.check_index()
        made.reopen()
        made.check_newest()
        made.check_index()
        found: list[Finding] = []
        asyncio.run(scrub(MemoryStore.named(f"keyed-{seed}"), on_finding=found.append))
        assert not [f for f in found if f.severity is not Severity.note]
