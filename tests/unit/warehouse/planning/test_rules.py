"""A table's DEFAULT values and CHECK constraints, evaluated over rows that are written."""

from __future__ import annotations

import datetime
import pickle
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from actors.messages import Session
from storage.errors import InvalidRequest
from storage.target import IngestTarget, fit
from tests.unit.warehouse.planning.rehearsal import Rehearsal
from warehouse.planning.rules import TableRules

CHECKED = (
    "CREATE TABLE t (a INTEGER CHECK (a > 0), b NUMERIC(20, 2), c CHAR(4) CHECK (c <> 'no'),"
    " CONSTRAINT big CHECK (a + b < 100))"
)


def target_of(database: Rehearsal, name: str = "t") -> IngestTarget:
    return database.target(database.table(name))


def fitted(database: Rehearsal, **columns: list[Any]) -> pa.Table:
    return fit(pl.DataFrame(columns), target_of(database))


def refused(database: Rehearsal, **columns: list[Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        fitted(database, **columns)
    return caught.value


def test_tables_without_rules_have_none() -> None:
    database = Rehearsal("CREATE TABLE t (a INTEGER GENERATED ALWAYS AS IDENTITY, b TEXT)")
    assert database.planner.rules(database.table("t"), database.snapshot) is None


# --- CHECK ----------------------------------------------------------------------------------------


def test_null_passes_a_check() -> None:
    rows = fitted(Rehearsal(CHECKED), a=[None, 1], c=[None, None])
    assert rows.num_rows == 2


@pytest.mark.parametrize(
    ("columns", "name", "row"),
    [
        ({"a": [1, 0, -1]}, "t_a_check", "(0, null, null)"),
        ({"a": [1, 50], "b": [Decimal(1), Decimal(50)]}, "big", "(50, 50.00, null)"),
        ({"c": ["yes", "no  "]}, "t_c_check", "(null, null, no)"),
    ],
)
def test_false_is_refused_with_the_check_and_the_row(
    columns: dict[str, list[Any]], name: str, row: str
) -> None:
    error = refused(Rehearsal(CHECKED), **columns)
    assert error.sqlstate == "23514"
    assert error.message == (
        f'new row for relation "t" violates check constraint "{name}": failing row contains {row}'
    )


def test_the_first_row_counts_and_of_its_checks_the_first_by_name() -> None:
    error = refused(Rehearsal(CHECKED), a=[1, -1], b=[Decimal(1), Decimal(500)])
    assert '"big"' in error.message


def test_an_error_inside_a_check_is_the_statements() -> None:
    database = Rehearsal(
        "CREATE TABLE t (a INTEGER CHECK (10 / a > 1), b INTEGER CHECK (b + 1 > 0))"
    )
    assert refused(database, a=[0]).sqlstate == "22012"
    assert refused(database, b=[2**31 - 1]).sqlstate == "22003"


def test_a_check_without_columns_is_a_check() -> None:
    assert (
        refused(Rehearsal("CREATE TABLE t (a INTEGER, CHECK (1 > 2))"), a=[1]).sqlstate == "23514"
    )
    assert fitted(Rehearsal("CREATE TABLE t (a INTEGER, CHECK (1 > 2))"), a=[]).num_rows == 0


def test_carriers_of_every_kind() -> None:
    database = Rehearsal(
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE TABLE t (m mood CHECK (m > 'sad'), q mood[] CHECK (q[1] = 'ok'),"
        " z TIMESTAMPTZ CHECK (z < '2026-01-01 00:00+01'), n NUMERIC(4, 1)[] CHECK (n[1] = 1.5),"
        " u UUID CHECK (u <> '00000000-0000-0000-0000-000000000001'),"
        " w NUMERIC(30, 3) CHECK (w < 12345678901234567890.5), r REAL CHECK (r = 0.5))",
    )
    moment = datetime.datetime(2025, 12, 31, 22, 59, tzinfo=datetime.UTC)
    good: dict[str, list[Any]] = {
        "m": ["ok"],
        "q": [["ok", "sad"]],
        "z": [moment],
        "n": [[Decimal("1.5")]],
        "u": ["00000000-0000-0000-0000-000000000002"],
        "w": [Decimal("12345678901234567890.4")],
        "r": [0.5],
    }
    assert fitted(database, **good).num_rows == 1
    bad: dict[str, list[Any]] = {
        "m": ["sad"],
        "q": [["sad"]],
        "z": [moment + datetime.timedelta(minutes=1)],
        "n": [[Decimal("1.4")]],
        "u": ["00000000-0000-0000-0000-000000000001"],
        "w": [Decimal("12345678901234567890.5")],
        "r": [0.25],
    }
    for name, values in bad.items():
        error = refused(database, **{name: values})
        assert (error.sqlstate, f'"t_{name}_check"' in error.message) == ("23514", True)


# --- DEFAULT --------------------------------------------------------------------------------------


def test_defaults_fill_what_a_frame_leaves_out() -> None:
    database = Rehearsal(
        "CREATE TABLE t (a INTEGER, b TEXT DEFAULT 'x' || 'y', c NUMERIC(5, 2) DEFAULT 1.005,"
        " d CHAR(3) DEFAULT 'a', e INTEGER[] DEFAULT '{1,2}', f DATE DEFAULT current_date)"
    )
    rows = fitted(database, a=[1, 2]).to_pylist()
    day = datetime.date(1970, 1, 1)
    expected = {"b": "xy", "c": Decimal("1.01"), "d": "a", "e": [1, 2], "f": day}
    assert rows == [{"a": 1, **expected}, {"a": 2, **expected}]
    assert fitted(database, a=[]).num_rows == 0


def test_an_error_in_a_default_comes_with_the_row() -> None:
    database = Rehearsal("CREATE TABLE t (a INTEGER, b VARCHAR(3) DEFAULT 'abcd')")
    assert refused(database, a=[1]).sqlstate == "22001"
    database = Rehearsal("CREATE TABLE t (a INTEGER, b INTEGER DEFAULT 1 / 0)")
    assert refused(database, a=[1]).sqlstate == "22012"


def test_a_default_may_be_null_where_null_is_refused() -> None:
    database = Rehearsal("CREATE TABLE t (a INTEGER, b INTEGER NOT NULL DEFAULT NULL)")
    assert refused(database, a=[1]).sqlstate == "23502"


# --- the object -----------------------------------------------------------------------------------


def test_rules_travel_and_keep_the_time_of_their_statement() -> None:
    database = Rehearsal(
        "CREATE TABLE t (a INTEGER CHECK (a > 0), m TIMESTAMP DEFAULT now()::timestamp)"
    )
    database.clock.moved_ms = 1000.0
    rules = target_of(database).rules
    database.clock.moved_ms = 9000.0
    again = pickle.loads(pickle.dumps(rules))
    assert isinstance(again, TableRules)
    columns = (database.table("t").columns[1],)
    assert (
        again.defaults(columns, 2)["m"].to_pylist() == [datetime.datetime(1970, 1, 1, 0, 0, 1)] * 2
    )


def test_rules_are_bound_once_until_the_definition_changes() -> None:
    database = Rehearsal(CHECKED)
    first, second = target_of(database).rules, target_of(database).rules
    assert isinstance(first, TableRules)
    assert isinstance(second, TableRules)
    assert first.conditions is second.conditions
    database.sql("CREATE TYPE mood AS ENUM ('sad')")
    assert target_of(database).rules.conditions is not first.conditions  # type: ignore[union-attr]


def test_types_in_definitions_mean_the_same_for_every_search_path() -> None:
    database = Rehearsal("CREATE SCHEMA s", "CREATE TYPE s.mood AS ENUM ('sad', 'ok')")
    inside = Session(schema_path=("s", "public"))
    database.sql(
        "CREATE TABLE public.t (m mood DEFAULT 'ok'::mood, n TEXT CHECK (n::mood > 'sad'::Mood))",
        session=inside,
    )
    table = database.table("t")
    assert table.columns[0].default == "'ok'::\"s\".mood"
    assert table.checks[0].sql == 'n::"s".mood > \'sad\'::"s".Mood'
    assert fitted(database, n=["ok"])["m"].to_pylist() == ["ok"]
    assert refused(database, n=["sad"]).sqlstate == "23514"
