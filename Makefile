# Evenhand's few commands. `make run` starts everything; `make test` proves it.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --disable-pip-version-check --quiet

.PHONY: run demo demo-training test check help FORCE
.DEFAULT_GOAL := help

help:
	@echo "make run    start Evenhand on this machine (PORT=8000), Ctrl-C stops it"
	@echo "make demo   generate, pair, judge, report and export the demo study once, without a browser"
	@echo "make demo-training   train on the demo study's judgments: reward models, SFT, RL, a new arm"
	@echo "make test   the whole test suite, on SQLite and on PostgreSQL"
	@echo "make check  style, types, migrations, packages with known holes, and the quick tests"

# `exec`, so that a signal to make reaches the program itself and no shell stays behind.
run: $(VENV)/.run-stamp
	@exec $(VENV)/bin/python manage.py run_local

demo: $(VENV)/.run-stamp
	@exec $(VENV)/bin/python manage.py demo

demo-training: $(VENV)/.train-stamp
	@exec $(VENV)/bin/python manage.py demo_training

test: $(VENV)/.test-stamp
	@exec $(VENV)/bin/python -m tests.run

check: $(VENV)/.test-stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python manage.py makemigrations --check --dry-run
	$(VENV)/bin/python -m tests.package_audit
	$(VENV)/bin/python -m pytest -q -n 2 --dist loadfile -m "not slow and not browser"

# The stamps hold the digest of the interpreter and the requirements that were installed: a change of either
# installs again, a touched file does not.
$(VENV)/.run-stamp: $(VENV)/bin/python FORCE
	@$(call install,requirements.txt)

$(VENV)/.train-stamp: $(VENV)/bin/python FORCE
	@$(call install,requirements.txt requirements-train.txt)

$(VENV)/.test-stamp: $(VENV)/bin/python FORCE
	@$(call install,requirements.txt requirements-train.txt requirements-dev.txt)

# PyTorch comes first and alone: its build for this machine decides what the others are resolved against.
define install
set -e; now=`{ $(VENV)/bin/python --version; cat $(1); } | cksum`; \
if [ "$$now" != "`cat $@ 2>/dev/null`" ]; then \
  echo "Installing into $(VENV), which takes some minutes the first time."; \
  echo "First PyTorch, which is large …"; \
  $(PIP) `grep '^torch==' requirements.txt`; \
  echo "Now everything else in $(lastword $(1)) …"; \
  $(PIP) -r $(lastword $(1)); \
  echo "$$now" > $@; \
fi
endef

FORCE:

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Evenhand needs Python 3.11 or newer; '$(PYTHON)' is: `$(PYTHON) --version 2>&1`."; \
	  echo "Name another one, for example: make run PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python cannot make virtual environments. On Debian: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
