"""Statements about the session itself: SET, RESET, PREPARE, EXECUTE, DEALLOCATE; and those about
transactions and virtual warehouses, which are the session's too.

They never reach a planner: whoever holds the session runs them (`warehouse/session.py`).
"""

from __future__ import annotations

from typing import Any

from warehouse.syntax.transaction_statements import (
    TRANSACTION_WORDS,
    SetTransaction,
    TransactionGrammar,
)
from warehouse.syntax.tree import Node, TypeName
from warehouse.syntax.warehouse_statements import WAREHOUSE_WORDS, WarehouseGrammar

__all__ = [
    "SESSION_WORDS",
    "Deallocate",
    "Execute",
    "Prepare",
    "Reset",
    "SessionGrammar",
    "SetSetting",
]

FIRST_WORDS = frozenset(("set", "reset", "prepare", "execute", "deallocate"))
SESSION_WORDS = FIRST_WORDS | TRANSACTION_WORDS | WAREHOUSE_WORDS  # that a statement may begin with


class SetSetting(Node, frozen=True):
    """SET name = values; `values` None for DEFAULT."""

    name: str
    values: tuple[str, ...] | None


class Reset(Node, frozen=True):
    """RESET name, or ALL as `name` None."""

    name: str | None


class Prepare(Node, frozen=True):
    """PREPARE name (types) AS text."""

    name: str
    types: tuple[TypeName, ...]
    text: str


class Execute(Node, frozen=True):
    """EXECUTE name (values)."""

    name: str
    args: tuple[Any, ...]


class Deallocate(Node, frozen=True):
    """DEALLOCATE name, or ALL as `name` None."""

    name: str | None


class SessionGrammar(TransactionGrammar, WarehouseGrammar):
    """Parses the statements of this module."""

    def session_statement(self) -> Any:
        """The statement, or None if the text is no statement about the session.

        Raises SqlSyntaxError.
        """
        while self.take_operator(";"):
            pass
        if self.token.kind != "word" or self.token.value not in SESSION_WORDS:
            return None
        word = self.token.value
        found = self.warehouse_statement() if word in WAREHOUSE_WORDS else self._session(word)
        if found is None:
            return None
        if word != "prepare":
            while self.take_operator(";"):
                pass
            if self.token.kind != "end":
                self.fail("expected the end of the statement")
        return found

    def _session(self, word: str) -> Any:
        at = self.advance().start
        if word in TRANSACTION_WORDS:
            return self.transaction_statement(at, word)
        return getattr(self, f"_parse_{word}")(at)

    def _parse_set(self, at: int) -> SetSetting | SetTransaction:
        if self.take_word("local"):
            self.not_yet("SET LOCAL")
        session = bool(self.take_word("session"))
        if session and self.take_words("characteristics", "as", "transaction"):
            return SetTransaction(at, *self.transaction_modes(), True)
        if self.take_word("transaction"):
            return SetTransaction(at, *self.transaction_modes(), False)
        if self.take_words("time", "zone"):
            return SetSetting(at, "timezone", self._setting_values())
        if self.at_word("authorization", "role"):
            self.not_yet(f"SET {self.token.value.upper()}")
        name = ".".join(self.dotted_name("a setting"))
        if not self.take_operator("="):
            self.expect_word("to")
        return SetSetting(at, name, self._setting_values())

    def _setting_values(self) -> tuple[str, ...] | None:
        if self.take_word("default"):
            return None
        return self.comma_list(self._setting_value)

    def _setting_value(self) -> str:
        sign = "-" if self.take_operator("-") else ""
        token = self.token
        if token.kind not in ("word", "name", "string", "number"):
            self.fail("expected a value")
        return sign + self.advance().value

    def _parse_reset(self, at: int) -> Reset:
        if self.take_word("all"):
            return Reset(at, None)
        return Reset(at, ".".join(self.dotted_name("a setting")))

    def _parse_prepare(self, at: int) -> Prepare:
        name = self.name("a statement's name")
        types: tuple[TypeName, ...] = ()
        if self.at_operator("("):
            types = self.in_parentheses(lambda: self.comma_list(self.type_name))
        self.expect_word("as")
        return Prepare(at, name, types, self.text[self.token.start :])

    def _parse_execute(self, at: int) -> Execute:
        name = self.name("a statement's name")
        args: tuple[Any, ...] = ()
        if self.take_operator("("):
            if not self.at_operator(")"):
                args = self.comma_list(self.expression)
            self.expect_operator(")")
        return Execute(at, name, args)

    def _parse_deallocate(self, at: int) -> Deallocate:
        self.take_word("prepare")
        return Deallocate(at, None if self.take_word("all") else self.name("a statement's name"))
