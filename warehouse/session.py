"""A session: search path, settings, prepared statements and Python functions of one connection.

The session lives with the client. Servers hear of it with each statement (`messages.Session`), so
any of them can answer any statement.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudpickle

from actors.messages import Session, SessionFunction
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
from warehouse.requests import Parameters
from warehouse.session_settings import RUN_SETTINGS, WAREHOUSE, checked_setting
from warehouse.syntax.session_statements import (
    SESSION_WORDS,
    Deallocate,
    Execute,
    Prepare,
    Reset,
    SessionGrammar,
    SetSetting,
)
from warehouse.syntax.tree import TypeName
from warehouse.syntax.types import TypeGrammar
from warehouse.syntax.warehouse_statements import (
    AlterWarehouse,
    CreateWarehouse,
    DropWarehouse,
    Kill,
    UseWarehouse,
)

__all__ = [
    "AboutTransactions",
    "AboutWarehouses",
    "Cancels",
    "Parameters",
    "Prepared",
    "SqlSession",
    "Told",
]

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
_KEPT = ("application_name", "client_min_messages")
_FIRST_WORDS = tuple(SESSION_WORDS)
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


@dataclass(frozen=True, slots=True)
class AboutWarehouses:
    """A statement about virtual warehouses (`warehouse/life_cycle.py`), or USE WAREHOUSE."""

    node: CreateWarehouse | AlterWarehouse | DropWarehouse | UseWarehouse


@dataclass(frozen=True, slots=True)
class Cancels:
    """A statement that ends a query; `tag`: what to answer."""

    query_id: str
    tag: str


Taken = Told | AboutTransactions | AboutWarehouses | Cancels | tuple[str, Parameters]


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
        the others for whoever has transactions, virtual warehouses and queries.

        Raises SqlSyntaxError, InvalidRequest, UnknownObject.
        """
        start = text.lstrip()[:12].lower()
        if not start.startswith((*_FIRST_WORDS, "--", "/*", ";")):
            return text, parameters
        node = _parsed(text)
        match node:
            case None:
                return text, parameters
            case SetSetting(name="warehouse") | Reset(name="warehouse"):
                return AboutWarehouses(_use(node))
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
            case Kill():
                return _cancels(text, node, parameters)
            case CreateWarehouse() | AlterWarehouse() | DropWarehouse() | UseWarehouse():
                return AboutWarehouses(node)
            case _:
                return AboutTransactions(node)

    def use(self, name: str | None) -> None:
        """Set the virtual warehouse in use, whose name has been checked; None: none is."""
        with self._lock:
            settings = {k: v for k, v in self._session.settings.items() if k != WAREHOUSE}
            if name is not None:
                settings[WAREHOUSE] = name
            self._session = replace(self._session, settings=settings)

    def rows_wanted(self, text: str, parameters: Parameters) -> tuple[str, Parameters]:
        """What to send for a read whose rows are wanted.

        Raises InvalidRequest (42601) for a statement that only the session hears.
        """
        match self.take(text, parameters):
            case (str() as sent, values):
                return sent, values
            case Told(tag):
                raise InvalidRequest(f"{tag} gives no rows: run it with sql()", "42601")
            case AboutTransactions():
                raise InvalidRequest(
                    "a transaction's statement gives no rows: run it with sql()", "42601"
                )
            case _:
                raise InvalidRequest("the statement gives no rows: run it with sql()", "42601")

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
            value = ", ".join(values)
            if name in RUN_SETTINGS:
                value = checked_setting(name, values)
            elif name in _FIXED:
                if any(value.lower() not in _FIXED[name] for value in values):
                    raise NotYet(
                        f"{name} = {', '.join(values)}: only {_FIXED[name][0]} is available"
                    )
            elif name not in _KEPT:
                known = [*_FIXED, *_KEPT, *RUN_SETTINGS, WAREHOUSE, "search_path"]
                raise UnknownObject(
                    f'unrecognized configuration parameter "{name}"{nearest(name, known)}', "42704"
                )
            settings = {**self._session.settings, name: value}
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
        values = _constants("EXECUTE", text, node.args, parameters, prepared.kinds)
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


def _parsed(text: str) -> Any:
    """The tree of a statement of the session; None: it is none."""
    try:
        return SessionGrammar(text).session_statement()
    except RecursionError:
        raise InvalidRequest("the statement is nested too deeply; simplify it", "54001") from None


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


def _constants(
    verb: str,
    text: str,
    args: Sequence[Any],
    parameters: Parameters,
    kinds: Sequence[AnyType] = (),
) -> list[Literal]:
    """Arguments of a statement as constants, of these types if there are any."""

    def refuse(*_: Any) -> Any:
        raise InvalidRequest(f"{verb} takes constants, not queries", "42601")

    binding = Binding(text, NoTables(), parameters)
    binder = ExpressionBinder(binding, Scope(), Collector(where=f"{verb} parameters"), refuse)
    values = []
    for position, arg in enumerate(args):
        expr = binder.bind(arg)
        if kinds and kinds[position] != NUMERIC:
            expr = coerce(expr, kinds[position])
        found = folded(expr)
        if not isinstance(found, Literal):
            raise InvalidRequest(f"{verb} takes constants", "42601")
        values.append(found)
    return values


def _cancels(text: str, node: Kill, parameters: Parameters) -> Cancels:
    verb = "KILL" if node.tag == "KILL" else "mobula.cancel"
    (found,) = _constants(verb, text, [node.query], parameters)
    if not isinstance(found.value, str):
        raise InvalidRequest(
            f"{verb}: expected the id of a query as a text, found {found.value!r}", "22023"
        )
    return Cancels(found.value, node.tag)


def _use(node: SetSetting | Reset) -> UseWarehouse:
    """SET warehouse = name, an empty one or none: no virtual warehouse."""
    values = (node.values or ()) if isinstance(node, SetSetting) else ()
    if len(values) > 1:
        raise InvalidRequest(f'SET warehouse takes one name, found "{", ".join(values)}"', "22023")
    return UseWarehouse(node.at, values[0] if values and values[0] not in ("", "none") else None)
