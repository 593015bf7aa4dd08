"""Rewrites of the algebra that keep its meaning: unnesting, pushdown, pruning of columns."""

__all__: list[str] = []
