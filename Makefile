# Each target works as the first command after a clone; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest $(if $(RERUNS),--reruns $(RERUNS) --rerun-show-tracebacks -rR)
# A test that hangs where no signal reaches it is ended with all its stacks shown.
GUARD = -o faulthandler_exit_on_timeout=true -o faulthandler_timeout
# COVERAGE=1 notes what is covered, for `make coverage`; it takes half as long again.
COVER = $(if $(COVERAGE),--cov --cov-report=)
KILLS ?= 50
MARKED := slow or browser or peers or root

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check format bench bench-stream bench-loop clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: $(VENV)/.demo ## the whole loop on this machine: two trainings, a table, a picture
	$(BIN)/edgeloop demo $(ARGS)

test: $(VENV)/.dev ## all tests without a mark
	$(PYTEST) -n 2 $(GUARD)=240 -m "not ($(MARKED) or gpu)" $(COVER) $(ARGS)

test-slow: $(VENV)/.dev ## the marked tests: slow, browser, peers, root
	$(PYTEST) $(GUARD)=1200 -m "$(MARKED)" $(COVER) $(if $(COVERAGE),--cov-append) $(ARGS)

soak: $(VENV)/.dev ## campaigns of kills at full length (KILLS=50), figures into docs/reliability.md
	$(PYTEST) -n 0 -m slow tests/journeys/test_loop_power_cut.py tests/journeys/test_loop_killed_annotating.py \
	  tests/journeys/test_loop_killed_training.py --kills $(KILLS) --figures docs/reliability.md $(ARGS)

check: $(VENV)/.dev ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: ## what `make test` and `make test-slow` with COVERAGE=1 covered; at least 95 % by branch
	$(BIN)/coverage report --fail-under=95

format: $(VENV)/.dev ## write the format that `check` wants
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: bench-stream bench-loop ## both benchmarks; ARGS="--json FILE" puts all into one file

bench-stream: $(VENV)/.dev ## the stream layer against a reference; ARGS="--json FILE"
	$(BIN)/python benchmarks/stream.py $(ARGS)

bench-loop: $(VENV)/.dev ## the loop under load; ARGS="--json FILE"
	$(BIN)/python benchmarks/loop.py $(ARGS)

clean: ## remove the virtual environments and caches
	rm -rf $(VENV) .venv-peers .mypy_cache .ruff_cache .import_linter_cache .coverage* demo-output

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "edgeloop needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing: apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python pyproject.toml constraints.txt
	@$(BIN)/pip install --progress-bar off -q -c constraints.txt -e '.[demo]' || \
	  { echo "Installing failed (see above): is the package index reachable, is there disk space?"; exit 2; }
	@touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml constraints.txt
	@$(BIN)/pip install --progress-bar off -q -c constraints.txt -e '.[dev]' || \
	  { echo "Installing failed (see above): is the package index reachable, is there disk space?"; exit 2; }
	@touch $@ $(VENV)/.demo
