"""The parts of a regular expression, as PostgreSQL's advanced syntax has them.

Newline modes are settled while parsing: a dot or negated set that stops at newlines excludes
them, `^` and `$` say whether they look at lines. Only case insensitivity stays a property of the
whole.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ANYTHING",
    "AnyNode",
    "Assertion",
    "BackReference",
    "Chars",
    "Choice",
    "Group",
    "Look",
    "Pattern",
    "Repeat",
    "Sequence",
    "children",
    "has_groups",
]


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of a set: code point ranges (both ends included) and named classes.

    A class name that begins with `^` is the complement of that class.
    """

    ranges: tuple[tuple[int, int], ...]
    classes: tuple[str, ...] = ()
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Assertion:
    """No character: `start`, `end` (of the text), `line start`, `line end`, `word start`,
    `word end`, `boundary`, `no boundary`."""

    kind: str


@dataclass(frozen=True, slots=True)
class Look:
    """Lookahead or lookbehind."""

    node: AnyNode
    ahead: bool
    negated: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Parentheses; `index` from 1, or 0 if they capture nothing."""

    index: int
    node: AnyNode


@dataclass(frozen=True, slots=True)
class BackReference:
    """The text that the group `index` matched, which is `of`."""

    index: int
    of: AnyNode


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other; without items it matches the empty text."""

    items: tuple[AnyNode, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Two or more alternatives."""

    branches: tuple[AnyNode, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`low` to `high` times (None: without end).

    `prefers`: False for `{m}`, which takes over the preference of what it repeats.
    """

    node: AnyNode
    low: int
    high: int | None
    lazy: bool = False
    prefers: bool = True


AnyNode = Chars | Assertion | Look | Group | BackReference | Sequence | Choice | Repeat

ANYTHING = Chars((), (), negated=True)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A whole expression. `groups`: how many capture."""

    node: AnyNode
    groups: int
    ignore_case: bool = False


def children(node: AnyNode) -> tuple[AnyNode, ...]:
    """The nodes directly inside."""
    match node:
        case Look() | Group() | Repeat():
            return (node.node,)
        case Sequence(items):
            return items
        case Choice(branches):
            return branches
        case _:
            return ()


def has_groups(node: AnyNode) -> bool:
    """Does it capture, or refer to what was captured?"""
    if isinstance(node, BackReference) or (isinstance(node, Group) and node.index > 0):
        return True
    return any(has_groups(inner) for inner in children(node))
