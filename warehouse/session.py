"""A session: search path, settings, prepared statements and Python functions of one connection.

The session lives with the client. Servers hear of it with each statement (`messages.Session`), so
any of them can answer any statement.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudpickle

from actors.messages import Session, SessionFunction, Statement
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from warehouse.algebra.expressions import Literal
from warehouse.algebra.types import NUMERIC, AnyType
from warehouse.binder.coercion import coerce
from warehouse.binder.context import Binding, Collector
from warehouse.binder.expressions import ExpressionBinder
from warehouse.binder.scope import Scope
from warehouse.binder.types import resolve_type
from warehouse.functions.registry import functions_named
from warehouse.optimizer.fold import folded
from warehouse.planning.catalogue import NoTables
from warehouse.syntax.session_statements import (
    FIRST_WORDS,
    Deallocate,
    Execute,
    Prepare,
    Reset,
    SessionGrammar,
    SetSetting,
)
from warehouse.syntax.transaction_statements import TRANSACTION_WORDS
from warehouse.syntax.tree import TypeName
from warehouse.syntax.types import TypeGrammar

__all__ = ["AboutTransactions", "Parameters", "Prepared", "SqlSession", "Told"]

Parameters = Sequence[Any] | Mapping[str, Any]

# Settings that may be set to what already holds; anything else would change answers.
_FIXED = {
    "timezone": ("utc", "gmt", "etc/utc"),
    "datestyle": ("iso", "mdy"),
    "intervalstyle": ("postgres",),
    "client_encoding": ("utf8", "utf-8", "unicode"),
    "standard_conforming_strings": ("on", "true"),
    "bytea_output": ("hex",),
    "extra_float_digits": ("0", "1", "2", "3"),
}
# Settings that have no meaning here and are kept for who asks.
_KEPT = ("application_name", "statement_timeout", "client_min_messages")
_FIRST_WORDS = tuple(FIRST_WORDS | TRANSACTION_WORDS)
_FUNCTION_NAME = "a function's name is letters, digits and _"


@dataclass(frozen=True, slots=True)
class Prepared:
    """PREPARE: its text and the types of its parameters that were given."""

    text: str
    kinds: tuple[AnyType, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A statement that the session answered itself; `tag` as PostgreSQL says it."""

    tag: str


@dataclass(frozen=True, slots=True)
class AboutTransactions:
    """A statement about transactions, which live on the primary (`session_transactions.py`)."""

    node: Any


Taken = Told | AboutTransactions | tuple[str, Parameters]


