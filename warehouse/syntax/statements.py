"""Statements: an allow-list of what there is; everything else is refused by its name.

Ours beside PostgreSQL's: `CLUSTER BY [ZORDER] (…)` of CREATE and ALTER TABLE, DESCRIBE, SHOW
TABLES / SCHEMAS / WAREHOUSES [LIKE …], DESCRIBE WAREHOUSE, COPY with object-store paths.
"""

from __future__ import annotations

from typing import Any

from storage.errors import InvalidRequest
from warehouse.syntax.commands import (
    CallNode,
    CommentNode,
    CopyNode,
    CreateSchema,
    CreateType,
    Describe,
    DescribeWarehouse,
    Drop,
    Explain,
    LaterWrite,
    Show,
)
from warehouse.syntax.later import NOUNS, QUALIFIED, READS, WRITES, not_yet
from warehouse.syntax.tree import QueryNode
from warehouse.syntax.vacuum import VacuumGrammar

__all__ = ["StatementGrammar"]

SHOWN = ("tables", "schemas", "warehouses")


class StatementGrammar(VacuumGrammar):
    """Parses one statement. `statement()` is the entry."""

    def statement(self) -> Any:
        """A whole statement up to the end or a semicolon.

        Raises SqlSyntaxError, NotYet.
        """
        found = self._statement()
        if self.token.kind != "end" and not self.at_operator(";"):
            self.fail("expected the end of the statement")
        return found

    def _statement(self) -> Any:
        if self.at_modification():
            return self.modification()
        if self.at_operator("(") or self.at_word("select", "with", "values", "table"):
            return self.query()
        word = self.token.value if self.token.kind == "word" else ""
        match word:
            case "create":
                return self._create()
            case "drop":
                return self._drop()
            case "truncate":
                return self.truncate()
            case "explain":
                return self._explain()
            case "show":
                return self._show()
            case "describe" | "desc":
                return self._describe()
            case "copy":
                return self._copy()
            case "call":
                return self._call()
            case "vacuum" | "analyze" | "analyse":
                return self.vacuum()
            case "comment":
                return self._comment()
            case "alter" if (found := self.alter_system() or self.alter_table()) is not None:
                return found
        if word in WRITES:
            return self._later_write()
        if self.at_words("use", "warehouse") or word == "kill":
            raise InvalidRequest(
                f"{word.upper()} is the session's: run it by itself, with Database.sql", "25001"
            )
        if word in READS:
            raise not_yet(READS[word])
        return self.fail("expected a statement")

    # --- refused ----------------------------------------------------------------------------------

    def _later_write(self) -> LaterWrite:
        at, word = self.token.start, self.token.value
        following = self.peek().value
        name = word.upper()
        if word in QUALIFIED and self.peek().kind == "word" and following in NOUNS:
            name = f"{name} {following.upper()}"
        while self.token.kind != "end" and not self.at_operator(";"):
            self.advance()
        return LaterWrite(at, name)

    # --- CREATE, DROP -----------------------------------------------------------------------------

    def _create(self) -> Any:
        index, at = self.index, self.advance().start
        temporary = bool(self.take_word("temp", "temporary"))
        if self.take_word("table"):
            return self.create_table(at, temporary=temporary)
        if temporary:
            raise not_yet(f"CREATE TEMPORARY {self.token.value.upper()}")
        if self.take_word("schema"):
            exists = self.take_words("if", "not", "exists")
            return CreateSchema(at, self.name("a schema's name"), exists)
        if self.take_word("type"):
            return self._create_type(at)
        self.back_to(index)
        if self.peek().value == "or":
            while self.token.kind != "end":
                self.advance()
            return LaterWrite(at, "CREATE OR REPLACE")
        return self._later_write()

    def _create_type(self, at: int) -> CreateType:
        name = self.dotted_name("a type's name")
        self.expect_word("as")
        if self.take_word("enum"):
            self.expect_operator("(")
            labels: tuple[str, ...] = ()
            if not self.at_operator(")"):
                labels = self.comma_list(lambda: self.string("a label"))
            self.expect_operator(")")
            return CreateType(at, name, labels)
        fields = self.in_parentheses(
            lambda: self.comma_list(lambda: (self.name("a field's name"), self.type_name()))
        )
        return CreateType(at, name, None, fields)

    def _drop(self) -> Any:
        if self.peek().value not in ("table", "schema", "type"):
            if self.peek().value not in NOUNS:
                self.advance()
                self.fail("expected TABLE, SCHEMA or TYPE")
            return self._later_write()
        at, kind = self.advance().start, self.advance().value
        exists = self.take_words("if", "exists")
        names = self.comma_list(lambda: self.dotted_name(f"a {kind}'s name"))
        cascade = bool(self.take_word("cascade"))
        if not cascade:
            self.take_word("restrict")
        return Drop(at, kind, names, exists, cascade)

    # --- COPY -------------------------------------------------------------------------------------

    def _copy(self) -> CopyNode:
        at = self.advance().start
        query: QueryNode | None = None
        table: tuple[str, ...] = ()
        columns: tuple[str, ...] = ()
        if self.at_operator("("):
            query = self.in_parentheses(self.query)
        else:
            table = self.dotted_name("a table's name")
            columns = self.names_in_parentheses() if self.at_operator("(") else ()
        reads = self.expect_word("from", "to") == "from"
        if reads and query is not None:
            self.fail("COPY FROM needs a table")
        if self.at_word("stdin", "stdout", "program"):
            raise not_yet(f"COPY … {self.token.value.upper()}")
        path = self.string("a path in quotes")
        options = self._copy_options()
        if self.at_word("where"):
            raise not_yet("COPY … WHERE")
        return CopyNode(at, path, reads, table, columns, query, options)

    def _copy_options(self) -> tuple[tuple[str, Any], ...]:
        self.take_word("with")
        if self.take_operator("("):
            options = self.comma_list(self._copy_option)
            self.expect_operator(")")
            return options
        options = ()
        while self.token.kind == "word" and not self.at_word("where"):
            word = self.advance().value
            match word:
                case "csv" | "parquet" | "ndjson" | "json":
                    options += (("format", word),)
                case "header":
                    options += (("header", True),)
                case "delimiter" | "null" | "quote" | "escape":
                    self.take_word("as")
                    options += ((word, self.string("a text")),)
                case _:
                    self.fail(f"unknown option {word.upper()} of COPY")
        return options

    def _copy_option(self) -> tuple[str, Any]:
        name = self.label("an option")
        if self.at_operator(",", ")"):
            return name, True
        return name, self.option_value(name)

    # --- the rest ---------------------------------------------------------------------------------

    def _explain(self) -> Explain:
        at = self.advance().start
        analyze = bool(self.take_word("analyze"))
        self.take_word("verbose")
        if not analyze and self.at_operator("(") and not self.at_query():
            self.advance()
            for name, value in self.comma_list(self._copy_option):
                if name == "analyze":
                    analyze = bool(value)
                elif name not in ("verbose", "costs", "buffers", "timing", "summary"):
                    raise not_yet(f"EXPLAIN ({name.upper()})")
            self.expect_operator(")")
        if self.at_modification():
            return Explain(at, self.modification(), analyze)
        if not self.at_query():
            raise not_yet("EXPLAIN of anything but queries and of statements that change rows")
        return Explain(at, self.query(), analyze)

    def _describe(self) -> Describe | DescribeWarehouse:
        at = self.advance().start
        if self.at_word("warehouse") and self.peek().kind in ("word", "name"):
            self.advance()
            return DescribeWarehouse(at, self.name("the name of a virtual warehouse"))
        self.take_word("table")
        return Describe(at, self.dotted_name("a table's name"))

    def _show(self) -> Show:
        at = self.advance().start
        if (kind := self.take_word(*SHOWN)) is not None:
            pattern = self.string("a pattern in quotes") if self.take_word("like") else None
            return Show(at, kind, pattern)
        parts = [self.label(f"one of {', '.join(SHOWN).upper()} or a setting")]
        while self.take_operator("."):
            parts.append(self.label())
        while self.token.kind == "word":
            parts.append(self.advance().value)
        return Show(at, " ".join(parts))

    def _call(self) -> CallNode:
        at = self.advance().start
        name = self.dotted_name("a procedure's name")
        self.expect_operator("(")
        args: tuple[Any, ...] = ()
        if not self.at_operator(")"):
            args = self.comma_list(self.expression)
        self.expect_operator(")")
        return CallNode(at, name, args)

    def _comment(self) -> Any:
        at = self.advance().start
        self.expect_word("on")
        if not self.at_word("table", "column", "schema"):
            self.back_to(self.index - 2)
            return self._comment_later(at)
        kind = self.advance().value
        name = self.dotted_name(f"a {kind}'s name")
        self.expect_word("is")
        text = None if self.take_word("null") else self.string("a text or NULL")
        return CommentNode(at, kind, name, text)

    def _comment_later(self, at: int) -> LaterWrite:
        kind = self.peek(2).value.upper()
        while self.token.kind != "end" and not self.at_operator(";"):
            self.advance()
        return LaterWrite(at, f"COMMENT ON {kind}")
