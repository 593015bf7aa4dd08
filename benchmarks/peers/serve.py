"""The peer's side of the benchmark: requests as JSON lines on stdin, replies on stdout.

    {"prepare": {"tables": {name: path}, "queries": {number: text}, "threads": n, …}}
        -> {"version": text}
    {"run": number}                      -> {"ms": wall time, "rows": count}
    {"run": number, "answer": path}      the same, and the answer kept as an Arrow IPC file
    whatever fails                       -> {"error": text}

A peer is an object with `prepare(**settings) -> str` and `run(text) -> result`, where `run` does
all that a caller would wait for, and `save(result, path) -> None` and `rows(result) -> int`, which
are not timed. Standard library only: it runs in the peer's own environment.
"""

import json
import sys
import time


def serve(peer, errors):
    """Answer requests until stdin ends. `errors` are the peer's own exceptions, sent as replies."""
    queries = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                queries = request["prepare"].pop("queries")
                reply = {"version": peer.prepare(**request["prepare"])}
            else:
                reply = _run(peer, queries[str(request["run"])], request.get("answer"))
        except errors as error:
            # The first line says what failed; the rest may be a plan, with paths of this machine.
            reply = {"error": f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"}
        print(json.dumps(reply), flush=True)


def _run(peer, text, answer):
    start = time.perf_counter()
    result = peer.run(text)
    elapsed_ms = (time.perf_counter() - start) * 1000
    if answer is not None:
        peer.save(result, answer)
    return {"ms": elapsed_ms, "rows": peer.rows(result)}
