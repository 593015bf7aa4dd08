"""From text to a syntax tree: PostgreSQL's grammar with Mobula's statements and clauses."""

__all__: list[str] = []
