"""The typed relational algebra between SQL text and Polars: types, expressions, relations."""

__all__: list[str] = []
