"""What the prompt offers while one types: names of the catalogue, functions, keywords, commands.

After FROM, JOIN, INTO and the like come tables; after WAREHOUSE virtual warehouses; after `alias.`
its columns; elsewhere the columns of the tables that the statement names, then functions and
keywords. Names are those of the newest snapshot, read again after each statement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from storage.snapshot.model import PUBLIC, Snapshot
from warehouse.functions.registry import known_names
from warehouse.syntax.keywords import NOT_FUNCTIONS, RESERVED, TYPE_OR_FUNCTION

__all__ = ["Names", "SqlCompleter"]

_MORE_KEYWORDS = (
    "alter", "begin", "by", "call", "comment", "commit", "copy", "cube", "delete", "describe",
    "drop", "escape", "explain", "first", "if", "insert", "kill", "last", "nulls", "over",
    "partition", "prepare", "range", "recursive", "replace", "resume", "rollup", "rows", "schema",
    "set", "sets", "show", "suspend", "temporary", "truncate", "update", "use", "view",
    "warehouse", "warehouses",
)  # fmt: skip
KEYWORDS = sorted({*RESERVED, *TYPE_OR_FUNCTION, *NOT_FUNCTIONS, *_MORE_KEYWORDS})
_BEFORE_TABLES = frozenset(("from", "join", "into", "table", "update", "describe", "only"))
_WORD = re.compile(r"[\w$]*$")
_QUALIFIER = re.compile(r"([\w$]+)\.[\w$]*$")
_PREVIOUS = re.compile(r"([\w$]+)\s+[\w$.]*$")
_REFERENCE = re.compile(
    r"\b(?:from|join|into|update|table|,)\s*(?:([\w$]+)\.)?([\w$]+)(?:\s+(?:as\s+)?([\w$]+))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of a database: columns by (schema, table), and schemas."""

    tables: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    schemas: Sequence[str] = ()
    warehouses: Sequence[str] = ()

    @classmethod
    def of(cls, snapshot: Snapshot) -> Names:
        """Of the newest snapshot."""
        return cls(
            {
                (snapshot.schemas[table.schema_id], table.name): [c.name for c in table.columns]
                for table in snapshot.tables.values()
            },
            list(snapshot.schemas.values()),
            list(snapshot.virtual_warehouses),
        )

    def columns(self, schema: str | None, table: str) -> Sequence[str]:
        """Of a table; none if it does not exist."""
        return self.tables.get((schema or PUBLIC, table), ())


class SqlCompleter(Completer):
    """Completes statements and backslash commands. `names` gives the newest names."""

    def __init__(self, names: Callable[[], Names], commands: Mapping[str, str]) -> None:
        self._names = names
        self._commands = commands

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """See `Completer`."""
        before = document.text_before_cursor
        if before.lstrip().startswith("\\"):
            yield from self._command(before.lstrip())
            return
        found = _WORD.search(before)
        word = found[0] if found else ""
        for name, meaning in self._candidates(before, document.text):
            if name.lower().startswith(word.lower()) and name != word:
                yield Completion(name, -len(word), display_meta=meaning)

    def _command(self, before: str) -> Iterator[Completion]:
        command, space, argument = before.partition(" ")
        if not space:
            for name, meaning in self._commands.items():
                if name.startswith(command):
                    yield Completion(name, -len(command), display_meta=meaning)
            return
        names = self._names()
        of_warehouses = command in ("\\c", "\\dw", "\\vw")
        offered = names.warehouses if of_warehouses else [table for _, table in names.tables]
        for name in sorted(set(offered)):
            if name.startswith(argument.lstrip()):
                yield Completion(name, -len(argument.lstrip()))

    def _candidates(self, before: str, text: str) -> Iterator[tuple[str, str]]:
        names = self._names()
        references = list(_references(text))
        qualifier = _QUALIFIER.search(before)
        if qualifier is not None:
            yield from _qualified(qualifier[1].lower(), names, references)
            return
        previous = _PREVIOUS.search(before)
        if previous is not None and previous[1].lower() in _BEFORE_TABLES:
            yield from _tables(names)
            return
        if previous is not None and previous[1].lower() == "warehouse":
            yield from ((name, "virtual warehouse") for name in sorted(names.warehouses))
            return
        word = _WORD.search(before)
        typed = word[0] if word else ""
        columns = {
            column for schema, table, _ in references for column in names.columns(schema, table)
        }
        yield from ((name, "column") for name in sorted(columns))
        if not typed:
            return
        yield from ((name if typed.islower() else name.upper(), "keyword") for name in KEYWORDS)
        yield from ((name, "function") for name in known_names() if name.isidentifier())
        yield from _tables(names)


def _references(text: str) -> Iterator[tuple[str | None, str, str | None]]:
    """(schema, table, alias) of the tables that a text seems to name."""
    for schema, table, alias in _REFERENCE.findall(text):
        yield schema.lower() or None, table.lower(), alias.lower() or None


def _qualified(
    qualifier: str, names: Names, references: Iterable[tuple[str | None, str, str | None]]
) -> Iterator[tuple[str, str]]:
    yield from ((table, "table") for schema, table in sorted(names.tables) if schema == qualifier)
    for schema, table, alias in references:
        if qualifier in (table, alias):
            yield from ((column, table) for column in names.columns(schema, table))
            return


def _tables(names: Names) -> Iterator[tuple[str, str]]:
    yield from (
        (table if schema == PUBLIC else f"{schema}.{table}", "table")
        for schema, table in sorted(names.tables)
    )
    yield from ((schema, "schema") for schema in sorted(names.schemas))
