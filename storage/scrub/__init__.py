"""Checking a database: everything is read back and compared (`check.py`)."""

from storage.scrub.check import scrub
from storage.scrub.findings import Finding, Part, Progress, Report, Severity

__all__ = ["Finding", "Part", "Progress", "Report", "Severity", "scrub"]
