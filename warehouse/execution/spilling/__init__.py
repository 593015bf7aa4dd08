"""Operators that work on the disk, for queries that do not fit into their memory."""

__all__: list[str] = []
