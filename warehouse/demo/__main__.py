"""`python -m warehouse.demo`: the same as `mobula demo`."""

import sys

from warehouse.cli.app import app

app(["demo", *sys.argv[1:]], prog_name="mobula")
