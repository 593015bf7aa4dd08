"""The interactive prompt of `mobula sql`: reading lines, with history, completion and colours.

A statement goes on over as many lines as it takes to a semicolon outside of strings and comments.
Ctrl-C drops what was typed, Ctrl-D on an empty line leaves.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import PostgresLexer

from storage.errors import MobulaError, SqlSyntaxError
from warehouse.cli.completion import SqlCompleter
from warehouse.cli.meta import COMMANDS, run_command
from warehouse.cli.output import say, say_error
from warehouse.cli.shell import Shell
from warehouse.syntax.tokens import scan

__all__ = ["enter", "history_file", "interact", "is_whole"]


def interact(shell: Shell) -> None:
    """Read and run lines until the user leaves."""
    say(f"mobula {version('mobula')} on {shell.db.root}; \\? for help, \\q to leave")
    session = _session(shell)
    try:
        while not shell.done:
            try:
                text = session.prompt(lambda: _message(shell, "=>"))
            except KeyboardInterrupt:
                continue
            except EOFError:
                break
            if text.strip():
                enter(shell, text)
    finally:
        shell.close()


def enter(shell: Shell, text: str) -> None:
    """Do what a line says. Errors are printed; Ctrl-C ends the waiting."""
    try:
        if text.lstrip().startswith("\\"):
            run_command(shell, text.strip())
        else:
            shell.run(text)
    except MobulaError as error:
        say_error(error)
    except KeyboardInterrupt:
        say("cancelled")


def history_file() -> Path:
    """Where entered lines are kept, by the XDG base directory specification."""
    home = os.environ.get("XDG_STATE_HOME") or ""
    state = Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "state"
    return state / "mobula" / "history"


def is_whole(text: str) -> bool:
    """Whether Enter runs the text: a backslash command, or statements up to a semicolon."""
    stripped = text.strip()
    if not stripped or stripped.startswith("\\"):
        return True
    try:
        tokens = scan(text)
    except SqlSyntaxError as error:
        return "unterminated" not in str(error) and stripped.endswith(";")
    return len(tokens) == 1 or tokens[-2].value == ";"


def _session(shell: Shell) -> PromptSession[str]:
    return PromptSession(
        history=_history(),
        lexer=PygmentsLexer(PostgresLexer),
        completer=SqlCompleter(shell.names, COMMANDS),
        complete_in_thread=True,
        auto_suggest=AutoSuggestFromHistory(),
        multiline=Condition(lambda: not is_whole(get_app().current_buffer.text)),
        prompt_continuation=lambda *_: _message(shell, "->"),
        enable_open_in_editor=True,
    )


def _message(shell: Shell, sign: str) -> str:
    """A star after the name says that a transaction is open."""
    place = f"/{shell.warehouse}" if shell.warehouse else ""
    return f"mobula{place}{'*' if shell.db.in_transaction else ''}{sign} "


def _history() -> History:
    path = history_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        say(f"the history is not kept: {path}: {error.strerror}")
        return InMemoryHistory()
    return FileHistory(str(path))
