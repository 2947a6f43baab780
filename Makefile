# make demo | test | lint | bench | docs | clean
#
# Every target makes the environment .venv if it is missing, and brings it up to date if
# pyproject.toml or constraints.txt have changed. Packages come from wherever pip is set up to
# take them (PIP_INDEX_URL, PIP_FIND_LINKS and pip's other variables are heeded); nothing else
# needs a network.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# There while an installation is going on: where it is left over, somebody pulled the plug.
UNFINISHED := $(VENV)/.unfinished
RECENT := -c 'import sys; sys.exit(sys.version_info < (3, 11))'

# $(call install,REQUIREMENTS): pip leaves the environment as it was if it cannot get everything.
install = @touch $(UNFINISHED); \
	if $(BIN)/python -m pip --disable-pip-version-check -qq install -c constraints.txt $(1); \
	then rm -f $(UNFINISHED); else rm -f $(UNFINISHED); exit 1; fi
say = @printf '%s\n' 'semveil: $(1)'

.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:
.PHONY: help demo test lint bench docs clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

demo: $(VENV)/.core ## train, protect, attack and report on the digits that come along
	@$(BIN)/semveil run quickstart --workers 4 $(ARGS)

# One process per core; long tests are marked slow: make test ARGS="-m slow" runs these alone.
test: $(VENV)/.dev ## run the tests and the examples of the docstrings, except slow ones
	@$(BIN)/python -m pytest -n logical --dist loadfile -m "not slow" $(ARGS)

lint: $(VENV)/.dev ## check style, format, types and the direction of imports
	@failed=0; \
	for check in 'ruff check .' 'ruff format --check .' mypy 'lint-imports --no-logo'; do \
	    $(BIN)/$$check || failed=1; done; \
	exit $$failed

bench: $(VENV)/.dev ## measure speed
	@$(BIN)/semveil bench $(ARGS)

docs: $(VENV)/.docs ## build the documentation into docs/_site; every warning is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/docs
	@rm -rf docs/_site && mv build/docs docs/_site
	$(call say,open docs/_site/index.html)

clean: ## remove the environment, caches and built files; runs/ stays
	@rm -rf $(VENV) build docs/_site .benchmarks .hypothesis .import_linter_cache .mypy_cache \
	    .pytest_cache .ruff_cache src/*.egg-info
	@find src tests docs benchmarks -type d -name __pycache__ -prune -exec rm -rf {} +

# Only the package and what it runs on: enough for the demo.
$(VENV)/.core: pyproject.toml constraints.txt
	@$(PYTHON) $(RECENT) || { \
	    echo "make: $(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=/path/to/python" >&2; \
	    exit 1; }
	@if [ -e $(UNFINISHED) ] || ! $(BIN)/python $(RECENT) 2>/dev/null; then \
	    rm -rf $(VENV) && mkdir $(VENV) && touch $(UNFINISHED) && $(PYTHON) -m venv $(VENV); fi
	$(call say,installing into $(VENV) (the first time this takes a while: torch is large))
	$(call install,setuptools torch)
	$(call install,--no-build-isolation -e .)
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	$(call say,installing the tools for tests and checks into $(VENV))
	$(call install,--no-build-isolation -e '.[test$(comma)lint]')
	@touch $@

$(VENV)/.docs: $(VENV)/.core
	$(call say,installing the tools for the documentation into $(VENV))
	$(call install,--no-build-isolation -e '.[docs]')
	@touch $@

comma := ,
