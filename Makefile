# Shelfloop. `make help` lists the targets; nothing but Python >= 3.11, git and make is needed to begin.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
# What is installed is right while these two files are what they were when it was installed.
PINS := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
DEV_STAMP := $(VENV)/.installed-dev-$(PINS)
SOAK_STAMP := $(VENV)/.installed-soak-$(PINS)
DEMO_STAMP := $(VENV)/.installed-demo-$(PINS)

WORKERS ?= 2

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | expand -t 18

.PHONY: demo
demo: $(if $(wildcard $(DEV_STAMP)),,$(DEMO_STAMP))  ## run the shops on this machine and open HQ's page (DEMO="--days 7 …" passes options)
	@$(BIN)/shelfloop demo $(DEMO)

.PHONY: setup
setup: $(DEV_STAMP)  ## make .venv with all that work on the project needs

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Shelfloop needs Python 3.11 or newer, $(PYTHON) is %d.%d; say which with: make PYTHON=python3.11 ..." % sys.version_info[:2])'
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: install it first (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }

$(DEV_STAMP): | $(VENV)/bin/python
	@echo "installing Shelfloop with its development packages into $(VENV) (a minute or two)"
	@$(PIP_INSTALL) -e '.[dev]'
	@rm -f $(VENV)/.installed-* && touch $@

$(DEMO_STAMP): | $(VENV)/bin/python
	@echo "installing Shelfloop with what the demo needs into $(VENV) (a minute or two)"
	@# --no-compile: the demo shows its page sooner when only what it imports is compiled, as it is imported.
	@$(PIP_INSTALL) --no-compile -e '.[demo]'
	@rm -f $(VENV)/.installed-* && touch $@

.PHONY: system-packages
system-packages:  ## install the programs that tests need, by apt, when root; else say which are missing
	@missing=; \
	command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing="$$missing mosquitto"; \
	command -v mosquitto_pub >/dev/null || missing="$$missing mosquitto-clients"; \
	command -v curl >/dev/null || missing="$$missing curl"; \
	command -v cc >/dev/null || missing="$$missing gcc libc6-dev"; \
	[ -x /sbin/mkfs.ext4 ] || missing="$$missing e2fsprogs"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v chromedriver >/dev/null || missing="$$missing chromium-driver"; \
	command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$$missing nginx-light"; \
	command -v influxd >/dev/null || missing="$$missing influxdb"; \
	command -v victoria-metrics >/dev/null || missing="$$missing victoria-metrics"; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "the tests need these programs:$$missing. Install them, for example: sudo apt-get install$$missing" >&2; exit 1; \
	fi; \
	echo "installing by apt:$$missing"; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing </dev/null >/dev/null

.PHONY: lint
lint: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: setup  ## put every file into the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: test
test: system-packages lint unit integration  ## everything: lint, types, unit, contract, integration and acceptance tests

.PHONY: unit
unit: setup  ## unit and contract tests only: seconds
	$(BIN)/python -m pytest -q -n $(WORKERS) tests/unit tests/contracts

.PHONY: integration
integration: setup  ## tests with real processes, broker, browser
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile tests/integration tests/crash
	$(BIN)/python -m pytest -q tests/acceptance

$(SOAK_STAMP): $(DEV_STAMP)
	@echo "installing what only the long suites need: Ray"
	@$(PIP_INSTALL) -e '.[ray]'
	@touch $@

.PHONY: soak
soak: $(SOAK_STAMP) system-packages  ## the long suites with their full seeded counts, and a tally at the end
	SHELFLOOP_SOAK=1 $(BIN)/python -m pytest -q -m "soak or hypothesis" --timeout 3600 tests

.PHONY: screenshots
screenshots: setup system-packages  ## pictures of HQ's pages into var/screenshots
	$(BIN)/python -m pytest -q tests/integration -k "screenshot or browser"
	@ls var/screenshots

.PHONY: bench
bench: setup  ## each benchmark prints a table with its peer
	@for each in benchmarks/*.py; do [ -e "$$each" ] || continue; echo "== $$each"; $(BIN)/python "$$each" --quick; done

.PHONY: bench-full
bench-full: setup  ## the demo's benchmark in full: 28 days, once more with kills, and a fresh clone's first page
	$(BIN)/python benchmarks/demo.py --first-page --chaos 1

.PHONY: settings-page
settings-page: setup  ## write docs/settings.md from the settings classes
	$(BIN)/shelfloop docs settings > docs/settings.md.new && mv docs/settings.md.new docs/settings.md

.PHONY: api-page
api-page: setup  ## write docs/openapi.json from the centre's routes
	$(BIN)/shelfloop docs openapi > docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json

.PHONY: wire-page
wire-page: setup  ## write docs/asyncapi.json from the classes of the wires
	$(BIN)/shelfloop docs asyncapi > docs/asyncapi.json.new && mv docs/asyncapi.json.new docs/asyncapi.json

.PHONY: clean
clean:  ## remove what was built; keeps .venv
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis var
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
