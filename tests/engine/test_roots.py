"""Opening: which roots are databases, who may write, and who is told to wait."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import warehouse
from storage.names import FORMAT
from storage.objects import MemoryStore
from tests.s3_server import free_port
from warehouse import InvalidRequest, NotYet, Settings, StoreOptions, Unavailable


def test_empty_place_becomes_a_database_once(tmp_path: Path) -> None:
    root = f"file://{tmp_path}/new"
    with warehouse.connect(root, engine="local") as db:
        first = db.id
    with warehouse.connect(root, engine="local") as db:
        assert db.id == first
    with warehouse.connect(str(tmp_path / "new"), engine="local", create=False) as db:
        assert db.id == first


def test_closing_twice_is_harmless_and_what_is_closed_says_so(tmp_path: Path) -> None:
    db = warehouse.connect(str(tmp_path / "db"), engine="local")
    db.sql("CREATE TABLE t (a BIGINT)")
    table = db.table("t")
    vw = db.create_virtual_warehouse("bi", size=1)
    assert vw.sql("SELECT * FROM t").rows() == []
    db.close()
    db.close()
    for call in (lambda: db.sql("SELECT 1"), lambda: table.append({"a": [1]}), db.snapshot):
        with pytest.raises(InvalidRequest, match="closed; connect again"):
            call()


def test_no_database_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no Mobula database"):
        warehouse.connect(str(tmp_path), engine="local", create=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidRequest, match=r"thesis\.txt"):
        warehouse.connect(str(tmp_path), engine="local")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_newer_format_says_upgrade(tmp_path: Path) -> None:
    warehouse.connect(str(tmp_path), engine="local").close()
    written = json.loads((tmp_path / FORMAT).read_text())
    (tmp_path / FORMAT).write_text(json.dumps(written | {"mobula": 99, "more": 1}))
    with pytest.raises(InvalidRequest, match="upgrade"):
        warehouse.connect(str(tmp_path), engine="local")
    (tmp_path / FORMAT).write_text("something else")
    with pytest.raises(warehouse.CorruptData, match="format"):
        warehouse.connect(str(tmp_path), engine="local")


@pytest.mark.parametrize("root", ["ftp://x/y", "s3://", "", "s3://a b/c"])
def test_bad_roots_are_refused(root: str) -> None:
    with pytest.raises(InvalidRequest):
        warehouse.connect(root, engine="local")


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="spark"):
        warehouse.connect(str(tmp_path), engine="spark")
    with pytest.raises(InvalidRequest, match="endpoint"):
        warehouse.connect(str(tmp_path), engine="local", store={"endpont_url": "x"})
    with pytest.raises(InvalidRequest, match="memory"):
        warehouse.connect("memory://x", engine="ray")
    with pytest.raises(NotYet, match="branch"):
        warehouse.connect(str(tmp_path), engine="local", branch="b")


def test_second_primary_is_told_who_holds_the_first(tmp_path: Path) -> None:
    root = str(tmp_path)
    with warehouse.connect(root, engine="local") as first:
        first.sql("CREATE TABLE t (a INT)")
        with warehouse.connect(root, engine="local") as second:
            with pytest.raises(Unavailable, match="has a primary: local-"):
                second.sql("CREATE TABLE u (a INT)")
            assert second.sql("SELECT count(*) FROM t").scalar() == 0  # reading takes no lease
            assert first.sql("INSERT INTO t VALUES (1)").tag == "INSERT 0 1"
            assert second.sql("SELECT count(*) FROM t").scalar() == 1
    with warehouse.connect(root, engine="local") as third:
        third.sql("INSERT INTO t VALUES (2)")  # released: no waiting
        assert third.sql("SELECT sum(a) FROM t").scalar() == 3


def test_second_primary_without_a_file_lock_waits_for_the_lease() -> None:
    MemoryStore.forget("lease")
    quick = Settings(lease_ms=600)
    with warehouse.connect("memory://lease", engine="local", settings=quick) as first:
        first.sql("CREATE TABLE t (a INT)")
        with (
            warehouse.connect("memory://lease", engine="local", settings=quick) as second,
            pytest.raises(Unavailable, match=r"has a primary: local-.* \(epoch 1\)"),
        ):
            second.sql("CREATE TABLE u (a INT)")


def test_unreachable_s3_is_unavailable_within_its_budget() -> None:
    options = StoreOptions(
        endpoint_url=f"http://127.0.0.1:{free_port()}",
        key="k",
        secret="s",
        region="us-east-1",
        retry_budget_ms=700,
    )
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        warehouse.connect("s3://bucket/prefix", engine="local", store=options)
    assert time.monotonic() - started < 20
