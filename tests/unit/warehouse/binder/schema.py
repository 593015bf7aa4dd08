"""Two tables for tests of the binder, here and in PostgreSQL, and what binding a query gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import warehouse.functions.all  # noqa: F401 (registers every function)
from storage.errors import MobulaError, UnknownObject
from storage.schema import SqlType
from warehouse.algebra.relations import Query
from warehouse.algebra.types import AnyType, shown
from warehouse.binder.context import Binding, TableSource
from warehouse.binder.queries import bind_query
from warehouse.binder.types import resolve_type
from warehouse.planning.catalogue import NoTables
from warehouse.planning.parse import parse_text
from warehouse.syntax.tree import AsOf
from warehouse.syntax.types import TypeGrammar

__all__ = ["ANSWERS", "POSTGRESQL", "answer", "bind"]

TABLES = {
    "t": "a int, b bigint, c text, d numeric(10,2), e date, f double precision, g boolean, h int[]",
    "u": "a int, x text",
    "v": "a int",
}
POSTGRESQL = [f"CREATE TABLE {name} ({columns})" for name, columns in TABLES.items()]
DIRECTORY = Path(__file__).parents[3] / "data" / "binder"


def _recorded() -> list[tuple[str, str]]:
    text = (DIRECTORY / "answers.txt").read_text(encoding="utf-8").strip()
    pairs = (paragraph.partition("\n=> ") for paragraph in text.split("\n\n"))
    return [(sql, expected) for sql, _, expected in pairs]


# Queries with what PostgreSQL 16 says of them: names and types of outputs, or the SQLSTATE.
ANSWERS = _recorded()


def _columns(text: str) -> tuple[tuple[str, SqlType], ...]:
    found = []
    for part in text.replace("10,2", "10;2").split(", "):
        name, _, kind = part.replace(";", ",").partition(" ")
        found.append((name, resolve_type(TypeGrammar(kind).type_name(), {}, ())))
    return tuple(found)  # type: ignore[arg-type]


@dataclass(slots=True)
class Tables(NoTables):
    """A catalogue of `TABLES` in the schema public."""

    path: Sequence[str] = ("public",)
    asked: list[tuple[tuple[str, ...], AsOf | None]] = field(default_factory=list)

    def table(self, name: tuple[str, ...], as_of: AsOf | None) -> TableSource:
        self.asked.append((name, as_of))
        if name[-1] not in TABLES or name[:-1] not in ((), ("public",)):
            raise UnknownObject(f"table {'.'.join(name)} does not exist", "42P01")
        columns: tuple[tuple[str, AnyType], ...] = _columns(TABLES[name[-1]])
        return TableSource(input=name[-1], schema="public", name=name[-1], columns=columns)


def bind(sql: str, *parameters: Any) -> Query:
    """The algebra of a query over `TABLES`."""
    return bind_query(parse_text(sql).tree, Binding(sql, Tables(), parameters))


def answer(sql: str, *parameters: Any) -> str:
    """Names and types of the outputs, modifiers left out, or the SQLSTATE of the error."""
    try:
        query = bind(sql, *parameters)
    except MobulaError as error:
        return error.sqlstate
    pairs = zip(query.names, query.outputs, strict=True)
    return ", ".join(f"{name} {_plain(shown(column.type))}" for name, column in pairs)


def _plain(kind: str) -> str:
    start, opening, rest = kind.partition("(")
    return start + rest.partition(")")[2] if opening else kind
