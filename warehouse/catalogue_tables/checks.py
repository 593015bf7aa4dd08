"""Which columns a CHECK looks at: what pg_constraint.conkey and information_schema say of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from storage.schema import Check, Column
from warehouse.catalogue_tables.definitions import DefinedTable
from warehouse.syntax.statements import StatementGrammar
from warehouse.syntax.tree import NameRef

__all__ = ["columns_of_check"]


def columns_of_check(check: Check, table: DefinedTable) -> list[Column]:
    """The columns that the condition names, in the order of the table."""
    names = {ref.parts[-1] for ref in _references(StatementGrammar(check.sql).expression())}
    return [column for column in table.columns if column.name in names]


def _references(node: Any) -> Iterator[NameRef]:
    if isinstance(node, NameRef):
        yield node
    elif isinstance(node, msgspec.Struct):
        for field in node.__struct_fields__:
            yield from _references(getattr(node, field))
    elif isinstance(node, tuple):
        for item in node:
            yield from _references(item)
