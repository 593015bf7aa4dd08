"""PRIMARY KEY and UNIQUE of CREATE TABLE: which keys come of it, their names, and refusals."""

from __future__ import annotations

import pytest

from storage.errors import InvalidRequest
from tests.unit.warehouse.planning.rehearsal import Rehearsal


def keys(*statements: str, table: str = "t") -> list[tuple[str, list[str], bool]]:
    state = Rehearsal(*statements).table(table)
    return [(k.name, [c.name for c in state.key_columns(k)], k.primary) for k in state.keys]


@pytest.mark.parametrize(
    ("create", "expected"),
    [
        ("CREATE TABLE t (a INT PRIMARY KEY)", [("t_pkey", ["a"], True)]),
        ("CREATE TABLE t (a INT NULL PRIMARY KEY)", [("t_pkey", ["a"], True)]),
        ("CREATE TABLE t (a INT CONSTRAINT k UNIQUE)", [("k", ["a"], False)]),
        (
            "CREATE TABLE t (a INT UNIQUE, b INT, UNIQUE (b, a), PRIMARY KEY (b))",
            [("t_pkey", ["b"], True), ("t_a_key", ["a"], False), ("t_b_a_key", ["b", "a"], False)],
        ),
        # Constraints on the same columns are one.
        ("CREATE TABLE t (a INT UNIQUE PRIMARY KEY)", [("t_pkey", ["a"], True)]),
        ("CREATE TABLE t (a INT CONSTRAINT x UNIQUE, PRIMARY KEY (a))", [("x", ["a"], True)]),
        ("CREATE TABLE t (a INT, UNIQUE (a), CONSTRAINT y UNIQUE (a))", [("y", ["a"], False)]),
        # A name is taken but once.
        (
            "CREATE TABLE t (a INT, a_b INT UNIQUE, b INT, UNIQUE (a, b))",
            [("t_a_b_key", ["a_b"], False), ("t_a_b_key1", ["a", "b"], False)],
        ),
        (
            "CREATE TABLE t (a INT UNIQUE, CONSTRAINT t_a_key CHECK (a > 0))",
            [("t_a_key1", ["a"], False)],
        ),
    ],
)
def test_keys_and_names(create: str, expected: list[tuple[str, list[str], bool]]) -> None:
    assert keys(create) == expected


def test_a_name_is_one_of_a_relation() -> None:
    assert keys("CREATE TABLE t_a_key (b INT)", "CREATE TABLE t (a INT UNIQUE)") == [
        ("t_a_key1", ["a"], False)
    ]
    with pytest.raises(InvalidRequest) as caught:
        keys("CREATE TABLE u (a INT UNIQUE)", "CREATE TABLE t (a INT CONSTRAINT u_a_key UNIQUE)")
    assert caught.value.sqlstate == "42P07"


@pytest.mark.parametrize(
    ("create", "sqlstate"),
    [
        ("CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY)", "42P16"),
        ("CREATE TABLE t (a INT, UNIQUE (z))", "42703"),
        ("CREATE TABLE t (a INT, UNIQUE (a, a))", "42701"),
        ("CREATE TABLE t (a JSON UNIQUE)", "42704"),
        ("CREATE TABLE t (a JSON[] UNIQUE)", "42704"),
        ("CREATE TABLE t (a INT CONSTRAINT c CHECK (a > 0) CONSTRAINT c UNIQUE)", "42710"),
        ("CREATE TABLE t (a INT CONSTRAINT c UNIQUE, b INT CONSTRAINT c UNIQUE)", "42P07"),
        ("CREATE TABLE t (a INT CONSTRAINT t UNIQUE)", "42P07"),
    ],
)
def test_refused(create: str, sqlstate: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Rehearsal(create)
    assert caught.value.sqlstate == sqlstate
