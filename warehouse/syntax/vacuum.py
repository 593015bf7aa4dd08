"""VACUUM and ANALYZE, with PostgreSQL's options in both of its forms: words, and in parentheses."""

from __future__ import annotations

from storage.errors import InvalidRequest, NotYet
from warehouse.syntax.commands import Vacuum
from warehouse.syntax.later import not_yet
from warehouse.syntax.modifications import ModificationGrammar

__all__ = ["VacuumGrammar"]

# FREEZE and SKIP_LOCKED hold here by themselves: nothing has to be frozen, and nothing is locked.
_OPTIONS = {
    "vacuum": ("full", "freeze", "analyze", "skip_locked"),
    "analyze": ("skip_locked",),
}
_LATER = (
    *("disable_page_skipping", "index_cleanup", "process_main", "process_toast", "truncate"),
    *("parallel", "skip_database_stats", "only_database_stats", "buffer_usage_limit"),
)
_WORDS = {"analyse": "analyze"}


class VacuumGrammar(ModificationGrammar):
    """Parses both from their first word on."""

    def vacuum(self) -> Vacuum:
        """Raises SqlSyntaxError; NotYet for options that have no meaning here."""
        at, word = self.token.start, self.advance().value
        statement = _WORDS.get(word, word)
        if self.at_operator("("):
            options = dict(self.in_parentheses(lambda: self.comma_list(self._vacuum_option)))
        else:
            options = self._vacuum_words(statement)
        for name in options:
            self._check_option(statement, name)
        tables: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
        if self.token.kind in ("word", "name"):
            tables = self.comma_list(self._vacuum_table)
        analyze = statement == "analyze" or options.get("analyze", False)
        if not analyze and any(columns for _, columns in tables):
            raise NotYet("ANALYZE option must be specified when a column list is provided")
        vacuum = statement == "vacuum"
        return Vacuum(at, tables, vacuum, options.get("full", False))

    def _vacuum_words(self, statement: str) -> dict[str, bool]:
        words: tuple[str, ...] = ("full", "freeze", "verbose", "analyze", "analyse")
        if statement == "analyze":
            words = ("verbose",)
        found: dict[str, bool] = {}
        while words and (word := self.take_word(*words)) is not None:
            words = words[words.index(word) + 1 :]  # in this order
            if word == "analyze":
                words = ()
            found[_WORDS.get(word, word)] = True
        return found

    def _vacuum_option(self) -> tuple[str, bool]:
        word = self.label("an option")
        name = _WORDS.get(word, word)
        if self.at_operator(",", ")"):
            return name, True
        value = self.option_value(name)
        if name in _LATER:
            raise self._later(name)
        if not isinstance(value, bool) and value not in (0, 1):
            raise InvalidRequest(f"{name} requires a Boolean value", "42601")
        return name, bool(value)

    def _check_option(self, statement: str, name: str) -> None:
        if name == "verbose":
            raise NotYet(
                f"{statement.upper()} VERBOSE is not available: mobula.tasks() tells what it does"
            )
        if name in _LATER:
            raise self._later(name)
        if name not in _OPTIONS[statement]:
            raise InvalidRequest(f'unrecognized {statement.upper()} option "{name}"', "42601")

    def _later(self, name: str) -> NotYet:
        return not_yet(f"VACUUM ({name.upper()})")

    def _vacuum_table(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        name = self.dotted_name("a table's name")
        return name, self.names_in_parentheses() if self.at_operator("(") else ()
