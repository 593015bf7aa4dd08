"""Running the algebra on Polars: expressions, relations and results."""
