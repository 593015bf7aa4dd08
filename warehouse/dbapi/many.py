"""`executemany` of an INSERT: many rows in one statement, because each statement is a commit.

`INSERT INTO t (a, b) VALUES (:a, upper(:b))` becomes `… VALUES ($1, upper($2)), ($3, upper($4))`
and so on: the tuple is repeated as text, its parameters numbered through. What looks different (a
query, two tuples, parameters outside of the tuple) is left to run once per row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from storage.errors import InvalidRequest
from warehouse.syntax.tokens import Token, scan

__all__ = ["InsertTemplate"]

PARAMETERS_MAX = 20_000  # of one statement
ROWS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class InsertTemplate:
    """An INSERT of one tuple.

    Attributes:
        head: the text up to the tuple.
        parts: the texts between the tuple's parameters, one more than those.
        names: the parameters, as the text has them.
    """

    head: str
    parts: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, operation: str) -> InsertTemplate | None:
        """The template of a statement, or None if it has to run row by row.

        Raises SqlSyntaxError for a text without tokens.
        """
        tokens = scan(operation)
        start = _tuple_start(tokens)
        if start is None:
            return None
        end = _closing(tokens, start)
        tail = [token for token in tokens[end + 1 :] if token.value != ";"]
        if [token.kind for token in tail] != ["end"]:
            return None
        places = [token for token in tokens[start:end] if token.kind == "parameter"]
        if not places or any(token.kind == "parameter" for token in tokens[:start]):
            return None
        edges = [tokens[start].start, *(e for p in places for e in (p.start, p.end))]
        edges.append(tokens[end].end)
        parts = tuple(operation[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))
        return cls(operation[: tokens[start].start], parts, tuple(p.value for p in places))

    def statements(
        self, rows: Iterable[Sequence[Any] | Mapping[str, Any]]
    ) -> Iterator[tuple[str, list[Any]]]:
        """Statements with their parameters, for all rows in order. Raises InvalidRequest."""
        size = max(1, min(ROWS_MAX, PARAMETERS_MAX // len(self.names)))
        remaining = iter(rows)
        while taken := list(islice(remaining, size)):
            values = [value for row in taken for value in self._values(row)]
            yield self._text(len(taken)), values

    def _text(self, count: int) -> str:
        pieces, number = [], 0
        for _ in range(count):
            pieces.append(self.parts[0])
            for part in self.parts[1:]:
                number += 1
                pieces.append(f"${number}{part}")
            pieces.append(", ")
        return self.head + "".join(pieces[:-1])

    def _values(self, row: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        given = row if isinstance(row, Mapping) else {str(i): v for i, v in enumerate(row, 1)}
        if set(given) != set(self.names):
            wanted, found = (", ".join(dict.fromkeys(names)) for names in (self.names, given))
            raise InvalidRequest(
                f"the statement has the parameters {wanted}; a row has {found or 'none'}", "08P01"
            )
        return [given[name] for name in self.names]


def _tuple_start(tokens: list[Token]) -> int | None:
    """Where the tuple of `INSERT … VALUES (` begins."""
    if tokens[0].value != "insert":
        return None
    depth = 0
    for position, token in enumerate(tokens):
        if token.kind == "operator":
            depth += {"(": 1, ")": -1}.get(token.value, 0)
        elif token.kind == "word" and token.value == "values" and depth == 0:
            opens = tokens[position + 1]
            return position + 1 if opens.kind == "operator" and opens.value == "(" else None
        elif token.kind == "word" and token.value == "select" and depth == 0:
            return None
    return None


def _closing(tokens: list[Token], start: int) -> int:
    """The token that closes the bracket at `start`, or the last one."""
    depth = 0
    for position in range(start, len(tokens)):
        token = tokens[position]
        if token.kind == "operator":
            depth += {"(": 1, ")": -1}.get(token.value, 0)
            if depth == 0:
                return position
    return len(tokens) - 1
