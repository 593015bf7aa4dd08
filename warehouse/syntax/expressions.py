"""Expressions: PostgreSQL's operators and their precedence, calls, constants and special forms.

Source: PostgreSQL documentation, 4.1.6 Operator Precedence and 4.2 Value Expressions. Operators are
parsed by precedence climbing over the levels below; a chain of AND or OR becomes one node.
"""

from __future__ import annotations

from typing import Any

from warehouse.syntax.is_tests import IsTests
from warehouse.syntax.keywords import NOT_FUNCTIONS, RESERVED, TYPE_OR_FUNCTION
from warehouse.syntax.tree import (
    ArrayExpr,
    ArrayQuery,
    Between,
    BoolExpr,
    CaseExpr,
    Collate,
    Constant,
    Exists,
    FieldAccess,
    FuncCall,
    InTest,
    LikeTest,
    NameRef,
    Operator,
    ParameterRef,
    Quantified,
    QueryExpr,
    RowExpr,
    Slice,
    Star,
    Subscript,
    TypeCast,
    TypeName,
)

__all__ = ["ExpressionGrammar"]

OR, AND, NOT, IS, COMPARISON, RANGE, OTHER, SUM, PRODUCT, POWER, ZONE, COLLATE, SIGN = range(1, 14)

_COMPARISONS = frozenset(("=", "<>", "<", "<=", ">", ">="))
_LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "%": PRODUCT, "^": POWER}
_MARKS = frozenset((",", "(", ")", "[", "]", ".", ";", ":", "::", ":=", "..", "=>"))
_NEVER_FIRST = _MARKS | _COMPARISONS | {"*", "/", "%", "^"}
_RANGE_WORDS = frozenset(("between", "in", "like", "ilike", "similar", "overlaps"))
_QUERY_WORDS = ("select", "with", "values", "table")
_BEHIND_QUERY = ("union", "intersect", "except", "order", "limit", "offset", "fetch")
# Without parentheses, functions all the same.
_BARE_FUNCTIONS = frozenset(
    (
        "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp",
        "current_user", "user", "session_user", "current_role", "current_catalog", "current_schema",
        "system_user",
    )
)  # fmt: skip
_NEVER_CALLED = NOT_FUNCTIONS - frozenset(
    (
        "bit", "char", "coalesce", "float", "greatest", "grouping", "interval", "json_object",
        "least", "none", "nullif", "time", "timestamp", "values",
    )
)  # fmt: skip
_TYPE_STARTS = frozenset(
    (
        "timestamp", "time", "double", "float", "numeric", "decimal", "dec", "char", "character",
        "varchar", "nchar", "national", "bit", "int", "integer", "smallint", "bigint", "real",
        "boolean",
    )
)  # fmt: skip


