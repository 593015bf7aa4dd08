"""Rows on their way into a table: what is left out is filled in, what is there is checked."""

from __future__ import annotations

import dataclasses
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from storage.errors import InternalError, InvalidRequest, NotYet
from storage.schema import (
    Check,
    Column,
    Identity,
    Kind,
    ScalarType,
    TableSchema,
    arrow_schema,
)
from storage.target import IngestTarget, fit, to_number

BIGINT = ScalarType(kind=Kind.BIGINT)
ID = Column(
    id=1,
    name="id",
    type=ScalarType(kind=Kind.INTEGER),
    nullable=False,
    identity=Identity(sequence_id=9, always=True, increment=2),
)
STATE = Column(id=2, name="state", type=ScalarType(kind=Kind.TEXT), nullable=False, default="'new'")
AMOUNT = Column(id=3, name="amount", type=BIGINT)


class Rules:
    """'new' by default; amounts are positive."""

    def __init__(self) -> None:
        self.seen: list[pa.Schema] = []

    def defaults(self, columns: tuple[Column, ...], row_count: int) -> pa.Table:
        assert columns == (STATE,)
        return pa.table({"state": ["new"] * row_count}, schema=arrow_schema(columns))

    def check(self, rows: pa.Table, target: IngestTarget) -> None:
        self.seen.append(rows.schema)
        if any(value is not None and value <= 0 for value in rows["amount"].to_pylist()):
            raise InvalidRequest(f"check {target.checks[0].name} is violated", "23514")


def target(*columns: Column, **more: Any) -> IngestTarget:
    return IngestTarget(
        table_name="t",
        schema=TableSchema(version=1, columns=columns),
        name_prefix="data/main-1-",
        **more,
    )


def full() -> IngestTarget:
    checks = (Check(name="positive", sql="amount > 0"),)
    return target(ID, STATE, AMOUNT, checks=checks, rules=Rules(), identity_first={ID.id: 100})


def test_what_is_left_out_is_filled_in_and_the_whole_is_checked() -> None:
    into = full()
    rows = fit(pl.DataFrame({"amount": [5, None]}), into)
    assert rows.to_pydict() == {"id": [100, 102], "state": ["new", "new"], "amount": [5, None]}
    assert rows.schema.equals(arrow_schema(into.schema.columns), check_metadata=True)
    assert into.rules is not None
    assert into.rules.seen == [rows.schema]  # type: ignore[attr-defined]
    later = fit(pa.table({"amount": [5]}), into, first_row=10)
    assert later["id"].to_pylist() == [120]


def test_what_is_given_is_taken() -> None:
    given = pa.table({"ID": [7], "state": ["old"], "amount": [1]})
    assert fit(given, full()).to_pydict() == {"id": [7], "state": ["old"], "amount": [1]}
    for column in ("state", "id"):
        nulls = {"id": [7], "state": ["old"], column: [None]}
        with pytest.raises(InvalidRequest, match=f"column {column}: .*NULL in row 0") as caught:
            fit(pa.table(nulls), full())
        assert caught.value.sqlstate == "23502"


def test_a_failing_check_and_a_foreign_column_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="positive is violated"):
        fit(pa.table({"amount": [5, 0]}), full())
    with pytest.raises(InvalidRequest, match="no column 'amuont'; did you mean amount"):
        fit(pa.table({"amuont": [5]}), full())


def test_only_absent_identity_columns_are_to_be_numbered() -> None:
    assert to_number(["amount"], full()) == (ID,)
    assert to_number(["Id", "amount"], full()) == ()
    assert to_number([], target(AMOUNT)) == ()


def test_rules_that_nobody_evaluates_are_not_passed_over() -> None:
    without = dataclasses.replace(full(), rules=None)
    with pytest.raises(NotYet, match="table t has DEFAULT values"):
        fit(pa.table({"amount": [5]}), without)
    with pytest.raises(NotYet, match="table t has CHECK constraints"):
        fit(pa.table({"amount": [5], "state": ["x"]}), without)
    unnumbered = target(ID, AMOUNT)
    with pytest.raises(InternalError, match="column id: no identity values were reserved"):
        fit(pa.table({"amount": [5]}), unnumbered)
    assert fit(pa.table({"amount": pa.array([], pa.int64())}), unnumbered).num_rows == 0
