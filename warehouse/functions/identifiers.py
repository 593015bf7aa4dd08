"""Names in texts, `public."My table"`: taken apart and put together again."""

from __future__ import annotations

import re

from storage.errors import InvalidRequest
from warehouse.functions.quoting import quoted_identifier

__all__ = ["canonical_name", "name_parts"]

_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\s".]+))\s*')


def name_parts(text: str) -> tuple[str, ...]:
    """The parts of a name, folded to lower case unless they are quoted.

    Raises InvalidRequest (42602) if the text is no name.
    """
    parts: list[str] = []
    at = 0
    while True:
        found = _PART.match(text, at)
        if found is None:
            raise InvalidRequest("invalid name syntax", "42602")
        quoted, plain = found.groups()
        parts.append(quoted.replace('""', '"') if quoted is not None else plain.lower())
        at = found.end()
        if at == len(text):
            return tuple(parts)
        if text[at] != ".":
            raise InvalidRequest("invalid name syntax", "42602")
        at += 1


def canonical_name(text: str) -> str:
    """A name as PostgreSQL would write it: quoted only where it must be."""
    return ".".join(quoted_identifier(part) for part in name_parts(text))
