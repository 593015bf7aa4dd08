"""After any history a check finds nothing; and indexes made anew in between are right."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from storage.objects import MemoryStore
from storage.scrub import Finding, Report, Severity, scrub
from tests.property.keyed_history import history

STEPS = 26
SEEDS = os.environ.get("MOBULA_SEEDS", "200-202")
FIRST, _, LAST = SEEDS.partition("-")


def checked(seed: int) -> Report:
    """Of the store of a history, while its primary runs."""
    found: list[Finding] = []
    report = asyncio.run(scrub(MemoryStore.named(f"keyed-{seed}"), on_finding=found.append))
    assert not [f for f in found if f.severity is not Severity.note]
    return report


@pytest.mark.parametrize("seed", range(int(FIRST), int(LAST or FIRST) + 1))
def test_a_check_finds_nothing(seed: int) -> None:
    sys.stdout.write(f"seed {seed}\n")
    with history(seed) as made:
        for step in range(STEPS):
            made.step()
            if step % 13 == 12:
                checked(seed)
        if seed % 2:
            made.db.sql("CALL mobula.repair_index()")
            made.check_index()
        made.reopen()
        made.check_newest()
        made.check_index()
        report = checked(seed)
        snapshot = made.db.snapshot()
        assert report.lsn == snapshot.lsn
        assert report.rows == sum(table.row_count for table in snapshot.tables.values())
