"""Mobula's SQL dialect: PostgreSQL's grammar with our statements and clauses.

A subclass of sqlglot's Postgres. Three things differ from its parent:

1. Statements are an allow-list. A statement is one of ours (a node of this module), a query, an
   INSERT, or it is refused by name with `NotYet`; sqlglot's fallback to an opaque `Command` cannot
   happen.
2. `AS OF LSN n` and `AS OF TIMESTAMP '…'` stand between a table's name and its alias.
3. Words of clauses that are still to come (`FROM t ARCHIVED`) are refused instead of becoming
   aliases.

Whatever does not parse raises sqlglot's ParseError; `parse.py` gives it a position and a SQLSTATE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.tokenizer_core import TokenType

from warehouse.sql.later import (
    COLUMN_CLAUSES,
    NOUNS,
    QUALIFIED,
    STATEMENTS,
    TABLE_CLAUSES,
    WRITES,
    not_yet,
)

__all__ = [
    "AsOf",
    "CallProcedure",
    "ClusterKey",
    "CreateTable",
    "DescribeTable",
    "DropTables",
    "Explain",
    "LaterWrite",
    "Mobula",
    "ShowObjects",
    "TableColumn",
    "TableOption",
]


class AsOf(exp.Expression):
    """`AS OF LSN n` or `AS OF TIMESTAMP '…'`: `kind` is "LSN" or "TIMESTAMP", `this` the value."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "kind": True}


class TableColumn(exp.Expression):
    """A column of CREATE TABLE; `nullable` None when nothing is said; `refused` names a clause."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "type": True,
        "nullable": False,
        "refused": False,
    }


class ClusterKey(exp.Expression):
    """`CLUSTER BY [ZORDER] (columns)`: `order` is "lexical" or "zorder"."""

    arg_types: ClassVar[dict[str, bool]] = {"expressions": True, "order": True}


class TableOption(exp.Expression):
    """`name = value` of WITH (…)."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "value": True}


class CreateTable(exp.Expression):
    """CREATE TABLE; `refused` names clauses that parse and are not available yet."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expressions": False,
        "exists": False,
        "cluster": False,
        "options": False,
        "refused": False,
    }


class DropTables(exp.Expression):
    """DROP TABLE [IF EXISTS] name."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "exists": False}


class CallProcedure(exp.Expression):
    """CALL [schema.]name(arguments); `name` holds the identifiers."""

    arg_types: ClassVar[dict[str, bool]] = {"name": True, "expressions": False}


class LaterWrite(exp.Expression):
    """A statement that changes the database and is not available yet; `this` is its name.

    It parses, so that a virtual warehouse can refuse it as a write before anything else.
    """

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


class ShowObjects(exp.Expression):
    """SHOW TABLES, SCHEMAS or WAREHOUSES: `kind` is that word."""

    arg_types: ClassVar[dict[str, bool]] = {"kind": True}


class DescribeTable(exp.Expression):
    """DESCRIBE [TABLE] name."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


class Explain(exp.Expression):
    """EXPLAIN [ANALYZE] query."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "analyze": False}


INTEGER_LIMIT, BIGINT_LIMIT = 2**31, 2**63
SHOWN = ("TABLES", "SCHEMAS", "WAREHOUSES")


