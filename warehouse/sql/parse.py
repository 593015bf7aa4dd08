"""From text to one statement of our dialect, with its parameters in place.

1. Refuse texts past `TEXT_CHARACTERS_MAX`; tokenise and parse with `dialect.Mobula`.
2. Exactly one statement: none, or several, is an InvalidRequest.
3. Put the values of `$1, $2, …` into the tree as typed literals. Text is never pasted into text.
4. Read which snapshots the AS OF clauses want, and whether the statement writes.

Trees of recent texts are kept (before step 3) and copied for every use.
"""

from __future__ import annotations

import datetime
import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from decimal import Decimal
from threading import Lock
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokenizer_core import TokenType

from actors.messages import Statement
from actors.planner import AtLsn, AtTimestamp, Latest, Parsed, Version
from storage.errors import InvalidRequest, NotYet, SqlSyntaxError
from warehouse.sql.dialect import AsOf, CallProcedure, CreateTable, DropTables, LaterWrite, Mobula
from warehouse.sql.later import not_yet

__all__ = ["StatementParser", "literal_of", "split_statements", "version_of"]

TEXT_CHARACTERS_MAX = 4 * 1024 * 1024
CACHED_STATEMENTS_MAX = 256
CACHED_CHARACTERS_MAX = 64 * 1024  # longer texts (bulk INSERTs) are not worth keeping
CONTEXT_CHARACTERS = 40
DECIMAL_DIGITS_MAX = 38

_WRITES = (CreateTable, DropTables, CallProcedure, LaterWrite, exp.Insert)


class StatementParser:
    """Parses statements; keeps the trees of recent texts."""

    def __init__(self) -> None:
        self._trees: OrderedDict[str, exp.Expr] = OrderedDict()
        self._lock = Lock()

    def parse(self, statement: Statement) -> Parsed:
        """One statement with its parameters bound.

        Raises:
            SqlSyntaxError: with line, column and the text around.
            InvalidRequest: empty text, several statements, too long, too deep, wrong parameters.
            NotYet: a statement or clause that a later version brings.
        """
        try:
            tree = bind_parameters(self._tree(statement.sql), statement.parameters)
            versions = frozenset({Latest(), *(version_of(node) for node in tree.find_all(AsOf))})
        except RecursionError:
            raise _too_deep() from None
        return Parsed(
            statement=statement, writes=isinstance(tree, _WRITES), versions=versions, tree=tree
        )

    def _tree(self, sql: str) -> exp.Expr:
        """A copy of the statement's tree that the caller may change."""
        with self._lock:
            tree = self._trees.get(sql)
            if tree is not None:
                self._trees.move_to_end(sql)
        if tree is None:
            tree = _parse_one(sql)
            if len(sql) <= CACHED_CHARACTERS_MAX:
                with self._lock:
                    self._trees[sql] = tree
                    while len(self._trees) > CACHED_STATEMENTS_MAX:
                        self._trees.popitem(last=False)
        return tree.copy()


def split_statements(text: str) -> list[str]:
    """The statements of a script, without their semicolons; empty ones are left out.

    Strings, quoted names, comments and dollar-quoted texts may hold semicolons.
    Raises SqlSyntaxError for a text that ends inside one of them.
    """
    statements: list[str] = []
    start = end = -1
    for token in _tokens(text):
        if token.token_type == TokenType.SEMICOLON:
            if start >= 0:
                statements.append(text[start:end])
            start = -1
            continue
        if start < 0:
            start = token.start
        end = token.end + 1
    if start >= 0:
        statements.append(text[start:end])
    return statements


def _tokens(text: str) -> list[Any]:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise InvalidRequest(
            f"the statement has {len(text):,} characters; at most {TEXT_CHARACTERS_MAX:,} are read."
            " Load data with `mobula load` or Table.append",
            "54000",
        )
    try:
        return list(sqlglot.tokenize(text, read=Mobula))
    except TokenError as error:
        raise _token_error(text, error) from None


