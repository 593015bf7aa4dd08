"""LIKE with escapes, and SIMILAR TO, as regular expressions.

Polars' LIKE knows no escape character: it reads `a\\_b` as an `a`, a backslash, any character and a
`b`. A pattern without an escape stays LIKE, which Polars runs (and statistics prune) faster.

Invariant: `(?s)` and the anchors make the expression match whole texts with any line breaks.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from storage.errors import InvalidRequest
from warehouse.sql.later import not_yet

__all__ = ["RULES"]

_SIMILAR_OPERATORS = "|*+?{}()[]"  # mean the same in SIMILAR TO and in regular expressions


def _like(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node.parent, exp.Escape):
        return None  # the parent's rule reads both
    pattern = node.expression
    if not (isinstance(pattern, exp.Literal) and pattern.is_string):
        raise not_yet("LIKE with a pattern that is not a constant text")
    if "\\" not in pattern.this:
        return None
    return _matches(node, pattern.this, "\\")


def _escape(node: exp.Expr) -> exp.Expr | None:
    like, escape = node.this, node.expression
    if isinstance(like, exp.Not):
        raise not_yet("this form of LIKE … ESCAPE")
    pattern = like.expression
    if not (isinstance(pattern, exp.Literal) and pattern.is_string and escape.is_string):
        raise not_yet("LIKE with a pattern or ESCAPE that is not a constant text")
    if len(escape.this) > 1:
        raise InvalidRequest(f"ESCAPE wants one character, found {escape.this!r}", "22025")
    if isinstance(like, exp.SimilarTo):
        return _as_regexp(like, _similar_pattern(pattern.this, escape.this))
    return _matches(like, pattern.this, escape.this)


def _similar(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node.parent, exp.Escape):
        return None
    pattern = node.expression
    if not (isinstance(pattern, exp.Literal) and pattern.is_string):
        raise not_yet("SIMILAR TO with a pattern that is not a constant text")
    return _as_regexp(node, _similar_pattern(pattern.this, "\\"))


def _matches(like: exp.Expr, pattern: str, escape: str) -> exp.Expr:
    flags = "(?is)" if isinstance(like, exp.ILike) else "(?s)"
    wild = {"%": ".*", "_": "."}
    body = "".join(
        wild[text] if special else re.escape(text)
        for text, special in _units(pattern, escape, "%_")
    )
    return _as_regexp(like, f"{flags}^{body}$")


def _similar_pattern(pattern: str, escape: str) -> str:
    wild = {"%": ".*", "_": "."}
    parts, inside = [], False
    for text, special in _units(pattern, escape, "%_" + _SIMILAR_OPERATORS):
        if special and text in "[]":
            inside = text == "["
            parts.append(text)
        elif inside:
            parts.append(text if text in "-^" else re.escape(text))
        else:
            parts.append(wild.get(text, text) if special else re.escape(text))
    return f"(?s)^(?:{''.join(parts)})$"


def _units(pattern: str, escape: str, specials: str) -> list[tuple[str, bool]]:
    """Characters of a pattern, each with whether it is special; the escape makes one plain."""
    units: list[tuple[str, bool]] = []
    characters = iter(pattern)
    for character in characters:
        if escape and character == escape:
            plain = next(characters, None)
            if plain is None:
                raise InvalidRequest(
                    f"the pattern {pattern!r} ends with its escape character", "22025"
                )
            units.append((plain, False))
        else:
            units.append((character, character in specials))
    return units


def _as_regexp(like: exp.Expr, pattern: str) -> exp.Expr:
    found: exp.Expr = exp.RegexpLike(this=like.this.copy(), expression=exp.Literal.string(pattern))
    if like.args.get("negate"):
        found = exp.Not(this=found)
    found.type = exp.DataType.build(exp.DType.BOOLEAN)
    return found


RULES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    exp.Like: _like,
    exp.ILike: _like,
    exp.Escape: _escape,
    exp.SimilarTo: _similar,
}
