"""`mobula primary`: who reigns, releasing, promoting; in a process that has no primary itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import warehouse
from storage.objects import MemoryStore
from storage.snapshot.model import Snapshot
from tests.unit.warehouse.cli.conftest import Mobula, Outcome
from warehouse import Database, Fenced, Settings
from warehouse.cli import primary as command
from warehouse.cli.status import _primary


def facts(outcome: Outcome) -> dict[str, Any]:
    (found,) = json.loads(outcome.stdout)
    assert isinstance(found, dict)
    return found


def status(mobula: Mobula, root: str) -> tuple[int, dict[str, Any]]:
    outcome = mobula("primary", "status", root, "--format", "json")
    return outcome.status, facts(outcome)


def serving(root: str, settings: Settings | None = None) -> Database:
    """A connection whose primary reigns."""
    db = warehouse.connect(root, engine="local", settings=settings)
    db.sql("CREATE TABLE t (v INT)")
    return db


def killed(root: str) -> None:
    """As if whoever reigned had died: it has not said that it steps down."""
    (alive,) = Path(root).glob("epoch/*/alive")
    alive.unlink()


def test_nobody_has_ever_reigned(mobula: Mobula, root: str) -> None:
    warehouse.connect(root, engine="local").close()
    outcome = mobula("primary", "status", root)
    assert outcome.status == 1
    assert "no primary has ever reigned" in outcome.stdout
    code, found = status(mobula, root)
    assert (code, found["alive"], found["owner"], found["lsn"]) == (1, False, None, None)
    released = mobula("primary", "release", root)
    assert released.status == 0
    assert "nothing to release" in released.stderr
    made = facts(mobula("primary", "promote", root, "--format", "json"))
    assert (made["replaced"], made["epoch"], made["fence_lsn"]) == (None, 1, 1)


def test_one_that_is_alive(mobula: Mobula, root: str) -> None:
    with serving(root) as db:
        code, found = status(mobula, root)
        own = db.status()
        assert code == 0
        assert found == {
            "root": root,
            "alive": True,
            "state": "alive",
            "owner": own["owner"],
            "address": own["address"],
            "epoch": 1,
            "lease_ms": 10_000,
            "locked": True,
            "released": False,
            "lsn": own["lsn"],
            "log_epoch": 1,
        }
        db.sql("INSERT INTO t VALUES (1)")  # nobody has disturbed it
    code, found = status(mobula, root)
    assert (code, found["alive"], found["state"], found["released"]) == (
        1,
        False,
        "has stepped down",
        True,
    )


def test_one_that_died(mobula: Mobula, orders: str) -> None:
    killed(orders)
    code, found = status(mobula, orders)
    assert (code, found["alive"], found["released"]) == (1, False, False)
    assert "dead" in found["state"]
    released = mobula("primary", "release", orders)
    assert released.status == 0
    assert "nobody alive reigns" in released.stderr
    made = mobula("primary", "promote", orders)  # nobody has to be asked
    assert made.status == 0
    assert "has stepped down" in made.stdout


def test_without_a_lock_its_sign_of_life_is_watched(mobula: Mobula) -> None:
    MemoryStore.forget("reigning")
    root = "memory://reigning"
    with serving(root, Settings(lease_ms=900)):
        code, found = status(mobula, root)
        assert (code, found["alive"], found["locked"]) == (0, True, None)
    assert status(mobula, root)[0] == 1


def test_one_that_lives_elsewhere_cannot_be_released_from_here(mobula: Mobula, root: str) -> None:
    with serving(root) as db:
        error = mobula("primary", "release", root).error
        assert f"{db.status()['owner']} at {db.status()['address']} (epoch 1)" in error
        assert "mobula primary promote" in error
        db.sql("INSERT INTO t VALUES (1)")


def test_one_that_lives_is_replaced_if_that_is_said(mobula: Mobula, root: str) -> None:
    with serving(root) as db:
        old = db.status()
        error = mobula("primary", "promote", root).error
        assert f"has a primary that is alive: {old['owner']}" in error
        assert "--yes" in error
        assert db.sql("INSERT INTO t VALUES (1)").tag == "INSERT 0 1"
        lsn = db.status()["lsn"]
        made = facts(mobula("primary", "promote", root, "--yes", "--format", "json"))
        assert made["replaced"] == f"{old['owner']} at {old['address']}"
        assert made["owner"].startswith("local-")
        assert (made["epoch"], made["fence_lsn"]) == (2, lsn + 1)
        assert made["ms"] >= 0
        with pytest.raises(Fenced, match=made["owner"]):
            db.sql("INSERT INTO t VALUES (2)")
        assert status(mobula, root)[1]["locked"] is False
        with warehouse.connect(root, engine="local") as other:
            other.sql("INSERT INTO t VALUES (3)")
            assert other.sql("SELECT sum(v) FROM t").scalar() == 4


@pytest.mark.parametrize("answer", ["y", "n"])
def test_at_a_terminal_one_is_asked(
    mobula: Mobula, root: str, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(command, "_is_terminal", lambda: True)
    with serving(root) as db:
        owner = db.status()["owner"]
        outcome = mobula("primary", "promote", root, text=f"{answer}\n")
        assert f"{owner} at " in outcome.stderr
        assert "is alive. Fence it and take over?" in outcome.stderr
        if answer == "y":
            assert outcome.status == 0
            with pytest.raises(Fenced):
                db.sql("INSERT INTO t VALUES (1)")
        else:
            assert outcome.status == 1
            assert "nothing was changed" in outcome.stderr
            db.sql("INSERT INTO t VALUES (1)")


def test_the_root_may_come_from_the_environment(
    mobula: Mobula, orders: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOBULA_ROOT", orders)
    assert "has stepped down" in mobula("primary", "status").stdout
    assert mobula("primary", "promote", "--yes").status == 0


def test_where_there_is_no_database(mobula: Mobula, root: str) -> None:
    for what in ("status", "release", "promote"):
        assert "no Mobula database" in mobula("primary", what, root).error
    assert not Path(root).exists()


class _Telling:
    """A connection whose primary says this of itself."""

    def __init__(self, **told: Any) -> None:
        self._told = told

    def log(self, last: int) -> list[Any]:
        return []

    def status(self) -> dict[str, Any]:
        return dict.fromkeys(
            (
                *("checkpoint_lsn", "tail_groups", "tail_bytes", "flushes", "compactions"),
                *("open_transactions", "foreground_bytes", "background_bytes"),
            ),
            0,
        ) | {
            "owner": "a",
            "address": "b",
            "last_error": None,
            "write_amplification": 1.5,
            **self._told,
        }


@pytest.mark.parametrize(
    ("told", "primary", "store"),
    [
        ({"store_away": None, "stopped": None}, "a at b", "answers"),
        ({"store_away": "since ten", "stopped": None}, "a at b", "has not answered since ten"),
        ({"store_away": None, "stopped": "replaced"}, "a at b, stopped: replaced", "answers"),
    ],
)
def test_status_says_what_is_wrong(told: dict[str, Any], primary: str, store: str) -> None:
    snapshot = Snapshot(database_id="d", branch_id="main")
    shown = _primary(_Telling(**told), snapshot)  # type: ignore[arg-type]
    assert (shown["primary"], shown["store"]) == (primary, store)
    assert shown["write amplification"] == 1.5
