"""Statements that change rows, as the text says them: INSERT, UPDATE, DELETE, MERGE, TRUNCATE.

`with_` and `recursive` are those of a WITH before the statement's first word.
"""

from __future__ import annotations

from typing import Any

from warehouse.syntax.tree import CteDef, Node, QueryNode, SelectItem

__all__ = [
    "Assignment",
    "Delete",
    "Insert",
    "Merge",
    "MergeWhen",
    "Modification",
    "OnConflict",
    "Truncate",
    "Update",
]


class Assignment(Node, frozen=True):
    """`c = value` or `(c, d) = row`; with `several`, the value is a RowExpr or a QueryExpr."""

    columns: tuple[str, ...]
    value: Any
    several: bool = False


class OnConflict(Node, frozen=True):
    """ON CONFLICT [(columns) | ON CONSTRAINT constraint] DO NOTHING | UPDATE SET … [WHERE …].

    `assignments` None: DO NOTHING.
    """

    columns: tuple[str, ...] = ()
    constraint: str | None = None
    assignments: tuple[Assignment, ...] | None = None
    where: Any = None


class Insert(Node, frozen=True):
    """INSERT INTO; `query` None for DEFAULT VALUES; `overriding`: "", "system" or "user"."""

    table: tuple[str, ...]
    columns: tuple[str, ...]
    query: QueryNode | None
    overriding: str = ""
    alias: str | None = None
    conflict: OnConflict | None = None
    returning: tuple[SelectItem, ...] = ()
    with_: tuple[CteDef, ...] = ()
    recursive: bool = False


class Update(Node, frozen=True):
    """UPDATE table SET … FROM … WHERE … RETURNING …"""

    table: tuple[str, ...]
    alias: str | None
    assignments: tuple[Assignment, ...]
    from_: tuple[Any, ...] = ()
    where: Any = None
    returning: tuple[SelectItem, ...] = ()
    with_: tuple[CteDef, ...] = ()
    recursive: bool = False


class Delete(Node, frozen=True):
    """DELETE FROM table USING … WHERE … RETURNING …"""

    table: tuple[str, ...]
    alias: str | None
    using: tuple[Any, ...] = ()
    where: Any = None
    returning: tuple[SelectItem, ...] = ()
    with_: tuple[CteDef, ...] = ()
    recursive: bool = False


class MergeWhen(Node, frozen=True):
    """WHEN [NOT] MATCHED [AND condition] THEN action: "update", "delete", "insert", "nothing".

    Of an insert, `values` None means DEFAULT VALUES; `overriding` as in `Insert`.
    """

    matched: bool
    condition: Any
    action: str
    assignments: tuple[Assignment, ...] = ()
    columns: tuple[str, ...] = ()
    values: tuple[Any, ...] | None = None
    overriding: str = ""


class Merge(Node, frozen=True):
    """MERGE INTO table USING source ON condition WHEN …"""

    table: tuple[str, ...]
    alias: str | None
    source: Any
    on: Any
    whens: tuple[MergeWhen, ...]
    with_: tuple[CteDef, ...] = ()
    recursive: bool = False


class Truncate(Node, frozen=True):
    """TRUNCATE tables [RESTART IDENTITY]."""

    tables: tuple[tuple[str, ...], ...]
    restart: bool = False


Modification = Insert | Update | Delete | Merge
