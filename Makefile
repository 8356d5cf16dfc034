# Forger's commands. `make help` lists them; `make demo` is the first one to try.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# An OpenMP thread that spins while it waits starves the other processes that compute.
export GOMP_SPINCOUNT := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := .venv/bin
# Further options for pip when it installs torch, for example the index of its smaller CPU build.
TORCH_FLAGS ?=
export TORCH_FLAGS
PYTHONS := python3.11 python3.12 python3.13 python3

.PHONY: help setup demo serve test test-quick test-all test-rest lint bench bench-check pictures docs lock clean

help: ## list the commands
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/make \1\t\2/p' Makefile | expand -t 18

setup: .venv/.ready ## create .venv with the pinned versions of everything

.venv/bin/python .venv-docs/bin/python:
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Creating $(@D:/bin=) with $$($$python --version)."; \
	    exec $$python -m venv $(@D:/bin=); \
	  fi; \
	done; \
	echo "Forger needs Python 3.11 or newer, and none of $(PYTHONS) is: install python3.11 (with its venv part)." >&2; \
	exit 1

# Each stamp repeats one step only when what it follows from has changed.
.venv/.torch: requirements/torch.txt | .venv/bin/python
	@echo "Installing torch."
	@$(BIN)/python -m pip install --quiet $(TORCH_FLAGS) -r requirements/torch.txt
	@touch $@

.venv/.packages: requirements/project.lock .venv/.torch
	@echo "Installing what the lock file lists."
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/project.lock
	@touch $@

.venv/.ready: pyproject.toml .venv/.packages
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "Ready: everything is in .venv."

KEEP ?=
demo: setup ## train two jobs, draw a seven, turn day into night; pictures land in demo/; KEEP=1 leaves the service up
	@$(BIN)/python -P -m examples.demo $(if $(KEEP),--keep)

serve: setup ## run the service until Ctrl-C
	@$(BIN)/forger serve

# One process of tests per core; a file's tests stay together, since they share its service.
TESTS_AT_ONCE := --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: setup lint ## check everything, the long matrices by samples
	@$(BIN)/python -P -m pytest $(TESTS_AT_ONCE) --take usual

test-quick: setup ## check while you work: style, and the tests that start no processes
	@$(BIN)/ruff check
	@$(BIN)/python -P -m pytest $(TESTS_AT_ONCE) --take quick

test-all: setup lint ## check everything, the long matrices whole (an hour or more)
	@$(BIN)/python -P -m pytest $(TESTS_AT_ONCE)

PART ?= 0/1
test-rest: setup ## run what `make test` leaves out, or one part of it: PART=2/6
	@$(BIN)/python -P -m pytest $(TESTS_AT_ONCE) --take rest --part $(PART)

lint: setup ## style, types and who may import whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: setup ## measure picture quality, the quick way
	@$(BIN)/python -P -m bench.quality --quick

bench-check: setup ## hold speed, start and memory against their bounds (ten minutes, a quiet machine)
	@$(BIN)/python -P -m bench.check

.venv-docs/.ready: requirements/docs.lock | .venv-docs/bin/python
	@.venv-docs/bin/python -m pip install --quiet --require-hashes -r requirements/docs.lock
	@touch $@

pictures: setup ## take the screenshots of the studio for docs/ (needs Chromium)
	@$(BIN)/python -P -m bench.pictures

docs: .venv-docs/.ready ## build the site of docs/ into site/; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict
	@echo "Open site/index.html, or serve it, with search: .venv-docs/bin/mkdocs serve"

COMPILE = ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-annotate --no-header --no-emit-index-url --no-emit-find-links

lock: setup ## resolve requirements/*.in anew (fetches uv); those of the images and of the client are parts of the largest
	@$(BIN)/python -m pip install --quiet uv
	@cd requirements && $(COMPILE) --upgrade api.in worker.in project.in --output-file project.lock
	@cd requirements && $(COMPILE) --constraint project.lock api.in --output-file api.lock
	@cd requirements && $(COMPILE) --constraint project.lock api.in worker.in --output-file worker.lock
	@cd requirements && $(COMPILE) --constraint project.lock ../pyproject.toml --output-file forger.lock
	@cd requirements && $(COMPILE) --upgrade clients.in --output-file clients.lock
	@cd requirements && $(COMPILE) --upgrade docs.in --output-file docs.lock

clean: ## remove the environments, the site and caches; var/ and demo/ stay
	@rm -rf .venv .venv-docs site *.egg-info build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