class ExpressionGrammar(IsTests):
    """Parses expressions. `expression()` is the entry."""

    def expression(self, least: int = OR) -> Any:
        """An expression of operators that bind at least as tightly as level `least`."""
        left = self._prefix(least)
        while True:
            level = self._infix_level()
            if level < least:
                return left
            left = self._infix(left, level)

    # --- operators --------------------------------------------------------------------------------

    def _prefix(self, least: int) -> Any:
        token = self.token
        if token.kind == "operator" and token.value not in _NEVER_FIRST:
            self.advance()
            if token.value in ("+", "-"):
                return self._signed(token.value, token.start)
            return Operator(token.start, token.value, (self.expression(OTHER + 1),))
        if token.kind == "word" and token.value == "not" and least <= NOT:
            self.advance()
            return BoolExpr(token.start, "not", (self.expression(NOT),))
        return self._postfix(self.primary())

    def _signed(self, sign: str, at: int) -> Any:
        operand = self.expression(SIGN)
        if not isinstance(operand, Constant) or operand.kind != "number":
            return Operator(at, sign, (operand,))
        if sign == "+":
            return operand
        if operand.value.startswith("-"):
            return Constant(at, "number", operand.value[1:])
        return Constant(at, "number", f"-{operand.value}")

    def _infix_level(self) -> int:
        """The level of the operator that comes next; 0 if none does."""
        token = self.token
        if token.kind == "operator":
            value = token.value
            if value in _MARKS:
                return 0
            if value in _COMPARISONS:
                return COMPARISON
            return _LEVELS.get(value, OTHER)
        if token.kind != "word":
            return 0
        match token.value:
            case "or":
                return OR
            case "and":
                return AND
            case "is" | "isnull" | "notnull":
                return IS
            case "not":
                return RANGE if self._at_range_word(1) else 0
            case "collate":
                return COLLATE
            case "at":
                return ZONE if self.peek().value == "time" else 0
            case "operator":
                return OTHER if self.peek().value == "(" else 0
            case _:
                return RANGE if self._at_range_word(0) else 0

    def _at_range_word(self, ahead: int) -> bool:
        """Is it BETWEEN, IN, LIKE, …? SIMILAR without TO is part of SUBSTRING."""
        token = self.peek(ahead)
        if token.kind != "word" or token.value not in _RANGE_WORDS:
            return False
        return token.value != "similar" or self.peek(ahead + 1).value == "to"

    def _infix(self, left: Any, level: int) -> Any:
        at = self.token.start
        match level:
            case 1 | 2:
                return self._chain(left, level)
            case 4:
                return self.is_test(left, IS + 1)
            case 5:
                return self._comparison(left)
            case 6:
                return self._range(left)
            case 12:
                self.advance()
                return Collate(at, left, self.dotted_name("a collation"))
            case 11:
                self.expect_words("at", "time", "zone")
                zone = self.expression(COLLATE)
                return FuncCall(at, ("timezone",), self.arguments_of(zone, left))
            case _:
                return self._binary(left, level)

    def _chain(self, left: Any, level: int) -> Any:
        word, at = self.token.value, self.token.start
        parts = [left]
        while self.take_word(word):
            parts.append(self.expression(level + 1))
        return BoolExpr(at, word, tuple(parts))

    def _comparison(self, left: Any) -> Any:
        at, op = self.token.start, self.advance().value
        found = self._right_of(left, op, at, COMPARISON + 1)
        if self._infix_level() == COMPARISON:
            self.fail("comparisons do not chain; use AND or parentheses")
        return found

    def _binary(self, left: Any, level: int) -> Any:
        at = self.token.start
        if self.take_word("operator"):
            op = self.in_parentheses(self._qualified_operator)
        else:
            op = self.advance().value
        return self._right_of(left, op, at, level + 1)

    def _qualified_operator(self) -> str:
        while self.token.kind in ("word", "name"):
            self.advance()
            self.expect_operator(".")
        return self.advance().value

    def _right_of(self, left: Any, op: str, at: int, least: int) -> Any:
        word = self.take_word("any", "some", "all")
        if word is None:
            return Operator(at, op, (left, self.expression(least)))
        self.expect_operator("(")
        if self.at_query():
            index = self.index
            query = self.query()
            if self.take_operator(")"):
                return Quantified(at, op, word == "all", left, query, None)
            self.back_to(index)  # `((SELECT …)::int[])`: an array made of a query's value
        array = self.expression()
        self.expect_operator(")")
        return Quantified(at, op, word == "all", left, None, array)

    def _range(self, left: Any) -> Any:
        at = self.token.start
        negated = bool(self.take_word("not"))
        word = self.advance().value
        if word == "between":
            symmetric = bool(self.take_word("symmetric"))
            self.take_word("asymmetric")
            low = self.expression(OTHER)
            self.expect_word("and")
            found: Any = Between(at, left, low, self.expression(OTHER), symmetric, negated)
        elif word == "in":
            found = self._in(left, at, negated)
        elif word == "overlaps":
            right = self.expression(OTHER)
            if not isinstance(left, RowExpr) or not isinstance(right, RowExpr):
                self.fail("OVERLAPS compares pairs: (start, end) OVERLAPS (start, end)")
            ends = [*left.items, *right.items]
            found = FuncCall(at, ("overlaps",), self.arguments_of(*ends))
        else:
            if word == "similar":
                self.expect_word("to")
            found = self._like(word, left, at, negated)
        if self._infix_level() == RANGE:
            self.fail("BETWEEN, IN, LIKE and SIMILAR do not chain; use parentheses")
        return found

    def _like(self, kind: str, left: Any, at: int, negated: bool) -> Any:
        if self.at_word("any", "some", "all"):
            op = {"like": "~~", "ilike": "~~*"}.get(kind, "")
            if not op:
                self.fail("expected a pattern")
            return self._right_of(left, f"!{op}" if negated else op, at, OTHER)
        pattern = self.expression(OTHER)
        escape = self.expression(OTHER) if self.take_word("escape") else None
        return LikeTest(at, kind, left, pattern, escape, negated)

    def _in(self, left: Any, at: int, negated: bool) -> Any:
        self.expect_operator("(")
        if self.at_query():
            index = self.index
            query = self.query()
            if self.take_operator(")"):
                return InTest(at, left, (), query, negated)
            self.back_to(index)  # `((SELECT …), …)`: the first of several values
        items = self.comma_list(self.expression)
        self.expect_operator(")")
        return InTest(at, left, items, None, negated)

    # --- what follows a primary -------------------------------------------------------------------

    def _postfix(self, found: Any) -> Any:
        while True:
            at = self.token.start
            if self.take_operator("::"):
                found = TypeCast(at, found, self.type_name())
            elif self.take_operator("["):
                found = self._subscript(found, at)
            elif self.at_operator(".") and not isinstance(found, Constant):
                self.advance()
                name = None if self.take_operator("*") else self.label("a field")
                found = FieldAccess(at, found, name)
            else:
                return found

    def _subscript(self, arg: Any, at: int) -> Any:
        low = None if self.at_operator(":") else self.expression()
        if self.take_operator(":"):
            high = None if self.at_operator("]") else self.expression()
            self.expect_operator("]")
            return Slice(at, arg, low, high)
        self.expect_operator("]")
        return Subscript(at, arg, low)

    # --- primaries --------------------------------------------------------------------------------

    def primary(self) -> Any:
        """A constant, name, call or anything in parentheses."""
        token = self.token
        match token.kind:
            case "number":
                self.advance()
                return Constant(token.start, "number", token.value)
            case "string" | "bytes":
                self.advance()
                return Constant(token.start, token.kind, token.value)
            case "bits":
                return self.not_yet("the type BIT")
            case "parameter":
                self.advance()
                return ParameterRef(token.start, token.value)
            case "operator":
                if token.value == "(":
                    return self._parenthesised()
                return self.fail("expected a value")
            case "name":
                return self._named()
            case "word":
                return self._word(token.value, token.start)
            case _:
                return self.fail("expected a value")

    def _word(self, word: str, at: int) -> Any:
        if word in ("null", "true", "false", "default"):
            self.advance()
            kind = word if word in ("null", "default") else "bool"
            return Constant(at, kind, word)
        if word == "case":
            return self._case()
        if word == "exists" and self.peek().value == "(":
            self.advance()
            return Exists(at, self.in_parentheses(self.query))
        if word == "array":
            return self._array()
        if word == "row" and self.peek().value == "(":
            self.advance()
            return RowExpr(at, self._row_items())
        if word in _BARE_FUNCTIONS and self.peek().value != "(":
            self.advance()
            return FuncCall(at, (word,))
        special = self.special_form(word, at)
        if special is not None:
            return special
        typed = self._typed_literal(word, at)
        return self._named() if typed is None else typed

    def _typed_literal(self, word: str, at: int) -> Any:
        following = self.peek()
        if (
            following.kind != "string"
            and word not in _TYPE_STARTS
            and not self._has_modifier_and_text()
        ):
            return None
        if word in RESERVED or following.value == ".":
            return None
        index = self.index
        if following.kind == "string" and word in TYPE_OR_FUNCTION:
            return None
        kind = self.type_name()
        if self.token.kind != "string":
            self.back_to(index)
            return None
        return TypeCast(at, Constant(self.token.start, "string", self.advance().value), kind)

    def _has_modifier_and_text(self) -> bool:
        """`timestamptz(0) 'text'`."""
        ahead = [self.peek(count) for count in range(1, 5)]
        kinds = [token.kind for token in ahead]
        brackets = (ahead[0].value, ahead[2].value) == ("(", ")")
        return brackets and kinds == ["operator", "number", "operator", "string"]

    def _named(self) -> Any:
        at = self.token.start
        word = self.token.value
        callable_ = self.peek().value == "(" and self.peek().kind == "operator"
        if (
            self.token.kind == "word"
            and word in RESERVED
            and not (callable_ and word in _BARE_FUNCTIONS)
        ):
            self.fail("expected a value")
        if self.token.kind == "word" and word in TYPE_OR_FUNCTION and not callable_:
            self.fail("expected a value")
        parts = [self.advance().value]
        while self.at_operator("."):
            self.advance()
            if self.take_operator("*"):
                return Star(at, tuple(parts))
            parts.append(self.label("a name"))
        if self.at_operator("("):
            unquoted = self.tokens[self.index - 1].kind == "word"
            if len(parts) == 1 and word in _NEVER_CALLED and unquoted:
                self.fail("expected a value")
            return self.call_rest(tuple(parts), at)
        if self.token.kind == "string" and len(parts) > 1:  # `schema.type 'text'`
            name = tuple(parts[1:] if parts[0] == "pg_catalog" else parts)
            text = Constant(self.token.start, "string", self.advance().value)
            return TypeCast(at, text, TypeName(at, name))
        return NameRef(at, tuple(parts))

    def _parenthesised(self) -> Any:
        at = self.token.start
        if self.at_query():
            self.advance()
            query = self.query()
            self.expect_operator(")")
            return QueryExpr(at, query)
        self.advance()
        items = self.comma_list(self.expression)
        self.expect_operator(")")
        return items[0] if len(items) == 1 else RowExpr(at, items)

    def at_query(self) -> bool:
        """Does a query come next, perhaps in parentheses?"""
        ahead = self.parentheses()
        token = self.peek(ahead)
        if token.kind != "word" or token.value not in _QUERY_WORDS:
            return False
        return ahead == 0 or self._closes_as_query(ahead)

    def _closes_as_query(self, depth: int) -> bool:
        """Is what stands in these parentheses a query and not an expression with one?

        `((SELECT 1) + 1)` is an expression: behind the parenthesis that closes the innermost query
        only what may follow a query comes.
        """
        if self.token.value == "(" and depth == 1:
            return True
        open_, ahead = 0, 0
        while True:
            token = self.peek(ahead)
            if token.kind == "end":
                return True
            if token.kind == "operator" and token.value == "(":
                open_ += 1
            elif token.kind == "operator" and token.value == ")":
                open_ -= 1
                if open_ < depth:
                    following = self.peek(ahead + 1)
                    if open_ == 0:
                        return True
                    if following.kind == "operator" and following.value == ")":
                        depth = open_
                    else:
                        return following.kind == "word" and following.value in _BEHIND_QUERY
            ahead += 1

    def _row_items(self) -> tuple[Any, ...]:
        self.expect_operator("(")
        if self.take_operator(")"):
            return ()
        items = self.comma_list(self.expression)
        self.expect_operator(")")
        return items

    def _case(self) -> Any:
        at = self.advance().start
        operand = None if self.at_word("when") else self.expression()
        branches = []
        while self.take_word("when"):
            condition = self.expression()
            self.expect_word("then")
            branches.append((condition, self.expression()))
        if not branches:
            self.fail("expected WHEN")
        default = self.expression() if self.take_word("else") else None
        self.expect_word("end")
        return CaseExpr(at, operand, tuple(branches), default)

    def _array(self) -> Any:
        at = self.advance().start
        if self.at_operator("("):
            return ArrayQuery(at, self.in_parentheses(self.query))
        return self._array_items(at)

    def _array_items(self, at: int) -> Any:
        self.expect_operator("[")
        items: tuple[Any, ...] = ()
        if not self.at_operator("]"):
            items = self.comma_list(self._array_item)
        self.expect_operator("]")
        return ArrayExpr(at, items)

    def _array_item(self) -> Any:
        if self.at_operator("["):
            return self._array_items(self.token.start)
        return self.expression()
