"""Names of outputs without an alias, as PostgreSQL chooses them (parse_target.c, FigureColname)."""

from __future__ import annotations

from typing import Any

from warehouse.syntax.tree import (
    ArrayExpr,
    ArrayQuery,
    CaseExpr,
    Collate,
    Exists,
    FieldAccess,
    FuncCall,
    NameRef,
    QueryExpr,
    QueryNode,
    RowExpr,
    SelectNode,
    SetOp,
    Slice,
    Star,
    Subscript,
    TypeCast,
    ValuesNode,
)

__all__ = ["output_name"]


def output_name(node: Any) -> str:
    """`count`, `?column?`, …"""
    return _figure(node)[0] or "?column?"


def _figure(node: Any) -> tuple[str | None, int]:
    """A name and how good it is: 2 a column's or function's, 1 a type's or CASE, 0 none."""
    match node:
        case NameRef():
            return node.parts[-1], 2
        case FieldAccess():
            return (node.name, 2) if node.name else (None, 0)
        case Star():
            return (node.parts[-1], 2) if node.parts else (None, 0)
        case FuncCall():
            return node.name[-1], 2
        case TypeCast():
            name, strength = _figure(node.arg)
            return (name, strength) if strength == 2 else (node.type.name[-1], 1)
        case Collate() | Subscript() | Slice():
            return _figure(node.arg)
        case CaseExpr():
            name, strength = _figure(node.default) if node.default is not None else (None, 0)
            return (name, strength) if strength == 2 else ("case", 1)
        case Exists():
            return "exists", 2
        case ArrayExpr() | ArrayQuery():
            return "array", 2
        case RowExpr():
            return "row", 2
        case QueryExpr():
            return _query(node.query)
        case _:
            return None, 0


def _query(query: QueryNode) -> tuple[str | None, int]:
    body = query.body
    while isinstance(body, QueryNode):
        body = body.body
    if isinstance(body, ValuesNode):
        return "column1", 2
    if isinstance(body, SetOp):
        return _query(body.left)
    if isinstance(body, SelectNode) and body.items:
        item = body.items[0]
        return (item.alias, 2) if item.alias else _figure(item.expr)
    return None, 0
