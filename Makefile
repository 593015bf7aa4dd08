# `make help` lists the targets. Each makes .venv and installs into it what it needs; a target that
# has run before installs again only after pyproject.toml has changed. Only Python 3.11 or 3.12 and
# make must be there. PYTHON=/path/to/python picks the interpreter, ARGS='-k name' goes to pytest.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all sim check format bench bench-upsert bench-sustained bench-freshness bench-elasticity bench-isolation bench-concurrency notebooks clean

# Every process of Ray loads the package. From bytecode that takes half as long.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
PYTHONS := python3.12 python3.11 python3
SEED := 0
RUNS := 200
JOBS := 2
PYTEST_STATUS := $(VENV)/pytest-status

# Tests that need Ray run in one process, all others in the other (tests/two_processes.py).
TWO_PROCESSES := -n 2 --no-loadscope-reorder

# What an interpreter must pass. Being found is not enough: a version manager leaves names behind
# that do not run, and some systems ship Python without what `venv` needs.
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))

help: ## List every target with a sentence.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMPS)/runtime ## Load TPC-H into a new database on a local Ray and query it from two virtual warehouses.
	@$(BIN)/mobula demo

test: $(STAMPS)/dev ## Run the tests that CI runs, in under 10 minutes on 2 cores.
	@$(BIN)/python -m pytest $(TWO_PROCESSES) $(ARGS); status=$$?; echo $$status > $(PYTEST_STATUS); exit $$status

test-all: $(STAMPS)/dev ## Run every test, the long ones too.
	@$(BIN)/python -m pytest -m "" $(TWO_PROCESSES) $(ARGS)

sim: $(STAMPS)/dev ## Play RUNS seeds of the fault simulation from SEED on, in JOBS processes; failures are made small.
	@$(BIN)/python -m tests.simulation --seed $(SEED) --runs $(RUNS) --jobs $(JOBS) $(ARGS)

check: $(STAMPS)/dev ## Check style (ruff), format (ruff) and types (mypy); change nothing.
	@status=0; for tool in "ruff check ." "ruff format --check ." mypy; do \
	  echo "$(BIN)/$$tool"; $(BIN)/$$tool || status=1; \
	done; exit $$status

format: $(STAMPS)/dev ## Format the code and mend what ruff can mend.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMPS)/bench ## Measure the 22 TPC-H queries against DuckDB and Polars, with medians, ratios and JSON.
	$(BIN)/python -m benchmarks.tpch $(ARGS)

bench-upsert: $(STAMPS)/bench ## Measure upserts into 2, 20 and 100 million rows beside DuckDB, Lance, delta-rs, PyIceberg.
	$(BIN)/python -m benchmarks.upsert --json benchmarks/results/upsert.json \
	  --plot benchmarks/results/upsert.svg $(ARGS)

bench-sustained: $(STAMPS)/bench ## Measure ten minutes of upserts at full speed, with maintenance and queries, beside Lance.
	$(BIN)/python -m benchmarks.sustained --json benchmarks/results/sustained.json \
	  --plot benchmarks/results/sustained.svg $(ARGS)

bench-freshness: $(STAMPS)/bench ## Measure how soon a virtual warehouse sees commits, with pushes and without.
	$(BIN)/python -m benchmarks.freshness --json benchmarks/results/freshness.json \
	  --plot benchmarks/results/freshness.svg $(ARGS)

bench-elasticity: $(STAMPS)/dev ## Measure how soon virtual warehouses come, grow, sleep, wake and go, with node launch too.
	$(BIN)/python -m benchmarks.elasticity --json benchmarks/results/elasticity.json \
	  --plot benchmarks/results/elasticity.svg $(ARGS)

bench-isolation: $(STAMPS)/bench ## Measure commits and queries beside saturated virtual warehouses, and alone.
	$(BIN)/python -m benchmarks.isolation --json benchmarks/results/isolation.json \
	  --plot benchmarks/results/isolation.svg $(ARGS)

bench-concurrency: $(STAMPS)/bench ## Measure lookups and small queries from 1 to 64 clients, and where their time goes.
	$(BIN)/python -m benchmarks.concurrency --json benchmarks/results/concurrency.json \
	  --plot benchmarks/results/concurrency.svg $(ARGS)

notebooks: $(STAMPS)/notebook ## Execute every notebook from top to bottom, without saving its output.
	$(BIN)/jupyter-execute notebooks/*.ipynb

clean: ## Remove all that the other targets made: .venv, caches, demo and benchmark data.
	rm -rf $(VENV) .demo .bench build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis notebooks/.ipynb_checkpoints
	find actors benchmarks jobs storage tests warehouse -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the virtual environment ----------------------------------------------------------------------

$(STAMPS)/venv:
	@python=; for candidate in $(if $(PYTHON),"$(PYTHON)",$(PYTHONS)); do \
	  if "$$candidate" -c '$(USABLE)' >/dev/null 2>&1; then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "No usable Python 3.11 or 3.12 (tried: $(or $(PYTHON),$(PYTHONS)))." >&2; \
	  echo "Install one, with its venv module (Debian, Ubuntu: python3-venv), or name one:" >&2; \
	  echo "  make PYTHON=/path/to/python3.12 ..." >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: $(STAMPS)/venv pyproject.toml
	@echo "Installing Mobula into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(STAMPS)/dev $(STAMPS)/bench $(STAMPS)/notebook: $(STAMPS)/%: $(STAMPS)/venv pyproject.toml
	@echo "Installing Mobula and the extra '$*' into $(VENV)"
	@$(PIP) --editable '.[$*]'
	@touch $@
