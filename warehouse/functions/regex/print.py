"""A regular expression in the words of the Rust engine that Polars has, and of Python's `re`.

Both printings match exactly the texts that PostgreSQL's expression does. *Which* of several
possible matches they find is another question: `warehouse.functions.regex.choice`.
"""

from __future__ import annotations

import functools
import itertools
import re

import polars as pl

from warehouse.functions.regex.nodes import (
    AnyNode,
    Assertion,
    BackReference,
    Chars,
    Choice,
    Group,
    Look,
    Pattern,
    Repeat,
    Sequence,
    children,
)

__all__ = ["ascii_members", "class_ranges", "python_expression", "rust_expression"]

_SPACE = r"\t-\r \x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}"
_ALNUM = r"\p{Alphabetic}\p{Nd}"

# As the C.UTF-8 locale has them.
_RUST_CLASSES = {
    "alnum": f"[{_ALNUM}]",
    "alpha": f"[[{_ALNUM}]--[0-9]]",
    "blank": r"[ \t]",
    "cntrl": r"[\x01-\x1f\x7f-\x9f]",
    "digit": "[0-9]",
    "graph": rf"[^\p{{Cn}}\p{{Cc}}{_SPACE}]",
    "lower": r"[\p{Lowercase}]",
    "print": r"[^\p{Cn}\p{Cc}\x{2028}\x{2029}]",
    "punct": rf"[[^\p{{Cn}}\p{{Cc}}{_SPACE}]--[{_ALNUM}]]",
    "space": f"[{_SPACE}]",
    "upper": r"[\p{Uppercase}\p{Lt}]",
    "word": f"[{_ALNUM}_]",
    "xdigit": "[0-9A-Fa-f]",
}
_RUST_ASSERTIONS = {
    "start": r"\A",
    "end": r"\z",
    "line start": "(?m:^)",
    "line end": "(?m:$)",
    "word start": r"\b{start}",
    "word end": r"\b{end}",
    "boundary": r"\b",
    "no boundary": r"\B",
}
_PYTHON_ASSERTIONS = {
    "start": r"\A",
    "end": r"\Z",
    "line start": "(?m:^)",
    "line end": r"(?=\n|\Z)",
    "word start": r"(?<!\w)(?=\w)",
    "word end": r"(?<=\w)(?!\w)",
    "boundary": r"\b",
    "no boundary": r"(?!\b)",
}


@functools.lru_cache(maxsize=1024)
def rust_expression(pattern: Pattern) -> str | None:
    """For Polars; None if the Rust engine cannot do it (lookaround, references, too large)."""
    if _needs_more(pattern.node):
        return None
    text = f"(?{'i' if pattern.ignore_case else ''}s){_rust(pattern.node)}"
    try:
        pl.Series([""]).str.contains(text)
    except pl.exceptions.ComputeError:
        return None
    return text


def _needs_more(node: AnyNode) -> bool:
    return isinstance(node, Look | BackReference) or any(map(_needs_more, children(node)))


def _rust(node: AnyNode) -> str:
    match node:
        case Chars():
            return _rust_set(node)
        case Assertion(kind):
            return _RUST_ASSERTIONS[kind]
        case Group(index, inner):
            return f"({'' if index else '?:'}{_rust(inner)})"
        case Sequence(items):
            return "".join(map(_rust, items))
        case Choice(branches):
            return "|".join(map(_rust, branches))
        case Repeat(inner, low, high, lazy):
            return _rust(inner) + _quantifier(low, high, lazy)
        case _:
            raise AssertionError(node)


def _quantifier(low: int, high: int | None, lazy: bool) -> str:
    short = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((low, high))
    text = short or f"{{{low},{'' if high is None else high}}}"
    return text + ("?" if lazy else "")


