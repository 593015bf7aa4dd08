"""CREATE TABLE: columns, their defaults and constraints, and what follows the parenthesis."""

from __future__ import annotations

from typing import Any

from storage.errors import InvalidRequest, NotYet
from warehouse.syntax.commands import (
    AlterSystem,
    AlterTableCluster,
    AlterTableOptions,
    CheckDef,
    ColumnDef,
    CreateTable,
    CreateTableAs,
    IdentityDef,
    KeyDef,
)
from warehouse.syntax.later import not_yet
from warehouse.syntax.partitions import AlterPartitions, PartitionGrammar
from warehouse.syntax.partitions_tree import PartitionBy
from warehouse.syntax.tree import TypeName

__all__ = ["DefinitionGrammar"]

_TABLE_CLAUSES = {
    "foreign": "FOREIGN KEY",
    "exclude": "EXCLUDE",
    "like": "LIKE",
}
_COLUMN_CLAUSES = {
    "references": "REFERENCES",
    "storage": "STORAGE",
    "compression": "COMPRESSION",
}
_SERIALS = {
    "serial": "int4",
    "serial4": "int4",
    "bigserial": "int8",
    "serial8": "int8",
    "smallserial": "int2",
    "serial2": "int2",
}
_LATER_CLAUSES = ("inherits", "on", "tablespace", "using")


_Clauses = tuple[
    tuple[str, tuple[str, ...]] | None, tuple[tuple[str, Any], ...], PartitionBy | None
]


