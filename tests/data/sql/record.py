"""Write PostgreSQL's answers into the corpus: `python -m tests.data.sql.record [FILE ...]`.

Run from the root of the repository, with the packages of the extra `dev`. Every file is run twice,
each time in a database of its own: as it stands, which gives the answers; and with the rows of all
tables turned around and other plans, which must give the same. A query whose answer depends on that
is refused: give it an ORDER BY, or `rowsort` if only the order of rows differs. A query that has
answered so far must not become an error by recording, nor an error a query: that needs `--accept`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.sql.comparison import same_answers
from tests.sql.logic_file import Answer, LogicFile, Record, files, read, written
from tests.sql.postgresql import PostgreSQL, server

__all__ = ["main", "record_file"]


def record_file(path: Path, postgresql: PostgreSQL, *, accept: bool = False) -> list[str]:
    """Write one file anew. Returns what is wrong; the file is then left as it was."""
    file = read(path)
    with postgresql.session() as session:
        answers = [_answer(session.run(r.sql, r.parameters), r) for r in file.all_records]
    wrong = _unstable(file, answers, postgresql)
    for record, answer in zip(file.all_records, answers, strict=True):
        if record.answer is not None and record.answer.error != answer.error and not accept:
            wrong.append(f"{path}:{record.line}: gives {answer.error or 'no error'}: {record.sql}")
        record.answer = answer
    if not wrong:
        path.write_text(written(file), encoding="utf-8")
    return wrong


def _answer(found: Answer, record: Record) -> Answer:
    return found if record.query else Answer(error=found.error)


def _unstable(file: LogicFile, answers: list[Answer], postgresql: PostgreSQL) -> list[str]:
    wrong: list[str] = []
    with postgresql.session() as session:
        changed = True
        for record, answer in zip(file.all_records, answers, strict=True):
            if record.query and changed:
                session.reverse_tables()
                changed = False
            found = _answer(session.run(record.sql, record.parameters), record)
            changed = changed or record.changes
            if not same_answers(found, answer, rowsort=record.rowsort):
                wrong.append(f"{file.path}:{record.line}: not determined: {record.sql}")
    return wrong


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="all, if none is given")
    parser.add_argument("--accept", action="store_true", help="errors may come and go")
    arguments = parser.parse_args()
    wrong: list[str] = []
    with server() as postgresql:
        for path in arguments.files or files():
            wrong += record_file(path.resolve(), postgresql, accept=arguments.accept)
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
