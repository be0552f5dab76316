# Every target sets up what it needs in .venv; Python 3.11+ is all the machine must have.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What the dashboard's page is built from.
PAGE := $(shell find dashboard -name node_modules -prune -o -name tests -prune -o -type f -print 2>/dev/null)

.PHONY: run demo test check dashboard clean

run: $(VENV)/.installed  ## the daemon, with its login link
	@$(BIN)/clawatch run

demo: $(VENV)/.installed  ## simulated agents in every kind of trouble, within two minutes
	@$(BIN)/clawatch demo

test: $(VENV)/.dev  ## the whole test suite
	@$(BIN)/python -m pytest

check: $(VENV)/.dev  ## what must hold besides the tests: lint, types, import contracts, the page
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python hatch_build.py check

dashboard: $(VENV)/.installed  ## the page, where it is out of date
	@$(BIN)/python hatch_build.py

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ClaWatch needs Python 3.11 or newer: make PYTHON=python3.12 run")'
	@echo "filling $(VENV), which takes up to a minute" >&2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@touch $@

# Without the network that the dashboard needs, it says so and goes on without; any other error comes again.
$(VENV)/.installed: $(VENV)/.made pyproject.toml hatch_build.py $(PAGE)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . 2>$(VENV)/install.log || { \
	  grep -m1 -o 'ClaWatch: .*' $(VENV)/install.log >&2; \
	  CLAWATCH_SKIP_DASHBOARD=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .; }
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

$(VENV)/.examples: $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group examples
	@touch $@

clean:
	rm -rf $(VENV) build dist
