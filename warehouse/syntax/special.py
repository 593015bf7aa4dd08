"""Calls with keywords inside: CAST, EXTRACT, SUBSTRING … FROM …, TRIM, OVER, WITHIN GROUP, …

Each becomes an ordinary call of the function that PostgreSQL runs for it (`btrim`,
`position(text, part)`, …).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from warehouse.syntax.tree import (
    Arg,
    Constant,
    FrameEnd,
    FrameSpec,
    FuncCall,
    OrderItem,
    Star,
    TypeCast,
    TypeName,
    WindowSpec,
)
from warehouse.syntax.types import TypeGrammar

if TYPE_CHECKING:
    from warehouse.syntax.tree import QueryNode

__all__ = ["SpecialForms"]


class SpecialForms(TypeGrammar):
    """Parses calls; `ExpressionGrammar` and `QueryGrammar` bring the rest."""

    if TYPE_CHECKING:

        def expression(self, least: int = 1) -> Any: ...
        def query(self) -> QueryNode: ...

    def special_form(self, word: str, at: int) -> Any:
        """The form that begins with `word`, or None if it is no such form here."""
        following = self.peek()
        if word == "interval" and following.kind == "string":
            return self._interval(at)
        if word == "interval" and following.value == "(" and self.peek(4).kind == "string":
            return self._interval(at)
        if following.value != "(" or following.kind != "operator":
            return None
        forms: dict[str, Callable[[int], Any]] = {
            "cast": self._cast,
            "treat": self._cast,
            "extract": self._extract,
            "position": self._position,
            "substring": self._substring,
            "overlay": self._overlay,
            "trim": self._trim,
            "normalize": self._normalize,
        }
        form = forms.get(word)
        if form is None:
            return None
        self.advance()
        self.advance()
        found = form(at)
        self.expect_operator(")")
        if isinstance(found, FuncCall):
            return self._behind_call(found)
        return found

    def arguments_of(self, *values: Any) -> tuple[Arg, ...]:
        """Plain positional arguments."""
        return tuple(Arg(value.at, value) for value in values)

    # --- the forms --------------------------------------------------------------------------------

    def _cast(self, at: int) -> Any:
        value = self.expression()
        self.expect_word("as")
        return TypeCast(at, value, self.type_name())

    def _interval(self, at: int) -> Any:
        self.advance()
        precision: tuple[int, ...] = ()
        if self.take_operator("("):
            precision = (self.integer("a precision"),)
            self.expect_operator(")")
        text = Constant(self.token.start, "string", self.string("a text"))
        fields = self.interval_fields()
        if fields and not precision:
            precision = self.modifiers()
        return TypeCast(at, text, TypeName(at, ("interval",), precision, 0, fields))

    def _extract(self, at: int) -> Any:
        if self.token.kind not in ("word", "string", "name"):
            self.fail("expected a field")
        field = Constant(self.token.start, "string", self.advance().value)
        self.expect_word("from")
        return FuncCall(at, ("extract",), self.arguments_of(field, self.expression()))

    def _position(self, at: int) -> Any:
        part = self.expression(7)  # above IN
        self.expect_word("in")
        return FuncCall(at, ("position",), self.arguments_of(self.expression(7), part))

    def _substring(self, at: int) -> Any:
        text = self.expression()
        if self.take_operator(","):
            rest = self.comma_list(self.expression)
            return FuncCall(at, ("substring",), self.arguments_of(text, *rest))
        if self.take_word("similar"):
            pattern = self.expression(7)
            self.expect_word("escape")
            escape = self.expression()
            return FuncCall(at, ("substring",), self.arguments_of(text, pattern, escape))
        start: Any = None
        length: Any = None
        while True:
            if self.take_word("from"):
                start = self.expression()
            elif self.take_word("for"):
                length = self.expression()
            else:
                break
        if start is None and length is None:
            return FuncCall(at, ("substring",), self.arguments_of(text))
        if start is None:
            start = Constant(at, "number", "1")
        found = [text, start] if length is None else [text, start, length]
        return FuncCall(at, ("substring",), self.arguments_of(*found))

    def _overlay(self, at: int) -> Any:
        values = [self.expression()]
        if self.take_operator(","):
            values += self.comma_list(self.expression)
        else:
            self.expect_word("placing")
            values.append(self.expression())
            self.expect_word("from")
            values.append(self.expression())
            if self.take_word("for"):
                values.append(self.expression())
        return FuncCall(at, ("overlay",), self.arguments_of(*values))

    def _trim(self, at: int) -> Any:
        side = self.take_word("both", "leading", "trailing") or "both"
        name = {"both": "btrim", "leading": "ltrim", "trailing": "rtrim"}[side]
        characters: Any = None
        if self.take_word("from"):
            values = list(self.comma_list(self.expression))
        else:
            values = [self.expression()]
            if self.take_word("from"):
                characters = values.pop()
                values = [self.expression()]
            elif self.take_operator(","):
                values += self.comma_list(self.expression)
        if characters is not None:
            values.append(characters)
        return FuncCall(at, (name,), self.arguments_of(*values))

    def _normalize(self, at: int) -> Any:
        values = [self.expression()]
        if self.take_operator(","):
            form = self.expect_word("nfc", "nfd", "nfkc", "nfkd")
            values.append(Constant(at, "string", form.upper()))
        return FuncCall(at, ("normalize",), self.arguments_of(*values))

    # --- ordinary calls ---------------------------------------------------------------------------

    def call_rest(self, name: tuple[str, ...], at: int) -> FuncCall:
        """A call from its opening parenthesis on."""
        self.expect_operator("(")
        args: tuple[Arg, ...] = ()
        order: tuple[OrderItem, ...] = ()
        star = distinct = False
        if self.take_operator("*"):
            star = True
        elif not self.at_operator(")"):
            distinct = bool(self.take_word("distinct"))
            if not distinct:
                self.take_word("all")
            args = self.comma_list(self._argument)
            if any(arg.variadic for arg in args[:-1]):
                self.fail("VARIADIC comes before the last argument")
            order = self.order_by() if self.at_words("order", "by") else ()
        self.expect_operator(")")
        found = FuncCall(at, name, args, star=star, distinct=distinct, order=order)
        return self._behind_call(found)

    def _argument(self) -> Arg:
        at = self.token.start
        if self.take_word("variadic"):
            return Arg(at, self.expression(), variadic=True)
        following = self.peek()
        if self.token.kind in ("word", "name") and following.value in ("=>", ":="):
            name = self.advance().value
            self.advance()
            return Arg(at, self.expression(), name)
        if self.token.kind in ("word", "name") and (following.value, self.peek(2).value) == (
            "=",
            ">",
        ):
            self.fail("expected an argument")
        value = self.expression()
        if isinstance(value, Star) and not value.parts:
            self.fail("expected an argument")
        return Arg(at, value)

    def _behind_call(self, call: FuncCall) -> FuncCall:
        within: tuple[OrderItem, ...] | None = None
        condition: Any = None
        nulls = ""
        if self.take_words("within", "group"):
            within = self.in_parentheses(self.order_by)
        if self.at_word("filter") and self.peek().value == "(":
            self.advance()
            self.expect_operator("(")
            self.expect_word("where")
            condition = self.expression()
            self.expect_operator(")")
        for word in ("ignore", "respect"):
            if self.take_words(word, "nulls"):
                nulls = word
        over = self._over() if self.take_word("over") else None
        if within is None and condition is None and over is None and not nulls:
            return call
        return FuncCall(
            call.at, call.name, call.args, star=call.star, distinct=call.distinct,
            order=call.order, within=within, filter=condition, over=over, nulls=nulls,
        )  # fmt: skip

    def order_by(self) -> tuple[OrderItem, ...]:
        """ORDER BY item, …"""
        self.expect_words("order", "by")
        return self.comma_list(self._order_item)

    def _order_item(self) -> OrderItem:
        at = self.token.start
        value = self.expression()
        descending = False
        if self.take_word("using"):
            operator = self.advance().value
            if operator not in ("<", ">"):
                self.not_yet(f"ORDER BY … USING {operator}")
            descending = operator == ">"
        else:
            descending = self.take_word("asc", "desc") == "desc"
        nulls: bool | None = None
        if self.take_word("nulls"):
            nulls = self.expect_word("first", "last") == "first"
        return OrderItem(at, value, descending, nulls)

    # --- windows ----------------------------------------------------------------------------------

    def _over(self) -> WindowSpec:
        at = self.token.start
        if self.at_operator("("):
            return self.window_spec()
        return WindowSpec(at, self.name("a window's name"), plain=True)

    def window_spec(self) -> WindowSpec:
        """`( [name] [PARTITION BY …] [ORDER BY …] [frame] )`."""
        at = self.token.start
        self.expect_operator("(")
        base = None
        frames = ("partition", "order", "rows", "range", "groups")
        if self.at_name() and not self.at_word(*frames):
            base = self.name()
        partition: tuple[Any, ...] = ()
        if self.take_words("partition", "by"):
            partition = self.comma_list(self.expression)
        order = self.order_by() if self.at_words("order", "by") else ()
        frame = self._frame() if self.at_word("rows", "range", "groups") else None
        self.expect_operator(")")
        return WindowSpec(at, base, partition, order, frame)

    def _frame(self) -> FrameSpec:
        at, mode = self.token.start, self.advance().value
        if self.take_word("between"):
            start = self._frame_end()
            self.expect_word("and")
            end = self._frame_end()
        else:
            start, end = self._frame_end(), FrameEnd(at, "current")
        exclude = ""
        if self.take_word("exclude"):
            if self.take_words("current", "row"):
                exclude = "current row"
            elif self.take_words("no", "others"):
                exclude = ""
            else:
                exclude = self.expect_word("group", "ties")
        return FrameSpec(at, mode, start, end, exclude)

    def _frame_end(self) -> FrameEnd:
        at = self.token.start
        if self.take_word("unbounded"):
            return FrameEnd(at, f"unbounded {self.expect_word('preceding', 'following')}")
        if self.take_words("current", "row"):
            return FrameEnd(at, "current")
        offset = self.expression()
        return FrameEnd(at, self.expect_word("preceding", "following"), offset)
