"""TPC-H for the demo, the benchmark and the tests: eight tables, 22 queries, data, comparison.

The queries, `queries/qNN.sql`, are the standard ones with the validation parameters of the
specification (TPC-H 3.0.1, section 2.4), in the words of DuckDB's extension `tpch`: plain
PostgreSQL. Data come from `tpchgen-cli`, value by value those of the specification's own generator.
"""

from __future__ import annotations

from warehouse.tpch.answers import Answer, answer_of, difference
from warehouse.tpch.data import generate
from warehouse.tpch.definition import TABLES, queries, schema_sql

__all__ = ["TABLES", "Answer", "answer_of", "difference", "generate", "queries", "schema_sql"]
