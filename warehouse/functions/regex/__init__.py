"""PostgreSQL's regular expressions: parsed, printed for the engines, or matched exactly."""

__all__: list[str] = []
