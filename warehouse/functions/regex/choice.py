"""When does an engine that backtracks find the same match, and groups, as PostgreSQL?

Such an engine takes the first match in the order of its tries, PostgreSQL the longest (or the
shortest), see `match`. They agree for most expressions that people write. `agrees` is True only
where one of these arguments shows it:

1. *One path.* At every step the next character decides how to go on, so a text has one way to
   match, and the only choice is where to stop. With greedy quantifiers both stop last; if nothing
   can follow where the expression may stop, there is not even that choice.
2. *One freedom.* Only one quantifier leaves the length open. Both make it as long or as short as
   it says.
3. *Fixed end.* The match begins leftmost and surely ends with the text, so its span is decided.
   Groups agree too if every part is greedy and of the simple kinds that `_orderly` knows.

Characters are looked at as ASCII and one more that stands for all others, so the answer errs on the
safe side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

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
from warehouse.functions.regex.print import ascii_members

__all__ = ["agrees", "can_be_empty"]

_OTHER = 128
_POSITIONS_MAX = 300
_COPIES_MAX = 20


@lru_cache(maxsize=1024)
def agrees(pattern: Pattern, *, groups: bool = True) -> bool:
    """See the module. `groups`: do the groups matter, or only where the whole match is?"""
    node = pattern.node
    matter = groups and pattern.groups > 0
    if matter and not _groups_last(node, repeated=False, optional=False):
        return False
    return (
        _one_path(node, pattern.ignore_case)
        or _one_freedom(node)
        or _fixed_end(node, groups=matter)
    )


def _any(node: AnyNode, kinds: tuple[type, ...]) -> bool:
    return isinstance(node, kinds) or any(_any(inner, kinds) for inner in children(node))


def _groups_last(node: AnyNode, *, repeated: bool, optional: bool) -> bool:
    """No group may keep what an earlier repetition captured: then the engines differ."""
    match node:
        case Group(index, inner):
            if index and repeated and optional:
                return False
            return _groups_last(inner, repeated=repeated, optional=optional)
        case Repeat(inner, low, high):
            again = high is None or high > 1
            if again and has_groups(inner) and _length(inner) is None:
                return False
            return _groups_last(
                inner, repeated=repeated or again, optional=(optional or low == 0) and not again
            )
        case Choice(branches):
            return all(_groups_last(b, repeated=repeated, optional=True) for b in branches)
        case _:
            return all(
                _groups_last(inner, repeated=repeated, optional=optional)
                for inner in children(node)
            )


def _length(node: AnyNode) -> int | None:
    """How many characters it always matches; None if that varies."""
    match node:
        case Chars():
            return 1
        case Assertion() | Look():
            return 0
        case Group(_, inner):
            return _length(inner)
        case Sequence(items):
            lengths = [_length(item) for item in items]
            return None if None in lengths else sum(length or 0 for length in lengths)
        case Choice(branches):
            first, *rest = (_length(branch) for branch in branches)
            return first if all(length == first for length in rest) else None
        case Repeat(inner, low, high):
            length = _length(inner)
            return length * low if length is not None and low == high else None
        case BackReference(_, of):
            return _length(of)


def _one_freedom(node: AnyNode) -> bool:
    """At most one quantifier, over something of fixed length, decides the length of the whole."""
    free = _freedoms(node)
    return free is not None and free <= 1


def _freedoms(node: AnyNode) -> int | None:
    if _length(node) is not None:
        # Which alternative matched must not matter to groups.
        return None if has_groups(node) and _any(node, (Choice,)) else 0
    match node:
        case Group(_, inner):
            return _freedoms(inner)
        case Sequence(items):
            found = [_freedoms(item) for item in items]
            return None if None in found else sum(free or 0 for free in found)
        case Repeat(inner):
            fixed = _length(inner)
            if not fixed or (has_groups(inner) and _any(inner, (Choice,))):
                return None
            return 1
        case _:
            return None


def _fixed_end(node: AnyNode, *, groups: bool) -> bool:
    items = node.items if isinstance(node, Sequence) else (node,)
    if not items or not _ends_text(items[-1]):
        return False
    if groups:
        return _orderly(items)
    return isinstance(items[-1], Assertion) or not _lazy(node)


def _ends_text(item: AnyNode) -> bool:
    match item:
        case Assertion("end"):
            return True
        case Group(_, inner):
            return _ends_text(inner)
        case Repeat(Chars((), (), True), 0, None, False):
            return True
        case _:
            return False


def _lazy(node: AnyNode) -> bool:
    own = isinstance(node, Repeat) and node.lazy
    return own or any(map(_lazy, children(node)))


def _orderly(items: tuple[AnyNode, ...]) -> bool:
    """Greedy single characters, fixed parts, and groups of one such; one freedom between groups."""
    free_in_run = 0
    for item in items:
        inner = item
        while isinstance(inner, Group):
            inner = inner.node
        if isinstance(inner, Sequence) and _length(inner) is None:
            return False
        if _lazy(inner) or _any(inner, (Choice, BackReference)):
            return False
        if isinstance(inner, Repeat) and not _simple_repeat(inner):
            return False
        if has_groups(item) or (isinstance(inner, Repeat) and isinstance(inner.node, Group)):
            free_in_run = 0
            continue
        free_in_run += _length(item) is None
        if free_in_run > 1:
            return False
    return True


def _simple_repeat(repeat: Repeat) -> bool:
    if isinstance(repeat.node, Chars):
        return True
    return repeat.high == 1 and _length(repeat.node) is not None


@dataclass(slots=True)
class _Automaton:
    """Positions of an expression (Glushkov): what each one matches, and which may follow it."""

    ignore_case: bool
    sets: list[frozenset[int]] = field(default_factory=list)
    follow: list[set[int]] = field(default_factory=list)
    sound: bool = True


@dataclass(frozen=True, slots=True)
class _Fragment:
    first: frozenset[int]
    last: frozenset[int]
    empty: bool


def _one_path(node: AnyNode, ignore_case: bool) -> bool:
    automaton = _Automaton(ignore_case)
    node = _factored(node)
    whole = _fragment(node, automaton)
    if not automaton.sound:
        return False
    for reachable in (whole.first, *automaton.follow):
        if not _disjoint([automaton.sets[position] for position in reachable]):
            return False
    may_go_on = (whole.empty and bool(whole.first)) or any(
        automaton.follow[position] for position in whole.last
    )
    return not may_go_on or not (_lazy(node) or _empty_first(node))


def _disjoint(sets: list[frozenset[int]]) -> bool:
    return sum(map(len, sets)) == len(frozenset().union(*sets))


def _empty_first(node: AnyNode) -> bool:
    """Is there an alternative that can be empty, before another?"""
    if isinstance(node, Choice) and any(can_be_empty(branch) for branch in node.branches[:-1]):
        return True
    return any(map(_empty_first, children(node)))


def can_be_empty(node: AnyNode) -> bool:
    """May it match the empty text?"""
    match node:
        case Chars():
            return False
        case Group(_, inner):
            return can_be_empty(inner)
        case Sequence(items):
            return all(map(can_be_empty, items))
        case Choice(branches):
            return any(map(can_be_empty, branches))
        case Repeat(inner, low):
            return low == 0 or can_be_empty(inner)
        case _:
            return True


def _factored(node: AnyNode) -> AnyNode:
    """Alternatives with what they begin with in common written once: `jan|jun` as `j(?:an|un)`."""
    match node:
        case Group(index, inner):
            return Group(index, _factored(inner))
        case Repeat(inner, low, high, lazy):
            return Repeat(_factored(inner), low, high, lazy)
        case Sequence(items):
            return Sequence(tuple(map(_factored, items)))
        case Choice(branches) if not has_groups(node):
            return _common_start([_factored(branch) for branch in branches])
        case Choice(branches):
            return Choice(tuple(map(_factored, branches)))
        case _:
            return node


def _common_start(branches: list[AnyNode]) -> AnyNode:
    heads: dict[AnyNode | None, list[AnyNode]] = {}
    for branch in branches:
        items = branch.items if isinstance(branch, Sequence) else (branch,)
        head: AnyNode | None = items[0] if items and isinstance(items[0], Chars) else None
        heads.setdefault(head, []).append(Sequence(items[1:]) if head is not None else branch)
    made: list[AnyNode] = []
    for head, rests in heads.items():
        if head is None:
            made.extend(rests)
        elif len(rests) == 1:
            made.append(Sequence((head, rests[0])))
        else:
            made.append(Sequence((head, _common_start(rests))))
    return made[0] if len(made) == 1 else Choice(tuple(made))


def _fragment(node: AnyNode, automaton: _Automaton) -> _Fragment:
    match node:
        case Chars():
            return _character(node, automaton)
        case Group(_, inner):
            return _fragment(inner, automaton)
        case Sequence(items):
            return _in_sequence([_fragment(item, automaton) for item in items], automaton)
        case Choice(branches):
            parts = [_fragment(branch, automaton) for branch in branches]
            if sum(part.empty for part in parts) > 1:
                automaton.sound = False
            return _Fragment(
                frozenset().union(*(part.first for part in parts)),
                frozenset().union(*(part.last for part in parts)),
                any(part.empty for part in parts),
            )
        case Repeat(inner, low, high):
            return _repeat(inner, low, high, automaton)
        case BackReference():
            automaton.sound = False
            return _Fragment(frozenset(), frozenset(), True)
        case _:
            return _Fragment(frozenset(), frozenset(), True)


def _character(chars: Chars, automaton: _Automaton) -> _Fragment:
    members = ascii_members(chars, ignore_case=automaton.ignore_case)
    position = len(automaton.sets)
    if position >= _POSITIONS_MAX:
        automaton.sound = False
        return _Fragment(frozenset(), frozenset(), True)
    automaton.sets.append(members)
    automaton.follow.append(set())
    return _Fragment(frozenset({position}), frozenset({position}), False)


def _in_sequence(parts: list[_Fragment], automaton: _Automaton) -> _Fragment:
    whole = _Fragment(frozenset(), frozenset(), True)
    for part in parts:
        for position in whole.last:
            automaton.follow[position] |= part.first
        whole = _Fragment(
            whole.first | part.first if whole.empty else whole.first,
            whole.last | part.last if part.empty else part.last,
            whole.empty and part.empty,
        )
    return whole


def _repeat(inner: AnyNode, low: int, high: int | None, automaton: _Automaton) -> _Fragment:
    if max(low, high or 0) > _COPIES_MAX or can_be_empty(inner):
        automaton.sound = False
        return _Fragment(frozenset(), frozenset(), True)
    parts = [_fragment(inner, automaton) for _ in range(low)]
    if high is None:
        again = _fragment(inner, automaton)
        for position in again.last:
            automaton.follow[position] |= again.first
        parts.append(_Fragment(again.first, again.last, True))
        return _in_sequence(parts, automaton)
    tail = _Fragment(frozenset(), frozenset(), True)
    for _ in range(high - low):
        part = _in_sequence([_fragment(inner, automaton), tail], automaton)
        tail = _Fragment(part.first, part.last, True)
    return _in_sequence([*parts, tail], automaton)
