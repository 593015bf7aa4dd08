"""PostgreSQL's regular expressions: parsed, printed for the engines, or matched exactly."""
