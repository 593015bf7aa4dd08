"""The primary of a cluster and others of the same database: promoted, replaced, released."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import warehouse
from actors import spawn
from warehouse import Database, Fenced, Settings, Unavailable

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

QUICK = Settings(lease_ms=2_000)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Database]:
    """Another process of the same database, as far as the store can tell: it reigns."""
    with warehouse.connect(str(tmp_path / "db"), engine="local", settings=QUICK) as db:
        db.sql("CREATE TABLE t (v INT)")
        yield db


@pytest.fixture
def cluster(elsewhere: Database) -> Iterator[Database]:
    db = warehouse.connect(elsewhere.root, settings=QUICK)
    yield db
    db.shutdown()


def add(db: Database) -> None:
    db.sql("INSERT INTO t VALUES (1)")


def test_the_primary_moves_to_a_cluster_and_away(elsewhere: Database, cluster: Database) -> None:
    first = elsewhere.status()["owner"]
    with pytest.raises(Unavailable, match=f"has a primary: {first}"):
        add(cluster)

    made = cluster.promote_primary()  # though its process is waiting already
    assert made.before is not None
    assert (made.before.id, made.epoch, made.reigns) == (first, 2, True)
    assert made.took_ms is not None
    standing = cluster.primary_standing()
    assert standing is not None
    assert (standing.owner.id, standing.alive, standing.here) == (made.owner.id, True, True)
    again = cluster.promote_primary()
    assert (again.took_ms, again.owner.id, again.epoch) == (None, made.owner.id, 2)
    with pytest.raises(Fenced, match=made.owner.id):
        add(elsewhere)
    add(cluster)
    with pytest.raises(Unavailable, match=f"has a primary: {made.owner.id}"):
        add(elsewhere)

    owner = cluster.release_primary()
    assert owner is not None
    assert owner.id == made.owner.id
    assert spawn.find_primary(cluster._node) is None
    assert cluster.release_primary() is None
    add(elsewhere)  # nobody is waited for
    assert elsewhere.status()["epoch"] == 3
    assert elsewhere.sql("SELECT count(*) FROM t").scalar() == 2


def test_a_primary_of_a_cluster_that_was_replaced_begins_again(
    elsewhere: Database, cluster: Database
) -> None:
    elsewhere.release_primary()
    add(cluster)
    actor = cluster.status()["owner"]

    elsewhere.promote_primary()
    with pytest.raises(Fenced, match="replaced"):
        add(cluster)
    add(cluster)  # whoever replaced it has stepped down
    assert (cluster.status()["owner"], cluster.status()["epoch"]) == (actor, 4)

    elsewhere.promote_primary()
    made = cluster.promote_primary()  # it has not heard of that before
    assert (made.owner.id, made.epoch) == (actor, 6)
    assert made.took_ms is not None
    add(cluster)
    assert cluster.sql("SELECT count(*) FROM t").scalar() == 3
