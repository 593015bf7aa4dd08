"""PARTITION BY of CREATE TABLE and the partitions of ALTER TABLE, as MySQL and PostgreSQL say them.

PARTITION BY HASH (a, b) PARTITIONS 16      PARTITION BY KEY () PARTITIONS 16
PARTITION BY RANGE (day) (
    PARTITION p1 VALUES LESS THAN ('2026-02-01'),
    PARTITION p2 FOR VALUES FROM ('2026-02-01') TO (MAXVALUE))
PARTITION BY LIST (country) (PARTITION eu VALUES IN ('DE', 'FR', NULL), PARTITION rest DEFAULT)
"""

from __future__ import annotations

from typing import Any

from warehouse.syntax.later import not_yet
from warehouse.syntax.partitions_tree import (
    AddPartitions,
    AttachPartition,
    DropPartitions,
    ExchangePartition,
    PartitionBy,
    PartitionDef,
)
from warehouse.syntax.queries import QueryGrammar

__all__ = ["AlterPartitions", "PartitionGrammar"]

AlterPartitions = AddPartitions | DropPartitions | AttachPartition | ExchangePartition

_KINDS = ("hash", "key", "range", "list")
_ENDS = ("minvalue", "maxvalue")


class PartitionGrammar(QueryGrammar):
    """Parses what is about partitions."""

    def partition_by(self) -> PartitionBy:
        """From PARTITION BY on."""
        at = self.token.start
        self.expect_words("partition", "by")
        if self.at_word("linear"):
            raise not_yet("PARTITION BY LINEAR …")
        kind = self.expect_word(*_KINDS)
        if kind in ("range", "list"):
            self.take_word("columns")  # MySQL's word for what is always so here
        columns = self._partition_columns(kind)
        if self.at_words("subpartition", "by"):
            raise not_yet("SUBPARTITION BY")
        if kind in ("hash", "key"):
            count = self.integer("how many") if self.take_word("partitions") else None
            return PartitionBy(at, kind, columns, count)
        parts: tuple[PartitionDef, ...] = ()
        if self.at_operator("(") and self.peek().value == "partition":
            parts = self.in_parentheses(lambda: self.comma_list(self._partition))
        return PartitionBy(at, kind, columns, None, parts)

    def _partition_columns(self, kind: str) -> tuple[str, ...]:
        self.expect_operator("(")
        names: tuple[str, ...] = ()
        if kind != "key" or not self.at_operator(")"):
            names = self.comma_list(lambda: self.name("a column's name"))
        if not self.at_operator(")"):
            raise not_yet("PARTITION BY an expression")
        self.advance()
        return names

    def _partition(self) -> PartitionDef:
        """PARTITION name and its bounds."""
        at = self.token.start
        self.expect_word("partition")
        return self._bounds(at, self.name("a partition's name"))

    def _bounds(self, at: int, name: str) -> PartitionDef:
        if self.take_word("default"):
            return PartitionDef(at, name, "default")
        self.take_word("for")
        self.expect_word("values")
        if self.take_words("less", "than"):
            if self.take_word("maxvalue"):
                return PartitionDef(at, name, "less", high=("maxvalue",))
            return PartitionDef(at, name, "less", high=self._ends())
        if self.take_word("from"):
            low = self._ends()
            self.expect_word("to")
            return PartitionDef(at, name, "range", low=low, high=self._ends())
        if self.at_words("with"):
            raise not_yet("FOR VALUES WITH (MODULUS …)")
        self.expect_word("in")
        values = self.in_parentheses(lambda: self.comma_list(self.expression))
        return PartitionDef(at, name, "in", values=values)

    def _ends(self) -> tuple[Any, ...]:
        return self.in_parentheses(lambda: self.comma_list(self._end))

    def _end(self) -> Any:
        if self.at_word(*_ENDS) and self.peek().value in (",", ")"):
            return self.advance().value
        return self.expression()

    # --- ALTER TABLE ------------------------------------------------------------------------------

    def alter_partitions(
        self, at: int, table: tuple[str, ...], exists: bool
    ) -> AlterPartitions | None:
        """From behind the table's name on; None: it is about something else."""
        if self.at_words("add", "partition"):
            self.advance()
            return AddPartitions(at, table, self._added(), exists)
        if self.take_words("drop", "partition"):
            known = self.take_words("if", "exists")
            names = self.comma_list(lambda: self.name("a partition's name"))
            return DropPartitions(at, table, names, exists, known)
        if self.at_words("attach", "partition"):
            self.advance()
            part = self._partition()
            self.expect_word("from")
            return AttachPartition(at, table, part, self.string("a path in quotes"), exists)
        if self.take_words("exchange", "partition"):
            name = self.name("a partition's name")
            self.expect_words("with", "table")
            other = self.dotted_name("a table's name")
            if self.take_words("without", "validation"):
                raise not_yet("EXCHANGE PARTITION … WITHOUT VALIDATION")
            self.take_words("with", "validation")
            return ExchangePartition(at, table, name, other, exists)
        for words in ("truncate", "reorganize", "coalesce", "detach"):
            if self.at_words(words, "partition"):
                raise not_yet(f"{words.upper()} PARTITION")
        return None

    def _added(self) -> tuple[PartitionDef, ...]:
        """`PARTITION p …`, or MySQL's `PARTITION (PARTITION p …, …)`."""
        if self.peek().kind == "operator" and self.peek().value == "(":
            self.advance()
            return self.in_parentheses(lambda: self.comma_list(self._partition))
        return (self._partition(),)
