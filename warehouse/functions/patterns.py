"""LIKE, ILIKE, SIMILAR TO and the operators of regular expressions.

A constant pattern is turned into Polars' fastest equal once: LIKE into a comparison of the text,
its beginning, end or inside where it can, and into a regular expression else. Patterns that differ
by row are compiled once per distinct pattern.

`x LIKE y ESCAPE e` is `x ~~ like_escape(y, e)`, `x SIMILAR TO y` is `x ~ similar_to_escape(y)`,
as in PostgreSQL; both are constants if their arguments are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import polars as pl

from storage.errors import InvalidRequest
from warehouse.algebra.types import BOOLEAN, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value, carrier
from warehouse.functions.regex.match import contains
from warehouse.functions.regex.parse import Options, parse
from warehouse.functions.regex.print import rust_expression
from warehouse.functions.registry import scalar
from warehouse.functions.text import constant_of, padded
from warehouse.functions.text_case import lower, lower_text

__all__ = ["failing", "matching", "similar_expression"]

_LONE_ESCAPE = ("LIKE pattern must not end with escape character", "22025")
_INVALID_ESCAPE = ("invalid escape string", "22025")


def failing(error: InvalidRequest, kind: AnyType) -> Value:
    """A value whose every row has this error: it belongs to an argument that is constant."""
    value = Value(pl.lit(None, dtype=carrier(kind)), kind)
    return value.faulty(pl.lit(True), error.sqlstate, error.message)


@scalar("~~(text,text) -> bool", "~~(bpchar,text) -> bool", native=False)
def like(text: Value, pattern: Value, *, kind: AnyType) -> Value:
    """LIKE."""
    return _like(text, pattern)


@scalar("!~~(text,text) -> bool", "!~~(bpchar,text) -> bool", native=False)
def not_like(text: Value, pattern: Value, *, kind: AnyType) -> Value:
    """NOT LIKE."""
    return _negated(_like(text, pattern))


@scalar("~~*(text,text) -> bool", "~~*(bpchar,text) -> bool", native=False)
def ilike(text: Value, pattern: Value, *, kind: AnyType) -> Value:
    """ILIKE: LIKE of both in lower case."""
    return _ilike(text, pattern)


@scalar("!~~*(text,text) -> bool", "!~~*(bpchar,text) -> bool", native=False)
def not_ilike(text: Value, pattern: Value, *, kind: AnyType) -> Value:
    """NOT ILIKE."""
    return _negated(_ilike(text, pattern))


def _negated(value: Value) -> Value:
    return value.derived(~value.expr, BOOLEAN)


def _ilike(text: Value, pattern: Value) -> Value:
    known = constant_of(pattern)
    if isinstance(known, str):
        made = _like_constant(text, lower_text(known), lower)
        if made is not None:
            return made
    return rowwise(
        lambda value, wanted: _like_row(lower_text(value), lower_text(wanted)),
        [Value(padded(text), text.type), pattern],
        BOOLEAN,
    )


def _like(text: Value, pattern: Value) -> Value:
    known = constant_of(pattern)
    if isinstance(known, str):
        made = _like_constant(text, known, lambda expr: expr)
        if made is not None:
            return made
    return rowwise(_like_row, [Value(padded(text), text.type), pattern], BOOLEAN)


def _like_constant(
    text: Value, pattern: str, prepared: Callable[[pl.Expr], pl.Expr]
) -> Value | None:
    """Of a constant pattern; None if it ends with its escape character."""
    units = _units(pattern)
    if units is None:
        return None
    # The blanks that CHAR(n) is filled with matter, unless a final % takes them all.
    blind = units and units[-1] == "%" and not any(unit in ("_", "\\ ") for unit in units)
    expr = text.expr if blind else padded(text)
    return Value(_matched(prepared(expr), units), BOOLEAN)


def _units(pattern: str) -> list[str] | None:
    r"""`%`, `_`, or a backslash and a character; several `%` count once; None: a lone escape."""
    units: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            plain = next(characters, None)
            if plain is None:
                return None
            units.append(f"\\{plain}")
        elif character not in "%_":
            units.append(f"\\{character}")
        elif character != "%" or not units or units[-1] != "%":
            units.append(character)
    return units


def _matched(text: pl.Expr, units: list[str]) -> pl.Expr:
    plain = "".join(unit[1:] for unit in units)
    wild = [place for place, unit in enumerate(units) if len(unit) == 1]
    last = len(units) - 1
    if not wild:
        return text == plain
    if any(units[place] == "_" for place in wild):
        return text.str.contains(_expression(units))
    if wild == [0] and last == 0:
        return text.is_not_null()
    if wild == [last]:
        return text.str.starts_with(plain)
    if wild == [0]:
        return text.str.ends_with(plain)
    if wild == [0, last]:
        return text.str.contains(plain, literal=True)
    return text.str.contains(_expression(units))


def _expression(units: list[str]) -> str:
    """A regular expression of the Rust engine."""
    wild = {"%": ".*", "_": "."}
    first = units[0] == "%"
    last = units[-1] == "%"
    inside = units[first : len(units) - last]
    body = "".join(wild.get(unit) or re.escape(unit[1:]) for unit in inside)
    return "(?s)" + ("" if first else r"\A") + body + ("" if last else r"\z")


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> tuple[re.Pattern[str], bool]:
    """For Python; and whether the pattern ends with its escape character."""
    units = _units(pattern)
    lone = units is None
    wild = {"%": ".*", "_": "."}
    known = units if units is not None else _units(pattern[:-1]) or []
    body = "".join(wild.get(unit) or re.escape(unit[1:]) for unit in known)
    return re.compile(body, re.DOTALL), lone


def _like_row(text: str, pattern: str) -> bool:
    compiled, lone = _compiled(pattern)
    if not lone:
        return compiled.fullmatch(text) is not None
    # PostgreSQL notices only when it gets there with text left.
    if any(compiled.fullmatch(text, 0, end) for end in range(len(text))):
        raise InvalidRequest(*_LONE_ESCAPE)
    return False


@scalar("~~(bytea,bytea) -> bool", native=False)
def like_bytes(data: Value, pattern: Value, *, kind: AnyType) -> Value:
    """LIKE of bytes: each is a character of its own."""
    return rowwise(_like_bytes, [data, pattern], kind)


@scalar("!~~(bytea,bytea) -> bool", native=False)
def not_like_bytes(data: Value, pattern: Value, *, kind: AnyType) -> Value:
    """NOT LIKE of bytes."""
    return _negated(like_bytes(data, pattern, kind=kind))


def _like_bytes(data: bytes, pattern: bytes) -> bool:
    return _like_row(data.decode("latin-1"), pattern.decode("latin-1"))


@scalar("like_escape(bytea,bytea) -> bytea", native=False)
def like_escape_bytes(pattern: Value, escape: Value, *, kind: AnyType) -> Value:
    """The pattern with the backslash as its escape character."""
    return rowwise(_bytes_with_backslash, [pattern, escape], kind)


def _bytes_with_backslash(pattern: bytes, escape: bytes) -> bytes:
    return _with_backslash(pattern.decode("latin-1"), escape.decode("latin-1")).encode("latin-1")


@scalar("like_escape(text,text) -> text", native=False)
def like_escape(pattern: Value, escape: Value, *, kind: AnyType) -> Value:
    """The pattern with the backslash as its escape character."""
    return rowwise(_with_backslash, [pattern, escape], kind)


def _with_backslash(pattern: str, escape: str) -> str:
    if len(escape) > 1:
        raise InvalidRequest(*_INVALID_ESCAPE)
    if escape == "\\":
        return pattern
    parts, after = [], False
    for character in pattern:
        if character == escape and not after:
            parts.append("\\")
            after = True
            continue
        parts.append("\\\\" if character == "\\" and not after else character)
        after = False
    return "".join(parts)


@scalar("similar_to_escape(text) -> text", native=False)
def similar_to(pattern: Value, *, kind: AnyType) -> Value:
    """The regular expression of a SIMILAR TO pattern."""
    return rowwise(similar_expression, [pattern], kind)


@scalar("similar_to_escape(text,text) -> text", native=False)
def similar_to_escape(pattern: Value, escape: Value, *, kind: AnyType) -> Value:
    """The same with another escape character."""
    return rowwise(similar_expression, [pattern, escape], kind)


def similar_expression(pattern: str, escape: str = "\\") -> str:
    """The regular expression of a SIMILAR TO pattern (documentation, 9.7.2).

    Escaped double quotes part it into sections: what `substring` takes is the second of two or
    three, and the first and last then match as little as they can. An escape character at the end
    means nothing.

    Raises InvalidRequest: 22025 the escape is no single character, 2200C there are more than three
    sections.
    """
    if len(escape) > 1:
        raise InvalidRequest(*_INVALID_ESCAPE)
    tokens, pairs = _similar_tokens(escape)
    sections = [""]
    for token in tokens.finditer(pattern):
        if token["pair"] == '"':
            sections.append("")
        elif token["pair"]:
            sections[-1] += f"\\{token['pair']}"
        elif token["set"]:
            sections[-1] += pairs.sub(lambda found: f"\\{found[1] or found[0]}", token["set"])
        elif token["one"]:
            sections[-1] += _SIMILAR.get(token["one"], token["one"])
    if len(sections) > len(_STARTS):
        message = "SQL regular expression may not contain more than two "
        raise InvalidRequest(f"{message}escape-double-quote separators", "2200C")
    text = "".join(start + section for start, section in zip(_STARTS, sections, strict=False))
    return f"{text})$"


@lru_cache(maxsize=64)
def _similar_tokens(escape: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The tokens of a pattern: `pair` (what is escaped), `set` in brackets, `one` character; and
    what has another form inside a set: a pair, as group 1, or a backslash."""
    mark = re.escape(escape) if escape else "(?!)"
    inside = rf"{mark}.|(?!{mark})[^\]]"
    in_brackets = rf"(?!{mark})\[(?:{inside})*(?:(?!{mark})\])?"
    tokens = rf"{mark}(?P<pair>.)|(?P<set>{in_brackets})|(?P<one>(?!{mark}).)"
    return re.compile(tokens, re.DOTALL), re.compile(rf"{mark}(.)|\\", re.DOTALL)


