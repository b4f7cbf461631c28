# Two commands matter: `make run` and `make test`. `make help` lists the others.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run up test check versions bench chaos docs lint types layers unit format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# `.run` is the environment of the service, `.dev` adds the tools. Each is updated when its lock changes.
$(VENV)/.run: requirements/run.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Scoreboard needs Python 3.11 or newer; try: make $@ PYTHON=python3.12")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

run: $(VENV)/.run ## run the service with a demo board on http://127.0.0.1:8000
	@exec $(BIN)/scoreboard serve --demo

up: ## run all roles, PostgreSQL, Redis and RabbitMQ in containers, on http://127.0.0.1:8080
	docker compose -f deploy/compose.yaml up --build --detach --wait

test: $(VENV)/.dev ## run all checks and tests
	@$(MAKE) --no-print-directory lint types layers
	$(BIN)/python -m tools.suites

check: $(VENV)/.dev ## run lint, types, layers and unit tests, in under a minute
	@$(MAKE) --no-print-directory lint types layers unit

# Each version has a separate environment. The variable selects a version that pyenv manages.
versions: ## run the unit tests on Python 3.12 and 3.13, if installed
	@for version in 3.12 3.13; do \
		export PYENV_VERSION=$$version; \
		if python$$version -c '' 2>/dev/null; then \
			$(MAKE) --no-print-directory unit PYTHON=python$$version VENV=.venv-$$version || exit; \
		fi; \
	done

lint: $(VENV)/.dev ## check lint rules and formatting with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## check types with mypy in strict mode
	$(BIN)/mypy

layers: $(VENV)/.dev ## check that imports follow the layers
	$(BIN)/lint-imports

unit: $(VENV)/.dev ## run the fast tests
	$(BIN)/python -m pytest -q -m "not slow" tests/unit tests/ports tests/properties tests/web

format: $(VENV)/.dev ## fix lint findings and format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure each figure and compare it with its limit
	$(BIN)/python -m bench

chaos: $(VENV)/.dev ## kill processes and servers under load, and check that no update is lost or doubled
	$(BIN)/python -m chaos

docs: $(VENV)/.dev ## build the site, with the pages that are generated from the code
	$(BIN)/python -m tools.reference
	$(BIN)/zensical build --clean --strict

lock: $(VENV)/.dev ## update the locks of dependencies
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --group build pyproject.toml -o requirements/run.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --extra all -c requirements/run.lock pyproject.toml -o requirements/distributed.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --group dev -c requirements/run.lock pyproject.toml -o requirements/dev.lock

clean: ## remove build products (data is kept)
	rm -rf .venv* site .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist bench/build
