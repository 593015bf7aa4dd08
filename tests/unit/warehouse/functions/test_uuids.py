"""`gen_random_uuid`."""

from __future__ import annotations

import uuid

import polars as pl

import warehouse.functions.uuids  # noqa: F401 - registers what is tested
from warehouse.algebra.expressions import Call
from warehouse.algebra.types import BIGINT, UUID
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.value import Value


def test_every_row_has_its_own_uuid_of_version_4() -> None:
    call = Call(type=UUID, fn="gen_random_uuid()", args=())
    made = lower(call, Environment(columns={1: Value(pl.col("a"), BIGINT)})).expr.alias("made")
    found = pl.DataFrame({"a": range(50)}).lazy().select(made).collect()["made"].to_list()
    assert len(set(found)) == 50
    assert {uuid.UUID(bytes=value).version for value in found} == {4}
