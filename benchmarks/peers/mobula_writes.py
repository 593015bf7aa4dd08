"""Mobula as a writer, through the public API; in this process, or on Ray with the argument `ray`.

On Ray the cluster is a private one, and memory, CPU and bytes are those of the primary's process.
What it puts is the growth of `log/` and `data/`: a batch below 1 MiB goes into the log, and a flush
that happens to end during a commit is counted with it.
"""

import importlib.metadata
import os
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from serve_writes import serve

import warehouse
from warehouse.demo.private_ray import private_ray

CPUS = 4  # logical, for the primary, its compute and the loading tasks
SQL = "CREATE TABLE t (id BIGINT PRIMARY KEY, a BIGINT, b DOUBLE PRECISION, c TEXT)"


class Mobula:
    version = f"Mobula {importlib.metadata.version('mobula')}"

    def __init__(self, engine):
        self.engine = engine
        self.stack = ExitStack()
        if engine == "ray":
            self.stack.enter_context(private_ray(CPUS))

    def load(self, directory, files):
        self.open(directory)
        self.database.sql(SQL)
        self.database.load("t", files)

    def open(self, directory):
        self.directory = Path(directory)
        self.database = warehouse.connect(directory, engine=self.engine)

    def upsert(self, rows):
        self.database.table("t").upsert(rows)

    def check(self):
        rows, sum_a = self.database.sql("SELECT count(*), sum(a) FROM t").rows()[0]
        return rows, int(sum_a)

    def close(self):
        self.database.shutdown()
        self.stack.close()

    def pid(self):
        return self.database.status().get("pid", os.getpid())

    def put_bytes(self):
        return sum(_size(self.directory / place) for place in ("log", "data"))


def _size(directory):
    sizes = 0
    for entry in directory.rglob("*"):
        with suppress(FileNotFoundError):  # removed by a checkpoint or a collection just now
            sizes += entry.stat().st_size
    return sizes


if __name__ == "__main__":
    serve(Mobula("ray" if sys.argv[1:] == ["ray"] else "local"))