_STARTS = ("^(?:", "){1,1}?(", "){1,1}(?:")
"""What is before the sections: no group captures but that of the second."""
_SIMILAR = {
    "%": ".*",
    "_": ".",
    "(": "(?:",
    "\\": "\\\\",
    ".": "\\.",
    "^": "\\^",
    "$": "\\$",
}


@scalar("~(text,text) -> bool", "~(bpchar,text) -> bool", native=False)
def matches(text: Value, pattern: Value, *, kind: AnyType) -> Value:
    """Does a regular expression match anywhere?"""
    return matching(text, pattern, Options())


@scalar("!~(text,text) -> bool", "!~(bpchar,text) -> bool", native=False)
def matches_not(text: Value, pattern: Value, *, kind: AnyType) -> Value:
    """Does it match nowhere?"""
    return _negated(matching(text, pattern, Options()))


@scalar("~*(text,text) -> bool", "~*(bpchar,text) -> bool", native=False)
def matches_case(text: Value, pattern: Value, *, kind: AnyType) -> Value:
    """The same, upper and lower case being equal."""
    return matching(text, pattern, Options(ignore_case=True))


@scalar("!~*(text,text) -> bool", "!~*(bpchar,text) -> bool", native=False)
def matches_case_not(text: Value, pattern: Value, *, kind: AnyType) -> Value:
    """The same, upper and lower case being equal."""
    return _negated(matching(text, pattern, Options(ignore_case=True)))


def matching(text: Value, pattern: Value, chosen: Options) -> Value:
    """Does the expression match anywhere in the text?"""
    shown = Value(padded(text), text.type)
    known = constant_of(pattern)
    if not isinstance(known, str):
        return rowwise(
            lambda value, wanted: contains(parse(wanted, chosen), value),
            [shown, pattern],
            BOOLEAN,
        )
    try:
        parsed = parse(known, chosen)
    except InvalidRequest as error:
        return failing(error, BOOLEAN)
    fast = rust_expression(parsed)
    if fast is not None:
        return Value(shown.expr.str.contains(fast), BOOLEAN)
    return rowwise(lambda value: contains(parsed, value), [shown], BOOLEAN)
