"""The parser's hold on the tokens: looking at the next one, taking it, failing with its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NoReturn, TypeVar

from storage.errors import NotYet
from warehouse.syntax.keywords import RESERVED, TYPE_OR_FUNCTION
from warehouse.syntax.place import syntax_error
from warehouse.syntax.tokens import Token, scan
from warehouse.syntax.tree import AsOf

__all__ = ["Cursor"]

T = TypeVar("T")


class Cursor:
    """Position in the tokens of one text.

    `versions` collects the AS OF clauses as they are read, `observes` the functions of our own
    schema in FROM; `opens_files` tells that files of users are among what was read.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = scan(text)
        self.index = 0
        self.token: Token = self.tokens[0]
        self.versions: list[AsOf] = []
        self.opens_files = False
        self.observes: set[str] = set()

    # --- looking ----------------------------------------------------------------------------------

    def peek(self, ahead: int = 1) -> Token:
        """The token `ahead` places further on; the last one beyond the end."""
        return self.tokens[min(self.index + ahead, len(self.tokens) - 1)]

    def parentheses(self) -> int:
        """How many "(" come next, one after the other."""
        return self._parentheses[self.index] if self.at_operator("(") else 0

    @cached_property
    def _parentheses(self) -> list[int]:
        """The same from each token on: counted once, however deep a text is nested."""
        found, count = list[int](), 0
        for token in reversed(self.tokens):
            count = count + 1 if token.kind == "operator" and token.value == "(" else 0
            found.append(count)
        found.reverse()
        return found

    def at_word(self, *words: str) -> bool:
        """Is the next token one of these (unquoted) words?"""
        return self.token.kind == "word" and self.token.value in words

    def at_words(self, *words: str) -> bool:
        """Do these words come next, in this order?"""
        for ahead, word in enumerate(words):
            token = self.peek(ahead)
            if token.kind != "word" or token.value != word:
                return False
        return True

    def at_operator(self, *values: str) -> bool:
        """Is the next token one of these operators or marks?"""
        return self.token.kind == "operator" and self.token.value in values

    # --- taking -----------------------------------------------------------------------------------

    def advance(self) -> Token:
        """Take the next token, whatever it is."""
        token = self.token
        if self.index < len(self.tokens) - 1:
            self.index += 1
            self.token = self.tokens[self.index]
        return token

    def back_to(self, index: int) -> None:
        """Return to an earlier `index`."""
        self.index = index
        self.token = self.tokens[index]

    def take_word(self, *words: str) -> str | None:
        """Take one of these words; None if none comes."""
        if self.token.kind == "word" and self.token.value in words:
            return self.advance().value
        return None

    def take_words(self, *words: str) -> bool:
        """Take all of these words, in this order, or none."""
        if not self.at_words(*words):
            return False
        for _ in words:
            self.advance()
        return True

    def take_operator(self, *values: str) -> str | None:
        """Take one of these operators or marks."""
        if self.token.kind == "operator" and self.token.value in values:
            return self.advance().value
        return None

    def expect_word(self, *words: str) -> str:
        """Take one of these words. Raises SqlSyntaxError."""
        return self.take_word(*words) or self.fail(f"expected {' or '.join(words).upper()}")

    def expect_words(self, *words: str) -> None:
        """Take all of these words. Raises SqlSyntaxError."""
        if not self.take_words(*words):
            self.fail(f"expected {' '.join(words).upper()}")

    def expect_operator(self, value: str) -> None:
        """Take this operator or mark. Raises SqlSyntaxError."""
        if not self.take_operator(value):
            self.fail(f"expected {value}")

    def comma_list(self, item: Callable[[], T]) -> tuple[T, ...]:
        """One item or more, between commas."""
        items = [item()]
        while self.take_operator(","):
            items.append(item())
        return tuple(items)

    def in_parentheses(self, inside: Callable[[], T]) -> T:
        """`( inside )`."""
        self.expect_operator("(")
        found = inside()
        self.expect_operator(")")
        return found

    # --- names ------------------------------------------------------------------------------------

    def at_name(self) -> bool:
        """May the next token be the name of a column or table?"""
        if self.token.kind == "name":
            return True
        value = self.token.value
        return self.token.kind == "word" and value not in RESERVED and value not in TYPE_OR_FUNCTION

    def name(self, what: str = "a name") -> str:
        """Take a name. Raises SqlSyntaxError."""
        if not self.at_name():
            self.fail(f"expected {what}")
        return self.advance().value

    def label(self, what: str = "a name") -> str:
        """Take a name in a place where any word may stand (after AS, after a dot)."""
        if self.token.kind not in ("word", "name"):
            self.fail(f"expected {what}")
        return self.advance().value

    def dotted_name(self, what: str = "a name") -> tuple[str, ...]:
        """`a`, `a.b`, …"""
        parts = [self.name(what)]
        while self.take_operator("."):
            parts.append(self.label(what))
        return tuple(parts)

    def names_in_parentheses(self) -> tuple[str, ...]:
        """`(a, b)`."""
        return self.in_parentheses(lambda: self.comma_list(self.name))

    def string(self, what: str) -> str:
        """Take a string literal. Raises SqlSyntaxError."""
        if self.token.kind != "string":
            self.fail(f"expected {what}")
        return self.advance().value

    def integer(self, what: str) -> int:
        """Take a whole number. Raises SqlSyntaxError."""
        if self.token.kind != "number" or not self.token.value.isdigit():
            self.fail(f"expected {what}")
        return int(self.advance().value)

    # --- failing ----------------------------------------------------------------------------------

    def fail(self, description: str) -> NoReturn:
        """A syntax error at the next token."""
        token = self.token
        if token.kind == "end":
            raise syntax_error(self.text, token.start, f"{description}, found the end")
        raise syntax_error(self.text, token.start, description, self.text[token.start : token.end])

    def not_yet(self, what: str) -> NoReturn:
        """The refusal of something that parses and is not available."""
        raise NotYet(f"{what} is not available yet")
