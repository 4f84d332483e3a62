# MedConnect: `make run` starts an instance, `make test` runs the tests; both create the virtual environment first.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# Compiled modules make programs start two to four times faster; they are stored outside the source tree.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/pycache
T ?= tests
# Processes that run tests. Some tests wait, so one more than there are cores can be faster.
WORKERS ?= 2
# The contracts that `make protos-breaking` compares with: those of the last release.
AGAINST ?= protos/released.binpb

# With parallel targets, the output of each appears as a whole when it ends (GNU make 4).
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.PHONY: help setup free-ports run test check quick quick-tests docs docs-check format-check lint types imports protos-check fix protos protos-breaking protos-release \
	migration migrate rollback demo dev build release sbom audit seed cleanup-tokens db-reset db-fresh db-clear bench bench-smoke bench-scale bench-results coverage clean

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

setup: $(READY) ## Create the virtual environment

# A setting of the environment or of .env, or its default.
setting = $(or $($(1)),$(shell sed -n 's/^$(1)=//p' .env 2>/dev/null | tail -n 1),$(2))

# Before the virtual environment is made; later `medconnect up` checks by itself.
free-ports:
	@test -e $(READY) || $(PYTHON) -m server.supervision.free_ports \
	  'REST_ADDRESS=$(call setting,REST_ADDRESS,127.0.0.1:3000)' \
	  'GRPC_ADDRESS=$(call setting,GRPC_ADDRESS,127.0.0.1:50051)'

run: free-ports $(READY) ## Start an instance: gRPC on 127.0.0.1:50051, REST on 127.0.0.1:3000
	@$(BIN)/medconnect up

dev: $(READY) ## Start an instance, and restart it whenever a file changes
	@$(BIN)/watchfiles "$(BIN)/medconnect up" server generated clients/web envoy.yaml

test: $(READY) ## Run the tests; T=path or T="path -k name" runs some of them
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(T)

check: format-check lint types imports protos-check protos-breaking docs-check test bench-smoke demo ## Run all checks and tests that must pass before a change is merged

quick: $(READY) ## Run the checks and the tests of rules and wording, in under a minute
	@$(MAKE) --no-print-directory -j 2 $(SYNC) format-check lint types imports protos-check quick-tests

quick-tests: $(READY)
	@$(BIN)/python -m pytest tests/rules tests/api tests/architecture/test_conventions.py \
	  tests/architecture/test_language.py tests/architecture/test_commits.py

format-check: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/buf format -d --exit-code > /dev/null || { echo "protos: run make fix"; exit 1; }

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/oxlint --quiet clients/web
	@$(BIN)/buf lint
	@$(BIN)/hadolint deploy/Dockerfile
	@$(BIN)/codespell

types: $(READY)
	@$(BIN)/mypy

imports: $(READY)
	@$(BIN)/lint-imports --no-logo

protos-check: $(READY)
	@$(BIN)/python -m protos.generate --check

fix: $(READY) ## Format, and apply automatic fixes
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q . ; $(BIN)/buf format -w

protos: $(READY) ## Rebuild generated/ from protos/
	@$(BIN)/python -m protos.generate

protos-breaking: $(READY) ## Check that the contracts are compatible with the last release, or with AGAINST=…
	@$(BIN)/buf breaking --against '$(AGAINST)'

docs: $(READY) ## Write the reference pages from the code and build the site in dist/docs
	@$(BIN)/python -m docs.generate
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

docs-check: $(READY)
	@$(BIN)/python -m docs.generate --check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

protos-release: $(READY) ## Release the current contracts: later changes must be compatible with them
	@$(BIN)/buf build -o protos/released.binpb

migration: $(READY) ## Generate a migration from the difference between the tables and the database; m="its title"
	@test -n "$(m)" || { echo 'usage: make migration m="its title"'; exit 2; }
	@$(BIN)/medconnect revision "$(m)"

migrate: $(READY) ## Apply all migrations to the database
	@$(BIN)/medconnect migrate

rollback: $(READY) ## Revert the last migration
	@$(BIN)/medconnect rollback

demo: $(READY) ## Play a prescription from creation to dispense, on a new instance or on ADDRESS=host:port
	@$(BIN)/python -m clients.demo $(if $(ADDRESS),--grpc $(ADDRESS))

seed: $(READY) ## Load a small example hospital (development only)
	@$(BIN)/medconnect seed

cleanup-tokens: $(READY) ## Delete expired tokens, sessions, codes and keys, and old finished emails
	@$(BIN)/medconnect cleanup

db-clear: $(READY) ## Empty every table (development only)
	@$(BIN)/medconnect clear

db-reset: $(READY) ## Drop all tables and apply all migrations (development only)
	@$(BIN)/medconnect reset

db-fresh: db-reset seed ## Reset, then load the example hospital (development only)

sbom: $(READY) ## Write the bill of materials to dist/medconnect.cdx.json (CycloneDX)
	@mkdir -p dist
	@$(BIN)/python -m clients.sbom dist/medconnect.cdx.json

audit: $(READY) ## Check both lock files for known vulnerabilities (requires internet access)
	@$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.lock -r requirements-dev.lock

build: sbom ## Build the three wheels (server, contracts, client) and the bill of materials in dist/
	@$(BIN)/python -m hatchling build -t wheel -d dist
	@cd generated && ../$(BIN)/python -m hatchling build -t wheel -d ../dist
	@cd clients/python && ../../$(BIN)/python -m hatchling build -t wheel -d ../../dist

release: $(READY) ## Pack the tagged commit as dist/medconnect-VERSION.tar.gz, with checksums in dist/SHA256SUMS
	@$(BIN)/python -m deploy.release --check
	@$(MAKE) --no-print-directory build
	@$(BIN)/python -m deploy.release

bench: $(READY) ## Measure the server against its baselines in five minutes; the report goes to benchmarks/out
	@$(BIN)/python -m benchmarks run $(BENCH)

bench-smoke: $(READY) ## Fail if a call's cost has grown by more than a third over benchmarks/reference.json; half a minute
	@$(BIN)/python -m benchmarks smoke $(BENCH)

bench-scale: $(READY) ## Compare the latency on 1,000,000 prescriptions with that on 1 % of them; BENCH="--scale 0.1"
	@$(BIN)/python -m benchmarks scale $(BENCH)

bench-results: bench bench-scale ## Run all benchmarks and write benchmarks/RESULTS.md with its charts
	@$(BIN)/python -m benchmarks results

coverage: $(READY) ## Run the tests and show the lines that they do not cover
	@$(BIN)/coverage run -m pytest -q && $(BIN)/coverage report --skip-covered --sort=cover

clean: ## Remove all generated files, except the database and the emails in var/
	@rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage benchmarks/out
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