def _rust_set(chars: Chars) -> str:
    if not chars.classes and not chars.ranges:
        return "." if chars.negated else r"[^\x{0}-\x{10ffff}]"
    if not chars.classes and not chars.negated and len(chars.ranges) == 1:
        low, high = chars.ranges[0]
        if low == high:
            return _rust_character(low)
    parts = [
        _rust_character(low) if low == high else f"{_rust_character(low)}-{_rust_character(high)}"
        for low, high in chars.ranges
    ]
    for name in chars.classes:
        known = _RUST_CLASSES[name.removeprefix("^")]
        parts.append(f"[^{known}]" if name.startswith("^") else known)
    return f"[{'^' if chars.negated else ''}{''.join(parts)}]"


def _rust_character(code: int) -> str:
    character = chr(code)
    return character if character.isascii() and character.isalnum() else f"\\x{{{code:x}}}"


@functools.lru_cache(maxsize=1024)
def python_expression(pattern: Pattern) -> re.Pattern[str] | None:
    """For Python; None if `re` cannot do it (lookbehind of no fixed length)."""
    flags = re.DOTALL | (re.IGNORECASE if pattern.ignore_case else 0)
    try:
        return re.compile(_python(pattern.node), flags)
    except re.error:
        return None


def _python(node: AnyNode) -> str:
    match node:
        case Chars():
            return _python_set(node)
        case Assertion(kind):
            return _PYTHON_ASSERTIONS[kind]
        case Look(inner, ahead, negated):
            return f"(?{'' if ahead else '<'}{'!' if negated else '='}{_python(inner)})"
        case Group(index, inner):
            return f"({'' if index else '?:'}{_python(inner)})"
        case BackReference(index):
            return f"(?:\\{index})"
        case Sequence(items):
            return "".join(map(_python, items))
        case Choice(branches):
            return "|".join(map(_python, branches))
        case Repeat(inner, low, high, lazy):
            return _python(inner) + _quantifier(low, high, lazy)


def _python_set(chars: Chars) -> str:
    if not chars.classes and not chars.ranges:
        return "." if chars.negated else r"[^\x00-\U0010ffff]"
    ranges = list(chars.ranges)
    for name in chars.classes:
        ranges.extend(class_ranges(name))
    body = "".join(
        f"\\U{low:08x}" if low == high else f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges
    )
    return f"[{'^' if chars.negated else ''}{body}]"


@functools.cache
def class_ranges(name: str) -> tuple[tuple[int, int], ...]:
    """The code points of a class (or of the complement, `^name`), asked of the Rust engine."""
    inside = _RUST_CLASSES[name.removeprefix("^")]
    if name.startswith("^"):
        inside = f"[^{inside}]"
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    found = pl.Series(codes).filter(pl.Series(map(chr, codes)).str.contains(inside)).to_list()
    ranges = []
    for _, run in itertools.groupby(enumerate(found), lambda pair: pair[1] - pair[0]):
        members = [code for _, code in run]
        ranges.append((members[0], members[-1]))
    return tuple(ranges)


@functools.lru_cache(maxsize=4096)
def ascii_members(chars: Chars, *, ignore_case: bool) -> frozenset[int]:
    """The ASCII characters of a set, and 128 if any other may be in it."""
    flag = "i" if ignore_case else ""
    codes = pl.Series(range(128))
    inside = pl.Series(map(chr, range(128))).str.contains(f"(?{flag}s)\\A{_rust_set(chars)}\\z")
    beyond = chars.negated or any(high > 127 for _, high in chars.ranges)
    beyond = beyond or any(name not in ("digit", "blank", "xdigit") for name in chars.classes)
    # Some ASCII letters are variants of others: the Kelvin sign, the long s.
    beyond = beyond or (ignore_case and bool({"k", "s"} & set(_letters(inside, codes))))
    members = frozenset(codes.filter(inside).to_list())
    return members | {128} if beyond else members


def _letters(inside: pl.Series, codes: pl.Series) -> list[str]:
    return [chr(code) for code in codes.filter(inside).to_list()]
