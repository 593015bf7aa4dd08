"""DuckDB as a writer: a table with a primary key, INSERT OR REPLACE, every batch a transaction.

Default settings: a commit is in the write-ahead log and synced; the log goes into the file when it
has grown to 16 MiB, within the commit that finds it so.
"""

from pathlib import Path

import duckdb
from serve_writes import serve


class DuckDB:
    version = f"DuckDB {duckdb.__version__}"

    def load(self, directory, files):
        self.open(directory)
        self.connection.execute(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, a BIGINT, b DOUBLE, c VARCHAR)"
        )
        for path in files:
            self.connection.execute(f"INSERT INTO t FROM read_parquet('{path}')")
        self.connection.execute("CHECKPOINT")

    def open(self, directory):
        Path(directory).mkdir(parents=True, exist_ok=True)
        self.connection = duckdb.connect(f"{directory}/t.duckdb")

    def upsert(self, rows):
        self.connection.register("batch", rows)
        self.connection.execute("INSERT OR REPLACE INTO t FROM batch")

    def check(self):
        rows, sum_a = self.connection.execute("SELECT count(*), sum(a) FROM t").fetchone()
        return rows, int(sum_a)

    def close(self):
        self.connection.close()


if __name__ == "__main__":
    serve(DuckDB())
