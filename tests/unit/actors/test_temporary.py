"""Schemas of temporary tables: whose they are, and when nobody's any more."""

from __future__ import annotations

import dataclasses

import pytest

from actors.messages import Session
from actors.operations import DropSchema, NewSchema
from actors.primary.resolve import resolve
from actors.temporary import (
    drop_temporary,
    is_foreign,
    left_behind,
    new_session_id,
    temporary_schema,
)
from storage.errors import InvalidRequest
from storage.snapshot.apply import TSO_COUNTER_BITS, apply_changes
from storage.snapshot.model import Receipt, Snapshot

HOUR = 3_600_000
A, B = (Session(id=new_session_id(HOUR, letter * 32)) for letter in "ab")


def schema_of(session: Session) -> str:
    found = temporary_schema(session)
    assert found is not None
    return found


def snapshot_with(*sessions: Session, **written_ms: int) -> Snapshot:
    """Sessions with temporary tables; when they wrote, by the letters of their ids."""
    snapshot = Snapshot(database_id="d", branch_id="main")
    for session in sessions:
        operation = NewSchema(name=schema_of(session), temporary=True)
        made = resolve(operation, snapshot, 1)
        snapshot = apply_changes(snapshot, made.catalogue, made.tables, lsn=1)
    tokens = {
        session.id: {1: Receipt(lsn=1, tso=written_ms[letter] << TSO_COUNTER_BITS, row_counts=())}
        for session, letter in ((A, "a"), (B, "b"))
        if letter in written_ms
    }
    return dataclasses.replace(snapshot, tokens=tokens)


def names(drops: list[DropSchema]) -> list[str]:
    assert all(drop.cascade and drop.if_exists for drop in drops)
    return [drop.name for drop in drops]


def test_a_session_knows_its_own_schema() -> None:
    assert schema_of(A) == f"pg_temp_{A.id}"
    assert not is_foreign(schema_of(A), A)
    assert is_foreign(schema_of(A), B)
    assert not is_foreign("public", B)
    assert temporary_schema(Session()) is None
    assert drop_temporary(Session()) is None
    assert drop_temporary(A) == DropSchema(name=schema_of(A), if_exists=True, cascade=True)


def test_only_temporary_schemas_may_have_the_prefix() -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve(NewSchema(name="pg_temp_x"), Snapshot(database_id="d", branch_id="main"), 1)
    assert caught.value.sqlstate == "42939"
    with pytest.raises(InvalidRequest):
        resolve(
            NewSchema(name="pg_other", temporary=True),
            Snapshot(database_id="d", branch_id="main"),
            1,
        )


def test_silent_sessions_leave_their_tables_behind() -> None:
    snapshot = snapshot_with(A, B, a=3 * HOUR, b=9 * HOUR)
    assert names(left_behind(snapshot, 10 * HOUR, 5 * HOUR)) == [schema_of(A)]
    assert names(left_behind(snapshot, 10 * HOUR, 8 * HOUR)) == []
    assert names(left_behind(snapshot, 10 * HOUR, 0)) == [schema_of(A), schema_of(B)]
    assert names(left_behind(snapshot, 10 * HOUR, 0, A)) == [schema_of(B)]


def test_a_session_without_receipts_is_as_old_as_its_id() -> None:
    snapshot = snapshot_with(A)
    assert names(left_behind(snapshot, 5 * HOUR, 5 * HOUR)) == []
    assert names(left_behind(snapshot, 6 * HOUR, 5 * HOUR)) == [schema_of(A)]


def test_an_id_that_says_no_time_is_old() -> None:
    snapshot = snapshot_with(Session(id="x"))
    assert names(left_behind(snapshot, 5 * HOUR, 5 * HOUR)) == ["pg_temp_x"]
