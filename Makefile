# make run     sets everything up and runs the queueing task; ARGS="seed=1 student.lora.r=8" overrides fields
# make test    sets everything up and runs the tests; ARGS="-m 'not slow'" leaves out the slow ones
# make lint    checks format, lint, which room imports which, and types
# make docs    sets everything up and builds the documentation into site/
# make setup   only sets everything up

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
FETCHED := .venv/.fetched

.PHONY: run test lint docs setup

run: setup
	$(BIN)/simdistill run task=queueing $(ARGS)

test: setup
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 \
	  $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright

docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "documentation: site/index.html"

setup: $(INSTALLED) $(FETCHED)

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --constraint constraints.txt torch
	@echo "installing simdistill and what it needs: a minute or two"
	PYTHONWARNINGS="ignore:Editable installation" \
	  $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	touch $@

$(FETCHED): $(INSTALLED)
	$(BIN)/simdistill fetch
	touch $@