def _parse_one(sql: str) -> exp.Expr:
    tokens = _tokens(sql)
    while tokens and tokens[0].token_type == TokenType.SEMICOLON:
        del tokens[0]  # a semicolon that carries a comment would become a statement
    try:
        found = Mobula().parser().parse(tokens, sql)
    except ParseError as error:
        raise _parse_error(sql, error) from None
    except SqlglotError as error:
        raise SqlSyntaxError(f"the statement does not parse: {error}") from None
    except RecursionError:
        raise _too_deep() from None
    trees = [tree for tree in found if tree is not None and not isinstance(tree, exp.Semicolon)]
    if not trees:
        raise InvalidRequest("the statement is empty", "42601")
    if len(trees) > 1:
        raise InvalidRequest(
            f"{len(trees)} statements in one text; send them one by one (split_statements)", "42601"
        )
    return _checked(trees[0])


def _checked(tree: exp.Expr) -> exp.Expr:
    """Refuse what parses and is not available."""
    if tree.find(exp.Command):
        raise not_yet("this statement")
    if isinstance(tree, exp.Values):
        return _values_query(tree)
    if isinstance(tree, exp.Query):
        for node in tree.find_all(exp.Into, exp.Lock):
            what = "SELECT … INTO" if isinstance(node, exp.Into) else "SELECT … FOR UPDATE"
            raise not_yet(what)
    return tree


def _values_query(values: exp.Values) -> exp.Expr:
    """A bare VALUES list as a query; PostgreSQL calls its columns column1, column2, …"""
    first = values.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    names = [exp.to_identifier(f"column{i + 1}") for i in range(width)]
    values.set("alias", exp.TableAlias(this=exp.to_identifier("values"), columns=names))
    return exp.select("*").from_(values, copy=False)


# --- errors ---------------------------------------------------------------------------------------


def _too_deep() -> InvalidRequest:
    return InvalidRequest("the statement is nested too deeply; simplify it", "54001")


def _parse_error(sql: str, error: ParseError) -> SqlSyntaxError:
    detail = error.errors[0] if error.errors else {}
    line, last = detail.get("line") or 1, detail.get("col") or 1
    found = detail.get("highlight") or ""
    column = max(1, last - len(found) + 1)
    description = str(detail.get("description") or error).split(" but got <Token")[0]
    return SqlSyntaxError(_positioned(sql, line, column, description.strip(), found))


def _token_error(sql: str, error: TokenError) -> SqlSyntaxError:
    cause = str(error.__cause__ or error)
    position = re.search(r"(\d+):(\d+)", cause)
    if position is None:
        return SqlSyntaxError(f"syntax error: {cause}")
    line, column = int(position[1]), max(1, int(position[2]))
    description = cause[: position.start()].removesuffix("from ").strip() or "unreadable text"
    return SqlSyntaxError(_positioned(sql, line, column, description, ""))


def _positioned(sql: str, line: int, column: int, description: str, found: str) -> str:
    near = f" near {found!r}" if found else ""
    return (
        f"syntax error at line {line}, column {column}{near}: {description.rstrip('.')}."
        f" The text there: {_around(sql, line, column)!r}"
    )


def _around(sql: str, line: int, column: int) -> str:
    lines = sql.splitlines() or [""]
    text = lines[min(line, len(lines)) - 1]
    start = max(0, column - 1 - CONTEXT_CHARACTERS)
    return text[start : column - 1 + CONTEXT_CHARACTERS].strip()


# --- parameters -----------------------------------------------------------------------------------


