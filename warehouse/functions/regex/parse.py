"""From the text of an advanced regular expression (ARE) to its nodes.

The grammar is that of PostgreSQL's manual, 9.7.3: directors (`***:`, `***=`), options in front
(`(?i)`), quantifiers with bounds up to 255, brackets with classes, escapes, constraints. Errors are
PostgreSQL's: 2201B, `invalid regular expression: …`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from storage.errors import InvalidRequest, NotYet
from warehouse.functions.regex.brackets import bracket, escaped_character, invalid
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
)

__all__ = ["Options", "options", "parse"]

_BOUND_MAX = 255
_NEWLINE = 10
_SHORTHANDS = {"d": "digit", "s": "space", "w": "word", "D": "^digit", "S": "^space", "W": "^word"}
_CONSTRAINTS = {
    "A": "start",
    "Z": "end",
    "m": "word start",
    "M": "word end",
    "y": "boundary",
    "Y": "no boundary",
}
_WORD_ENDS = {"[[:<:]]": "word start", "[[:>:]]": "word end"}
_LOOKS = {"=": (True, False), "!": (True, True), "<=": (False, False), "<!": (False, True)}


@dataclass(frozen=True, slots=True)
class Options:
    """What the letters of a flags argument, or of `(?…)` in front, ask for.

    `every` is `g`; `line_stop`: dots and negated sets exclude newlines; `line_anchors`: `^` and
    `$` look at lines.
    """

    every: bool = False
    ignore_case: bool = False
    line_stop: bool = False
    line_anchors: bool = False
    literal: bool = False
    expanded: bool = False


_LETTERS: dict[str, dict[str, bool]] = {
    "g": {"every": True},
    "c": {"ignore_case": False},
    "i": {"ignore_case": True},
    "m": {"line_stop": True, "line_anchors": True},
    "n": {"line_stop": True, "line_anchors": True},
    "p": {"line_stop": True, "line_anchors": False},
    "q": {"literal": True},
    "s": {"line_stop": False, "line_anchors": False},
    "t": {"expanded": False},
    "w": {"line_stop": False, "line_anchors": True},
    "x": {"expanded": True},
}


def options(letters: str, before: Options | None = None) -> Options:
    """The options of a flags argument. Raises InvalidRequest (22023) on an unknown letter."""
    found = before or Options()
    for letter in letters:
        if letter in "be":
            raise NotYet(f'regular expression option "{letter}" (basic and extended syntax)')
        changes = _LETTERS.get(letter)
        if changes is None:
            raise InvalidRequest(f'invalid regular expression option: "{letter}"', "22023")
        found = replace(found, **changes)
    return found


@lru_cache(maxsize=1024)
def parse(text: str, chosen: Options | None = None) -> Pattern:
    """The nodes of an expression. Raises InvalidRequest (2201B)."""
    settings = chosen or Options()
    if settings.literal or text.startswith("***="):
        plain = text if settings.literal else text[4:]
        items = tuple(Chars(((ord(character),) * 2,)) for character in plain)
        return Pattern(Sequence(items), 0, settings.ignore_case)
    text = text.removeprefix("***:")
    if text.startswith("***"):
        raise invalid("quantifier operand invalid")
    if text.startswith("(?") and text[2:3].isalpha():
        end = text.find(")")
        letters = text[2:] if end < 0 else text[2:end]
        if end < 0 or any(letter not in _LETTERS and letter not in "be" for letter in letters):
            raise invalid("invalid embedded option")
        settings = options(letters, settings)
        text = text[end + 1 :]
        if settings.literal:
            return parse(text, replace(settings, every=False))
    parser = _Parser(text, settings)
    node = parser.alternatives(depth=0)
    return Pattern(node, parser.groups, settings.ignore_case)


class _Parser:
    def __init__(self, text: str, settings: Options) -> None:
        self.text = text
        self.at = 0
        self.settings = settings
        self.groups = 0
        self.closed: dict[int, AnyNode] = {}
        self.in_look = 0

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def skip(self) -> None:
        """Pass over comments, and in the expanded syntax white space."""
        while self.at < len(self.text):
            if self.peek(3) == "(?#":
                end = self.text.find(")", self.at)
                self.at = len(self.text) if end < 0 else end + 1
            elif self.settings.expanded and self.peek().isspace():
                self.at += 1
            elif self.settings.expanded and self.peek() == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def alternatives(self, depth: int) -> AnyNode:
        branches = [self.branch(depth)]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.branch(depth))
        if self.peek() == ")" and depth == 0:
            raise invalid("parentheses () not balanced")
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def branch(self, depth: int) -> AnyNode:
        items: list[AnyNode] = []
        while True:
            self.skip()
            if self.peek() in ("", "|", ")"):
                break
            atom = self.atom(depth)
            if not isinstance(atom, Assertion | Look):
                self.skip()
                atom = self.quantified(atom)
            items.append(atom)
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def atom(self, depth: int) -> AnyNode:
        character = self.peek()
        if character == "(":
            return self.parentheses(depth)
        if character == "[":
            return self.brackets()
        if character == "\\":
            return self.escape()
        if character in "*+?" or (
            character == "{" and self.text[self.at + 1 : self.at + 2].isdigit()
        ):
            raise invalid("quantifier operand invalid")
        self.at += 1
        if character == "^":
            return Assertion("line start" if self.settings.line_anchors else "start")
        if character == "$":
            return Assertion("line end" if self.settings.line_anchors else "end")
        if character == ".":
            excluded = ((_NEWLINE, _NEWLINE),) if self.settings.line_stop else ()
            return Chars(excluded, (), negated=True)
        return Chars(((ord(character), ord(character)),))

    def parentheses(self, depth: int) -> AnyNode:
        self.at += 1
        if self.peek() != "?":
            index = 0
            if not self.in_look:
                self.groups += 1
                index = self.groups
            node = self.closing(depth)
            if index:
                self.closed[index] = node
            return Group(index, node)
        self.at += 1
        kind = self.peek(2) if self.peek() == "<" else self.peek()
        self.at += len(kind)
        if kind == ":":
            return Group(0, self.closing(depth))
        if kind not in _LOOKS:
            raise invalid("quantifier operand invalid")
        ahead, negated = _LOOKS[kind]
        self.in_look += 1
        node = self.closing(depth)
        self.in_look -= 1
        return Look(node, ahead, negated)

    def closing(self, depth: int) -> AnyNode:
        node = self.alternatives(depth + 1)
        if self.peek() != ")":
            raise invalid("parentheses () not balanced")
        self.at += 1
        return node

    def brackets(self) -> AnyNode:
        for text, kind in _WORD_ENDS.items():
            if self.peek(len(text)) == text:
                self.at += len(text)
                return Assertion(kind)
        found, self.at = bracket(self.text, self.at)
        if found.negated and self.settings.line_stop:
            return replace(found, ranges=(*found.ranges, (_NEWLINE, _NEWLINE)))
        return found

    def escape(self) -> AnyNode:
        letter = self.text[self.at + 1 : self.at + 2]
        if letter in _SHORTHANDS:
            self.at += 2
            return Chars((), (_SHORTHANDS[letter],))
        if letter in _CONSTRAINTS:
            self.at += 2
            return Assertion(_CONSTRAINTS[letter])
        if letter in "123456789" and letter:
            return self.back_reference()
        code, self.at = escaped_character(self.text, self.at)
        return Chars(((code, code),))

    def back_reference(self) -> AnyNode:
        start = end = self.at + 1
        while self.text[end : end + 1].isdigit():
            end += 1
        index = int(self.text[start:end])
        if end - start > 1 and index > len(self.closed):
            code, self.at = escaped_character(self.text, self.at)
            return Chars(((code, code),))
        if index not in self.closed or self.in_look:
            raise invalid("invalid backreference number")
        self.at = end
        return BackReference(index, self.closed[index])

    def quantified(self, atom: AnyNode) -> AnyNode:
        character = self.peek()
        prefers = True
        if character and character in "*+?":
            self.at += 1
            low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
        elif character == "{" and self.text[self.at + 1 : self.at + 2].isdigit():
            before = self.at
            low, high = self.bounds()
            prefers = "," in self.text[before : self.at]
        else:
            return atom
        lazy = self.peek() == "?"
        self.at += lazy
        return Repeat(atom, low, high, lazy, prefers)

    def bounds(self) -> tuple[int, int | None]:
        end = self.text.find("}", self.at)
        inside = self.text[self.at + 1 :] if end < 0 else self.text[self.at + 1 : end]
        low, comma, high = inside.partition(",")
        if not low.isdigit() or (high and not high.isdigit()):
            raise invalid("invalid repetition count(s)")
        if end < 0:
            raise invalid("braces {} not balanced")
        self.at = end + 1
        first = int(low)
        last = None if comma and not high else int(high or low)
        if max(first, last or 0) > _BOUND_MAX or (last is not None and first > last):
            raise invalid("invalid repetition count(s)")
        return first, last
