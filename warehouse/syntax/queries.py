"""Queries: SELECT, VALUES, TABLE, set operations, WITH, FROM and its joins.

Source: PostgreSQL documentation, SELECT. Ours: `AS OF LSN n` and `AS OF TIMESTAMP '…'` between a
table's name and its alias, a quoted path in FROM (`FROM 's3://bucket/*.parquet'`), and functions of
the schema `mobula` in FROM.
"""

from __future__ import annotations

from typing import Any

from warehouse.syntax.expressions import ExpressionGrammar
from warehouse.syntax.keywords import (
    FILE_FUNCTIONS,
    NOT_BARE,
    RESERVED,
    TYPE_OR_FUNCTION,
    own_function,
)
from warehouse.syntax.tree import (
    AsOf,
    Constant,
    CteDef,
    Derived,
    FuncCall,
    FunctionRef,
    GroupingSets,
    JoinRef,
    ParameterRef,
    QueryNode,
    RowExpr,
    Sampling,
    SelectItem,
    SelectNode,
    SetOp,
    Star,
    TableRef,
    TypeName,
    ValuesNode,
    WindowSpec,
)

__all__ = ["QueryGrammar"]

_JOIN_WORDS = ("join", "inner", "left", "right", "full", "cross", "natural")


class QueryGrammar(ExpressionGrammar):
    """Parses queries. `query()` is the entry."""

    def query(self) -> QueryNode:
        """WITH … body ORDER BY … LIMIT …; also in parentheses."""
        at = self.token.start
        with_, recursive = self._with() if self.at_word("with") else ((), False)
        body = self._set_operation(0)
        order = self.order_by() if self.at_words("order", "by") else ()
        limit, offset, ties = self._limits()
        if self.at_word("for") and self.peek().value in ("update", "share", "no", "key"):
            self.not_yet("SELECT … FOR UPDATE")
        plain = not with_ and not order and limit is None and offset is None
        if plain and isinstance(body, QueryNode):
            return body
        return QueryNode(at, body, with_, recursive, order, limit, offset, ties)

    # --- WITH -------------------------------------------------------------------------------------

    def _with(self) -> tuple[tuple[CteDef, ...], bool]:
        self.expect_word("with")
        recursive = bool(self.take_word("recursive"))
        return self.comma_list(self._cte), recursive

    def _cte(self) -> CteDef:
        at = self.token.start
        name = self.name("a name")
        columns = self.names_in_parentheses() if self.at_operator("(") else ()
        self.expect_word("as")
        if not self.take_words("not", "materialized"):
            self.take_word("materialized")
        self.expect_operator("(")
        if self.at_word("insert", "update", "delete", "merge"):
            self.not_yet(f"{self.token.value.upper()} inside WITH")
        query = self.query()
        self.expect_operator(")")
        if self.at_word("search", "cycle"):
            self.not_yet(f"{self.token.value.upper()} of WITH RECURSIVE")
        return CteDef(at, name, columns, query)

    # --- bodies -----------------------------------------------------------------------------------

    def _set_operation(self, least: int) -> Any:
        at = self.token.start
        left = self._simple()
        while True:
            word = self.token.value if self.at_word("union", "except", "intersect") else ""
            level = {"": -1, "intersect": 1}.get(word, 0)
            if level < least:
                return left
            self.advance()
            every = bool(self.take_word("all"))
            if not every:
                self.take_word("distinct")
            right = self._set_operation(level + 1)
            left = SetOp(at, word, every, _as_query(left), _as_query(right))

    def _simple(self) -> Any:
        at = self.token.start
        if self.at_operator("("):
            return self.in_parentheses(self.query)
        if self.take_word("values"):
            return ValuesNode(at, self.comma_list(self._value_row))
        if self.take_word("table"):
            reference = self._table_name()
            return SelectNode(at, (SelectItem(at, Star(at)),), from_=(reference,))
        self.expect_word("select")
        return self._select(at)

    def _value_row(self) -> tuple[Any, ...]:
        return self.in_parentheses(lambda: self.comma_list(self.expression))

    def _select(self, at: int) -> SelectNode:
        distinct: Any = False
        if self.take_word("distinct"):
            distinct = True
            if self.take_word("on"):
                distinct = self.in_parentheses(lambda: self.comma_list(self.expression))
        else:
            self.take_word("all")
        items: tuple[SelectItem, ...] = ()
        if not self._at_end_of_items():
            items = self.comma_list(self._item)
        if self.at_word("into"):
            self.not_yet("SELECT … INTO")
        from_: tuple[Any, ...] = ()
        if self.take_word("from"):
            from_ = self.comma_list(self._from_item)
        where = self.expression() if self.take_word("where") else None
        group, group_distinct = self._group()
        having = self.expression() if self.take_word("having") else None
        windows: tuple[tuple[str, WindowSpec], ...] = ()
        if self.take_word("window"):
            windows = self.comma_list(self._named_window)
        return SelectNode(at, items, distinct, from_, where, group, group_distinct, having, windows)

    def _at_end_of_items(self) -> bool:
        ends = (
            "from",
            "where",
            "group",
            "having",
            "union",
            "intersect",
            "except",
            "order",
            "limit",
        )
        return self.token.kind == "end" or self.at_operator(")", ";") or self.at_word(*ends)

    def _item(self) -> SelectItem:
        at = self.token.start
        if self.take_operator("*"):
            return SelectItem(at, Star(at))
        value = self.expression()
        if self.take_word("as"):
            return SelectItem(at, value, self.label("an output's name"))
        if self.token.kind == "name" or (
            self.token.kind == "word"
            and self.token.value not in RESERVED
            and self.token.value not in NOT_BARE
        ):
            return SelectItem(at, value, self.advance().value)
        return SelectItem(at, value)

    def _named_window(self) -> tuple[str, WindowSpec]:
        name = self.name("a window's name")
        self.expect_word("as")
        return name, self.window_spec()

    # --- GROUP BY ---------------------------------------------------------------------------------

    def _group(self) -> tuple[tuple[Any, ...], bool]:
        if not self.take_words("group", "by"):
            return (), False
        distinct = bool(self.take_word("distinct"))
        if not distinct:
            self.take_word("all")
        return self.comma_list(self._group_item), distinct

    def _group_item(self) -> Any:
        at = self.token.start
        for kind in ("rollup", "cube"):
            if self.at_word(kind) and self.peek().value == "(":
                self.advance()
                return GroupingSets(at, kind, self._group_items())
        if self.take_words("grouping", "sets"):
            return GroupingSets(at, "sets", self._group_items())
        if self.at_operator("(") and self.peek().value == ")":
            self.advance()
            self.advance()
            return RowExpr(at, ())
        return self.expression()

    def _group_items(self) -> tuple[Any, ...]:
        return self.in_parentheses(lambda: self.comma_list(self._group_item))

    # --- LIMIT ------------------------------------------------------------------------------------

    def _limits(self) -> tuple[Any, Any, bool]:
        limit: Any = None
        offset: Any = None
        ties = False
        while True:
            if limit is None and self.take_word("limit"):
                at = self.token.start
                limit = Constant(at, "null") if self.take_word("all") else self.expression()
            elif offset is None and self.take_word("offset"):
                offset = self.expression()
                self.take_word("row", "rows")
            elif limit is None and self.at_word("fetch"):
                limit, ties = self._fetch()
            else:
                return limit, offset, ties

    def _fetch(self) -> tuple[Any, bool]:
        at = self.advance().start
        self.expect_word("first", "next")
        limit: Any = Constant(at, "number", "1")
        if not self.at_word("row", "rows"):
            limit = self.expression(8)
        self.expect_word("row", "rows")
        if self.take_words("with", "ties"):
            return limit, True
        self.expect_word("only")
        return limit, False

    # --- FROM -------------------------------------------------------------------------------------

    def _from_item(self) -> Any:
        left = self._from_primary()
        while self.at_word(*_JOIN_WORDS):
            left = self._join(left)
        return left

    def _join(self, left: Any) -> JoinRef:
        at = self.token.start
        natural = bool(self.take_word("natural"))
        kind = self.take_word("inner", "left", "right", "full", "cross") or "inner"
        if kind in ("left", "right", "full"):
            self.take_word("outer")
        self.expect_word("join")
        right = self._from_primary()
        if kind == "cross" or natural:
            return JoinRef(at, kind, left, right, natural=natural)
        while self.at_word(*_JOIN_WORDS):  # `a JOIN b JOIN c ON … ON …`
            right = self._join(right)
        if self.take_word("on"):
            return JoinRef(at, kind, left, right, on=self.expression())
        self.expect_word("using")
        columns = self.names_in_parentheses()
        alias = self.name() if self.take_word("as") else None
        return JoinRef(at, kind, left, right, using=columns, alias=alias)

    def _from_primary(self) -> Any:
        at = self.token.start
        lateral = bool(self.take_word("lateral"))
        if self.token.kind == "string":
            path = self.advance().value
            self.opens_files = True
            alias, columns, _ = self._alias()
            return TableRef(at, (path,), alias, columns, None, self._sampled(), file=True)
        if self.at_operator("("):
            return self._from_parentheses(at, lateral)
        if self.at_words("rows", "from") and self.peek(2).value == "(":
            self.advance()
            self.advance()
            calls = self.in_parentheses(lambda: self.comma_list(self._from_function))
            return self._function_ref(at, calls, lateral)
        self.take_word("only")
        if self._at_function():
            return self._function_ref(at, (self._from_function(),), lateral)
        if lateral:
            self.fail("expected a query or function after LATERAL")
        return self._table(at)

    def _at_function(self) -> bool:
        ahead = 0
        while self.peek(ahead).kind in ("word", "name") and self.peek(ahead + 1).value == ".":
            ahead += 2
        token, following = self.peek(ahead), self.peek(ahead + 1)
        if token.kind == "word" and token.value in RESERVED:
            return token.value in ("current_date", "current_timestamp", "current_user")
        return (
            token.kind in ("word", "name")
            and following.kind == "operator"
            and following.value == "("
        )

    def _from_function(self) -> FuncCall:
        found = self.primary()
        if not isinstance(found, FuncCall):
            self.fail("expected a function")
        return found

    def _function_ref(self, at: int, calls: tuple[FuncCall, ...], lateral: bool) -> FunctionRef:
        ordinality = self.take_words("with", "ordinality")
        alias, columns, definitions = self._alias()
        files = any(call.name[-1] in FILE_FUNCTIONS for call in calls)
        self.opens_files |= files
        self.observes |= {name for call in calls if (name := own_function(call.name))}
        sample = self._sampled() if files else None
        return FunctionRef(at, calls, alias, columns, definitions, ordinality, lateral, sample)

    def _from_parentheses(self, at: int, lateral: bool) -> Any:
        if self.at_query():
            query = self.in_parentheses(self.query)
            alias, columns, _ = self._alias()
            return Derived(at, query, alias, columns, lateral)
        self.advance()
        inside = self._from_item()
        if not isinstance(inside, JoinRef):
            self.fail("expected a join inside the parentheses")
        self.expect_operator(")")
        alias, columns, _ = self._alias()
        if alias is not None:
            self.not_yet("an alias of a join in parentheses")
        return inside

    def _table_name(self) -> TableRef:
        at = self.token.start
        self.take_word("only")
        name = self.dotted_name("a table's name")
        self.take_operator("*")
        return TableRef(at, name)

    def _table(self, at: int) -> TableRef:
        reference = self._table_name()
        as_of = self._as_of()
        if self.at_word("archived"):
            self.not_yet("FROM … ARCHIVED")
        alias, columns, _ = self._alias()
        if as_of is None and self._at_as_of():
            self.fail("AS OF LSN n or AS OF TIMESTAMP '…' follows the name and precedes the alias")
        return TableRef(at, reference.name, alias, columns, as_of, self._sampled())

    def _at_as_of(self) -> bool:
        return self.at_words("as", "of") and self.peek(2).value in ("lsn", "timestamp")

    def _as_of(self) -> AsOf | None:
        if not self.at_words("as", "of"):
            return None
        at = self.advance().start
        self.advance()
        kind = self.take_word("lsn", "timestamp")
        if kind is None:
            self.fail("expected LSN n or TIMESTAMP '…' after AS OF")
        token = self.token
        if token.kind not in ("number", "string", "parameter"):
            self.fail(f"expected a value after AS OF {kind.upper()}")
        self.advance()
        value: Any = Constant(token.start, token.kind, token.value)
        if token.kind == "parameter":
            value = ParameterRef(token.start, token.value)
        found = AsOf(at, kind, value)
        self.versions.append(found)
        return found

    def _sampled(self) -> Sampling | None:
        at = self.token.start
        if not self.take_word("tablesample"):
            return None
        method = self.name("a sampling method")
        percent = self.in_parentheses(self.expression)
        seed = self.in_parentheses(self.expression) if self.take_word("repeatable") else None
        return Sampling(at, method, percent, seed)

    def _alias(self) -> tuple[str | None, tuple[str, ...], tuple[tuple[str, TypeName], ...]]:
        if self._at_as_of():
            self.fail("AS OF LSN n or AS OF TIMESTAMP '…' follows a table's name, before its alias")
        explicit = bool(self.take_word("as"))
        if explicit and self.at_operator("("):
            return None, (), self._definitions()
        if not explicit and not self._at_bare_alias():
            return None, (), ()
        alias = self.name("an alias")
        if not self.at_operator("("):
            return alias, (), ()
        if self.peek(2).value in (",", ")"):
            return alias, self.names_in_parentheses(), ()
        return alias, (), self._definitions()

    def _at_bare_alias(self) -> bool:
        if self.token.kind == "name":
            return True
        value = self.token.value
        return self.token.kind == "word" and value not in RESERVED and value not in TYPE_OR_FUNCTION

    def _definitions(self) -> tuple[tuple[str, TypeName], ...]:
        def definition() -> tuple[str, TypeName]:
            return self.name("a column's name"), self.type_name()

        return self.in_parentheses(lambda: self.comma_list(definition))


def _as_query(body: Any) -> QueryNode:
    return body if isinstance(body, QueryNode) else QueryNode(body.at, body)
