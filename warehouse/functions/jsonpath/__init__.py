"""SQL/JSON paths: parsed into `nodes`, printed as PostgreSQL does, evaluated."""

__all__: list[str] = []
