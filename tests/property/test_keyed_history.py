"""Random histories of tables with keys: every version, the index, and every way of reading.

MOBULA_SEEDS=1000-1100 plays those seeds instead of the few of every day; a failure prints its seed
and its last steps.
"""

from __future__ import annotations

import os
import sys

import pytest

from tests.property.keyed_history import history

STEPS = 30
SEEDS = os.environ.get("MOBULA_SEEDS", "0-5")
FIRST, _, LAST = SEEDS.partition("-")


def run(seed: int) -> None:
    sys.stdout.write(f"seed {seed}\n")
    with history(seed) as made:
        for step in range(STEPS):
            made.step()
            made.check_newest()
            if step % 10 == 9:
                made.check_index()
        made.check_every_version()
        made.reopen()
        made.check_newest()
        made.check_index()


@pytest.mark.parametrize("seed", range(int(FIRST), int(LAST or FIRST) + 1))
def test_every_version_equals_the_model(seed: int) -> None:
    run(seed)


def test_rows_of_a_table_without_keys_move_under_a_transaction() -> None:
    """What it deletes by location is deleted where a flush has put it meanwhile."""
    with history(0) as made:
        made.db.sql("CREATE TABLE plain (n INTEGER)")
        made.db.sql("INSERT INTO plain VALUES (1), (2), (3)")
        with made.db.transaction() as tx:
            tx.sql("DELETE FROM plain WHERE n = 2")
            made.flush("plain")
            tx.sql("INSERT INTO plain VALUES (4)")
            tx.sql("DELETE FROM plain WHERE n = 4 OR n = 1")
        assert made.db.sql("SELECT n FROM plain").rows() == [(3,)]


def test_what_an_open_transaction_has_deleted_is_there_for_others() -> None:
    """Others have deleted as many rows of the same delta, but another one."""
    with history(0) as made:
        made.db.sql("CREATE TABLE plain (n INTEGER PRIMARY KEY)")
        made.db.sql("INSERT INTO plain VALUES (1), (2), (3)")
        with made.db.transaction() as tx:
            tx.sql("DELETE FROM plain WHERE n = 2")
            made.db.sql("DELETE FROM plain WHERE n = 1")
            for _ in range(2):
                assert sorted(made.db.sql("SELECT n FROM plain").rows()) == [(2,), (3,)]
                assert sorted(tx.sql("SELECT n FROM plain").rows()) == [(1,), (3,)]
        assert made.db.sql("SELECT n FROM plain").rows() == [(3,)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_every_version_equals_the_model_for_longer(seed: int) -> None:
    run(seed)