class SqlSession:
    """State of one connection. Safe to share between threads."""

    def __init__(self, session_id: str = "") -> None:
        """Args: session_id: see `messages.Session`."""
        self._session = Session(id=session_id)
        self._prepared: dict[str, Prepared] = {}
        self._lock = threading.Lock()

    @property
    def current(self) -> Session:
        """What goes with a statement: with the directory that this process is in now."""
        return replace(self._session, directory=_directory())

    def take(self, text: str, parameters: Parameters) -> Taken:
        """What to send for a text: itself, or what EXECUTE stands for; `Told` if nothing is, and
        `AboutTransactions` for whoever has them.

        Raises SqlSyntaxError, InvalidRequest, UnknownObject.
        """
        start = text.lstrip()[:12].lower()
        if not start.startswith((*_FIRST_WORDS, "--", "/*", ";")):
            return text, parameters
        node = SessionGrammar(text).session_statement()
        match node:
            case None:
                return text, parameters
            case SetSetting():
                self._set(node.name, node.values)
                return Told("SET")
            case Reset():
                self._reset(node.name)
                return Told("RESET")
            case Prepare():
                return self._prepare(node)
            case Execute():
                return self._execute(text, node, parameters)
            case Deallocate():
                return self._deallocate(node)
            case _:
                return AboutTransactions(node)

    def reading(
        self, text: str, parameters: Parameters, min_lsn: int | None, timeout_s: float
    ) -> Statement:
        """The message of a read whose rows are wanted.

        Raises InvalidRequest (42601) for a statement that only the session hears.
        """
        taken = self.take(text, parameters)
        if isinstance(taken, AboutTransactions):
            raise InvalidRequest(
                "a transaction's statement gives no rows: run it with sql()", "42601"
            )
        if isinstance(taken, Told):
            raise InvalidRequest(f"{taken.tag} gives no rows: run it with sql()", "42601")
        text, parameters = taken
        return Statement(
            sql=text,
            parameters=parameters if isinstance(parameters, Mapping) else tuple(parameters),
            min_lsn=min_lsn,
            timeout_ms=int(timeout_s * 1000),
            session=self.current,
        )

    # --- settings ---------------------------------------------------------------------------------

    def _set(self, name: str, values: tuple[str, ...] | None) -> None:
        if values is None:
            self._reset(name)
            return
        with self._lock:
            if name == "search_path":
                path = tuple(dict.fromkeys(part for part in values if part not in ("$user", "")))
                self._session = replace(self._session, schema_path=path)
                return
            if name in _FIXED:
                if any(value.lower() not in _FIXED[name] for value in values):
                    raise NotYet(
                        f"{name} = {', '.join(values)}: only {_FIXED[name][0]} is available"
                    )
            elif name not in _KEPT:
                known = [*_FIXED, *_KEPT, "search_path"]
                raise UnknownObject(
                    f'unrecognized configuration parameter "{name}"{nearest(name, known)}', "42704"
                )
            settings = {**self._session.settings, name: ", ".join(values)}
            self._session = replace(self._session, settings=settings)

    def _reset(self, name: str | None) -> None:
        with self._lock:
            if name is None or name == "search_path":
                self._session = replace(self._session, schema_path=Session().schema_path)
            if name is None:
                self._session = replace(self._session, settings={})
            elif name in self._session.settings:
                settings = {k: v for k, v in self._session.settings.items() if k != name}
                self._session = replace(self._session, settings=settings)

    # --- prepared statements ----------------------------------------------------------------------

    def _prepare(self, node: Prepare) -> Told:
        kinds = tuple(resolve_type(name, {}, ()) for name in node.types)
        with self._lock:
            if node.name in self._prepared:
                raise InvalidRequest(f'prepared statement "{node.name}" already exists', "42P05")
            self._prepared[node.name] = Prepared(node.text, kinds)
        return Told("PREPARE")

    def _execute(self, text: str, node: Execute, parameters: Parameters) -> tuple[str, Parameters]:
        prepared = self._prepared.get(node.name)
        if prepared is None:
            raise UnknownObject(
                f'prepared statement "{node.name}" does not exist'
                f"{nearest(node.name, list(self._prepared))}",
                "26000",
            )
        if prepared.kinds and len(prepared.kinds) != len(node.args):
            raise InvalidRequest(
                f'wrong number of parameters for prepared statement "{node.name}":'
                f" expected {len(prepared.kinds)} but got {len(node.args)}",
                "42601",
            )
        binding = Binding(text, NoTables(), parameters)
        binder = ExpressionBinder(binding, Scope(), Collector(where="EXECUTE parameters"), _refuse)
        values = []
        for position, arg in enumerate(node.args):
            expr = binder.bind(arg)
            if prepared.kinds and prepared.kinds[position] != NUMERIC:
                expr = coerce(expr, prepared.kinds[position])
            found = folded(expr)
            if not isinstance(found, Literal):
                raise InvalidRequest("EXECUTE takes constants", "42601")
            values.append(found)
        return prepared.text, tuple(values)

    def _deallocate(self, node: Deallocate) -> Told:
        with self._lock:
            if node.name is None:
                self._prepared.clear()
                return Told("DEALLOCATE ALL")
            if self._prepared.pop(node.name, None) is None:
                raise UnknownObject(f'prepared statement "{node.name}" does not exist', "26000")
        return Told("DEALLOCATE")

    # --- Python functions -------------------------------------------------------------------------

    def register(
        self, name: str, function: Callable[..., Any], arguments: Sequence[str], returns: str
    ) -> None:
        """See `Database.register_function`."""
        if not name.isidentifier() or name != name.lower():
            raise InvalidRequest(f"{name!r}: {_FUNCTION_NAME}, in lower case", "42602")
        if functions_named(name):
            raise InvalidRequest(f"{name} is a function of SQL; choose another name", "42723")
        made = SessionFunction(
            arguments=tuple(_type(text) for text in arguments),
            returns=_type(returns),
            code=cloudpickle.dumps(function),
        )
        with self._lock:
            functions = {**self._session.functions, name: made}
            self._session = replace(self._session, functions=functions)


def _directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it has been removed
        return ""


def _type(text: str) -> Any:
    grammar = TypeGrammar(text)
    name: TypeName = grammar.type_name()
    if grammar.token.kind != "end":
        grammar.fail("expected one type")
    kind = resolve_type(name, {}, ())
    if kind == NUMERIC:
        raise InvalidRequest(f"{text}: a function's type needs a precision: numeric(p, s)", "22023")
    return kind


def _refuse(*_: Any) -> Any:
    raise InvalidRequest("EXECUTE takes constants, not queries", "42601")
