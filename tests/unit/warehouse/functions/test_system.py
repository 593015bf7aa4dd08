"""What tools ask of a server: what PostgreSQL 16 answers."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.system  # noqa: F401 - registers what is tested
from tests.unit.warehouse.functions.evaluation import check, check_together

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "pg_size_pretty(int8)": [
        ((0,), "0 bytes"), ((1,), "1 bytes"), ((10239,), "10239 bytes"), ((10240,), "10 kB"),
        ((10485247,), "10239 kB"), ((10485248,), "10 MB"), ((-10240,), "-10 kB"),
        ((1000000,), "977 kB"), ((123456789012,), "115 GB"), ((9223372036854775807,), "8192 PB"),
        ((10485759,), "10 MB"), ((10737418240,), "10 GB"), ((None,), None),
    ],
    "num_nulls(variadic any)": [
        ((1, None, "a"), 1), ((None,), 1),
    ],
    "num_nonnulls(variadic any)": [
        ((1, None, "a"), 2), ((None,), 0),
    ],
    "pg_encoding_to_char(int4)": [
        ((6,), "UTF8"),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])