class MobulaParser(PostgresParser):
    """PostgreSQL's parser with an allow-list of statements and our clauses."""

    # --- statements -------------------------------------------------------------------------------

    def _parse_statement(self) -> exp.Expr | None:
        if not self._curr:
            return None
        self._statement_start = self._index
        word = self._word()
        own: dict[str, Callable[[], exp.Expr]] = {
            "CREATE": self._parse_our_create,
            "DROP": self._parse_our_drop,
            "SHOW": self._parse_our_show,
            "DESCRIBE": self._parse_our_describe,
            "DESC": self._parse_our_describe,
            "EXPLAIN": self._parse_our_explain,
            "CALL": self._parse_our_call,
        }
        if word in own:
            self._advance()
            return own[word]()
        if word in WRITES:
            return self._parse_later_write(self._refused_name(word))
        if word in STATEMENTS:
            raise not_yet(self._refused_name(word))
        if self._curr.token_type in _QUERY_STARTS or word == "INSERT":
            return super()._parse_statement()
        self.raise_error("Expected a statement", self._curr)
        return None

    def _parse_as_command(self, start: Any) -> exp.Command:
        raise not_yet(f"This form of {start.text.upper()}")

    def _parse_command(self) -> exp.Command:
        raise not_yet(f"This form of {self._prev.text.upper()}")

    def _word(self) -> str:
        """The current token's first word in upper case; empty for quoted names and strings."""
        return self._upper(self._curr)

    @staticmethod
    def _words(token: Any) -> list[str]:
        """A token's words: sqlglot reads PRIMARY KEY, CLUSTER BY, … as one token."""
        if not token or token.token_type in (TokenType.IDENTIFIER, TokenType.STRING):
            return []
        return str(token.text).upper().split()

    @classmethod
    def _upper(cls, token: Any) -> str:
        words = cls._words(token)
        return words[0] if words else ""

    def _take(self, *words: str) -> bool:
        """Advance over these words if they come next and none of them is quoted."""
        rest, count = list(words), 0
        while rest:
            following = self._index + count
            found = self._words(self._tokens[following]) if following < len(self._tokens) else []
            if not found or rest[: len(found)] != found:
                return False
            del rest[: len(found)]
            count += 1
        self._advance(count)
        return True

    def _expect(self, *words: str) -> None:
        if not self._take(*words):
            self.raise_error(f"Expected {' '.join(words)}", self._curr or self._prev)

    def _refused_name(self, word: str) -> str:
        """`ALTER TABLE`, `DROP WAREHOUSE`, …: the statement by the words that name it."""
        following = self._upper(self._next)
        if word in QUALIFIED and following in NOUNS:
            return f"{word} {following}"
        return STATEMENTS.get(word, word)

    def _parse_name(self) -> exp.Table:
        """[schema.]name, nothing after it."""
        table = self._parse_table_parts(schema=True)
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            self.raise_error("Expected a table's name", self._curr or self._prev)
        return cast(exp.Table, table)

    def _parse_our_create(self) -> exp.Expr:
        if not self._take("TABLE"):
            names = [*self._words(self._curr), *self._words(self._next)]
            if names[:2] == ["OR", "REPLACE"]:
                names = ["OR REPLACE"]
            known = [word for word in names if word in NOUNS or " " in word]
            return self._parse_later_write(" ".join(["CREATE", *known]))
        exists = self._take("IF", "NOT", "EXISTS")
        name = self._parse_name()
        refused: list[str] = []
        columns = self._parse_our_columns(refused)
        clauses = self._parse_our_table_clauses(refused)
        if not columns and not refused:
            self.raise_error("Expected ( and the columns", self._curr or self._prev)
        return self.expression(
            CreateTable(this=name, expressions=columns, exists=exists, refused=refused, **clauses)
        )

    def _parse_our_columns(self, refused: list[str]) -> list[exp.Expr]:
        if not self._match(TokenType.L_PAREN):
            return []
        columns: list[exp.Expr] = []
        while True:
            clause = next((name for word, name in TABLE_CLAUSES if self._word() == word), None)
            if clause and not self._looks_like_column():
                refused.append(clause)
                self._skip_clause()
            else:
                columns.append(self._parse_our_column())
            if not self._match(TokenType.COMMA):
                break
        self._match_r_paren()
        return columns

    def _looks_like_column(self) -> bool:
        """Is a clause's first word followed by a type, and so a column's name?"""
        return self._upper(self._next) not in ("KEY", "(") and self._word() not in (
            "CONSTRAINT",
            "LIKE",
        )

    def _parse_our_column(self) -> exp.Expr:
        name = self._parse_id_var(any_token=False)
        if not name:
            self.raise_error("Expected a column's name", self._curr or self._prev)
        kind = self._parse_types()
        if not isinstance(kind, exp.DataType):
            self.raise_error(f"Expected a type for column {name}", self._curr or self._prev)
        nullable: bool | None = None
        refused: str | None = None
        while self._curr and self._curr.token_type not in (TokenType.COMMA, TokenType.R_PAREN):
            clause = next((text for word, text in COLUMN_CLAUSES if self._word() == word), None)
            if clause:
                refused = clause
                self._skip_clause()
            elif self._take("NOT", "NULL"):
                nullable = False
            elif self._take("NULL"):
                nullable = True
            else:
                self.raise_error("Expected NULL, NOT NULL, a comma or )", self._curr)
        return self.expression(
            TableColumn(this=name, type=kind, nullable=nullable, refused=refused)
        )

    def _skip_clause(self) -> None:
        """Pass over a refused clause: up to the comma or parenthesis that ends it."""
        depth = 0
        while self._curr:
            kind = self._curr.token_type
            if depth == 0 and kind in (TokenType.COMMA, TokenType.R_PAREN):
                return
            depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
            self._advance()

    def _parse_our_table_clauses(self, refused: list[str]) -> dict[str, Any]:
        clauses: dict[str, Any] = {}
        while self._more():
            if self._take("CLUSTER", "BY"):
                self._once(clauses, "cluster", "CLUSTER BY")
                clauses["cluster"] = self._parse_cluster_key()
            elif self._take("WITH"):
                self._once(clauses, "options", "WITH")
                clauses["options"] = self._parse_wrapped_csv(self._parse_table_option)
            elif self._word() in ("PARTITION", "AS", "PRIMARY", "INHERITS", "ON"):
                word = self._word()
                refused.append(
                    {"PARTITION": "PARTITION BY", "AS": "CREATE TABLE AS"}.get(word, word)
                )
                while self._more():
                    self._advance()
            else:
                self.raise_error("Expected CLUSTER BY, WITH or the end", self._curr)
        return clauses

    def _more(self) -> bool:
        return bool(self._curr) and self._curr.token_type != TokenType.SEMICOLON

    def _once(self, clauses: dict[str, Any], key: str, name: str) -> None:
        if key in clauses:
            self.raise_error(f"{name} is given twice", self._prev)

    def _parse_cluster_key(self) -> exp.Expr:
        order = "zorder" if self._take("ZORDER") else "lexical"
        columns = self._parse_wrapped_csv(lambda: self._parse_id_var(any_token=False))
        return self.expression(ClusterKey(expressions=columns, order=order))

    def _parse_table_option(self) -> exp.Expr:
        name = self._parse_id_var()
        self._match(TokenType.EQ)
        value = self._parse_unary()
        if not name or not isinstance(value, exp.Literal | exp.Neg | exp.Column | exp.Boolean):
            self.raise_error("Expected name = value", self._curr or self._prev)
        return self.expression(TableOption(this=name, value=value))

    def _parse_our_drop(self) -> exp.Expr:
        if not self._take("TABLE"):
            words = ["DROP", *(w for w in [self._word()] if w in NOUNS)]
            return self._parse_later_write(" ".join(words))
        exists = self._take("IF", "EXISTS")
        name = self._parse_name()
        if self._match(TokenType.COMMA, advance=False):
            raise not_yet("DROP TABLE of several tables")
        if self._take("CASCADE"):
            raise not_yet("DROP TABLE … CASCADE")
        self._take("RESTRICT")
        return self.expression(DropTables(this=name, exists=exists))

    def _parse_our_show(self) -> exp.Expr:
        word = self._word()
        if word in SHOWN:
            self._advance()
            return self.expression(ShowObjects(kind=word))
        if not word:
            self.raise_error(f"Expected one of {', '.join(SHOWN)}", self._curr or self._prev)
        raise not_yet(f"SHOW {word}")

    def _parse_our_describe(self) -> exp.Expr:
        self._take("TABLE")
        return self.expression(DescribeTable(this=self._parse_name()))

    def _parse_our_explain(self) -> exp.Expr:
        analyze = self._take("ANALYZE") or self._take("(", "ANALYZE", ")")
        query = self._parse_statement()
        if not isinstance(query, exp.Query):
            raise not_yet("EXPLAIN of anything but a query")
        return self.expression(Explain(this=query, analyze=analyze))

    def _parse_our_call(self) -> exp.Expr:
        name = [self._parse_id_var()]
        while self._match(TokenType.DOT):
            name.append(self._parse_id_var())
        if not all(name):
            self.raise_error("Expected a procedure's name", self._curr or self._prev)
        arguments = self._parse_wrapped_csv(self._parse_expression, optional=False)
        return self.expression(CallProcedure(name=name, expressions=arguments))

    def _parse_later_write(self, name: str) -> exp.Expr:
        """Pass over the rest of a statement that `plan` will refuse; inside another one (a CTE,
        EXPLAIN) it is refused here."""
        if self._statement_start:
            raise not_yet(name)
        while self._more():
            self._advance()
        return self.expression(LaterWrite(this=name))

    # --- clauses of table references --------------------------------------------------------------

    def _at_as_of(self) -> bool:
        return self._word() == "AS" and self._upper(self._next) == "OF"

    def _parse_table_parts(self, *args: Any, **kwargs: Any) -> Any:
        index = self._index
        table = super()._parse_table_parts(*args, **kwargs)
        if kwargs.get("fast") and table is not None and self._at_as_of():
            self._retreat(index)  # the slow path looks for a version before an alias
            return None
        return table

    def _parse_version(self) -> Any:
        if not self._at_as_of():
            return None
        self._expect("AS", "OF")
        kind = self._word()
        if kind not in ("LSN", "TIMESTAMP"):
            self.raise_error("Expected LSN n or TIMESTAMP '…' after AS OF", self._curr)
        self._advance()
        value = self._parse_primary() or self._parse_placeholder()
        if not isinstance(value, exp.Literal | exp.Parameter):
            self.raise_error(f"Expected a value after AS OF {kind}", self._curr or self._prev)
        return self.expression(AsOf(this=value, kind=kind))

    def _parse_table_alias(self, *args: Any, **kwargs: Any) -> Any:
        if self._at_as_of():
            self.raise_error(
                "AS OF LSN n or AS OF TIMESTAMP '…' follows a table's name and precedes its alias",
                self._curr,
            )
        if self._word() == "ARCHIVED":
            raise not_yet("FROM … ARCHIVED")
        return super()._parse_table_alias(*args, **kwargs)


