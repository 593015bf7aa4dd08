"""The typed relational algebra between SQL text and Polars: types, expressions, relations."""
