"""Virtual warehouses in the catalogue: made, altered, dropped, and which settings make sense."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.operations import AlterWarehouse, DropWarehouse, NewWarehouse
from actors.primary.resolve import resolve
from actors.primary.warehouses import checked, find_warehouse
from storage.errors import InvalidRequest, UnknownObject
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.model import Snapshot
from tests.unit.actors.primary.test_resolve_catalogue import after

BI = VirtualWarehouse(name="bi", size=4, worker_cpus=1, cache_bytes=1 << 30)
YEAR_S = 366 * 86_400


def with_bi() -> Snapshot:
    return after(NewWarehouse(warehouse=BI))


def altered(**changes: Any) -> VirtualWarehouse:
    found = after(AlterWarehouse(name="bi", changes=changes), start=with_bi())
    return found.virtual_warehouses["bi"]


def test_one_that_was_made_is_in_the_catalogue() -> None:
    assert find_warehouse("bi", with_bi()) == BI


def test_a_name_is_taken_once() -> None:
    with pytest.raises(InvalidRequest, match="virtual warehouse bi exists already") as error:
        after(NewWarehouse(warehouse=BI), start=with_bi())
    assert error.value.sqlstate == "42710"
    other = msgspec.structs.replace(BI, size=9)
    again = after(NewWarehouse(warehouse=other, if_not_exists=True), start=with_bi())
    assert again.virtual_warehouses["bi"] == BI


def test_what_is_made_is_checked_even_if_it_exists() -> None:
    bad = msgspec.structs.replace(BI, size=0)
    with pytest.raises(InvalidRequest, match="size is 0"):
        after(NewWarehouse(warehouse=bad, if_not_exists=True), start=with_bi())


def test_altering_changes_what_is_named_and_nothing_else() -> None:
    expected = msgspec.structs.replace(BI, max_clusters=3, comment="for reports")
    assert altered(max_clusters=3, comment="for reports") == expected


def test_altering_to_what_it_is_already_writes_nothing() -> None:
    found = resolve(AlterWarehouse(name="bi", changes={"size": 4}), with_bi(), 1)
    assert found.catalogue == ()


@pytest.mark.parametrize("name", ["sise", "name"])
def test_an_unknown_setting_is_refused_with_the_nearest_one(name: str) -> None:
    with pytest.raises(
        InvalidRequest, match=f"bi: there is no setting {name}; (did you|there are)"
    ):
        altered(**{name: 1})


def test_unknown_ones_are_refused_with_the_nearest_name() -> None:
    for operation in (AlterWarehouse(name="b1", changes={}), DropWarehouse(name="b1")):
        with pytest.raises(UnknownObject, match=r"b1 does not exist; did you mean bi\?"):
            after(operation, start=with_bi())
    with pytest.raises(UnknownObject, match=r"bi does not exist$"):
        after(DropWarehouse(name="bi"))


def test_unknown_ones_may_be_passed_over() -> None:
    for operation in (
        AlterWarehouse(name="x", changes={"size": 0}, if_exists=True),
        DropWarehouse(name="x", if_exists=True),
    ):
        assert resolve(operation, with_bi(), 1).catalogue == ()


def test_one_that_was_dropped_is_gone() -> None:
    assert after(DropWarehouse(name="bi"), start=with_bi()).virtual_warehouses == {}


GOOD: dict[str, list[Any]] = {
    "size": [1, 1024],
    "worker_cpus": [0.001, 1, 1024],
    "cache_bytes": [1 << 20, 1 << 50],
    "scaling_policy": ["standard", "economy"],
    "auto_suspend_s": [None, 1, YEAR_S],
    "worker_memory_bytes": [None, 256 << 20],
    "node_type": ["spot"],
    "max_concurrency": [None, 1, 4],
    "auto_resume": [True, False],
    "statement_timeout_s": [None, 0.001, YEAR_S],
    "queue_timeout_s": [None, 0.001, YEAR_S],
    "max_queued": [0, 1_000_000],
    "comment": [None, "", "Ünïcode"],
}
BAD: dict[str, list[Any]] = {
    "size": [0, -1, 1025, 1.5, True, "2", None],
    "worker_cpus": [0, -1, 1025, float("nan"), float("inf"), 10**400, "1", True, None],
    "cache_bytes": [0, (1 << 20) - 1, (1 << 50) + 1, 1e9],
    "min_clusters": [0, 101, None],
    "max_clusters": [0, 101, 2.0],
    "scaling_policy": ["fast", "", None, 1, []],
    "auto_suspend_s": [0, -1, 1.5, YEAR_S + 1, "60"],
    "worker_memory_bytes": [0, (256 << 20) - 1, 1.0],
    "node_type": ["", None, "x" * 64],
    "max_concurrency": [0, 5, 1025],
    "auto_resume": [None, 1, "true"],
    "statement_timeout_s": [0, -1, float("nan"), float("-inf"), YEAR_S + 1, "1"],
    "queue_timeout_s": [0, -0.5, float("inf")],
    "max_queued": [-1, 1_000_001, None, 1.0],
    "comment": [1, b"x"],
}


@pytest.mark.parametrize(
    ("setting", "value"), [(name, value) for name, values in GOOD.items() for value in values]
)
def test_a_setting_in_range_is_taken(setting: str, value: Any) -> None:
    changes = {"max_concurrency": None, setting: value}
    assert getattr(altered(**changes), setting) == value


@pytest.mark.parametrize(
    ("setting", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_setting_out_of_range_is_refused_by_name(setting: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"bi: {setting} is .*; expected ") as error:
        altered(**{setting: value})
    assert error.value.sqlstate == "22023"


def test_every_setting_has_a_test() -> None:
    settings = set(VirtualWarehouse.__struct_fields__) - {"name"}
    assert set(BAD) == settings
    assert set(GOOD) == settings - {"min_clusters", "max_clusters"}


def test_no_fewer_clusters_at_most_than_at_least() -> None:
    found = altered(min_clusters=100, max_clusters=100)
    assert (found.min_clusters, found.max_clusters) == (100, 100)
    with pytest.raises(InvalidRequest, match="min_clusters is 2; expected at most max_clusters"):
        altered(min_clusters=2)


def test_no_more_queries_at_a_time_than_workers() -> None:
    with pytest.raises(InvalidRequest, match="max_concurrency is 3; expected at most size"):
        altered(size=2, max_concurrency=3)


@pytest.mark.parametrize("name", ["", "a b", "é", "x" * 64, "-_-", "a.b", "a'b", "a\n"])
def test_names_are_plain(name: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        checked(msgspec.structs.replace(BI, name=name))
    assert error.value.sqlstate == "42602"


def test_a_name_may_have_the_usual_characters() -> None:
    for name in ("a", "A-1_b", "x" * 63, "1"):
        assert checked(msgspec.structs.replace(BI, name=name)).name == name
