# Two commands matter: `make run` and `make test`. `make help` lists the others.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run up test check versions bench chaos docs lint types layers unit format lock clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One environment for running, one step more for developing; each is rebuilt when its lock changes.
$(VENV)/.run: requirements/run.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Scoreboard needs Python 3.11 or newer; try: make $@ PYTHON=python3.12")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

run: $(VENV)/.run ## the service with a moving demo board on http://127.0.0.1:8000
	@exec $(BIN)/scoreboard serve --demo

up: ## every role with PostgreSQL, Redis and RabbitMQ in containers, on http://127.0.0.1:8080
	docker compose -f deploy/compose.yaml up --build --detach --wait

test: $(VENV)/.dev ## everything: checks, then every suite
	@$(MAKE) --no-print-directory lint types layers
	$(BIN)/python -m tools.suites

check: $(VENV)/.dev ## under a minute: lint, types, layers, unit tests
	@$(MAKE) --no-print-directory lint types layers unit

# Each has an environment of its own. The variable chooses among the versions that pyenv manages.
versions: ## unit tests on Python 3.12 and 3.13, where installed
	@for version in 3.12 3.13; do \
		export PYENV_VERSION=$$version; \
		if python$$version -c '' 2>/dev/null; then \
			$(MAKE) --no-print-directory unit PYTHON=python$$version VENV=.venv-$$version || exit; \
		fi; \
	done

lint: $(VENV)/.dev ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy, strict, over source, tests, benchmarks, chaos and tools
	$(BIN)/mypy

layers: $(VENV)/.dev ## imports point one way
	$(BIN)/lint-imports

unit: $(VENV)/.dev ## the suite to run all day
	$(BIN)/python -m pytest -q -m "not slow" tests/unit tests/ports tests/properties tests/web

format: $(VENV)/.dev ## put the code in shape
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## each figure against its limit, measured in the same run
	$(BIN)/python -m bench

chaos: $(VENV)/.dev ## kill -9 of any process or server under load: nothing lost, nothing doubled
	$(BIN)/python -m chaos

docs: $(VENV)/.dev ## the site in site/, with the pages that are made from the code
	$(BIN)/python -m tools.reference
	$(BIN)/zensical build --clean --strict

lock: $(VENV)/.dev ## make the locks anew (hashes, no index addresses)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --group build pyproject.toml -o requirements/run.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --extra all -c requirements/run.lock pyproject.toml -o requirements/distributed.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --group dev -c requirements/run.lock pyproject.toml -o requirements/dev.lock

clean: ## remove what was built (data stays)
	rm -rf .venv* site .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist bench/build
