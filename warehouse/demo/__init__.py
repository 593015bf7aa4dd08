"""`make demo`: TPC-H from nothing to answers, on a Ray of its own."""

from warehouse.demo.run import run

__all__ = ["run"]
