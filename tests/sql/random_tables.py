"""Random tables for random queries: NULLs, duplicates, extremes, NaN, texts past ASCII, no rows.

Every table has the same kinds of columns. *Tame* columns hold small values, so that arithmetic over
them cannot overflow and floats stay exact; *wild* ones hold the extremes of their type and are only
compared, ordered, grouped and aggregated; `e` has the digits that a double holds, for where it
meets a numeric of no declared scale. `id` is never NULL and distinct within its table.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["COLUMNS", "TABLES", "Column", "literal", "table_statements"]

TABLES = ("t0", "t1", "t2", "t3")
ROWS_MAX = (12, 8, 25, 0)  # t3 is empty
NULLS = 0.2


@dataclass(frozen=True)
class Column:
    """A column as an expression sees it: `name` is SQL."""

    name: str
    type: str
    tame: bool


COLUMNS: tuple[tuple[Column, str], ...] = (  # with the declared type
    (Column("id", "integer", True), "INTEGER"),
    (Column("i", "integer", True), "INTEGER"),
    (Column("s", "integer", True), "INTEGER"),
    (Column("b", "bigint", False), "BIGINT"),
    (Column("w", "integer", False), "INTEGER"),
    (Column("d", "numeric", True), "DECIMAL(8,2)"),
    (Column("e", "numeric", False), "DECIMAL(18,2)"),
    (Column("f", "double precision", True), "DOUBLE PRECISION"),
    (Column("g", "double precision", False), "DOUBLE PRECISION"),
    (Column("t", "text", True), "TEXT"),
    (Column("u", "text", False), "TEXT"),
    (Column("dt", "date", True), "DATE"),
    (Column("ts", "timestamp", True), "TIMESTAMP"),
    (Column("ok", "boolean", True), "BOOLEAN"),
)

_TAME: dict[str, Sequence[str]] = {
    "integer": [str(n) for n in (0, 1, 1, 2, 2, 3, -1, -2, 5, 9, -9)],
    "bigint": [f"{n}::bigint" for n in (0, 1, 2, -1, 9, -9)],
    "numeric": ["0.00", "1.50", "1.5", "-1.50", "2.25", "99.99", "-0.01", "3", "10.00"],
    "double precision": [
        f"{n}::double precision" for n in ("0.0", "1.5", "-1.5", "2.25", "0.25", "-8", "3")
    ],
    "text": ["''", "'a'", "'b'", "'ab'", "'B'", "'aa b'", "'é'", "'1'", "'日本'"],
    "date": [f"date '{day}'" for day in ("2024-02-29", "2024-01-01", "2023-12-31", "2024-03-31")],
    "timestamp": [
        f"timestamp '{moment}'"
        for moment in (
            "2024-02-29 12:34:56.789",
            "2024-01-01 00:00:00",
            "2023-12-31 23:59:59.999999",
        )
    ],
    "boolean": ["true", "false"],
}
_WILD: dict[str, Sequence[str]] = {
    "b": ["9223372036854775807", "-9223372036854775808", "0", "1", "4294967296", "-1"],
    "w": ["2147483647", "-2147483648", "0", "1", "65536", "-1"],
    "e": ["9999999999999.99", "-9999999999999.99", "0", "0.01", "1.50", "12345678.90"],
    "g": ["'NaN'", "'Infinity'", "'-Infinity'", "0", "-0.0", "1.5", "1e15", "0.1"],
    "u": [
        "'%'",
        "'a_b'",
        "E'line\\nbreak'",
        "' a '",
        "'NULL'",
        "'it''s'",
        "'😀'",
        "'\\'",
        "''",
        "'a'",
    ],
}


def literal(rng: random.Random, kind: str) -> str:
    """A tame constant of a type; now and then a typed NULL."""
    if rng.random() < 0.08:
        return f"CAST(NULL AS {kind})"
    return rng.choice(_TAME[kind])


def table_statements(rng: random.Random) -> list[str]:
    """CREATE TABLE and INSERT statements of all tables."""
    statements: list[str] = []
    for table, most in zip(TABLES, ROWS_MAX, strict=True):
        columns = ", ".join(f"{column.name} {declared}" for column, declared in COLUMNS)
        statements.append(f"CREATE TABLE {table} ({columns})")
        rows = [_row(rng, number) for number in range(rng.randint(most // 2, most))]
        if rows:
            statements.append(f"INSERT INTO {table} VALUES {', '.join(rows)}")
    return statements


def _row(rng: random.Random, number: int) -> str:
    values = [str(number)]
    for column, _ in COLUMNS[1:]:
        if rng.random() < NULLS:
            values.append("NULL")
        elif column.tame:
            values.append(rng.choice(_TAME[column.type]))
        else:
            values.append(rng.choice(_WILD[column.name]))
    return f"({', '.join(values)})"
