"""Writing a rewritten tree as SQL text that Polars 2.1 understands.

PostgreSQL's generator with: every name quoted (Polars compares names exactly), NULLS FIRST or LAST
always written, integer division as DIV (which truncates toward zero in Polars too), and string
literals without PostgreSQL's escapes.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.generators.postgres import PostgresGenerator

__all__ = ["PolarsSql", "polars_sql"]


class PolarsGenerator(PostgresGenerator):
    """See the module."""

    TYPE_MAPPING: ClassVar[dict[Any, Any]] = {
        **PostgresGenerator.TYPE_MAPPING,
        exp.DType.INT128: "HUGEINT",
        exp.DType.DOUBLE: "DOUBLE",
        exp.DType.FLOAT: "REAL",
        exp.DType.INT: "INT",
    }
    TRANSFORMS: ClassVar[dict[Any, Any]] = {
        **{
            kind: rule
            for kind, rule in PostgresGenerator.TRANSFORMS.items()
            if kind not in (exp.Pow, exp.Stddev, exp.Variance)
        },
        exp.HexString: lambda self, e: f"X'{e.this}'",
        exp.Pow: lambda self, e: self.func("POWER", e.this, e.expression),
        exp.Stddev: lambda self, e: self.func("STDDEV", e.this),
        exp.StddevSamp: lambda self, e: self.func("STDDEV", e.this),
        exp.Variance: lambda self, e: self.func("VARIANCE", e.this),
        exp.LogicalOr: lambda self, e: self.func("MAX", e.this),
        exp.LogicalAnd: lambda self, e: self.func("MIN", e.this),
        exp.StrPosition: lambda self, e: self.func("STRPOS", e.this, e.args.get("substr")),
    }

    def ordered_sql(self, expression: exp.Ordered) -> str:
        direction = " DESC" if expression.args.get("desc") else ""
        nulls = "FIRST" if expression.args.get("nulls_first") else "LAST"
        return f"{self.sql(expression, 'this')}{direction} NULLS {nulls}"

    def bytestring_sql(self, expression: exp.ByteString) -> str:
        return self.sql(exp.Literal.string(expression.this))

    def interval_sql(self, expression: exp.Interval) -> str:
        unit = str(expression.args.get("unit") or "").lower()
        value = expression.this.name if expression.this else ""
        return f"INTERVAL '{value} {unit}'" if unit else f"INTERVAL '{value}'"


class PolarsSql(Postgres):
    """Polars' SQL, as a target only."""

    Generator = PolarsGenerator


def polars_sql(tree: exp.Expr, *, pretty: bool = False) -> str:
    """The tree as text for `pl.SQLContext`."""
    options: dict[str, Any] = {"identify": True, "pretty": pretty, "comments": False}
    return str(tree.sql(dialect=PolarsSql, **options))
