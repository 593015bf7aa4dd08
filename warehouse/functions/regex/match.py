"""Matching exactly as PostgreSQL does, for expressions that other engines would match differently.

Of all matches that begin leftmost, PostgreSQL takes the longest, or the shortest if the expression
prefers that; and so again for each part (manual, 9.7.3.5). Engines that backtrack take the first
that they come to. Here the sets of all possible ends decide:

1. Python's `re` tells where the leftmost match begins (that is the same everywhere).
2. `_ends` gives every place where a part can end that begins at a place: sets, so nothing is tried
   twice.
3. The overall end is the last or first of them. Then the match is dissected, top down: the left
   part of a concatenation takes its longest (or shortest) share that leaves the right part a match;
   of alternatives the first that fits; of repetitions the last one is what a group captured.

Parts without groups are not taken apart, and a run of plain characters with their quantifiers is
one part, which matters for the shares.

Back references are not matched here: where an expression has them, Python's own choice is taken if
`choice` says that it is PostgreSQL's, else NotYet.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from functools import lru_cache

from storage.errors import NotYet
from warehouse.functions.regex.choice import agrees
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
    has_groups,
)
from warehouse.functions.regex.print import class_ranges, python_expression

__all__ = ["Spans", "contains", "search"]

Spans = list[tuple[int, int] | None]


def contains(pattern: Pattern, text: str) -> bool:
    """Does the expression match anywhere in the text?"""
    compiled = python_expression(pattern)
    if compiled is not None:
        return compiled.search(text) is not None
    return search(pattern, text, 0) is not None


def search(pattern: Pattern, text: str, start: int) -> Spans | None:
    """The match that begins first at or after `start`: its span, then those of the groups."""
    compiled = python_expression(pattern)
    if compiled is not None and agrees(pattern):
        found = compiled.search(text, start)
        if found is None:
            return None
        spans = [found.span(index) for index in range(pattern.groups + 1)]
        return [None if span == (-1, -1) else span for span in spans]
    if _refers_back(pattern.node):
        raise NotYet("the text that this regular expression with back references matched")
    matcher = _Matcher(pattern, text)
    while start <= len(text):
        if compiled is not None:
            found = compiled.search(text, start)
            if found is None:
                return None
            start = found.start()
        exact = matcher.at(start)
        if exact is not None:
            return exact
        start += 1
    return None


def _refers_back(node: AnyNode) -> bool:
    return isinstance(node, BackReference) or any(map(_refers_back, children(node)))


@dataclass(frozen=True, slots=True)
class _Part:
    """A node of the dissection.

    `kind`: "plain", "capture", "both" (a concatenation), "either", "repeat". `node` matches the
    same texts as the part; `shorter` is its preference (None: it has none).
    """

    kind: str
    node: AnyNode
    shorter: bool | None
    parts: tuple[_Part, ...] = ()
    index: int = 0
    low: int = 0
    high: int | None = None


def _preference(node: AnyNode) -> bool | None:
    """Does it prefer the shorter match? None if it does not care."""
    match node:
        case Group(_, inner):
            return _preference(inner)
        case Choice():
            return False
        case Repeat(inner, low, high, lazy, prefers):
            if not prefers or (low, high) == (0, 0):
                return _preference(inner)
            return lazy
        case Sequence(items):
            return next((p for p in map(_preference, items) if p is not None), None)
        case _:
            return None


@lru_cache(maxsize=512)
def _part(node: AnyNode) -> _Part:
    preference = _preference(node)
    if not has_groups(node):
        return _Part("plain", node, preference)
    match node:
        case Group(index, inner):
            part = _part(inner)
            return _Part("capture", node, preference, (part,), index) if index else part
        case Choice(branches):
            return _Part("either", node, preference, tuple(map(_part, branches)))
        case Repeat(inner, low, high):
            return _repeated(node, inner, low, high)
        case Sequence(items):
            return _concatenated(items)
        case _:
            return _Part("plain", node, preference)


def _repeated(node: AnyNode, inner: AnyNode, low: int, high: int | None) -> _Part:
    preference = _preference(node)
    if (low, high) == (1, 1):
        return _part(inner)
    if high == 0:
        return _Part("plain", Sequence(()), None)
    if low > 0:
        # x{m,n} is x{m-1,n-1} and one x more, whose groups capture.
        before = Repeat(inner, low - 1, None if high is None else high - 1)
        left = _Part("plain", before, preference)
        return _Part("both", node, preference, (left, _part(inner)))
    return _Part("repeat", node, preference, (_part(inner),), low=low, high=high)


def _concatenated(items: tuple[AnyNode, ...]) -> _Part:
    if len(items) == 1:
        return _part(items[0])
    whole = Sequence(items)
    run = _run_length(items)
    if run == len(items) or not has_groups(whole):
        return _Part("plain", whole, _preference(whole))
    head = Sequence(items[:run]) if run else items[0]
    rest = _concatenated(items[max(run, 1) :])
    return _Part("both", whole, _preference(whole), (_part(head), rest))


def _run_length(items: tuple[AnyNode, ...]) -> int:
    """How many items in front are plain and of one preference."""
    settled: bool | None = None
    for count, item in enumerate(items):
        inner = item.node if isinstance(item, Repeat) else item
        if isinstance(inner, Group):
            return count
        own = _preference(item)
        if own is not None and settled is not None and own != settled:
            return count
        settled = own if settled is None else settled
    return len(items)


class _Matcher:
    """One expression on one text."""

    def __init__(self, pattern: Pattern, text: str) -> None:
        self._pattern = pattern
        self._text = text
        self._known: dict[tuple[int, int], frozenset[int]] = {}

    def at(self, start: int) -> Spans | None:
        node = self._pattern.node
        ends = self._ends(node, start)
        if not ends:
            return None
        end = min(ends) if _preference(node) else max(ends)
        spans: Spans = [None] * (self._pattern.groups + 1)
        spans[0] = (start, end)
        if self._pattern.groups:
            self._dissect(_part(node), start, end, spans)
        return spans

    def _dissect(self, part: _Part, start: int, end: int, spans: Spans) -> None:
        match part.kind:
            case "capture":
                spans[part.index] = (start, end)
                self._dissect(part.parts[0], start, end, spans)
            case "either":
                for branch in part.parts:
                    if end in self._ends(branch.node, start):
                        self._dissect(branch, start, end, spans)
                        return
            case "both":
                left, right = part.parts
                for middle in self._candidates(left, start, end):
                    if end in self._ends(right.node, middle):
                        self._dissect(left, start, middle, spans)
                        self._dissect(right, middle, end, spans)
                        return
            case "repeat":
                self._dissect_repeat(part, start, end, spans)

    def _candidates(self, part: _Part, start: int, end: int) -> list[int]:
        ends = [place for place in self._ends(part.node, start) if place <= end]
        return sorted(ends, reverse=not part.shorter)

    def _dissect_repeat(self, part: _Part, start: int, end: int, spans: Spans) -> None:
        """Each time as long (or as short) as it can be. Empty times do not count; of an empty
        whole, one that prefers to be long is taken all the same."""
        inner = part.parts[0]
        if start == end:
            if not inner.shorter and end in self._ends(inner.node, start):
                self._dissect(inner, start, end, spans)
            return
        limit = end - start if part.high is None else min(part.high, end - start)
        last = self._last_time(inner, start, end, limit)
        if last is not None:
            self._dissect(inner, last, end, spans)

    def _last_time(self, inner: _Part, start: int, end: int, left: int) -> int | None:
        """Where the last of at most `left` times begins."""
        if left == 0:
            return None
        for place in self._candidates(inner, start, end):
            if place == end:
                return start
            if place > start:
                found = self._last_time(inner, place, end, left - 1)
                if found is not None:
                    return found
        return None

    def _ends(self, node: AnyNode, start: int) -> frozenset[int]:
        key = (id(node), start)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = frozenset(self._compute(node, start))
        return found

    def _compute(self, node: AnyNode, start: int) -> set[int]:
        match node:
            case Chars():
                return {start + 1} if self._member(node, start) else set()
            case Assertion(kind):
                return {start} if self._holds(kind, start) else set()
            case Look():
                return {start} if self._sees(node, start) != node.negated else set()
            case Group(_, inner):
                return set(self._ends(inner, start))
            case Choice(branches):
                return {end for branch in branches for end in self._ends(branch, start)}
            case Sequence(items):
                places = {start}
                for item in items:
                    places = {end for place in places for end in self._ends(item, place)}
                return places
            case Repeat(inner, low, high):
                return self._repeat_ends(inner, start, low, high)
            case _:
                raise AssertionError(node)

    def _repeat_ends(self, inner: AnyNode, start: int, low: int, high: int | None) -> set[int]:
        places = {start}
        for _ in range(low):
            places = {end for place in places for end in self._ends(inner, place)}
        reached, count = set(places), low
        while places and (high is None or count < high):
            places = {end for place in places for end in self._ends(inner, place)} - reached
            reached |= places
            count += 1
        return reached

    def _member(self, chars: Chars, at: int) -> bool:
        if at >= len(self._text):
            return False
        character = self._text[at]
        inside = _inside(chars, character)
        if self._pattern.ignore_case and not inside:
            inside = _inside(chars, character.lower()) or _inside(chars, character.upper())
        return inside != chars.negated

    def _holds(self, kind: str, at: int) -> bool:
        text = self._text
        before = at > 0 and _inside(_WORD, text[at - 1])
        after = at < len(text) and _inside(_WORD, text[at])
        return {
            "start": at == 0,
            "end": at == len(text),
            "line start": at == 0 or text[at - 1] == "\n",
            "line end": at == len(text) or text[at] == "\n",
            "word start": after and not before,
            "word end": before and not after,
            "boundary": before != after,
            "no boundary": before == after,
        }[kind]

    def _sees(self, look: Look, at: int) -> bool:
        if look.ahead:
            return bool(self._ends(look.node, at))
        return any(at in self._ends(look.node, start) for start in range(at + 1))


_WORD = Chars((), ("word",))


def _inside(chars: Chars, character: str) -> bool:
    """Is it in the set, negation left aside? (Of several characters, as `upper` may give: no.)"""
    if len(character) != 1:
        return False
    code = ord(character)
    if any(low <= code <= high for low, high in chars.ranges):
        return True
    return any(_in_class(code, name) for name in chars.classes)


@lru_cache(maxsize=4096)
def _in_class(code: int, name: str) -> bool:
    ranges = class_ranges(name)
    at = bisect.bisect_right(ranges, (code, 0x110000)) - 1
    return at >= 0 and code <= ranges[at][1]
