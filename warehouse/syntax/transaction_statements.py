"""Statements about transactions: BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their relatives."""

from __future__ import annotations

from typing import Any

from warehouse.syntax.statements import StatementGrammar
from warehouse.syntax.tree import Node

__all__ = [
    "TRANSACTION_WORDS",
    "Begin",
    "Commit",
    "Release",
    "Rollback",
    "Savepoint",
    "SetTransaction",
    "TransactionGrammar",
]

TRANSACTION_WORDS = frozenset(
    ("begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release")
)
_LEVELS = {
    ("repeatable", "read"): "repeatable read",
    ("read", "committed"): "read committed",
    ("read", "uncommitted"): "read committed",  # as in PostgreSQL
}


class Begin(Node, frozen=True):
    """BEGIN or START TRANSACTION; `isolation` and `read_only` None: not said."""

    isolation: str | None
    read_only: bool | None


class SetTransaction(Node, frozen=True):
    """SET TRANSACTION of the one that is open; `session`: of those to come."""

    isolation: str | None
    read_only: bool | None
    session: bool


class Commit(Node, frozen=True):
    """COMMIT or END; `chain`: another one begins at once."""

    chain: bool


class Rollback(Node, frozen=True):
    """ROLLBACK or ABORT, or with `to` back to a savepoint."""

    to: str | None
    chain: bool


class Savepoint(Node, frozen=True):
    """SAVEPOINT name."""

    name: str


class Release(Node, frozen=True):
    """RELEASE [SAVEPOINT] name."""

    name: str


class TransactionGrammar(StatementGrammar):
    """Parses the statements of this module; a word of `TRANSACTION_WORDS` has been taken."""

    def transaction_statement(self, at: int, word: str) -> Any:
        """The statement behind its first word. Raises SqlSyntaxError, NotYet."""
        match word:
            case "begin":
                self.take_word("work", "transaction")
                return Begin(at, *self.transaction_modes())
            case "start":
                self.expect_word("transaction")
                return Begin(at, *self.transaction_modes())
            case "commit" | "end":
                if self.at_word("prepared"):
                    self.not_yet("COMMIT PREPARED")
                self.take_word("work", "transaction")
                return Commit(at, self._and_chain())
            case "savepoint":
                return Savepoint(at, self.name("a savepoint's name"))
            case "release":
                self.take_word("savepoint")
                return Release(at, self.name("a savepoint's name"))
            case _:
                return self._rollback(at)

    def transaction_modes(self) -> tuple[str | None, bool | None]:
        """ISOLATION LEVEL …, READ ONLY, READ WRITE, with or without commas between."""
        isolation: str | None = None
        read_only: bool | None = None
        while self.token.kind == "word":
            if self.take_words("isolation", "level"):
                isolation = self._level()
            elif self.take_words("read", "only"):
                read_only = True
            elif self.take_words("read", "write"):
                read_only = False
            elif self.at_word("not", "deferrable"):
                self.take_word("not")
                self.expect_word("deferrable")
            else:
                self.fail("expected a transaction mode")
            self.take_operator(",")
        return isolation, read_only

    def _level(self) -> str:
        if self.at_word("serializable"):
            self.not_yet("ISOLATION LEVEL SERIALIZABLE (use REPEATABLE READ)")
        for words, level in _LEVELS.items():
            if self.take_words(*words):
                return level
        return self.fail("expected an isolation level")

    def _rollback(self, at: int) -> Rollback:
        if self.at_word("prepared"):
            self.not_yet("ROLLBACK PREPARED")
        self.take_word("work", "transaction")
        if self.take_word("to"):
            self.take_word("savepoint")
            return Rollback(at, self.name("a savepoint's name"), False)
        return Rollback(at, None, self._and_chain())

    def _and_chain(self) -> bool:
        if not self.take_word("and"):
            return False
        no = bool(self.take_word("no"))
        self.expect_word("chain")
        return not no
