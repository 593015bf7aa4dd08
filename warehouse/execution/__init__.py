"""Running the algebra on Polars: expressions, relations and results."""

__all__: list[str] = []
