"""The syntax tree: what the text says, before anything is resolved. Immutable values.

Names are folded to lower case unless they were quoted. `at` is the offset of the node's first
character in the text, for errors.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = [
    "Arg",
    "ArrayExpr",
    "ArrayQuery",
    "AsOf",
    "Between",
    "BoolExpr",
    "CaseExpr",
    "Collate",
    "Constant",
    "CteDef",
    "Derived",
    "Exists",
    "FieldAccess",
    "FrameEnd",
    "FrameSpec",
    "FuncCall",
    "FunctionRef",
    "GroupingSets",
    "InTest",
    "IsJson",
    "IsTest",
    "JoinRef",
    "LikeTest",
    "NameRef",
    "Node",
    "Operator",
    "OrderItem",
    "ParameterRef",
    "Quantified",
    "QueryExpr",
    "QueryNode",
    "RowExpr",
    "Sampling",
    "SelectItem",
    "SelectNode",
    "SetOp",
    "Slice",
    "Star",
    "Subscript",
    "TableRef",
    "TypeCast",
    "TypeName",
    "ValuesNode",
    "WindowSpec",
]


class Node(msgspec.Struct, frozen=True):
    """Base of all nodes."""

    at: int


# --- expressions ----------------------------------------------------------------------------------


class Constant(Node, frozen=True):
    """A literal: its text; `kind`: "null", "bool", "number", "string", "bytes", "default"."""

    kind: str
    value: str = ""


class ParameterRef(Node, frozen=True):
    """`$1` (`name` "1") or `:name`."""

    name: str


class NameRef(Node, frozen=True):
    """`a`, `t.a`, `s.t.a`."""

    parts: tuple[str, ...]


class Star(Node, frozen=True):
    """`*` or `t.*`."""

    parts: tuple[str, ...] = ()


class TypeName(Node, frozen=True):
    """`numeric(12, 2)[]`: `name` in PostgreSQL's short words (`int4`), `dimensions` of arrays.

    `fields`: of `interval day to second`, as written.
    """

    name: tuple[str, ...]
    modifiers: tuple[int, ...] = ()
    dimensions: int = 0
    fields: str = ""


class Arg(Node, frozen=True):
    """An argument, perhaps named (`name => value`) or VARIADIC."""

    value: Any
    name: str | None = None
    variadic: bool = False


class OrderItem(Node, frozen=True):
    """`nulls_first` None: as PostgreSQL does, last if ascending."""

    expr: Any
    descending: bool = False
    nulls_first: bool | None = None


class FrameEnd(Node, frozen=True):
    """See `algebra.FrameBound`."""

    kind: str
    offset: Any = None


class FrameSpec(Node, frozen=True):
    """See `algebra.Frame`."""

    mode: str
    start: FrameEnd
    end: FrameEnd
    exclude: str = ""


class WindowSpec(Node, frozen=True):
    """`(base PARTITION BY … ORDER BY … frame)`; only `base` for `OVER name`."""

    base: str | None = None
    partition: tuple[Any, ...] = ()
    order: tuple[OrderItem, ...] = ()
    frame: FrameSpec | None = None
    plain: bool = False


class FuncCall(Node, frozen=True):
    """A function call with everything that can follow it."""

    name: tuple[str, ...]
    args: tuple[Arg, ...] = ()
    star: bool = False
    distinct: bool = False
    order: tuple[OrderItem, ...] = ()
    within: tuple[OrderItem, ...] | None = None
    filter: Any = None
    over: WindowSpec | None = None
    nulls: str = ""  # "ignore" or "respect"


class Operator(Node, frozen=True):
    """`a op b`, or with one argument `op a`."""

    op: str
    args: tuple[Any, ...]


class BoolExpr(Node, frozen=True):
    """`op` is "and", "or" (two or more arguments) or "not"."""

    op: str
    args: tuple[Any, ...]


class IsJson(Node, frozen=True):
    """`arg IS [NOT] JSON [kind] [WITH UNIQUE KEYS]`; kind: "value", "array", "object", "scalar"."""

    arg: Any
    kind: str = "value"
    unique: bool = False
    negated: bool = False


class IsTest(Node, frozen=True):
    """`arg IS [NOT] test`: "null", "true", "false", "unknown", "distinct" (from `other`)."""

    arg: Any
    test: str
    negated: bool = False
    other: Any = None


class Between(Node, frozen=True):
    """BETWEEN [SYMMETRIC]."""

    arg: Any
    low: Any
    high: Any
    symmetric: bool = False
    negated: bool = False


class InTest(Node, frozen=True):
    """`arg [NOT] IN (items)` or `(query)`."""

    arg: Any
    items: tuple[Any, ...] = ()
    query: QueryNode | None = None
    negated: bool = False


class LikeTest(Node, frozen=True):
    """`kind`: "like", "ilike", "similar"."""

    kind: str
    arg: Any
    pattern: Any
    escape: Any = None
    negated: bool = False


class Quantified(Node, frozen=True):
    """`left op ANY | ALL (query or array)`."""

    op: str
    every: bool
    left: Any
    query: QueryNode | None = None
    array: Any = None


class CaseExpr(Node, frozen=True):
    """CASE [operand] WHEN … THEN … [ELSE …] END."""

    operand: Any
    branches: tuple[tuple[Any, Any], ...]
    default: Any = None


class TypeCast(Node, frozen=True):
    """`CAST(arg AS type)`, `arg::type`, `type 'text'`."""

    arg: Any
    type: TypeName


class Collate(Node, frozen=True):
    """`arg COLLATE name`."""

    arg: Any
    name: tuple[str, ...]


class ArrayExpr(Node, frozen=True):
    """ARRAY[…]."""

    items: tuple[Any, ...]


class ArrayQuery(Node, frozen=True):
    """ARRAY(query)."""

    query: QueryNode


class RowExpr(Node, frozen=True):
    """ROW(…) or (a, b)."""

    items: tuple[Any, ...]


class Subscript(Node, frozen=True):
    """arg[index]."""

    arg: Any
    index: Any


class Slice(Node, frozen=True):
    """arg[low:high]."""

    arg: Any
    low: Any = None
    high: Any = None


class FieldAccess(Node, frozen=True):
    """(arg).name; name None: (arg).*"""

    arg: Any
    name: str | None


class QueryExpr(Node, frozen=True):
    """A query as a value."""

    query: QueryNode


class Exists(Node, frozen=True):
    """EXISTS (query)."""

    query: QueryNode


# --- FROM -----------------------------------------------------------------------------------------


class AsOf(Node, frozen=True):
    """`AS OF LSN n` or `AS OF TIMESTAMP '…'`: `kind` "lsn" or "timestamp"."""

    kind: str
    value: Any  # Constant or ParameterRef


class Sampling(Node, frozen=True):
    """TABLESAMPLE method (percent) [REPEATABLE (seed)]."""

    method: str
    percent: Any
    seed: Any = None


class TableRef(Node, frozen=True):
    """A table, view or CTE by name; `file`: a quoted path, `FROM 's3://…'`."""

    name: tuple[str, ...]
    alias: str | None = None
    columns: tuple[str, ...] = ()
    as_of: AsOf | None = None
    sample: Sampling | None = None
    file: bool = False


class Derived(Node, frozen=True):
    """A query in FROM."""

    query: QueryNode
    alias: str | None = None
    columns: tuple[str, ...] = ()
    lateral: bool = False


class FunctionRef(Node, frozen=True):
    """Functions in FROM; several with ROWS FROM. `definitions`: `AS t(a int, b text)`; `sample` of
    files only."""

    calls: tuple[FuncCall, ...]
    alias: str | None = None
    columns: tuple[str, ...] = ()
    definitions: tuple[tuple[str, TypeName], ...] = ()
    ordinality: bool = False
    lateral: bool = False
    sample: Sampling | None = None


class JoinRef(Node, frozen=True):
    """`kind`: "inner", "left", "right", "full", "cross"."""

    kind: str
    left: Any
    right: Any
    on: Any = None
    using: tuple[str, ...] = ()
    natural: bool = False
    alias: str | None = None


# --- queries --------------------------------------------------------------------------------------


class SelectItem(Node, frozen=True):
    """An expression or Star, and its name if one is given."""

    expr: Any
    alias: str | None = None


class GroupingSets(Node, frozen=True):
    """`kind`: "rollup", "cube", "sets"; items: expressions, RowExprs, or GroupingSets."""

    kind: str
    items: tuple[Any, ...]


class SelectNode(Node, frozen=True):
    """`distinct`: False, True or the expressions of DISTINCT ON."""

    items: tuple[SelectItem, ...]
    distinct: Any = False
    from_: tuple[Any, ...] = ()
    where: Any = None
    group: tuple[Any, ...] = ()
    group_distinct: bool = False
    having: Any = None
    windows: tuple[tuple[str, WindowSpec], ...] = ()


class ValuesNode(Node, frozen=True):
    """VALUES (…), (…)."""

    rows: tuple[tuple[Any, ...], ...]


class SetOp(Node, frozen=True):
    """`op`: "union", "intersect", "except". The sides are QueryNodes."""

    op: str
    all: bool
    left: QueryNode
    right: QueryNode


class CteDef(Node, frozen=True):
    """`name (columns) AS [NOT] MATERIALIZED (query)`."""

    name: str
    columns: tuple[str, ...]
    query: Any


class QueryNode(Node, frozen=True):
    """A whole query: WITH, body, ORDER BY, LIMIT."""

    body: Any  # SelectNode, ValuesNode, SetOp or QueryNode
    with_: tuple[CteDef, ...] = ()
    recursive: bool = False
    order: tuple[OrderItem, ...] = ()
    limit: Any = None
    offset: Any = None
    ties: bool = False
