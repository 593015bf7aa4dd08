"""ROOT from the environment, and which engine a command runs on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.errors import Unavailable
from tests.unit.warehouse.cli.conftest import Mobula
from warehouse.cli.session import Engine, Session, join_cluster

ONE = ("--format", "csv", "SELECT 1 AS one")


@pytest.fixture
def from_environment(orders: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MOBULA_ROOT", orders)
    return orders


def test_root_comes_from_the_environment(
    mobula: Mobula, from_environment: str, source: Path
) -> None:
    assert "orders" in mobula("tables").stdout
    assert "amount" in mobula("describe", "orders").stdout
    assert mobula("log", "--last", "2").status == 0
    assert mobula("sql", *ONE).stdout == "one\n1\n"
    assert mobula("sql", "--format", "csv", text="SELECT 2 AS two").stdout == "two\n2\n"
    assert mobula("load", "orders", str(source)).status == 0
    assert mobula("vw", "create", "bi").status == 0


def test_a_root_that_is_written_as_a_place_wins(
    mobula: Mobula, from_environment: str, tmp_path: Path, source: Path
) -> None:
    other = str(tmp_path / "other")
    assert mobula("load", other, "fresh", str(source), "--create").status == 0
    assert "fresh" in mobula("tables", other).stdout
    assert mobula("sql", other, "--format", "csv", text="SELECT 1 AS one").stdout == "one\n1\n"


def test_more_arguments_than_fit_begin_with_a_root(
    mobula: Mobula,
    from_environment: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOBULA_ROOT", str(tmp_path / "nowhere"))
    assert "orders" in mobula("tables", "db").stdout
    assert mobula("sql", "db", *ONE).stdout == "one\n1\n"


def test_without_a_root_the_usage_is_shown(mobula: Mobula) -> None:
    found = mobula("tables")
    assert found.status == 2
    assert "ROOT" in found.stderr


@pytest.mark.parametrize("root", ["ftp://host/db", ""])
def test_a_root_of_another_form_is_refused(mobula: Mobula, root: str) -> None:
    assert mobula("tables", root).status != 0


def test_local_is_chosen_where_no_cluster_is() -> None:
    choice = Session(join=lambda: "none is here").choose()
    assert choice.engine is Engine.local
    assert choice.reason == "no Ray cluster is reachable"


def test_ray_is_chosen_where_a_cluster_is() -> None:
    choice = Session(join=lambda: None).choose()
    assert choice.engine is Engine.ray
    assert choice.reason == "a Ray cluster is reachable"


def test_no_cluster_is_looked_for_when_local_is_asked_for() -> None:
    def join() -> str | None:
        raise AssertionError

    assert Session(asked=Engine.local, join=join).choose().engine is Engine.local


def test_ray_that_was_asked_for_must_be_there() -> None:
    with pytest.raises(Unavailable, match=r"no Ray cluster .*none is here.* --engine local"):
        Session(asked=Engine.ray, join=lambda: "none is here").choose()


def test_an_address_that_was_given_must_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    with pytest.raises(Unavailable, match="no Ray cluster at head:6379"):
        Session(join=lambda: "none is here").choose()


def test_engine_comes_from_the_environment(
    mobula: Mobula, orders: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOBULA_ENGINE", "local")
    assert "local (asked for)" in mobula("status", orders, engine=None).stdout


def test_a_dead_address_is_noticed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # whatever ran before in this process
    with _closed_port() as port:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
        assert join_cluster() is not None


@contextmanager
def _closed_port() -> Iterator[int]:
    with socket.socket() as bound:  # bound and not listening: nobody else may answer there
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_settings_come_from_a_file(mobula: Mobula, orders: str, tmp_path: Path) -> None:
    file = tmp_path / "mobula.toml"
    cache = tmp_path / "caches"
    file.write_text(f"cache_directory = '{cache}'", encoding="utf-8")
    assert mobula("--settings", str(file), "sql", orders, *ONE).stdout == "one\n1\n"
    assert cache.exists()
    file.write_text("cache_dir = 'x'", encoding="utf-8")
    failed = mobula("--settings", str(file), "sql", orders, *ONE)
    assert failed.status != 0
    assert "cache_dir is no setting; did you mean cache_directory" in failed.stderr
