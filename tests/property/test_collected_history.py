"""Random histories of tables with keys whose past is collected, again and again: every version that
is retained stays what it was, the others are refused, and what nobody can reach is gone.

MOBULA_SEEDS=1000-1100 plays those seeds instead of the few of every day.
"""

from __future__ import annotations

import asyncio
import random
import sys

import pytest

from storage.objects import MemoryStore
from storage.scrub import Finding, Severity, scrub
from tests.property.keyed_history import KeyedHistory, history, primary_of, same
from tests.property.keyed_model import partitioning
from tests.property.seeds import seeds
from warehouse import InvalidRequest

STEPS = 30
RETENTIONS = ("0 days", "0 days", "40 milliseconds", "150 milliseconds", "1 day")


@pytest.mark.parametrize("seed", seeds("600-660", daily=2))
def test_every_retained_version_equals_the_model(seed: int) -> None:
    sys.stdout.write(f"seed {seed}\n")
    source = random.Random(f"collected {seed}")

    with history(seed, partitioning(source, 0.3)) as made:
        for _ in range(STEPS):
            made.step()
            if source.random() < 0.15:
                check_retained(made)
                collect(made, source.choice(RETENTIONS))
                check_retained(made)
                made.check_newest()
        made.check_index()
        made.reopen()
        check_retained(made)
        collect(made, "0 days")
        check_retained(made)
        check_nothing_is_left(made)
        found: list[Finding] = []
        asyncio.run(scrub(MemoryStore.named(f"keyed-{seed}"), on_finding=found.append))
        assert not [f for f in found if f.severity is not Severity.note]


def collect(made: KeyedHistory, retention: str) -> None:
    """Uploads that were given up go too."""
    made.log.append(f"vacuum {retention}")
    before = made.db.snapshot().horizon
    made.db.sql("CALL mobula.vacuum($1, '0 days')", [retention])
    assert made.db.snapshot().horizon >= before


def check_retained(made: KeyedHistory) -> None:
    """All tables, AS OF every LSN since they are all there."""
    snapshot = made.db.snapshot()
    model = made.versions[made.first_lsn]
    for lsn in range(made.first_lsn, snapshot.lsn + 1):
        model = made.versions.get(lsn, model)
        for shape in made.shapes:
            query = f"SELECT * FROM {shape.name} AS OF LSN {lsn}"
            if lsn < snapshot.horizon:
                with pytest.raises(
                    InvalidRequest, match=f"oldest version is LSN {snapshot.horizon}"
                ):
                    made.vw.sql(query, min_lsn=snapshot.lsn)
            else:
                found = made.vw.sql(query, min_lsn=snapshot.lsn).rows()
                same(found, model[shape.name], f"{shape.name} as of {lsn}")


def check_nothing_is_left(made: KeyedHistory) -> None:
    """Of data and indexes the store has what some version from the horizon on reads, no more."""
    primary = primary_of(made.db)

    async def work() -> tuple[set[str], set[str]]:
        await primary._sequencer.drain()
        snapshot = primary.snapshot
        tables = snapshot.tables.values()
        needed = {name for table in tables for name in table.files.names}
        needed |= {run.name for table in tables for run in table.index_runs}
        needed |= {one.name for grave in snapshot.graveyard for one in grave.objects}
        store = made.db._engine.store  # type: ignore[attr-defined]
        stored = {e.name for prefix in ("data/", "index/") async for e in store.list(prefix)}
        return stored, needed

    stored, needed = made.run_inside(work())
    assert stored <= needed
