"""The audit finds nothing where nothing is wrong, and what is wrong where something is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import warehouse
from storage.objects import StoreOptions
from tests.durability.audit import Audit, digested
from tests.durability.batches import ALWAYS, KINDS, SETUP, Batch, planned
from tests.durability.writer import perform
from warehouse import Database, IngestToken

SEED = 7
BATCHES = 12


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """With the first batches of one client."""
    with warehouse.connect(str(tmp_path / "db"), engine="local") as found:
        for sequence, text in enumerate(SETUP, 1):
            found.sql(text, token=IngestToken(writer="setup", sequence=sequence))
        yield found


def audited(db: Database) -> Audit:
    """An audit that has heard of what the client wrote."""
    audit = Audit(root=db.root, options=StoreOptions(), seed=SEED, begun={0: BATCHES})
    for sequence in range(1, BATCHES + 1):
        audit.acknowledged[0, sequence] = perform(db, planned(SEED, 0, sequence)).lsn
    return audit


def finished(audit: Audit, db: Database) -> list[str]:
    asyncio.run(audit.follow(db.snapshot().lsn))
    audit.check_acknowledged()
    audit.check_rows(db)
    return audit.wrong


def test_every_kind_of_batch_is_what_the_model_says(db: Database) -> None:
    first: dict[str, Batch] = {}
    for sequence in range(1, 200):
        batch = planned(SEED, 0, sequence)
        first.setdefault(batch.kind, batch)
    assert first.keys() == {*KINDS, "drop"}
    audit = Audit(root=db.root, options=StoreOptions(), seed=SEED)
    for batch in first.values():
        lsn = perform(db, batch).lsn
        audit.model.apply(batch)
        assert digested(db, lsn) == (lsn, audit.model.digest()), batch.kind


def test_a_batch_is_a_function_of_its_token() -> None:
    assert planned(SEED, 0, 5) == planned(SEED, 0, 5)
    assert planned(SEED, 0, 5) != planned(SEED, 1, 5)
    assert planned(SEED, 0, 5) != planned(SEED + 1, 0, 5)


def test_nothing_is_wrong_where_all_is_as_it_was_told(db: Database) -> None:
    audit = audited(db)
    assert finished(audit, db) == []
    assert audit.check_versions(db, sorted(audit.digests)) == BATCHES + 1
    assert audit.wrong == []


def lost(audit: Audit, db: Database) -> None:
    audit.begun[0] = BATCHES + 1
    audit.acknowledged[0, BATCHES + 1] = audit.acknowledged[0, BATCHES] + 1


def elsewhere(audit: Audit, db: Database) -> None:
    audit.acknowledged[0, 3] += 1


def never_sent(audit: Audit, db: Database) -> None:
    audit.begun[0] = BATCHES - 1


def doubled(audit: Audit, db: Database) -> None:
    db.sql("INSERT INTO events SELECT * FROM events WHERE i = 0")


def changed(audit: Audit, db: Database) -> None:
    db.sql(f"UPDATE kv SET v = v + 1 WHERE k = -{ALWAYS}")


def unbalanced(audit: Audit, db: Database) -> None:
    db.sql("UPDATE accounts SET balance = balance + 1 WHERE id = 1")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lost, "acknowledged at LSN"),
        (elsewhere, "batch 3: acknowledged at LSN"),
        (never_sent, "was never sent"),
        (doubled, "is torn"),
        (changed, "kv AS OF"),
        (unbalanced, "accounts AS OF"),
    ],
)
def test_what_is_wrong_is_found(
    db: Database, spoil: Callable[[Audit, Database], None], told: str
) -> None:
    audit = audited(db)
    spoil(audit, db)
    assert any(told in text for text in finished(audit, db)), audit.wrong
