"""Statements to plans: `SqlPlanner` and what it needs of the catalogue."""
