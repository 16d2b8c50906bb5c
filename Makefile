# Everything that a developer does. Needs make and Python 3.10 to 3.13; `make` alone lists the targets.
# In a fresh checkout another interpreter can be named: make test PYTHON=python3.12

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?=
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.10)
USABLE := import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))
VIDEO ?= goldfish_cli/assets/sample.mp4
QUESTION ?= What happens in the video?

.DEFAULT_GOAL := help
.PHONY: help setup ask test lint fix minnow bench docs

help:  ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP)  ## Install Goldfish and its tools into .venv, in pinned versions

# Only when what is to be installed has changed; an environment that works is kept.
$(STAMP): pyproject.toml constraints.txt
	@$(BIN)/python -c '$(USABLE)' 2>/dev/null || for python in $(CANDIDATES) none; do \
	  if [ $$python = none ]; then \
	    echo "Goldfish needs Python 3.10 to 3.13 with venv; none of these is: $(CANDIDATES)" >&2; exit 1; \
	  elif $$python -c '$(USABLE)' 2>/dev/null; then \
	    echo "Making $(VENV) with $$python"; $$python -m venv --clear $(VENV) && break || exit 1; \
	  fi; \
	done
	@echo "Installing Goldfish into $(VENV); the first time this takes a few minutes"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]'
	@touch $@

ask: $(STAMP)  ## Ask about a clip: make ask VIDEO=clip.mp4 QUESTION="Who moves?"
	@$(BIN)/python -m goldfish_cli.cli ask "$(VIDEO)" "$(QUESTION)"

test: $(STAMP)  ## Run the tests, two files at a time where there are two cores
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(STAMP)  ## Check style, types and which room imports which
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

fix: $(STAMP)  ## Mend what the style checker can mend
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

minnow: $(STAMP)  ## Train the bundled model from nothing; leave it the machine for well over an hour
	$(BIN)/python -m goldfish_cli.training.minnow

bench: $(STAMP)  ## Measure what the documentation claims
	@failed=0; for name in decode ask prep shapes_accuracy; do \
	  echo "== $$name"; $(BIN)/python benchmarks/$$name.py || failed=1; done; exit $$failed

docs: $(STAMP)  ## Write the help pages in docs/commands again
	NO_COLOR=1 COLUMNS=100 TERMINAL_WIDTH=100 $(BIN)/python docs/write_help_pages.py
