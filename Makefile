# MedConnect: `make run` serves, `make test` tests; both set up what they need.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# Programs start two to four times faster with compiled modules; these are kept out of the tree.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/pycache
T ?= tests
# What `make protos-breaking` compares the contracts with: those of the last release.
AGAINST ?= protos/released.binpb

.PHONY: help setup run test check quick docs docs-check format-check lint types imports protos-check fix protos protos-breaking protos-release \
	migration migrate rollback demo dev build sbom audit seed cleanup-tokens db-reset db-fresh db-clear bench coverage clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(READY): requirements-dev.lock pyproject.toml generated/pyproject.toml clients/python/pyproject.toml
	@command -v uv >/dev/null && uv venv -q --allow-existing --python $(PYTHON) .venv || $(PYTHON) -m venv .venv
	@if command -v uv >/dev/null; then \
	  uv pip sync -q --python $(BIN)/python --require-hashes --compile-bytecode requirements-dev.lock && \
	  uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e generated -e clients/python -e .; \
	else \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock && \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e generated -e clients/python -e .; \
	fi
	@touch $@

setup: $(READY) ## Make the virtual environment

run: $(READY) ## Serve gRPC on 127.0.0.1:50051 and REST on 127.0.0.1:3000, with everything they need
	@$(BIN)/medconnect up

dev: $(READY) ## Serve, and start anew whenever a file changes
	@$(BIN)/watchfiles "$(BIN)/medconnect up" server generated clients/web envoy.yaml

test: $(READY) ## Run the tests; T=path or T="path -k name" runs some of them
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(T)

check: format-check lint types imports protos-check protos-breaking docs-check test demo ## All that must hold before a change lands

quick: format-check lint types imports protos-check ## What takes under a minute: all checks, and the tests of rules and wording
	@$(BIN)/python -m pytest tests/rules tests/architecture/test_conventions.py tests/architecture/test_language.py \
	  tests/architecture/test_commits.py

format-check: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/buf format -d --exit-code > /dev/null || { echo "protos: run make fix"; exit 1; }

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/oxlint --quiet clients/web
	@$(BIN)/buf lint
	@$(BIN)/codespell

types: $(READY)
	@$(BIN)/mypy

imports: $(READY)
	@$(BIN)/lint-imports --no-logo

protos-check: $(READY)
	@$(BIN)/python -m protos.generate --check

fix: $(READY) ## Format, and mend what can be mended by itself
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q . ; $(BIN)/buf format -w

protos: $(READY) ## Rebuild generated/ from protos/
	@$(BIN)/python -m protos.generate

protos-breaking: $(READY) ## Compare the contracts with those of the last release; AGAINST=… with others
	@$(BIN)/buf breaking --against '$(AGAINST)'

docs: $(READY) ## Write the reference pages from the code and build the site in dist/docs
	@$(BIN)/python -m docs.generate
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

docs-check: $(READY)
	@$(BIN)/python -m docs.generate --check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

protos-release: $(READY) ## Make the present contracts those that nothing may break any more
	@$(BIN)/buf build -o protos/released.binpb

migration: $(READY) ## Write a migration from what the tables have and the database lacks: m="what it does"
	@test -n "$(m)" || { echo 'usage: make migration m="what it does"'; exit 2; }
	@$(BIN)/medconnect revision "$(m)"

migrate: $(READY) ## Bring the database up to date
	@$(BIN)/medconnect migrate

rollback: $(READY) ## Take the last migration back
	@$(BIN)/medconnect rollback

demo: $(READY) ## Play a prescription's life against an instance of its own, or ADDRESS=host:port of a running one
	@$(BIN)/python -m clients.demo $(if $(ADDRESS),--grpc $(ADDRESS))

seed: $(READY) ## Load a small example hospital (development only)
	@$(BIN)/medconnect seed

cleanup-tokens: $(READY) ## Delete expired tokens, sessions, codes and keys, and mails finished long ago
	@$(BIN)/medconnect cleanup

db-clear: $(READY) ## Empty every table (development only)
	@$(BIN)/medconnect clear

db-reset: $(READY) ## Drop everything and migrate from nothing (development only)
	@$(BIN)/medconnect reset

db-fresh: db-reset seed ## Reset, then load the example hospital (development only)

sbom: $(READY) ## List what the service is made of in dist/medconnect.cdx.json (CycloneDX)
	@mkdir -p dist
	@$(BIN)/python -m clients.sbom dist/medconnect.cdx.json

audit: $(READY) ## Ask the vulnerability databases about both locks (needs the internet)
	@$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.lock -r requirements-dev.lock

build: sbom ## Build the three wheels (server, contracts, client) into dist/, with the list of what is in them
	@$(BIN)/python -m hatchling build -t wheel -d dist
	@cd generated && ../$(BIN)/python -m hatchling build -t wheel -d ../dist
	@cd clients/python && ../../$(BIN)/python -m hatchling build -t wheel -d ../../dist

bench: $(READY) ## Measure the server against its floors; the table goes to benchmarks/out
	@$(BIN)/python -m benchmarks $(BENCH)

coverage: $(READY) ## Run the tests and show which lines they missed
	@$(BIN)/coverage run -m pytest -q && $(BIN)/coverage report --skip-covered --sort=cover

clean: ## Remove everything that was made, except the database and the mails in var/
	@rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage benchmarks/out
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
