"""Polars SQL as a peer, over the same Parquet files, on its streaming engine.

Every query reads what it needs of the files again. A query is timed from its text to a frame. The
number of threads comes with POLARS_MAX_THREADS, which must be set before Polars is imported.
"""

import polars as pl
from serve import serve


class Polars:
    def __init__(self):
        self.context = pl.SQLContext()

    def prepare(self, tables, threads):
        if pl.thread_pool_size() != threads:
            raise ValueError(f"expected {threads} threads, found {pl.thread_pool_size()}")
        self.context.register_many({table: pl.scan_parquet(path) for table, path in tables.items()})
        return f"Polars {pl.__version__}"

    def run(self, text):
        return self.context.execute(text).collect(engine="streaming")

    def save(self, result, path):
        result.write_ipc(path)

    def rows(self, result):
        return result.height


if __name__ == "__main__":
    serve(Polars(), (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError))
