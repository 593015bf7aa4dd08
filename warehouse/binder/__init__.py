"""The binder: names resolved, expressions typed, queries as relational algebra."""

__all__: list[str] = []
