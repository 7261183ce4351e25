# `make` lists the targets. PYTHON=/path/to/python3.11 names the interpreter of the set-up;
# STACK=onedl takes the maintained forks of OpenMMLab's packages, in an environment of their own;
# ARGS="..." is handed on to the demo or to pytest.
STACK ?= openmmlab
VENV := .venv$(if $(filter-out openmmlab,$(STACK)),-$(STACK))
BIN := $(VENV)/bin
# Tests run in two processes, each with one thread of arithmetic: more would fight for the cores.
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all lint docs clean

help:      ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup:     ## install torch, OpenMMLab and this package into .venv (at once when done before)
	STACK=$(STACK) bash tools/setup_env.sh

demo: setup      ## see it work on made images
	$(BIN)/python tools/demo.py $(ARGS)

test: setup      ## run the tests
	$(PYTEST) $(ARGS)

test-all: setup  ## run the slow tests too
	$(PYTEST) -m "slow or not slow" $(ARGS)

lint: setup      ## check style and format, the order of imports, and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

docs: setup      ## build the documentation site into site/; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

clean:     ## remove work_dirs (runs and their checkpoints), builds and caches; keep data and .venv
	rm -rf work_dirs build dist site mmfastervit.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find . -name '.venv*' -prune -o -name data -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
