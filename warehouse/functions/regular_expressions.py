"""The functions of regular expressions: `regexp_replace`, `regexp_match`, `substring`, ….

A constant expression runs in Polars' Rust engine if that finds the same matches as PostgreSQL does
(`regex.choice`); else, and for expressions that differ by row, in a kernel that finds exactly
PostgreSQL's (`regex.match`). An expression that may match the empty text always is a kernel's
where several matches count, because the engines differ in what may follow an empty match.

Functions with many optional arguments are registered once per number of them, like PostgreSQL's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.patterns import failing, matching, similar_expression
from warehouse.functions.regex.choice import agrees, can_be_empty
from warehouse.functions.regex.match import Spans, search
from warehouse.functions.regex.nodes import Pattern
from warehouse.functions.regex.parse import Options, options, parse
from warehouse.functions.regex.print import rust_expression
from warehouse.functions.registry import scalar, table_function
from warehouse.functions.text import constant_of

__all__: list[str] = []


def _optional(name: str, arguments: str, least: int, returns: str) -> list[str]:
    """Signatures with `least` to all of the arguments."""
    kinds = arguments.split(",")
    return [
        f"{name}({','.join(kinds[:count])}) -> {returns}" for count in range(least, len(kinds) + 1)
    ]


def _single(letters: str, name: str) -> Options:
    """The options of a function that has no use for `g`."""
    found = options(letters)
    if found.every:
        raise InvalidRequest(f'{name}() does not support the "global" option', "22023")
    return found


def _positive(number: int, parameter: str, least: int = 1) -> None:
    if number < least:
        message = f'invalid value for parameter "{parameter}": {number}'
        raise InvalidRequest(message, "22023")


def _all_matches(pattern: Pattern, text: str, start: int = 0) -> Iterator[Spans]:
    """One after the other; behind an empty one the search goes on a character later."""
    while start <= len(text):
        found = search(pattern, text, start)
        if found is None:
            return
        yield found
        first, end = _span(found)
        start = end + (first == end)


def _span(found: Spans) -> tuple[int, int]:
    whole = found[0]
    assert whole is not None
    return whole


def _part(text: str, span: tuple[int, int] | None) -> str | None:
    return None if span is None else text[span[0] : span[1]]


def _groups(text: str, found: Spans) -> tuple[str | None, ...]:
    """The groups of a match; the whole if there are none."""
    return tuple(_part(text, span) for span in (found[1:] or found))


def _native(pattern: Value, chosen: Options, *, groups: bool, several: bool) -> Pattern | None:
    """The expression if it is a constant that the Rust engine treats as PostgreSQL does."""
    known = constant_of(pattern)
    if not isinstance(known, str):
        return None
    parsed = parse(known, chosen)
    if several and can_be_empty(parsed.node):
        return None
    fits = agrees(parsed, groups=groups) and rust_expression(parsed) is not None
    return parsed if fits else None


def _rust(parsed: Pattern) -> str:
    text = rust_expression(parsed)
    assert text is not None
    return text


def _constant_flags(rest: tuple[Value, ...], place: int) -> str | None:
    """The flags argument if it is a constant or left out, else None."""
    if len(rest) <= place:
        return ""
    known = constant_of(rest[place])
    return known if isinstance(known, str) else None


def _guarded(implementation: Callable[..., Value]) -> Callable[..., Value]:
    """Errors of constant arguments are the faults of the rows, so that a CASE can guard them."""

    @functools.wraps(implementation)
    def guarded(*args: Value, kind: AnyType) -> Value:
        try:
            return implementation(*args, kind=kind)
        except InvalidRequest as error:
            return failing(error, kind)

    return guarded


@scalar(*_optional("regexp_like", "text,text,text", 2, "bool"), native=False)
@_guarded
def regexp_like(text: Value, pattern: Value, *rest: Value, kind: AnyType) -> Value:
    """Does the expression match anywhere?"""
    letters = _constant_flags(rest, 0)
    if letters is not None:
        return matching(text, pattern, _single(letters, "regexp_like"))
    return rowwise(_like_row, [text, pattern, *rest], kind)


def _like_row(text: str, pattern: str, letters: str) -> bool:
    return search(parse(pattern, _single(letters, "regexp_like")), text, 0) is not None


@scalar(*_optional("regexp_match", "text,text,text", 2, "_text"), native=False)
@_guarded
def regexp_match(text: Value, pattern: Value, *rest: Value, kind: AnyType) -> Value:
    """The groups of the first match."""
    letters = _constant_flags(rest, 0)
    if letters is not None:
        parsed = _native(pattern, _single(letters, "regexp_match"), groups=True, several=False)
        if parsed is not None:
            rust = _rust(parsed)
            numbers = range(1, parsed.groups + 1) if parsed.groups else (0,)
            groups = pl.concat_list([text.expr.str.extract(rust, number) for number in numbers])
            return Value(pl.when(text.expr.str.contains(rust)).then(groups), kind)
    return rowwise(_match_row, [text, pattern, *rest], kind)


def _match_row(text: str, pattern: str, letters: str = "") -> tuple[str | None, ...] | None:
    found = search(parse(pattern, _single(letters, "regexp_match")), text, 0)
    return None if found is None else _groups(text, found)


@table_function(*_optional("regexp_matches", "text,text,text", 2, "_text"), native=False)
def regexp_matches(text: Value, pattern: Value, *rest: Value, kind: AnyType) -> Value:
    """The groups of the first match, or of all with the flag `g`, as rows."""
    return rowwise(_matches_row, [text, pattern, *rest], kind)


def _matches_row(text: str, pattern: str, letters: str = "") -> tuple[Any, ...]:
    chosen = options(letters)
    parsed = parse(pattern, chosen)
    if chosen.every:
        return tuple(_groups(text, found) for found in _all_matches(parsed, text))
    first = search(parsed, text, 0)
    return () if first is None else (_groups(text, first),)


@scalar(*_optional("regexp_count", "text,text,int4,text", 2, "int4"), native=False)
@_guarded
def regexp_count(text: Value, pattern: Value, *rest: Value, kind: AnyType) -> Value:
    """How often the expression matches."""
    if not rest:
        parsed = _native(pattern, Options(), groups=False, several=True)
        if parsed is not None:
            return Value(text.expr.str.count_matches(_rust(parsed)).cast(pl.Int64), kind)
    return rowwise(_count_row, [text, pattern, *rest], kind)


def _count_row(text: str, pattern: str, start: int = 1, letters: str = "") -> int:
    _positive(start, "start")
    parsed = parse(pattern, _single(letters, "regexp_count"))
    return sum(1 for _ in _all_matches(parsed, text, start - 1))


def _nth(text: str, parsed: Pattern, start: int, number: int, group: int) -> tuple[int, int] | None:
    """The span of a group (0: the whole) of the n-th match."""
    for count, found in enumerate(_all_matches(parsed, text, start - 1), 1):
        if count == number:
            return found[group] if group < len(found) else None
    return None


@scalar(*_optional("regexp_instr", "text,text,int4,int4,int4,text,int4", 2, "int4"), native=False)
@_guarded
def regexp_instr(text: Value, pattern: Value, *rest: Value, kind: AnyType) -> Value:
    """Where the n-th match begins (or ends), 0 if there is none."""
    return rowwise(_instr_row, [text, pattern, *rest], kind)


def _instr_row(  # noqa: PLR0917 - SQL's order
    text: str,
    pattern: str,
    start: int = 1,
    number: int = 1,
    end_option: int = 0,
    letters: str = "",
    group: int = 0,
) -> int:
    _positive(start, "start")
    _positive(number, "n")
    if end_option not in (0, 1):
        message = f'invalid value for parameter "endoption": {end_option}'
        raise InvalidRequest(message, "22023")
    _positive(group, "subexpr", 0)
    found = _nth(text, parse(pattern, _single(letters, "regexp_instr")), start, number, group)
    return 0 if found is None else found[end_option] + 1


@scalar(*_optional("regexp_substr", "text,text,int4,int4,text,int4", 2, "text"), native=False)
@_guarded
def regexp_substr(text: Value, pattern: Value, *rest: Value, kind: AnyType) -> Value:
    """The n-th match, or a group of it."""
    if not rest:
        parsed = _native(pattern, Options(), groups=False, several=False)
        if parsed is not None:
            return Value(text.expr.str.extract(_rust(parsed), 0), kind)
    return rowwise(_substr_row, [text, pattern, *rest], kind)


def _substr_row(  # noqa: PLR0917 - SQL's order
    text: str,
    pattern: str,
    start: int = 1,
    number: int = 1,
    letters: str = "",
    group: int = 0,
) -> str | None:
    _positive(start, "start")
    _positive(number, "n")
    _positive(group, "subexpr", 0)
    parsed = parse(pattern, _single(letters, "regexp_substr"))
    return _part(text, _nth(text, parsed, start, number, group))


@scalar("substring(text,text) -> text", native=False)
@_guarded
def substring_matching(text: Value, pattern: Value, *, kind: AnyType) -> Value:
    """The first group of the first match, or the whole match if there is no group."""
    parsed = _native(pattern, Options(), groups=True, several=False)
    if parsed is not None:
        return Value(text.expr.str.extract(_rust(parsed), min(parsed.groups, 1)), kind)
    return rowwise(_substring_row, [text, pattern], kind)


@scalar("substring(text,text,text) -> text", native=False)
def substring_similar(text: Value, pattern: Value, escape: Value, *, kind: AnyType) -> Value:
    """What a SIMILAR TO pattern has between its escaped double quotes."""
    return rowwise(
        lambda value, wanted, mark: _substring_row(value, similar_expression(wanted, mark)),
        [text, pattern, escape],
        kind,
    )


def _substring_row(text: str, pattern: str) -> str | None:
    parsed = parse(pattern, Options())
    found = search(parsed, text, 0)
    return None if found is None else _part(text, found[min(parsed.groups, 1)])


@scalar(*_optional("regexp_split_to_array", "text,text,text", 2, "_text"), native=False)
@_guarded
def regexp_split_to_array(text: Value, pattern: Value, *rest: Value, kind: AnyType) -> Value:
    """The parts between matches."""
    return _split(text, pattern, rest, kind, "regexp_split_to_array")


@table_function(*_optional("regexp_split_to_table", "text,text,text", 2, "text"), native=False)
@_guarded
def regexp_split_to_table(text: Value, pattern: Value, *rest: Value, kind: AnyType) -> Value:
    """The parts between matches, as rows."""
    return _split(text, pattern, rest, kind, "regexp_split_to_table")


def _split(text: Value, pattern: Value, rest: tuple[Value, ...], kind: AnyType, name: str) -> Value:
    letters = _constant_flags(rest, 0)
    if letters is not None:
        parsed = _native(pattern, _single(letters, name), groups=False, several=True)
        if parsed is not None:
            return Value(text.expr.str.split(_rust(parsed), literal=False), kind)

    def split_row(value: str, wanted: str, flags: str = "") -> tuple[str, ...]:
        return _split_text(value, parse(wanted, _single(flags, name)))

    return rowwise(split_row, [text, pattern, *rest], kind)


def _split_text(text: str, parsed: Pattern) -> tuple[str, ...]:
    """Empty matches at the ends, or just behind another match, part nothing."""
    parts = []
    before = begin = 0
    for found in _all_matches(parsed, text):
        start, end = _span(found)
        if start < len(text) and end > before:
            parts.append(text[begin:start])
            begin = end
        before = end
    return (*parts, text[begin:])


@scalar(*_optional("regexp_replace", "text,text,text,text", 3, "text"), native=False)
@_guarded
def regexp_replace(text: Value, pattern: Value, new: Value, *rest: Value, kind: AnyType) -> Value:
    """The first match, or all with the flag `g`, replaced."""
    letters, template = _constant_flags(rest, 0), constant_of(new)
    if letters is not None and isinstance(template, str):
        chosen = _replacing(letters)
        parsed = _native(pattern, chosen, groups="\\" in template, several=chosen.every)
        if parsed is not None:
            new_text = "".join(map(_rust_template, _template(template)))
            replace = text.expr.str.replace_all if chosen.every else text.expr.str.replace
            return Value(replace(_rust(parsed), new_text), kind)
    return rowwise(_replace_flags, [text, pattern, new, *rest], kind)


def _rust_template(part: str | int) -> str:
    return f"${{{part}}}" if isinstance(part, int) else part.replace("$", "$$")


@functools.lru_cache(maxsize=1024)
def _template(text: str) -> tuple[str | int, ...]:
    r"""Plain texts and numbers of groups (`\&` is 0)."""
    parts: list[str | int] = []
    characters = iter(text)
    for character in characters:
        if character != "\\":
            parts.append(character)
            continue
        letter = next(characters, None)
        if letter is None:
            parts.append("\\")
        elif letter == "&":
            parts.append(0)
        elif letter in "123456789":
            parts.append(int(letter))
        else:
            parts.append("\\" if letter == "\\" else f"\\{letter}")
    return tuple(parts)


def _replacing(letters: str) -> Options:
    if letters[:1].isascii() and letters[:1].isdigit():
        # A number here was meant as the position to start at.
        raise InvalidRequest(f'invalid regular expression option: "{letters[0]}"', "22023")
    return options(letters)


def _replace_flags(text: str, pattern: str, new: str, letters: str = "") -> str:
    chosen = _replacing(letters)
    return _replaced(text, parse(pattern, chosen), new, 1, 0 if chosen.every else 1)


@scalar(*_optional("regexp_replace", "text,text,text,int4,int4,text", 4, "text"), native=False)
def regexp_replace_from(
    text: Value, pattern: Value, new: Value, *rest: Value, kind: AnyType
) -> Value:
    """The n-th match from a position on (0: all, the default: the first) replaced."""
    return rowwise(_replace_from, [text, pattern, new, *rest], kind)


def _replace_from(  # noqa: PLR0917 - SQL's order
    text: str, pattern: str, new: str, start: int, number: int = 1, letters: str = ""
) -> str:
    _positive(start, "start")
    _positive(number, "n", 0)
    return _replaced(text, parse(pattern, options(letters)), new, start, number)


def _replaced(text: str, parsed: Pattern, new: str, start: int, number: int) -> str:
    """`number`: which match, 0 for all."""
    parts: list[str] = []
    done = 0
    for count, found in enumerate(_all_matches(parsed, text, start - 1), 1):
        if number and count < number:
            continue
        first, end = _span(found)
        parts.append(text[done:first])
        parts.extend(_filled_in(part, text, found) for part in _template(new))
        done = end
        if number:
            break
    return "".join(parts) + text[done:]


def _filled_in(part: str | int, text: str, found: Spans) -> str:
    if isinstance(part, str):
        return part
    return (_part(text, found[part]) or "") if part < len(found) else ""
