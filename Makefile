# `make demo` and `make test` work from a bare clone: python3 (3.10+), make and git.
PYTHON ?= python3

# relative, so that a path with a space in it never reaches a rule
VENV := .venv
RUN := $(VENV)/bin/python
# named for this folder: scripts and editable installs of a moved checkout are stale
READY := $(VENV)/ready-$(shell pwd | cksum | cut -d ' ' -f 1)
# there while an installation runs: where one was killed, begin anew
HALF := $(VENV)/half-made
USABLE := 'import pip, sys; sys.exit(sys.version_info < (3, 10))'
SPECS := pyproject.toml constraints.txt requirements-dev.txt \
  $(wildcard plugins/*/pyproject.toml hybridcore/startup/*hybridlm*)
APT := apt-get --quiet=2 -o Acquire::Retries=1 -o Acquire::http::Timeout=20
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check \
  --constraint constraints.txt

.PHONY: demo test lint docs browser dist clean
.DELETE_ON_ERROR:

demo: $(READY)
	$(VENV)/bin/hybridlm demo

# files in parallel: every test has one thread
test: lint docs browser
	$(RUN) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

# into site/; nothing is read from the network
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict \
	  --config-file .ci/mkdocs.yml

# for the tests of the report's page, which are skipped where there is none
browser:
	@if command -v chromium && command -v chromedriver; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get; then \
	  echo "installing chromium and chromium-driver" >&2; \
	  { $(APT) update && $(APT) install --yes --no-install-recommends \
	    chromium chromium-driver fonts-dejavu-core; } || \
	    echo "no browser could be installed: tests in one are skipped" >&2; \
	else echo "tests in a browser want chromium and chromedriver" >&2; fi > /dev/null

dist: $(READY)
	rm -rf dist
	for folder in . plugins/*/; do \
	  $(RUN) -m build --no-isolation --outdir dist "$$folder" || exit 1; \
	done

# torch before the rest, by its pin: see constraints.txt
$(READY): $(SPECS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and \
	  "python 3.10 or newer is needed: make PYTHON=python3.12 ...")'
	@echo "installing into $(VENV); the first time takes some minutes"
	@test ! -e $(HALF) && $(RUN) -c $(USABLE) 2>/dev/null || \
	  $(PYTHON) -m venv --clear $(VENV)
	@touch $(HALF)
	@$(PIP) torch && $(PIP) --requirement requirements-dev.txt || \
	  { rm -f $(HALF); exit 1; }
	@rm -f $(HALF) $(VENV)/ready-*
	@touch $(READY)

clean:
	rm -rf $(VENV) dist build site
