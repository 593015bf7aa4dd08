"""Lance under sustained upserts: `merge_insert` on the key, which has a BTREE index, and every so
many batches (the argument) what its documentation advises: compaction, then the index renewed.

Both happen between two batches: a compaction beside a merge conflicts with it. All of it is of
this process, and so are queries, by a dataset opened anew for each.
"""

import datetime
import sys

import lance
import pyarrow.compute as pc
import pyarrow.dataset
from serve_sustained import serve, written_bytes


class Lance:
    version = f"Lance {lance.__version__}"

    def __init__(self, every):
        self.every = every
        self.optimized_bytes = 0

    def load(self, directory, files):
        reader = pyarrow.dataset.dataset(files).scanner().to_reader()
        self.dataset = lance.write_dataset(reader, directory)
        self.dataset.create_scalar_index("id", "BTREE")

    def open(self, directory):
        self.directory = directory
        self.dataset = lance.dataset(directory)

    def upsert(self, rows):
        merge = self.dataset.merge_insert("id")
        merge.when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def between(self, batches):
        if batches % self.every == 0:
            before = written_bytes()
            self.dataset.optimize.compact_files()
            self.dataset.optimize.optimize_indices()
            self.dataset.cleanup_old_versions(older_than=datetime.timedelta(minutes=5))
            self.optimized_bytes += written_bytes() - before

    def query(self):
        count, total, largest = 0, 0, 0.0
        for rows in lance.dataset(self.directory).scanner(columns=["a", "b"]).to_batches():
            count += len(rows)
            total += pc.sum(rows["a"]).as_py() or 0
            largest = max(largest, pc.max(rows["b"]).as_py() or 0.0)
        return count, total, largest

    def written(self):
        background = self.optimized_bytes
        return {
            "foreground_bytes": written_bytes() - background,
            "background_bytes": background,
        }

    def state(self):
        fragments = self.dataset.get_fragments()
        stored = sum(fragment.physical_rows for fragment in fragments)
        live = self.dataset.count_rows()
        return {"files": len(fragments), "read_amplification": stored / live if live else 1.0}

    def check(self):
        rows = checksum = 0
        for found in self.dataset.scanner(columns=["id", "a", "c"]).to_batches():
            ids, a = found["id"].to_numpy(), found["a"].to_numpy()
            c = pc.utf8_slice_codeunits(found["c"], 5).cast("int64").to_numpy()
            checksum += int(((ids * 2654435761 + a * 40503 + c * 31) % 2147483647).sum())
            rows += len(found)
        return rows, checksum

    def close(self):
        del self.dataset


if __name__ == "__main__":
    serve(Lance(int(sys.argv[1])))
