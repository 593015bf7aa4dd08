"""A system's side of the benchmark of sustained upserts: requests as JSON lines, as `serve_writes`.

    {"load": [path, …], "directory": path}   -> {"version": text, "seconds": n}
    {"open": path of a directory}            -> {"version": text}
    {"turn": seconds, "first": n, "table_rows": n, "batch_rows": n, "seed": n, "pause": seconds}
        -> {"batches": n, "commit_ms": [n, …], "query_ms": [n, …], "seconds": n, "rss_bytes": n,
            what `state()` says, on average over the turn, and `written()`}
    {"check": 0}                             -> {"rows": n, "checksum": n}
    {"close": 0}                             -> {}
    whatever fails                           -> {"error": text}

A system has `version`, `load(directory, files)`, `open(directory)`, `upsert(rows)` with an Arrow
table, `query()`, which reads every row, `between(batches)`, called after each batch, `state()` and
`written()`, numbers by name, of which those of `written()` grow, `check()` -> (rows, checksum) and
`close()`.

In a turn batches are written one after the other; a thread of its own asks `query()` meanwhile,
with a pause after each. `seconds` is the time of the turn without that of making batches and of
looking at `state()`.
"""

import json
import os
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.keyed_rows import batch

SAMPLE_SECONDS = 0.5
STATE_SECONDS = 3


def serve(system):
    """Answer requests until stdin ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not look like a reply
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = _answer(system, request)
        except Exception as error:  # a report says it; a benchmark of others' code expects any
            reply = {"error": f"{type(error).__name__}: {str(error).partition(chr(10))[0][:300]}"}
        print(json.dumps(reply), file=replies, flush=True)


def _answer(system, request):
    if "load" in request:
        start = time.perf_counter()
        system.load(request["directory"], request["load"])
        return {"version": system.version, "seconds": time.perf_counter() - start}
    if "open" in request:
        system.open(request["open"])
        return {"version": system.version}
    if "turn" in request:
        return _turn(system, request)
    if "check" in request:
        rows, checksum = system.check()
        return {"rows": rows, "checksum": checksum}
    system.close()
    return {}


def _turn(system, request):
    over, query_ms, failed, peak = threading.Event(), [], [], [rss_bytes()]

    def asks():
        try:
            while not over.is_set():
                start = time.perf_counter()
                system.query()
                query_ms.append((time.perf_counter() - start) * 1000)
                over.wait(request["pause"])
        except Exception as error:
            failed.append(error)

    def samples():
        while not over.wait(SAMPLE_SECONDS):
            peak.append(rss_bytes())

    threads = [threading.Thread(target=asks), threading.Thread(target=samples)]
    before = system.written()
    for thread in threads:
        thread.start()
    try:
        commit_ms, seconds, states = _writes(system, request)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]
    written = {name: size - before.get(name, 0) for name, size in system.written().items()}
    found = {"batches": len(commit_ms), "commit_ms": commit_ms, "query_ms": query_ms}
    means = {name: statistics.mean(one[name] for one in states) for name in states[0]}
    return {**found, "seconds": seconds, "rss_bytes": max(peak), **means, **written}


def _writes(system, request):
    """Times of commits; seconds without those in which batches were made and the system was looked
    at; what was seen then."""
    commit_ms, states, beside, start = [], [system.state()], 0.0, time.perf_counter()
    number, end, look = request["first"], start + request["turn"], start + STATE_SECONDS
    while (began := time.perf_counter()) < end:
        rows = batch(request["table_rows"], request["batch_rows"], number, request["seed"])
        if began >= look:
            states.append(system.state())
            look = began + STATE_SECONDS
        made = time.perf_counter()
        system.upsert(rows)
        commit_ms.append((time.perf_counter() - made) * 1000)
        beside += made - began
        number += 1
        system.between(number)
    return commit_ms, time.perf_counter() - start - beside, states


def rss_bytes():
    """Resident memory of this process, now."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) << 10


def written_bytes():
    """Bytes that this process has given to write()."""
    return int(Path("/proc/self/io").read_text().partition("wchar:")[2].split()[0])
