# Run `make help`. Everything lives in .venv, node_modules and data; nothing else on the machine is changed
# (except by test-browser, which installs Chromium and nginx where there are none and you are root).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
PLUGINS := $(sort $(wildcard plugins/*/pyproject.toml))
PLUGIN_DIRS := $(PLUGINS:/pyproject.toml=)
PYTHON_CODE := streamgate $(foreach d,$(PLUGIN_DIRS),$(d)/streamgate_$(notdir $(d)))
NPM_LOCKS := $(wildcard plugins/*/package-lock.json tests/*/package-lock.json)
STAMPS := $(VENV)/stamps
# Tests wait for servers more than they compute, so one more at once than there are cores.
WORKERS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 1 )))

# Tests start some hundred processes, and without kept bytecode each compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := true
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help install run demo split test test-browser check check-types check-rest bench fmt lock clean

help:  ## what there is to run
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMPS)/assets  ## .venv with everything in it, from the lock files
	@echo "installed: try 'make run' or 'make demo'"

run: $(STAMPS)/assets  ## all services in one process, with a local chain to try things on
	@exec $(BIN)/streamgate run --all --profile dev

demo: $(STAMPS)/assets  ## the whole story on a real clip; MODE=split tells it over nine services, each killed once
	@exec $(BIN)/python -m tests.e2e.demo --mode $(or $(MODE),all)

split: $(STAMPS)/assets  ## a process for each service over NATS, PostgreSQL, Redis and S3, until Ctrl-C
	@exec $(BIN)/python -m streamgate.testing.split

test: $(STAMPS)/assets  ## all tests but the browser's; ARGS="-k name" picks some
	@$(BIN)/pytest -n $(WORKERS) --no-loadscope-reorder $(ARGS)

test-browser: $(STAMPS)/assets  ## plays in a real Chromium, and behind a real nginx
	@bash deploy/setup/debian.sh
	@$(BIN)/pytest -o addopts="--import-mode=importlib --strict-markers --strict-config -ra -p no:schemathesis" -n 2 --no-loadscope-reorder tests/browser tests/proxy $(ARGS)

check: $(STAMPS)/dev  ## format, lint, types, import boundaries, generated documents
	@$(MAKE) --no-print-directory --jobs=2 --output-sync check-types check-rest

check-types:
	@$(BIN)/mypy $(PYTHON_CODE) tests/bench

check-rest:
	@$(BIN)/ruff format --check --quiet . || { echo "run 'make fmt'"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest -q tests/architecture

bench: $(STAMPS)/assets  ## figures beside peers, as ratios; ARGS="gateway cache --json FILE" picks groups
	@exec $(BIN)/python -m tests.bench $(ARGS)

fmt: $(STAMPS)/dev  ## format, mend what can be mended, write generated documents anew
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .
	@$(BIN)/python -m streamgate.testing.docs --write

# --- set-up ---------------------------------------------------------------------------------------

$(STAMPS)/uv: deploy/setup/uv.lock
	@$(PYTHON) deploy/setup/venv.py $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@mkdir -p $(@D) && touch $@

PYTHON_PARTS := $(STAMPS)/uv requirements-dev.lock pyproject.toml $(PLUGINS)
NPM_PARTS := $(STAMPS)/uv deploy/setup/npm.py deploy/setup/node.lock $(NPM_LOCKS)

# The lock is complete, so nothing is resolved (--no-deps). Our own packages are editable.
$(STAMPS)/dev: $(PYTHON_PARTS)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements-dev.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ./,. $(PLUGIN_DIRS))
	@touch $@

$(STAMPS)/npm: $(NPM_PARTS)
	@$(BIN)/python deploy/setup/npm.py $(NPM_LOCKS)
	@touch $@

$(STAMPS)/assets: $(PYTHON_PARTS) $(NPM_PARTS) $(wildcard plugins/*/build.py)
	@$(MAKE) --silent --no-print-directory --jobs=2 $(STAMPS)/dev $(STAMPS)/npm
	@for build in $(wildcard plugins/*/build.py); do $(BIN)/python $$build; done
	@touch $@

NO_LOCAL := --no-emit-package streamgate-kernel $(foreach d,$(PLUGIN_DIRS),--no-emit-package streamgate-$(notdir $(d)))
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-annotate --python-version 3.11 --custom-compile-command "make lock" $(NO_LOCAL)

lock: $(STAMPS)/uv  ## the lock files anew; UPGRADE=1 takes newer versions
	@$(COMPILE) --all-extras $(if $(UPGRADE),--upgrade) -o requirements.lock pyproject.toml $(PLUGINS)
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --all-extras -c requirements.lock --group dev -o requirements-dev.lock pyproject.toml $(PLUGINS)
	@for tool in uv node; do $(COMPILE) $(if $(UPGRADE),--upgrade) -o deploy/setup/$$tool.lock deploy/setup/$$tool.in; done

clean:  ## remove .venv and everything built; ./data stays
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@rm -rf plugins/*/node_modules plugins/*/dist tests/*/node_modules plugins/web/streamgate_web/static/vendor
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
