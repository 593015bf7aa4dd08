"""What may go under data/ and index/, by a snapshot alone."""

from __future__ import annotations

import dataclasses

import pytest

from storage.collection.doomed import Doomed, Why, due_graves, lost_uploads
from storage.names import begun_lsn, data_prefix, index_prefix
from storage.objects import ObjectInfo
from storage.snapshot import changes as c
from storage.snapshot.apply import apply_changes
from storage.snapshot.graveyard import Buried, Grave
from storage.snapshot.model import Snapshot
from tests.unit.storage.snapshot.test_apply_changes import TABLE, add_files

DATA = data_prefix("main", 3, 7)
INDEX = index_prefix("main", 3, 7)


def buried(name: str) -> Buried:
    return Buried(name=name, checksum="0" * 32, size_bytes=10, lsn_added=1)


def with_graves(*graves: Grave) -> Snapshot:
    return Snapshot(database_id="d", branch_id="main", lsn=9, graveyard=graves)


def listed(*names: str) -> list[ObjectInfo]:
    return [ObjectInfo(name=name, size_bytes=5) for name in names]


def lost(snapshot: Snapshot, floor: int, *names: str) -> list[str]:
    return [one.name for one in lost_uploads(listed(*names), snapshot, floor)]


def test_a_grave_is_due_once_no_version_before_it_is_read() -> None:
    snapshot = with_graves(
        Grave(lsn_removed=5, table="t", objects=(buried("data/a"), buried("index/r"))),
        Grave(lsn_removed=7, table="t", objects=(buried("data/b"), buried("index/s"))),
    )

    def due(until: int, runs_until: int) -> list[str]:
        return [one.name for one in due_graves(snapshot, until=until, runs_until=runs_until)]

    assert due(4, 4) == []
    assert due(5, 4) == ["data/a"]
    assert due(4, 5) == ["index/r"]
    assert due(6, 6) == ["data/a", "index/r"]
    assert due(7, 6) == ["data/a", "index/r", "data/b"]
    assert due(7, 7) == ["data/a", "index/r", "data/b", "index/s"]


def test_why_a_grave_is_due() -> None:
    grave = Grave(lsn_removed=5, table="t", objects=(buried("data/a"), buried("index/r")))
    assert list(due_graves(with_graves(grave), until=5, runs_until=5)) == [
        Doomed(name="data/a", size_bytes=10, why=Why.UNREAD),
        Doomed(name="index/r", size_bytes=10, why=Why.MERGED),
    ]


def test_an_upload_is_lost_once_the_floor_is_past_its_beginning() -> None:
    empty = with_graves()
    names = (f"{DATA}one", f"{INDEX}one.run")
    assert lost(empty, 7, *names) == []
    assert lost(empty, 8, *names) == list(names)
    (found,) = lost_uploads(listed(names[0]), empty, 8)
    assert found == Doomed(name=names[0], size_bytes=5, why=Why.UPLOAD)


def test_what_the_snapshot_knows_is_not_lost() -> None:
    names = [f"{DATA}{n}" for n in ("live", "buried", "planned", "lost")]
    run = c.IndexRun(name=f"{INDEX}run", checksum="0" * 32, size_bytes=1, key_count=1, generation=1)
    made = apply_changes(
        Snapshot(database_id="d", branch_id="main"),
        (c.CreateTable(table=TABLE), c.PlanCollection(names=(names[2],), upload_floor=0)),
        {2: (add_files(1, names[0].removeprefix("data/")), c.AddIndexRuns(runs=(run,)))},
        lsn=1,
    )
    grave = Grave(lsn_removed=5, table="t", objects=(buried(names[1]),))
    snapshot = dataclasses.replace(made, graveyard=(grave,))
    assert lost(snapshot, 99, *names, run.name, f"{INDEX}other") == [names[3], f"{INDEX}other"]


@pytest.mark.parametrize(
    "name",
    [
        f"{data_prefix('trial', 3, 7)}one",  # of another branch
        f"{data_prefix('main2', 3, 7)}one",
        f"{index_prefix('m', 3, 7)}one",
        "data/README",
        "data/main",
        "data/main-",
        "data/main-x-1-one",
        "data/main-3",
        "data/main-3-",
        "datas/main-3-1-one",
        "delete/main-3-1-one",
        "log/00000000000000000001",
        "main-3-1-one",
        "branch/x/data/main-3-1-one",
        "data//main-3-1-one",
    ],
)
def test_names_of_others_are_never_lost(name: str) -> None:
    assert begun_lsn(name, "main") is None
    assert lost(with_graves(), 1 << 62, name) == []


@pytest.mark.parametrize(
    ("rest", "lsn"),
    [
        ("3-7-one", 7),
        ("3-7-one-two.run", 7),
        ("3-0-one", 0),
        ("3-one", 0),  # as earlier versions wrote them
        ("3-0123abc", 0),
        ("3-7", 0),
        ("3-7-", 0),
        ("3-٣-one", 0),
    ],
)
def test_when_an_upload_began(rest: str, lsn: int) -> None:
    for kind in ("data", "index"):
        assert begun_lsn(f"{kind}/main-{rest}", "main") == lsn


def test_a_branch_whose_name_has_a_dash_is_told_from_others() -> None:
    name = f"{data_prefix('main-2', 3, 7)}one"
    assert begun_lsn(name, "main-2") == 7
