"""Syntax trees as short text, every operator in parentheses, for tests of the parser."""

from __future__ import annotations

from typing import Any

import msgspec

from warehouse.planning.parse import parse_text
from warehouse.syntax import tree
from warehouse.syntax.statements import StatementGrammar

__all__ = ["expression", "query", "shown", "statement"]


def statement(sql: str) -> Any:
    """The tree of one statement."""
    return parse_text(sql).tree


def query(sql: str) -> str:
    """A query's tree as text."""
    return shown(statement(sql))


def expression(sql: str) -> str:
    """An expression's tree as text."""
    grammar = StatementGrammar(sql)
    found = grammar.expression()
    if grammar.token.kind != "end":
        grammar.fail("expected the end")
    return shown(found)


def shown(node: Any) -> str:
    """Any node."""
    match node:
        case None:
            return "-"
        case bool() | int() | float() | str():
            return str(node)
        case tuple():
            return "[" + ", ".join(shown(item) for item in node) + "]"
        case tree.Constant(kind="string"):
            return f"'{node.value}'"
        case tree.Constant(kind="bytes"):
            return f"x'{node.value}'"
        case tree.Constant():
            return node.value or node.kind
        case tree.NameRef():
            return ".".join(node.parts)
        case tree.Star():
            return ".".join((*node.parts, "*"))
        case tree.ParameterRef():
            return f"${node.name}"
        case _:
            return _operation(node)


def _operation(node: Any) -> str:
    match node:
        case tree.Operator(args=(left, right)):
            return f"({shown(left)} {node.op} {shown(right)})"
        case tree.Operator(args=(only,)):
            return f"({node.op} {shown(only)})"
        case tree.BoolExpr(op="not"):
            return f"(not {shown(node.args[0])})"
        case tree.BoolExpr():
            return "(" + f" {node.op} ".join(shown(arg) for arg in node.args) + ")"
        case tree.TypeCast():
            return f"{shown(node.arg)}::{shown(node.type)}"
        case tree.TypeName():
            return _type(node)
        case tree.FuncCall():
            return _call(node)
        case tree.IsTest():
            word = "is not" if node.negated else "is"
            other = f" from {shown(node.other)}" if node.other is not None else ""
            return f"({shown(node.arg)} {word} {node.test}{other})"
        case tree.IsJson():
            word = "is not" if node.negated else "is"
            keys = " with unique keys" if node.unique else ""
            return f"({shown(node.arg)} {word} json {node.kind}{keys})"
        case _:
            return _other(node)


def _other(node: Any) -> str:
    match node:
        case tree.Between():
            word = "not between" if node.negated else "between"
            symmetric = " symmetric" if node.symmetric else ""
            return f"({shown(node.arg)} {word}{symmetric} {shown(node.low)} & {shown(node.high)})"
        case tree.InTest():
            word = "not in" if node.negated else "in"
            what = shown(node.items) if node.query is None else shown(node.query)
            return f"({shown(node.arg)} {word} {what})"
        case tree.LikeTest():
            word = f"not {node.kind}" if node.negated else node.kind
            escape = f" escape {shown(node.escape)}" if node.escape is not None else ""
            return f"({shown(node.arg)} {word} {shown(node.pattern)}{escape})"
        case tree.Quantified():
            word = "all" if node.every else "any"
            what = shown(node.array) if node.query is None else shown(node.query)
            return f"({shown(node.left)} {node.op} {word} {what})"
        case tree.CaseExpr():
            whens = " ".join(f"when {shown(a)} then {shown(b)}" for a, b in node.branches)
            return f"case {shown(node.operand)} {whens} else {shown(node.default)} end"
        case _:
            return _part(node)


def _part(node: Any) -> str:
    match node:
        case tree.Collate():
            return f"({shown(node.arg)} collate {'.'.join(node.name)})"
        case tree.Subscript():
            return f"{shown(node.arg)}[{shown(node.index)}]"
        case tree.Slice():
            return f"{shown(node.arg)}[{shown(node.low)}:{shown(node.high)}]"
        case tree.FieldAccess():
            return f"({shown(node.arg)}).{node.name or '*'}"
        case tree.RowExpr():
            return f"row{shown(node.items)}"
        case tree.ArrayExpr():
            return f"array{shown(node.items)}"
        case tree.Exists() | tree.ArrayQuery() | tree.QueryExpr():
            return f"{type(node).__name__.lower()}({shown(node.query)})"
        case tree.OrderItem():
            nulls = {None: "", True: " nulls first", False: " nulls last"}[node.nulls_first]
            return f"{shown(node.expr)}{' desc' if node.descending else ''}{nulls}"
        case msgspec.Struct():
            return _fields(node)
        case _:
            raise TypeError(type(node))


def _type(node: tree.TypeName) -> str:
    modifiers = f"({','.join(map(str, node.modifiers))})" if node.modifiers else ""
    fields = f" {node.fields}" if node.fields else ""
    return ".".join(node.name) + modifiers + fields + "[]" * node.dimensions


def _call(node: tree.FuncCall) -> str:
    args = ", ".join(
        ("variadic " if arg.variadic else "") + (f"{arg.name} => " if arg.name else "")
        + shown(arg.value)
        for arg in node.args
    )  # fmt: skip
    found = f"{'.'.join(node.name)}({'distinct ' if node.distinct else ''}{args or '*' * node.star}"
    found += f" order by {shown(node.order)})" if node.order else ")"
    if node.within is not None:
        found += f" within {shown(node.within)}"
    if node.filter is not None:
        found += f" filter {shown(node.filter)}"
    if node.nulls:
        found += f" {node.nulls} nulls"
    return found + (f" over {shown(node.over)}" if node.over is not None else "")


def _fields(node: msgspec.Struct) -> str:
    """`Name(field=value)` with the fields that are not as a bare node has them."""
    info = msgspec.structs.fields(type(node))
    parts = [
        f"{field.encode_name.strip('_')}={shown(getattr(node, field.name))}"
        for field in info
        if field.name != "at" and (field.required or getattr(node, field.name) != field.default)
    ]
    return f"{type(node).__name__}({', '.join(parts)})"
