"""Settings of a session that say how its statements run: timeouts and priority.

A session keeps them as texts, checked when they are set; SHOW shows those. `requests.py` reads them
for every statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from actors.messages import Session
from storage.errors import InvalidRequest
from warehouse.syntax.quantities import Raw, duration_ms, duration_text

__all__ = [
    "PRIORITIES",
    "RUN_SETTINGS",
    "WAREHOUSE",
    "checked_setting",
    "priority_of",
    "queue_timeout_ms",
    "read_priority",
    "statement_timeout_ms",
]

WAREHOUSE = "warehouse"  # the setting that USE WAREHOUSE sets
STATEMENT_TIMEOUT_MS = 600_000  # unless it is set
TIMEOUT_MS_MAX = 2_147_483_647  # PostgreSQL's
PRIORITY_MAX = 1000
PRIORITIES = {"low": -100, "normal": 0, "high": 100}


def checked_setting(name: str, values: Sequence[str]) -> str:
    """The text to keep for one of `RUN_SETTINGS`. Raises InvalidRequest (22023)."""
    try:
        if len(values) != 1:
            raise InvalidRequest("expected one value")
        return RUN_SETTINGS[name](values[0])
    except InvalidRequest as error:
        text = ", ".join(values)
        raise InvalidRequest(
            f'invalid value for parameter "{name}": "{text}"; {error.message}', "22023"
        ) from None


def statement_timeout_ms(session: Session, timeout_s: float | None) -> int:
    """What a statement may take: the smaller of the session's `statement_timeout` and of what the
    call says; without either 10 minutes, and 24 days if the setting is 0."""
    kept = session.settings.get("statement_timeout")
    told = None if kept is None else _kept_ms(kept) or TIMEOUT_MS_MAX
    asked = None if timeout_s is None else int(timeout_s * 1000)
    given = [value for value in (told, asked) if value is not None]
    return min(given) if given else STATEMENT_TIMEOUT_MS


def queue_timeout_ms(session: Session) -> int | None:
    """What a statement may wait for a worker; None: what the virtual warehouse says."""
    return _kept_ms(session.settings.get("queue_timeout", "0")) or None


def priority_of(session: Session, priority: int | None) -> int:
    """What the call says, else the session's. Raises InvalidRequest: out of range."""
    if priority is not None:
        return read_priority(priority)
    return int(session.settings.get("query_priority", "0"))


def read_priority(raw: Raw) -> int:
    """A priority: -1000 to 1000, or low, normal or high. Raises InvalidRequest."""
    if isinstance(raw, str):
        plain = raw.strip().lower()
        signless = plain.removeprefix("-").removeprefix("+")
        raw = PRIORITIES.get(plain, int(plain) if signless.isdecimal() else raw)
    if isinstance(raw, bool) or not isinstance(raw, int) or abs(raw) > PRIORITY_MAX:
        raise InvalidRequest(
            f"expected a priority from {-PRIORITY_MAX} to {PRIORITY_MAX}, or low, normal or high,"
            f" found {raw!r}",
            "22023",
        )
    return raw


def _timeout(text: str) -> str:
    found = duration_ms(text, "ms", "milliseconds, or a text such as '30s' or '5min'")
    if not 0 <= found <= TIMEOUT_MS_MAX:
        raise InvalidRequest(f"expected 0 (none) to {TIMEOUT_MS_MAX} ms")
    return duration_text(round(found) or (1 if found else 0))


def _kept_ms(text: str) -> int:
    return int(duration_ms(text, "ms", "a duration"))


RUN_SETTINGS: dict[str, Callable[[str], str]] = {
    "statement_timeout": _timeout,
    "queue_timeout": _timeout,
    "query_priority": lambda text: str(read_priority(text)),
}
