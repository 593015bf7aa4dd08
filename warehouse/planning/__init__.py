"""Statements to plans: `SqlPlanner` and what it needs of the catalogue."""

__all__: list[str] = []
