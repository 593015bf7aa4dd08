"""A writer's side of the benchmark of upserts: requests as JSON lines on stdin, replies on stdout.

    {"load": [path, …], "directory": path}   -> {"version": text, "seconds": n}
    {"open": path of a directory}            -> {"version": text}
    {"upsert": path of a Parquet file}       -> {"ms": n, "written_bytes": n, "put_bytes": n}
    {"check": 0}                             -> {"rows": n, "sum_a": n}
    {"usage": 0}                             -> {"peak_bytes": n, "written_bytes": n, "cpu_ms": n}
    {"close": 0}                             -> {}
    whatever fails                           -> {"error": text}

A writer has `version`, `load(directory, files)`, `open(directory)`, `upsert(rows)` with an Arrow
table, which returns when the rows are as durable as the system makes them, `check()` -> (rows,
sum of a) and `close()`. It may have `pid()`, where another process does the work, and
`put_bytes()`, what it has in the store as far as a commit writes there.

Bytes written are those given to write() (`wchar` of /proc/PID/io), by all threads of the process.
The memory is the peak of resident pages (`VmHWM`). Both need Linux.
"""

import json
import os
import sys
import time
from pathlib import Path

import pyarrow.parquet


def serve(writer):
    """Answer requests until stdin ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not look like a reply
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = _answer(writer, request)
        except Exception as error:  # a report says it; a benchmark of others' code expects any
            reply = {"error": f"{type(error).__name__}: {str(error).partition(chr(10))[0][:300]}"}
        print(json.dumps(reply), file=replies, flush=True)


def _answer(writer, request):
    if "load" in request:
        start = time.perf_counter()
        writer.load(request["directory"], request["load"])
        return {"version": writer.version, "seconds": time.perf_counter() - start}
    if "open" in request:
        start = time.perf_counter()
        writer.open(request["open"])
        return {"version": writer.version, "seconds": time.perf_counter() - start}
    if "upsert" in request:
        return _upsert(writer, pyarrow.parquet.read_table(request["upsert"]))
    if "check" in request:
        rows, sum_a = writer.check()
        return {"rows": rows, "sum_a": sum_a}
    if "usage" in request:
        return _usage(_pid(writer))
    writer.close()
    return {}


def _upsert(writer, rows):
    pid, put_bytes = _pid(writer), getattr(writer, "put_bytes", lambda: 0)
    put_before, written_before = put_bytes(), _written_bytes(pid)
    start = time.perf_counter()
    writer.upsert(rows)
    elapsed_ms = (time.perf_counter() - start) * 1000
    written = _written_bytes(pid) - written_before
    return {"ms": elapsed_ms, "written_bytes": written, "put_bytes": put_bytes() - put_before}


def _usage(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    cpu_ms = sum(map(int, ticks)) * 1000 / os.sysconf("SC_CLK_TCK")
    return {"peak_bytes": peak_kib << 10, "written_bytes": _written_bytes(pid), "cpu_ms": cpu_ms}


def _written_bytes(pid):
    return int(Path(f"/proc/{pid}/io").read_text().partition("wchar:")[2].split()[0])


def _pid(writer):
    return writer.pid() if hasattr(writer, "pid") else os.getpid()
