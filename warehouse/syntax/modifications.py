"""Statements that change rows: INSERT, UPDATE, DELETE, MERGE, TRUNCATE, and the WITH before them.

Source: PostgreSQL 16 documentation. RETURNING of MERGE and WHEN NOT MATCHED BY SOURCE came later;
both are refused by name.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec

from warehouse.syntax.definitions import DefinitionGrammar
from warehouse.syntax.later import not_yet
from warehouse.syntax.modifications_tree import (
    Assignment,
    Delete,
    Insert,
    Merge,
    MergeWhen,
    Modification,
    OnConflict,
    Truncate,
    Update,
)
from warehouse.syntax.tree import QueryExpr, RowExpr, SelectItem

__all__ = ["ModificationGrammar"]

_BEHIND = {"insert": "into", "delete": "from", "merge": "into"}


class ModificationGrammar(DefinitionGrammar):
    """Parses statements that change rows. `modification()` is the entry."""

    def at_modification(self) -> bool:
        """Does one of them come next, perhaps behind a WITH?"""
        if self.at_word("merge"):
            return self.peek().value == "into"
        return self.at_word("insert", "update", "delete") or self._behind_with()

    def modification(self) -> Modification:
        """[WITH …] INSERT, UPDATE, DELETE or MERGE. Raises SqlSyntaxError, NotYet."""
        with_, recursive = self._with() if self.at_word("with") else ((), False)
        found: Modification
        match self.token.value:
            case "insert":
                found = self._insert()
            case "update":
                found = self._update()
            case "delete":
                found = self._delete()
            case _:
                found = self._merge()
        if not with_:
            return found
        return msgspec.structs.replace(found, with_=with_, recursive=recursive)

    def truncate(self) -> Truncate:
        """TRUNCATE [TABLE] a, b [RESTART IDENTITY]."""
        at = self.advance().start
        self.take_word("table")
        tables = self.comma_list(self._target_name)
        restart = self.take_words("restart", "identity")
        if not restart:
            self.take_words("continue", "identity")
        self.take_word("cascade", "restrict")  # there are no foreign keys to follow
        return Truncate(at, tables, restart)

    def _behind_with(self) -> bool:
        """Does a statement that changes rows come behind the tables of a WITH?"""
        if not self.at_word("with"):
            return False
        depth = 0
        for token, following in pairwise(self.tokens[self.index :]):
            if token.kind == "operator":
                depth += {"(": 1, ")": -1, ";": -1}.get(token.value, 0)
                if depth < 0:
                    return False
            elif depth == 0 and token.kind == "word":
                if token.value in ("select", "values", "table") and following.value != "as":
                    return False
                if following.value == _BEHIND.get(token.value, ""):
                    return True
                if token.value == "update" and following.value not in ("as", "("):
                    return True
        return False

    # --- INSERT -----------------------------------------------------------------------------------

    def _insert(self) -> Insert:
        at = self.advance().start
        self.expect_word("into")
        table = self.dotted_name("a table's name")
        alias = self.name("an alias") if self.take_word("as") else None
        columns: tuple[str, ...] = ()
        if self.at_operator("(") and not self.at_query():
            columns = self.comma_list_of_targets()
        overriding = self._overriding()
        query = None if self.take_words("default", "values") else self.query()
        conflict = self._on_conflict() if self.at_words("on", "conflict") else None
        return Insert(at, table, columns, query, overriding, alias, conflict, self._returning())

    def comma_list_of_targets(self) -> tuple[str, ...]:
        """`(a, b)`: columns that get a value."""
        return self.in_parentheses(lambda: self.comma_list(self._target_column))

    def _overriding(self) -> str:
        if not self.take_word("overriding"):
            return ""
        found = self.expect_word("system", "user")
        self.expect_word("value")
        return found

    def _on_conflict(self) -> OnConflict:
        at = self.token.start
        self.expect_words("on", "conflict")
        columns: tuple[str, ...] = ()
        constraint: str | None = None
        if self.take_words("on", "constraint"):
            constraint = self.name("a constraint's name")
        elif self.at_operator("("):
            columns = self.in_parentheses(lambda: self.comma_list(self._conflict_column))
            if self.at_word("where"):
                raise not_yet("ON CONFLICT (…) WHERE, of a partial index,")
        self.expect_word("do")
        if self.take_word("nothing"):
            return OnConflict(at, columns, constraint)
        self.expect_words("update", "set")
        assignments = self.comma_list(self._assignment)
        where = self.expression() if self.take_word("where") else None
        return OnConflict(at, columns, constraint, assignments, where)

    def _conflict_column(self) -> str:
        if self.at_operator("(") or self.peek().value == "(":
            raise not_yet("ON CONFLICT of an expression")
        return self.name("a column's name")

    # --- UPDATE, DELETE ---------------------------------------------------------------------------

    def _update(self) -> Update:
        at = self.advance().start
        table = self._target_name()
        alias = self._target_alias()
        self.expect_word("set")
        assignments = self.comma_list(self._assignment)
        from_ = self.comma_list(self._from_item) if self.take_word("from") else ()
        return Update(at, table, alias, assignments, from_, self._where(), self._returning())

    def _delete(self) -> Delete:
        at = self.advance().start
        self.expect_word("from")
        table = self._target_name()
        alias = self._target_alias()
        using = self.comma_list(self._from_item) if self.take_word("using") else ()
        return Delete(at, table, alias, using, self._where(), self._returning())

    def _target_name(self) -> tuple[str, ...]:
        self.take_word("only")
        name = self.dotted_name("a table's name")
        self.take_operator("*")
        return name

    def _target_alias(self) -> str | None:
        """The word SET is no alias unless AS is before it."""
        if self.take_word("as"):
            return self.name("an alias")
        return self.name() if self._at_bare_alias() and not self.at_word("set") else None

    def _where(self) -> Any:
        if not self.take_word("where"):
            return None
        if self.at_words("current", "of"):
            raise not_yet("WHERE CURRENT OF")
        return self.expression()

    def _assignment(self) -> Assignment:
        at = self.token.start
        if not self.at_operator("("):
            column = self._target_column()
            self.expect_operator("=")
            return Assignment(at, (column,), self.expression())
        columns = self.comma_list_of_targets()
        self.expect_operator("=")
        value = self.expression()
        if not isinstance(value, RowExpr | QueryExpr):
            if len(columns) > 1:
                raise not_yet(
                    "a source for several columns of UPDATE that is no sub-SELECT and no ROW()"
                )
            return Assignment(at, columns, value)
        return Assignment(at, columns, value, several=True)

    def _target_column(self) -> str:
        name = self.name("a column's name")
        if self.at_operator("[", "."):
            raise not_yet(f"assigning to a part of column {name}")
        return name

    def _returning(self) -> tuple[SelectItem, ...]:
        return self.comma_list(self._item) if self.take_word("returning") else ()

    # --- MERGE ------------------------------------------------------------------------------------

    def _merge(self) -> Merge:
        at = self.advance().start
        self.expect_word("into")
        table = self._target_name()
        alias = self._target_alias()
        self.expect_word("using")
        source = self._from_item()
        self.expect_word("on")
        on = self.expression()
        whens = [self._when()]
        while self.at_word("when"):
            whens.append(self._when())
        if self.at_word("returning"):
            raise not_yet("MERGE … RETURNING")
        return Merge(at, table, alias, source, on, tuple(whens))

    def _when(self) -> MergeWhen:
        at = self.token.start
        self.expect_word("when")
        matched = not self.take_word("not")
        self.expect_word("matched")
        if (
            not matched
            and self.take_word("by")
            and self.expect_word("target", "source") == "source"
        ):
            raise not_yet("WHEN NOT MATCHED BY SOURCE")
        condition = self.expression() if self.take_word("and") else None
        self.expect_word("then")
        if self.take_words("do", "nothing"):
            return MergeWhen(at, matched, condition, "nothing")
        if not matched:
            self.expect_word("insert")
            return self._merged_insert(at, condition)
        if self.take_word("delete"):
            return MergeWhen(at, matched, condition, "delete")
        self.expect_words("update", "set")
        return MergeWhen(at, matched, condition, "update", self.comma_list(self._assignment))

    def _by_target(self) -> None:
        if self.expect_word("target", "source") == "source":
            raise not_yet("WHEN NOT MATCHED BY SOURCE")

    def _merged_insert(self, at: int, condition: Any) -> MergeWhen:
        columns = self.comma_list_of_targets() if self.at_operator("(") else ()
        overriding = self._overriding()
        values: tuple[Any, ...] | None = None
        if not self.take_words("default", "values"):
            self.expect_word("values")
            values = self._value_row()
        return MergeWhen(
            at,
            False,
            condition,
            "insert",
            columns=columns,
            values=values,
            overriding=overriding,
        )
