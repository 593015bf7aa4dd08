"""Functions and operators: their signatures and implementations, one module per subject."""
