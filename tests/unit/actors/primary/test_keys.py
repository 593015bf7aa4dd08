"""Keys of a table that is made: ids, order, and what is refused."""

from __future__ import annotations

import pytest

from actors.operations import NewColumn, NewKey, NewTable
from actors.primary.resolve import resolve
from storage.errors import InvalidRequest
from storage.schema import Check, Key, Kind, ScalarType
from storage.snapshot.apply import apply_changes
from storage.snapshot.model import Snapshot, TableState

INTEGER = ScalarType(kind=Kind.INTEGER)
EMPTY = Snapshot(database_id="db", branch_id="main")
PRIMARY = NewKey(name="t_pkey", columns=("b", "a"), primary=True)
UNIQUE = NewKey(name="t_a_key", columns=("a",), primary=False)


def made(*keys: NewKey, checks: tuple[Check, ...] = ()) -> TableState:
    columns = tuple(NewColumn(name=name, type=INTEGER) for name in "abc")
    operation = NewTable(schema="public", name="t", columns=columns, keys=keys, checks=checks)
    found = resolve(operation, EMPTY, 1)
    table = apply_changes(EMPTY, found.catalogue, found.tables, lsn=1).find_table("t", "public")
    assert table is not None
    return table


def test_the_primary_key_is_the_first() -> None:
    assert made(UNIQUE, PRIMARY).keys == (
        Key(id=1, name="t_pkey", column_ids=(2, 1), primary=True),
        Key(id=2, name="t_a_key", column_ids=(1,), primary=False),
    )


def test_columns_of_the_primary_key_are_not_null() -> None:
    assert [column.nullable for column in made(UNIQUE, PRIMARY).columns] == [False, False, True]
    assert [column.nullable for column in made(UNIQUE).columns] == [True, True, True]


@pytest.mark.parametrize(
    ("keys", "sqlstate"),
    [
        ((PRIMARY, NewKey(name="x", columns=("a",), primary=True)), "42P16"),
        ((UNIQUE, NewKey(name="t_a_key", columns=("b",), primary=False)), "42710"),
        ((NewKey(name="c", columns=("b",), primary=False),), "42710"),
        ((NewKey(name="x", columns=("z",), primary=False),), "42703"),
        ((NewKey(name="x", columns=("a", "a"), primary=False),), "42701"),
        ((NewKey(name="x", columns=(), primary=False),), "42601"),
    ],
)
def test_refused(keys: tuple[NewKey, ...], sqlstate: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        made(*keys, checks=(Check(name="c", sql="a > 0"),))
    assert caught.value.sqlstate == sqlstate
