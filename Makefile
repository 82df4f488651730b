# `make demo` and `make test` work from a bare clone: python3 (3.10+), make and git.
PYTHON ?= python3
# relative, so that a path with a space in it never reaches a rule
BIN := .venv/bin
READY := .venv/ready
SPECS := pyproject.toml constraints.txt requirements-dev.txt $(wildcard plugins/*/pyproject.toml)

.PHONY: demo test lint dist clean
.DELETE_ON_ERROR:

demo: $(READY)
	$(BIN)/hybridlm demo

test: lint
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

dist: $(READY)
	rm -rf dist
	for d in . plugins/*/; do \
	  $(BIN)/python -m build --no-isolation --outdir dist "$$d" || exit 1; done

# torch before the rest, by its pin: see constraints.txt
$(READY): $(SPECS)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt hatchling
	$(BIN)/python -m pip install --quiet --constraint constraints.txt \
	  --requirement requirements-dev.txt
	touch $(READY)

clean:
	rm -rf .venv dist build
