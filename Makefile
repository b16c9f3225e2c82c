# Beffroi's front door: `make help` lists what it does.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run setup test oracles check coverage bench nightly docs accessibility release constraints clean

PYTHON ?= python3
DATA ?= town
HOST ?= 127.0.0.1
PORT ?= 8080
# half of a test is waiting for a disk, a broker or a browser; the long files come first as they are collected
WORKERS ?= $(shell expr $$(nproc) + 2)
ARGS ?=
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# compiled once, not at each start of a server or of a command: the suite has hundreds
unexport PYTHONDONTWRITEBYTECODE

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

run: setup $(DATA)/beffroi.toml ## Serve the demonstration town on http://127.0.0.1:8080/ (everything is set up on first use)
	@exec $(BIN)/beffroi serve --data $(DATA) --host $(HOST) --port $(PORT) $(ARGS)

$(DATA)/beffroi.toml: | .venv/.installed
	@echo "Building the demonstration town in $(DATA)/ (once, about a minute)"
	@$(BIN)/beffroi demo --data $(DATA) --json > /dev/null

setup: .venv/.system .venv/.installed ## Set up .venv/ with all extras, the front-end bundle and (as root) Debian packages
	@$(BIN)/python hatch_build.py

.venv/.system: debian-packages.txt checks/system.sh
	@checks/system.sh && mkdir -p .venv && touch $@

.venv/.installed: pyproject.toml constraints.txt hatch_build.py | .venv/.system
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Beffroi needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing Beffroi and its libraries into .venv/ (about a minute the first time)"
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[all,dev]'
	@touch $@

tests/identity/provider/node_modules: tests/identity/provider/package-lock.json
	@npm ci --no-audit --no-fund --silent --prefix tests/identity/provider && touch $@

test: setup tests/identity/provider/node_modules ## Run the whole suite (PYTEST="-k word" narrows it)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST)

oracles: setup ## Install the clients of others that some tests ask, apart from ours, in .oracles/ (2 minutes, 1.2 GB)
	@checks/oracles.sh

coverage: setup ## Run the whole suite and show the branch coverage, which must reach 90 %
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=90 $(PYTEST)

check: setup ## Formatting, style, types, imports, translations, documentation, sizes
	@$(BIN)/python -m checks

docs: setup ## Write docs/reference/ again from the code
	@$(BIN)/python docs/generate.py

release: setup ## Make the wheels, their SBOM, digests and signature in dist/ (KEY=a key of ssh-keygen)
	@deploy/release.sh $(KEY)

accessibility: setup ## Write again what the automatic accessibility tests look at (after a change of axe-core)
	@cd frontend && node looked.mjs > ../src/beffroi/web/site/duties/looked.json

bench: setup ## Measure ratios against peers and floors (minutes; prints the machine)
	@$(BIN)/python -m bench $(ARGS)

nightly: setup ## The long tests: soaks, hundreds of kills, a hundred million rows; then the suite on examples drawn anew
	@$(BIN)/python -m pytest -m nightly $(PYTEST)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --hypothesis-profile=search $(PYTEST)

constraints: ## Write constraints.txt again from what a fresh environment resolves to
	@rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	@build/constraints/bin/python -m pip install -qq --editable '.[all,dev]'
	@{ echo "# The versions the suite was last run with; made by \`make constraints\`."; \
	   build/constraints/bin/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools; } > constraints.txt
	@rm -rf build/constraints

clean: ## Remove what was built (.venv, bundle, caches); the town's data stay
	@rm -rf .venv .oracles build dist frontend/node_modules src/beffroi/web/static/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
