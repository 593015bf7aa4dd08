"""Tests of values with IS: NULL, DISTINCT FROM, JSON, NORMALIZED and truth."""

from __future__ import annotations

from typing import Any

from warehouse.syntax.special import SpecialForms
from warehouse.syntax.tree import BoolExpr, Constant, FuncCall, IsJson, IsTest

__all__ = ["IsTests"]


class IsTests(SpecialForms):
    """Parses what comes behind IS."""

    def is_test(self, left: Any, above: int) -> Any:
        """What IS, ISNULL or NOTNULL says of `left`; operands bind at least as `above`."""
        at, word = self.token.start, self.advance().value
        if word != "is":
            return IsTest(at, left, "null", word == "notnull")
        negated = bool(self.take_word("not"))
        if self.take_word("distinct"):
            self.expect_word("from")
            return IsTest(at, left, "distinct", negated, self.expression(above))
        if self.take_word("json"):
            return self._is_json(at, left, negated)
        if self.at_word("normalized", "nfc", "nfd", "nfkc", "nfkd"):
            form = self.take_word("nfc", "nfd", "nfkc", "nfkd") or "nfc"
            self.expect_word("normalized")
            form_text = Constant(at, "string", form.upper())
            call = FuncCall(at, ("is_normalized",), self.arguments_of(left, form_text))
            return BoolExpr(at, "not", (call,)) if negated else call
        if self.at_word("document"):
            self.not_yet("IS DOCUMENT")
        return IsTest(at, left, self.expect_word("null", "true", "false", "unknown"), negated)

    def _is_json(self, at: int, left: Any, negated: bool) -> Any:
        kind = self.take_word("value", "array", "object", "scalar") or "value"
        unique = False
        for word in ("with", "without"):
            if self.at_word(word) and self.peek().value == "unique":
                self.advance()
                self.advance()
                self.take_word("keys")
                unique = word == "with"
        return IsJson(at, left, kind, unique, negated)
