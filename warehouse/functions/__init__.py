"""Functions and operators: their signatures and implementations, one module per subject."""

__all__: list[str] = []
