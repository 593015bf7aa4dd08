"""information_schema and pg_catalog: what tools ask PostgreSQL, answered from a snapshot."""

__all__: list[str] = []
