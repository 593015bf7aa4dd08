"""Options of tables: what they may be, and what becomes of the policies of the database."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from storage.compaction_policy import CompactionPolicy
from storage.errors import InvalidRequest
from storage.flush_policy import FlushPolicy
from storage.table_options import (
    TABLE_OPTIONS,
    checked,
    compaction_policy,
    flush_policy,
    is_maintained,
    options_text,
)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("flush_rows", 5, 5),
        ("flush_rows", 5.0, 5),
        ("flush_rows", "5", 5),
        ("flush_age_s", 2.5, "2.5"),
        ("flush_age_s", 60, "60"),
        ("holes_max", "0.25", "0.25"),
        ("holes_max", 1, "1"),
        ("auto_maintenance", True, "on"),
        ("auto_maintenance", "off", "off"),
    ],
)
def test_values_as_they_are_kept(name: str, value: object, expected: object) -> None:
    found = checked("t", name, value)
    assert found == expected
    assert checked("t", name, found) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flush_rows", 0),
        ("flush_rows", 1.5),
        ("flush_rows", True),
        ("flush_rows", None),
        ("flush_rows", "many"),
        ("holes_max", float("nan")),
        ("holes_max", 1.01),
        ("auto_maintenance", "perhaps"),
        ("auto_maintenance", 1),
    ],
)
def test_values_that_are_refused(name: str, value: object) -> None:
    expected = TABLE_OPTIONS[name].expected
    with pytest.raises(InvalidRequest, match=f"table t: {name} = {value}: expected {expected}"):
        checked("t", name, value)


def test_names_that_are_refused_are_told_the_right_ones() -> None:
    with pytest.raises(InvalidRequest, match=r"option flush_row; did you mean flush_rows\?.* fan_"):
        checked("t", "flush_row", 5)


def test_each_option_sets_a_field_of_its_policy_and_the_default_is_in_range() -> None:
    policies: dict[str, Any] = {"flush": FlushPolicy(), "compaction": CompactionPolicy()}
    for name, option in TABLE_OPTIONS.items():
        if option.sets is None:
            continue
        policy, field = option.sets
        assert option.low <= getattr(policies[policy], field) <= option.high
        options = {name: checked("t", name, option.high)}
        changed = {
            "flush": flush_policy(FlushPolicy(), options),
            "compaction": compaction_policy(CompactionPolicy(), options),
        }
        expected = dataclasses.replace(policies[policy], **{field: option.high})
        assert changed == {**policies, policy: expected}
        assert type(getattr(changed[policy], field)) is type(getattr(policies[policy], field))


def test_without_options_the_policies_are_the_database_s() -> None:
    flush, compaction = FlushPolicy(rows_max=7), CompactionPolicy(depth_max=3)
    assert flush_policy(flush, {"micropartition_rows": 10}) is flush
    assert compaction_policy(compaction, {}) is compaction
    assert is_maintained({})
    assert is_maintained({"auto_maintenance": "on"})
    assert not is_maintained({"auto_maintenance": "off"})


def test_they_are_shown_by_name() -> None:
    assert options_text({"holes_max": "0.5", "flush_rows": 5}) == ("flush_rows=5", "holes_max=0.5")