class DefinitionGrammar(PartitionGrammar):
    """Parses CREATE TABLE from behind that word."""

    def create_table(self, at: int, *, temporary: bool) -> CreateTable | CreateTableAs:
        """Raises SqlSyntaxError; NotYet for the clauses of later versions."""
        exists = self.take_words("if", "not", "exists")
        name = self.dotted_name("a table's name")
        if self.at_word("of"):
            raise not_yet("CREATE TABLE … OF")
        if self.at_words("partition", "of"):
            raise not_yet("CREATE TABLE … PARTITION OF")
        columns: list[ColumnDef] = []
        checks: list[CheckDef] = []
        keys: list[KeyDef] = []
        only_names: tuple[str, ...] = ()
        if self.at_operator("("):
            if self._at_names_only():
                only_names = self.names_in_parentheses()
            else:
                self._elements(columns, checks, keys)
        cluster, options, partition = self._clauses()
        if not columns and not checks and (only_names or self.at_word("as")):
            self.expect_word("as")
            query = self.query()
            data = True
            if self.take_words("with", "no", "data"):
                data = False
            else:
                self.take_words("with", "data")
            return CreateTableAs(
                *(at, name, query, only_names, exists, temporary, cluster, options, data),
                partition=partition,
            )
        if not columns:
            self.fail("expected ( and the columns")
        return CreateTable(
            at,
            name,
            tuple(columns),
            tuple(checks),
            exists,
            temporary,
            cluster,
            options,
            tuple(keys),
            partition,
        )

    def _at_names_only(self) -> bool:
        """`(a, b)` of CREATE TABLE … AS, where no types follow the names."""
        return self.peek(1).kind in ("word", "name") and self.peek(2).value in (",", ")")

    def _elements(
        self, columns: list[ColumnDef], checks: list[CheckDef], keys: list[KeyDef]
    ) -> None:
        self.expect_operator("(")
        while True:
            self._element(columns, checks, keys)
            if not self.take_operator(","):
                break
        self.expect_operator(")")

    def _element(
        self, columns: list[ColumnDef], checks: list[CheckDef], keys: list[KeyDef]
    ) -> None:
        at = self.token.start
        name = None
        if self.at_word("constraint"):
            self.advance()
            name = self.name("a constraint's name")
        if self.at_word("check") and self.peek().value == "(":
            checks.append(self._check(at, name))
            return
        if self._at_key():  # reserved words: a column of that name is in quotes
            keys.append(self._table_key(at, name))
            return
        word = self.token.value if self.token.kind == "word" else ""
        if word in _TABLE_CLAUSES and (name is not None or self._is_clause(word)):
            raise not_yet(_TABLE_CLAUSES[word])
        if name is not None:
            self.fail("expected CHECK, PRIMARY KEY or UNIQUE")
        columns.append(self._column())

    def _at_key(self) -> bool:
        return self.at_words("primary", "key") or self.at_word("unique")

    def _table_key(self, at: int, name: str | None) -> KeyDef:
        primary = self._key_words()
        if self.at_words("using", "index"):
            raise not_yet("a constraint USING INDEX")
        columns = self.names_in_parentheses()
        if self.at_word("include"):
            raise not_yet("INCLUDE of a constraint")
        self._key_options()
        return KeyDef(at, name, columns, primary)

    def _column_key(self, at: int, name: str | None, column: str) -> KeyDef:
        primary = self._key_words()
        self._key_options()
        return KeyDef(at, name, (column,), primary)

    def _key_words(self) -> bool:
        """PRIMARY KEY (true) or UNIQUE [NULLS DISTINCT]."""
        if self.take_words("primary", "key"):
            return True
        self.expect_word("unique")
        if self.take_words("nulls", "not", "distinct"):
            raise not_yet("UNIQUE NULLS NOT DISTINCT")
        self.take_words("nulls", "distinct")
        return False

    def _key_options(self) -> None:
        if self.at_word("with") or self.at_words("using", "index"):
            raise not_yet("an option of a constraint's index")
        self.take_words("not", "deferrable")
        self.take_words("initially", "immediate")
        if self.at_word("deferrable") or self.at_words("initially", "deferred"):
            raise not_yet("DEFERRABLE")

    def _is_clause(self, word: str) -> bool:
        following = self.peek()
        if word == "foreign":
            return following.value == "key"
        return following.value == "(" or word == "like"

    def _check(self, at: int, name: str | None) -> CheckDef:
        self.expect_word("check")
        self.expect_operator("(")
        start = self.token.start
        expr = self.expression()
        text = self.text[start : self.token.start].strip()
        self.expect_operator(")")
        if self.take_words("no", "inherit"):
            pass
        return CheckDef(at, name, expr, text)

    def _column(self) -> ColumnDef:
        at = self.token.start
        name = self.name("a column's name")
        kind = self.type_name()
        nullable: bool | None = None
        default: tuple[str, Any] | None = None
        identity: IdentityDef | None = None
        if kind.name[0] in _SERIALS and len(kind.name) == 1:
            kind, nullable = self._serial(kind), False
            identity = IdentityDef(at, False, None, 1, None, None)
        checks: list[CheckDef] = []
        keys: list[KeyDef] = []
        collation: tuple[str, ...] = ()
        while not self.at_operator(",", ")"):
            constraint = None
            if self.take_word("constraint"):
                constraint = self.name("a constraint's name")
            start = self.token.start
            if self._at_key():
                keys.append(self._column_key(start, constraint, name))
            elif self.at_word("not", "null"):
                nullable = self._nullable(name, nullable)
            elif self.take_word("default"):
                if default is not None:
                    self.fail(f"multiple default values specified for column {name}")
                default = self._default()
            elif self.at_word("check"):
                checks.append(self._check(start, constraint))
            elif self.take_word("collate"):
                if collation:
                    self.fail("multiple COLLATE clauses not allowed")
                collation = self.dotted_name("a collation")
            elif self.take_word("generated"):
                if identity is not None:
                    self.fail(f"multiple identity specifications for column {name}")
                identity = self._identity(start, name)
            elif self.token.kind == "word" and self.token.value in _COLUMN_CLAUSES:
                clause = _COLUMN_CLAUSES[self.token.value]
                raise not_yet(f"column {name}: {clause}")
            else:
                self.fail("expected NULL, NOT NULL, DEFAULT, CHECK, GENERATED, a comma or )")
        if identity is not None and (default is not None or nullable):
            self.fail(f"column {name}: an identity has no DEFAULT and is NOT NULL")
        text, expr = default if default is not None else (None, None)
        allowed = identity is None if nullable is None else nullable
        return ColumnDef(
            *(at, name, kind, allowed, text, expr, identity),
            checks=tuple(checks),
            keys=tuple(keys),
            collation=collation,
        )

    def _serial(self, named: TypeName) -> TypeName:
        """The type of a column that numbers its rows: SERIAL is short for an identity."""
        if named.dimensions:
            raise NotYet(f"array of {named.name[0]} is not implemented")
        if named.modifiers:
            self.fail(f"{named.name[0]} has no modifiers")
        return TypeName(named.at, (_SERIALS[named.name[0]],))

    def _nullable(self, column: str, known: bool | None) -> bool:
        """NULL or NOT NULL; `known`: what was said before."""
        found = not self.take_word("not")
        self.expect_word("null")
        if known not in (None, found):
            self.fail(f"conflicting NULL/NOT NULL declarations for column {column}")
        return found

    def _default(self) -> tuple[str, Any]:
        start = self.token.start
        expr = self.expression(7)  # b_expr: NOT NULL behind it is a constraint
        end = self.tokens[self.index - 1].end
        return self.text[start:end], expr

    def _identity(self, at: int, column: str) -> IdentityDef:
        if self.take_words("by", "default"):
            always = False
        else:
            self.expect_word("always")
            always = True
        self.expect_word("as")
        if not self.take_word("identity"):
            raise not_yet(f"column {column}: GENERATED … AS (expression)")
        options: dict[str, int | None] = {}
        if self.take_operator("("):
            while not self.take_operator(")"):
                option, value = self._sequence_option(column)
                if option in options:
                    self.fail("conflicting or redundant options")
                options[option] = value
        increment = options.get("increment")
        return IdentityDef(
            at,
            always,
            options.get("start"),
            1 if increment is None else increment,
            options.get("minvalue"),
            options.get("maxvalue"),
        )

    def _sequence_option(self, column: str) -> tuple[str, int | None]:
        """An option of an identity's sequence; a NO … is None.

        CACHE is checked and no more: values are always reserved in blocks.
        """
        no = bool(self.take_word("no"))
        option = self.token.value if self.token.kind == "word" else ""
        if option not in ("start", "increment", "minvalue", "maxvalue", "cache", "cycle"):
            raise not_yet(f"column {column}: {self.token.value.upper()} of an identity")
        self.advance()
        if no or option == "cycle":
            if not no:
                raise not_yet(f"column {column}: CYCLE of an identity")
            if option not in ("minvalue", "maxvalue", "cycle"):
                self.fail("expected MINVALUE, MAXVALUE or CYCLE behind NO")
            return option, None
        self.take_word({"start": "with", "increment": "by"}.get(option, ""))
        value = self._signed_integer()
        if option == "cache" and value < 1:
            raise InvalidRequest(f"CACHE ({value}) must be greater than zero", "22023")
        return option, value

    def _signed_integer(self) -> int:
        sign = -1 if self.take_operator("-") else 1
        return sign * self.integer("a whole number")

    # --- behind the columns -----------------------------------------------------------------------

    def _clauses(self) -> _Clauses:
        partition: PartitionBy | None = None
        cluster: tuple[str, tuple[str, ...]] | None = None
        options: tuple[tuple[str, Any], ...] | None = None
        while True:
            if self.at_words("cluster", "by"):
                if cluster is not None:
                    self.fail("CLUSTER BY is given twice")
                self.take_words("cluster", "by")
                cluster = self._cluster()
            elif self.at_words("partition", "by"):
                if partition is not None:
                    self.fail("PARTITION BY is given twice")
                partition = self.partition_by()
            elif self.at_word("with") and self.peek().value == "(":
                if options is not None:
                    self.fail("WITH is given twice")
                self.advance()
                options = self.in_parentheses(lambda: self.comma_list(self._option))
            elif self.at_word(*_LATER_CLAUSES):
                raise not_yet(self.token.value.upper())
            else:
                return cluster, options or (), partition

    def _cluster(self) -> tuple[str, tuple[str, ...]]:
        order = "zorder" if self.take_word("zorder") else "lexical"
        return order, self.names_in_parentheses()

    def alter_system(self) -> AlterSystem | None:
        """ALTER SYSTEM SET or RESET, from ALTER on; None: it is another one."""
        if not (self.peek().value == "system" and self.peek(2).value in ("set", "reset")):
            return None
        at = self.advance().start
        self.advance()
        is_set = self.advance().value == "set"
        name = self.label("a setting")
        if not is_set:
            return AlterSystem(at, name)
        if not self.take_operator("="):
            self.expect_word("to")
        return AlterSystem(at, name, self.string("its value in quotes"))

    def alter_table(self) -> AlterTableCluster | AlterTableOptions | AlterPartitions | None:
        """ALTER TABLE … CLUSTER BY, SET (…) or RESET (…), and what is about partitions, from ALTER
        on; None: it is another one, and all is as it was."""
        index, at = self.index, self.advance().start
        if not self.take_word("table"):
            self.back_to(index)
            return None
        exists = self.take_words("if", "exists")
        name = self.dotted_name("a table's name")
        if (found := self.alter_partitions(at, name, exists)) is not None:
            return found
        if self.take_words("drop", "clustering", "key"):
            return AlterTableCluster(at, name, None, exists)
        if self.at_word("set", "reset") and self.peek().value == "(":
            if self.advance().value == "reset":
                reset = self.in_parentheses(lambda: self.comma_list(self.label))
                return AlterTableOptions(at, name, (), reset, exists)
            options = self.in_parentheses(lambda: self.comma_list(self._option))
            return AlterTableOptions(at, name, options, (), exists)
        if not self.take_words("cluster", "by"):
            self.back_to(index)
            return None
        cluster = None if self.take_word("none") else self._cluster()
        return AlterTableCluster(at, name, cluster, exists)

    def _option(self) -> tuple[str, Any]:
        name = self.label("an option")
        self.expect_operator("=")
        return name, self.option_value(name)

    def option_value(self, name: str) -> str | int | float | bool:
        """A number, a text, or a word: true, on, false and off are Booleans."""
        sign = -1 if self.take_operator("-") else 1
        token = self.token
        if token.kind not in (("number",) if sign < 0 else ("word", "name", "string", "number")):
            self.fail(f"expected the value of {name}")
        self.advance()
        if token.kind == "number":
            return sign * (int(token.value) if token.value.isdigit() else float(token.value))
        if token.kind == "word" and token.value in ("true", "false", "on", "off"):
            return token.value in ("true", "on")
        return token.value
