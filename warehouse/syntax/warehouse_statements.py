"""Statements about virtual warehouses: CREATE, ALTER, DROP, DESCRIBE and USE WAREHOUSE, and KILL.

All but DESCRIBE are the session's (`warehouse/session.py`): they start and end processes, which no
planner does.
"""

from __future__ import annotations

from typing import Any

from storage.errors import InvalidRequest
from storage.nearest import nearest
from warehouse.syntax.quantities import Raw
from warehouse.syntax.statements import StatementGrammar
from warehouse.syntax.tree import Node
from warehouse.syntax.warehouse_options import (
    INITIALLY_SUSPENDED,
    OPTIONS,
    WarehouseOption,
    default_of,
    option_named,
)

__all__ = [
    "WAREHOUSE_WORDS",
    "AlterWarehouse",
    "CreateWarehouse",
    "DropWarehouse",
    "Kill",
    "UseWarehouse",
    "WarehouseGrammar",
]

WAREHOUSE_WORDS = frozenset(("create", "alter", "drop", "use", "kill", "call"))
_CONSTANTS: dict[str, Raw] = {"true": True, "false": False, "null": None}
_ACTIONS = ("set", "unset", "suspend", "resume")


class CreateWarehouse(Node, frozen=True):
    """CREATE WAREHOUSE [IF NOT EXISTS] name [WITH] options. `settings`: values by field."""

    name: str
    settings: tuple[tuple[str, Any], ...]
    exists: bool = False
    suspended: bool = False


class AlterWarehouse(Node, frozen=True):
    """ALTER WAREHOUSE [IF EXISTS] name …; `action`: "set" (UNSET too, to defaults), "suspend" or
    "resume"; `settings`: values by field; `force`: of suspend."""

    name: str
    action: str
    settings: tuple[tuple[str, Any], ...] = ()
    exists: bool = False
    force: bool = False


class DropWarehouse(Node, frozen=True):
    """DROP WAREHOUSE [IF EXISTS] name [FORCE]."""

    name: str
    exists: bool = False
    force: bool = False


class UseWarehouse(Node, frozen=True):
    """USE WAREHOUSE name, or NONE as `name` None."""

    name: str | None


class Kill(Node, frozen=True):
    """KILL query, or CALL mobula.cancel(query); `query`: an expression; `tag`: what to answer."""

    query: Any
    tag: str = "KILL"


class WarehouseGrammar(StatementGrammar):
    """Parses the statements of this module."""

    def warehouse_statement(self) -> Any:
        """The statement that begins here, or None if it is about something else: then nothing has
        been taken. Raises SqlSyntaxError, NotYet."""
        at, word = self.token.start, self.token.value
        if word == "kill":
            self.advance()
            self.take_word("query")
            return Kill(at, self.expression())
        if word == "call":
            return self._cancel(at)
        if not self.at_words(word, "warehouse"):
            return None
        self.advance()
        self.advance()
        match word:
            case "create":
                return self._create_warehouse(at)
            case "alter":
                return self._alter_warehouse(at)
            case "drop":
                exists = self.take_words("if", "exists")
                name = self._warehouse()
                return DropWarehouse(at, name, exists, bool(self.take_word("force")))
            case _:
                return UseWarehouse(at, None if self.take_word("none") else self._warehouse())

    def _cancel(self, at: int) -> Kill | None:
        index = self.index
        self.advance()
        if not (self.at_words("mobula") and self.peek().value == "." and self._is_cancel()):
            self.back_to(index)
            return None
        for _ in range(3):
            self.advance()
        return Kill(at, self.in_parentheses(self.expression), "CALL")

    def _is_cancel(self) -> bool:
        return self.peek(2).kind == "word" and self.peek(2).value == "cancel"

    def _warehouse(self) -> str:
        return self.name("the name of a virtual warehouse")

    def _create_warehouse(self, at: int) -> CreateWarehouse:
        exists = self.take_words("if", "not", "exists")
        name = self._warehouse()
        settings: dict[str, Any] = {}
        if self.take_word("with") or self.token.kind in ("word", "name"):
            settings = self._warehouse_options(creates=True)
        suspended = settings.pop(INITIALLY_SUSPENDED, False)
        return CreateWarehouse(at, name, tuple(settings.items()), exists, suspended)

    def _alter_warehouse(self, at: int) -> AlterWarehouse:
        exists = self.take_words("if", "exists")
        name = self._warehouse()
        if self.at_word("rename"):
            self.not_yet("ALTER WAREHOUSE … RENAME")
        match self.expect_word(*_ACTIONS):
            case "set":
                return AlterWarehouse(
                    at, name, "set", tuple(self._warehouse_options().items()), exists
                )
            case "unset":
                return AlterWarehouse(at, name, "set", tuple(self._unset_options().items()), exists)
            case "suspend":
                return AlterWarehouse(
                    at, name, "suspend", (), exists, bool(self.take_word("force"))
                )
            case _:
                if self.take_word("if"):
                    self.expect_word("suspended")
                return AlterWarehouse(at, name, "resume", (), exists)

    # --- options ----------------------------------------------------------------------------------

    def _warehouse_options(self, *, creates: bool = False) -> dict[str, Any]:
        """`option = value …`, one or more, with or without commas between."""
        settings: dict[str, Any] = {}
        while True:
            option = self._warehouse_option(settings, creates=creates)
            name = self.advance().value
            self.expect_operator("=")
            settings[option.field] = self._option_value(option, name)
            if not self.take_operator(",") and self.token.kind not in ("word", "name"):
                return settings

    def _unset_options(self) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        while True:
            option = self._warehouse_option(settings, creates=False)
            self.advance()
            settings[option.field] = default_of(option.field)
            if not self.take_operator(","):
                return settings

    def _warehouse_option(self, settings: dict[str, Any], *, creates: bool) -> WarehouseOption:
        """The option whose name comes next; not taken yet, so that errors are about it."""
        if self.token.kind not in ("word", "name"):
            self.fail("expected an option")
        name = self.token.value.lower()
        option = option_named(name)
        if option is None:
            known = [other.names[0].upper() for other in OPTIONS]
            self.fail(
                f"virtual warehouses have no option {name.upper()}{nearest(name.upper(), known)}"
            )
        if option.field == INITIALLY_SUSPENDED and not creates:
            self.fail(f"{name.upper()} is an option of CREATE WAREHOUSE only")
        if option.field in settings:
            self.fail(f"option {option.names[0].upper()} is given twice")
        return option

    def _option_value(self, option: WarehouseOption, name: str) -> Any:
        index = self.index
        raw = self._raw_value(name)
        try:
            return option.read(raw)
        except InvalidRequest as error:
            self.back_to(index)
            self.fail(f"{name.upper()}: {error.message}")

    def _raw_value(self, name: str) -> Raw:
        sign = self.take_operator("-", "+") or ""
        token = self.token
        if token.kind == "number" and token.value[1:2].lower() not in ("x", "o", "b"):
            text = self.advance().value
            return int(sign + text) if text.isdigit() else float(sign + text)
        if sign or token.kind not in ("word", "name", "string"):
            self.fail(f"expected the value of {name.upper()}")
        text = self.advance().value
        return _CONSTANTS.get(text, text) if token.kind == "word" else text
