"""Runs one scenario on the cluster that RAY_ADDRESS names; see `tests/autoscaling_cluster.py`.

    python -m tests.autoscaling_driver MODULE:FUNCTION ARGUMENTS

ARGUMENTS is a JSON object. The last line printed is what the function returned, as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys

import ray


def main(scenario: str, arguments: str) -> None:
    """See the module."""
    module, _, function = scenario.partition(":")
    ray.init(address="auto", log_to_driver=False, namespace="scenario")
    try:
        result = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    finally:
        ray.shutdown()
    sys.stdout.write(f"{json.dumps(result)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