def _annotate_literal(annotator: Any, node: exp.Literal) -> exp.Literal:
    """PostgreSQL's type of a literal: `1.5` is numeric, `1e0` too, but Polars reads a float."""
    text = str(node.this)
    if node.is_string:
        kind = exp.DType.VARCHAR
    elif node.is_int:
        value = int(text)
        small = value < INTEGER_LIMIT
        kind = exp.DType.INT if small else exp.DType.BIGINT
        if value >= BIGINT_LIMIT:
            kind = exp.DType.DECIMAL
    else:
        kind = exp.DType.DOUBLE if "e" in text.lower() else exp.DType.DECIMAL
    annotator._set_type(node, kind)
    node.meta["nonnull"] = True
    return node


_QUERY_STARTS = {TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN, TokenType.VALUES}


class Mobula(Postgres):
    """The dialect users write: `sqlglot.parse(sql, dialect=Mobula)`."""

    class Tokenizer(Postgres.Tokenizer):
        # The parent swallows everything after SHOW, CALL, COPY, … into one string.
        COMMANDS: ClassVar[set[TokenType]] = set()

    Parser = MobulaParser
    EXPRESSION_METADATA = {  # noqa: RUF012 (the parent declares it)
        **Postgres.EXPRESSION_METADATA,
        exp.Literal: {"annotator": _annotate_literal},
    }
