"""A primary that was replaced, or that the store refuses: it says so once, lets go, and goes on.

In one process and in two, on one directory: there the lock shows whether somebody let go.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import warehouse
from storage.errors import MobulaError
from storage.log.standing import PRIMARY_LOCK
from storage.objects import LocalStore
from storage.objects.lock_probe import is_locked
from warehouse import Database, Fenced, InvalidRequest, Settings, Unavailable

REPOSITORY = Path(__file__).parents[2]
QUICK = Settings(lease_ms=2_000)
# Says what became of each statement that it is given, line by line.
CHILD = """
import sys, warehouse
db = warehouse.connect(sys.argv[1], engine="local")
for line in sys.stdin:
    try:
        print(db.sql(line).tag, flush=True)
    except warehouse.MobulaError as error:
        print(type(error).__name__, error, flush=True)
db.close()
"""


@pytest.fixture
def first(root: str) -> Iterator[Database]:
    """It reigns."""
    with warehouse.connect(root, engine="local") as db:
        db.sql("CREATE TABLE t (v INT)")
        yield db


@pytest.fixture
def second(root: str) -> Iterator[Database]:
    with warehouse.connect(root, engine="local") as db:
        yield db


def locked(root: str) -> bool | None:
    return is_locked(LocalStore(Path(root)), PRIMARY_LOCK)


def add(db: Database) -> None:
    db.sql("INSERT INTO t VALUES (1)")


def count(db: Database) -> int:
    found: int = db.sql("SELECT count(*) FROM t").scalar()
    return found


def test_who_was_replaced_hears_it_once_and_goes_on(
    first: Database, second: Database, root: str
) -> None:
    made = second.promote_primary()
    assert (made.before is not None, made.epoch, made.owner.locked) == (True, 2, False)
    assert locked(root)
    with pytest.raises(Fenced, match=f"written by {made.owner.id} in epoch 2"):
        add(first)
    assert not locked(root)
    assert count(first) == 0
    assert first.status() == {}
    add(first)  # the one that was promoted has stepped down
    assert first.status()["epoch"] == 3
    assert locked(root)
    assert count(second) == 1


def test_who_was_replaced_is_told_who_reigns(first: Database, root: str) -> None:
    with warehouse.connect(root, engine="local", settings=QUICK) as second:
        second.promote_primary()
        add(second)  # without the lock, which the first still holds
        standing = second.primary_standing()
        assert standing is not None
        assert (standing.alive, standing.here, standing.owner.locked) == (True, True, False)
        with pytest.raises(Fenced):
            add(first)
        with pytest.raises(Unavailable, match=f"has a primary: {standing.owner.id}"):
            add(first)
        assert count(first) == 1
    add(first)
    assert count(first) == 2


def test_who_writes_nothing_lets_go_as_well(root: str, second: Database) -> None:
    with warehouse.connect(root, engine="local", settings=QUICK) as idle:
        idle.sql("CREATE TABLE t (v INT)")
        second.promote_primary()
        pause = threading.Event()
        for _ in range(500):
            if not locked(root):
                break
            pause.wait(0.02)
        assert not locked(root)
        assert idle.status() == {}
        assert count(idle) == 0  # reading needs no primary
        with pytest.raises(Fenced, match="has taken over"):
            add(idle)
        add(idle)
        assert count(idle) == 1


def test_rows_that_are_being_read_come_whole(first: Database, second: Database) -> None:
    first.sql("INSERT INTO t SELECT x FROM generate_series(1, 300000) AS g (x)")
    with first.stream("SELECT v FROM t") as stream:
        batches = iter(stream)
        rows = next(batches).num_rows
        second.promote_primary()
        with pytest.raises(Fenced):  # the worker is taken by the rows
            first.table("t").append(pl.DataFrame({"v": [1]}, schema={"v": pl.Int32}))
        add(first)
        rows += sum(batch.num_rows for batch in batches)
    assert rows == 300_000


def test_temporary_tables_of_who_goes_on_stay(first: Database, second: Database) -> None:
    first.sql("CREATE TEMPORARY TABLE x (a INT)")
    second.promote_primary()
    with pytest.raises(Fenced):
        add(first)
    first.sql("INSERT INTO x VALUES (1)")
    assert first.sql("SELECT a FROM x").scalar() == 1


def test_a_transaction_that_was_open_is_gone(first: Database, second: Database) -> None:
    first.sql("BEGIN")
    add(first)
    second.promote_primary()
    with pytest.raises(Fenced):
        first.sql("COMMIT")
    assert count(first) == 0
    add(first)
    assert count(first) == 1


def test_a_disk_that_cannot_be_written_for_a_while(
    first: Database, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = LocalStore.create

    async def refused(self: LocalStore, name: str, data: bytes) -> None:
        raise InvalidRequest(f"{name}: the file system is read-only", "42501")

    monkeypatch.setattr(LocalStore, "create", refused)
    with pytest.raises(InvalidRequest, match=r"log/.*read-only"):
        add(first)
    assert not locked(root)
    assert count(first) == 0
    with pytest.raises(InvalidRequest, match=r"epoch/.*read-only"):
        add(first)
    monkeypatch.setattr(LocalStore, "create", create)
    add(first)
    assert count(first) == 1


def test_promoting_who_reigns_changes_nothing(first: Database) -> None:
    made = first.promote_primary()
    assert (made.took_ms, made.epoch, made.reigns) == (None, 1, True)
    add(first)
    assert first.status()["epoch"] == 1


def test_promoting_who_has_been_replaced_takes_over_again(
    first: Database, second: Database
) -> None:
    """It has not heard of it before, and need not any more."""
    second.promote_primary()
    made = first.promote_primary()
    assert (made.epoch, made.owner.locked) == (3, True)
    add(first)
    assert count(second) == 1


def test_releasing_lets_the_next_one_begin_at_once(
    first: Database, second: Database, root: str
) -> None:
    owner = first.release_primary()
    assert owner is not None
    assert not locked(root)
    standing = second.primary_standing()
    assert standing is not None
    assert (standing.owner, standing.alive) == (owner, False)
    assert first.release_primary() is None
    add(second)
    with pytest.raises(Unavailable, match="has a primary"):
        add(first)


class Child:
    """A process with a connection of its own."""

    def __init__(self, root: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHILD, root],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self, statement: str) -> str:
        """What became of the statement."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{statement}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)


def test_two_processes(root: str) -> None:
    warehouse.connect(root, engine="local").close()
    insert = "INSERT INTO t VALUES (1)"
    with Child(root) as child, warehouse.connect(root, engine="local", settings=QUICK) as db:
        assert child.says("CREATE TABLE t (v INT)") == "CREATE TABLE"
        with pytest.raises(MobulaError, match="has a primary"):
            add(db)
        made = db.promote_primary()
        assert child.says(insert).startswith(f"Fenced log/{made.lsn:020d} was written by ")
        assert not locked(root)
        assert child.says(insert) == "INSERT 0 1"  # nobody has been there since
        made = db.promote_primary()
        add(db)
        assert child.says(insert).startswith("Fenced ")
        assert "has a primary: local-" in child.says(insert)
        assert count(db) == 2
        db.release_primary()
        assert child.says(insert) == "INSERT 0 1"
        assert count(db) == 3
