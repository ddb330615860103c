# Needs Python 3.11 to 3.13 and make; everything else is installed into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo vignettes test test-fast test-slow bench lint clean

# The environment is made anew when what it must hold changes.
$(VENV)/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "stanmix needs Python 3.11 to 3.13; set PYTHON to one")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/ready-dev: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(VENV)/ready-slow: $(VENV)/ready-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[slow]'
	touch $@

demo: $(VENV)/ready
	$(BIN)/python vignettes/old_faithful.py

# Executes the notebooks again, and keeps their new outputs.
vignettes: $(VENV)/ready-dev
	$(BIN)/python -m tests.notebooks

test: test-fast
	$(BIN)/python -m pytest -q -n auto --dist loadgroup -m "engine and not slow"
	$(BIN)/python -m pytest -q -m "network and not slow" tests

test-fast: $(VENV)/ready-dev
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not engine and not network and not slow"

test-slow: $(VENV)/ready-slow
	$(BIN)/python -m pytest -q -m slow

bench: $(VENV)/ready-dev
	$(BIN)/python -m tests.bench

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist demo
