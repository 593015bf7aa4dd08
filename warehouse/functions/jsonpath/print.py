"""A SQL/JSON path as the one text that PostgreSQL shows for it.

Names are quoted, operators have blanks around them and brackets around operands that do not bind
more tightly. Unlike there, the brackets that a step behind them needs are not left out, so that
the text is the same path.
"""

from __future__ import annotations

import json
from decimal import Decimal

from warehouse.functions.jsonpath.nodes import (
    COMPARISONS,
    DEEPEST,
    AnyKey,
    AnyLevel,
    AnyNode,
    AnyStep,
    Binary,
    Constant,
    Current,
    Elements,
    Exists,
    Filter,
    IsUnknown,
    JsonPath,
    Key,
    Last,
    LikeRegex,
    Method,
    Not,
    Path,
    Root,
    StartsWith,
    Subscripts,
    Unary,
    Variable,
)

__all__ = ["path_text"]

_LOOSEST_FIRST = (("||",), ("&&",), COMPARISONS, ("+", "-"), ("*", "/", "%"), ("sign",))
_TIGHTNESS = {op: level for level, ops in enumerate(_LOOSEST_FIRST) for op in ops}


def path_text(path: JsonPath) -> str:
    """`$."a"[*]?(@ > 1)`."""
    return f"{'strict ' if path.strict else ''}{_node(path.node, brackets=True)}"


def _tightness(node: AnyNode) -> int:
    """How tightly its operator binds; what has none is tighter than all."""
    match node:
        case Binary(op):
            return _TIGHTNESS[op]
        case StartsWith():
            return _TIGHTNESS["=="]
        case Unary():
            return _TIGHTNESS["sign"]
        case _:
            return len(_LOOSEST_FIRST)


def _operand(node: AnyNode, of: AnyNode) -> str:
    return _node(node, brackets=_tightness(node) <= _tightness(of))


def _node(node: AnyNode, *, brackets: bool) -> str:
    match node:
        case Path(head, steps):
            text = _node(head, brackets=True)
            if _needs_brackets(head):
                text = f"({text})"
            return text + "".join(map(_step, steps))
        case Binary(op, left, right):
            return _within(f"{_operand(left, node)} {op} {_operand(right, node)}", brackets)
        case StartsWith(arg, start):
            text = f"{_operand(arg, node)} starts with {_node(start, brackets=False)}"
            return _within(text, brackets)
        case LikeRegex(arg, pattern, flags):
            ending = f' flag "{flags}"' if flags else ""
            text = f"{_operand(arg, node)} like_regex {_quoted(pattern)}{ending}"
            return _within(text, brackets)
        case Unary(op, arg):
            return _within(f"{op}{_operand(arg, node)}", brackets)
        case Not(arg):
            return f"!({_node(arg, brackets=False)})"
        case IsUnknown(arg):
            return f"({_node(arg, brackets=False)}) is unknown"
        case Exists(arg):
            return f"exists ({_node(arg, brackets=False)})"
        case _:
            return _leaf(node)


def _needs_brackets(head: AnyNode) -> bool:
    """Does no step read on from its text as it stands?"""
    match head:
        case Constant(Decimal()) | Exists() | Not() | IsUnknown():
            return True
        case _:
            return False


def _leaf(node: AnyNode) -> str:
    match node:
        case Constant(str() as text):
            return _quoted(text)
        case Constant(Decimal() as number):
            return format(number, "f")
        case Constant(None):
            return "null"
        case Constant(value):
            return "true" if value else "false"
        case Variable(name):
            return f"${_quoted(name)}"
        case Root():
            return "$"
        case Current():
            return "@"
        case _:
            assert isinstance(node, Last)
            return "last"


def _within(text: str, brackets: bool) -> str:
    return f"({text})" if brackets else text


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _step(step: AnyStep) -> str:
    match step:
        case Key(name):
            return f".{_quoted(name)}"
        case AnyKey():
            return ".*"
        case AnyLevel():
            return f".**{_levels(step)}"
        case Elements():
            return "[*]"
        case Subscripts(ranges):
            return f"[{','.join(_range(*pair) for pair in ranges)}]"
        case Filter(condition):
            return f"?({_node(condition, brackets=False)})"
        case Method(name):
            return f".{name}()"


def _levels(step: AnyLevel) -> str:
    if (step.first, step.last) == (0, DEEPEST):
        return ""
    first = "last" if step.first == DEEPEST else str(step.first)
    last = "last" if step.last == DEEPEST else str(step.last)
    return f"{{{first}}}" if step.first == step.last else f"{{{first} to {last}}}"


def _range(first: AnyNode, last: AnyNode | None) -> str:
    text = _node(first, brackets=False)
    return text if last is None else f"{text} to {_node(last, brackets=False)}"