def bind_parameters(tree: exp.Expr, values: Sequence[Any]) -> exp.Expr:
    """Replace `$n` by the n-th value as a typed literal; changes `tree` and returns it.

    Raises InvalidRequest when numbers and values do not match, or a value has no SQL type here.
    """
    used: set[int] = set()
    for node in list(tree.find_all(exp.Parameter, exp.Placeholder)):
        number = node.this if isinstance(node, exp.Parameter) else None
        if not isinstance(number, exp.Literal) or not number.this.isdigit():
            raise InvalidRequest("parameters are written $1, $2, …", "42P02")
        index = int(number.this)
        used.add(index)
        if not 1 <= index <= len(values):
            raise InvalidRequest(
                f"${index} is used and {len(values)} parameters were given", "42P02"
            )
        node.replace(literal_of(values[index - 1], index))
    if len(used) < len(values):
        unused = sorted(set(range(1, len(values) + 1)) - used)
        names = ", ".join(f"${index}" for index in unused)
        raise InvalidRequest(
            f"{len(values)} parameters were given; the statement does not use {names}", "08P01"
        )
    return tree


def literal_of(value: Any, index: int) -> exp.Expr:
    """A Python value as a typed SQL literal; `index` is the parameter's number, for errors."""
    match value:
        case None:
            return exp.Null()
        case bool():
            return exp.Boolean(this=value)
        case int():
            return _number(str(value))
        case float():
            return _float(value)
        case Decimal():
            return _decimal(value, index)
        case str():
            return exp.Literal.string(value)
        case bytes():
            return exp.HexString(this=value.hex())
        case datetime.datetime():
            if value.tzinfo is not None:
                raise NotYet(f"${index}: timestamps with a time zone are not available yet")
            return exp.cast(exp.Literal.string(value.isoformat(sep=" ")), exp.DType.TIMESTAMP)
        case datetime.date():
            return exp.cast(exp.Literal.string(value.isoformat()), exp.DType.DATE)
        case _:
            raise InvalidRequest(
                f"${index}: a Python {type(value).__name__} has no SQL type here; give None, bool,"
                " int, float, Decimal, str, bytes, date or datetime",
                "22023",
            )


def _number(text: str) -> exp.Expr:
    if text.startswith("-"):
        return exp.paren(exp.Neg(this=exp.Literal.number(text[1:])))
    return exp.Literal.number(text)


def _float(value: float) -> exp.Expr:
    if not math.isfinite(value):
        return exp.cast(exp.Literal.string(str(value)), exp.DType.DOUBLE)
    text = repr(value)
    # With an exponent Polars reads a float; without one it reads a DECIMAL.
    return exp.cast(_number(text if "e" in text else text + "e0"), exp.DType.DOUBLE)


def _decimal(value: Decimal, index: int) -> exp.Expr:
    if not value.is_finite():
        raise InvalidRequest(f"${index}: DECIMAL has no {value}", "22003")
    text = format(value, "f")
    digits = text.lstrip("-").replace(".", "").lstrip("0")
    scale = len(text.partition(".")[2])
    precision = max(len(digits), scale, 1)
    if precision > DECIMAL_DIGITS_MAX:
        raise InvalidRequest(f"${index}: {precision} digits; DECIMAL holds 38", "22003")
    kind = exp.DataType.build(f"DECIMAL({precision}, {scale})")
    return exp.Cast(this=_number(text), to=kind)


# --- versions -------------------------------------------------------------------------------------


def version_of(clause: AsOf | None) -> Version:
    """The snapshot that an AS OF clause wants; None is the newest. Raises InvalidRequest."""
    if clause is None:
        return Latest()
    value = clause.this
    while isinstance(value, exp.Cast | exp.Paren):
        value = value.this
    if clause.args["kind"] == "LSN":
        if not isinstance(value, exp.Literal) or value.is_string or not value.this.isdigit():
            raise InvalidRequest(f"AS OF LSN wants a whole number, found {value.sql()}", "22023")
        return AtLsn(int(value.this))
    if not isinstance(value, exp.Literal) or not value.is_string:
        raise InvalidRequest(f"AS OF TIMESTAMP wants a text, found {value.sql()}", "22007")
    return AtTimestamp(_unix_ms(value.this))


def _unix_ms(text: str) -> int:
    try:
        moment = datetime.datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidRequest(
            f"AS OF TIMESTAMP '{text}' is no timestamp ({error}); write '2026-11-20 10:00:00'",
            "22007",
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (moment - epoch) // datetime.timedelta(milliseconds=1)
