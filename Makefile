# Two commands do everything on a fresh machine with git, make and python3: `make demo` and `make test`.
# The work is in scripts/bootstrap.py, which needs nothing but Python 3.8; this file only names it.

.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/sh
PYTHON3 ?= python3

# Nothing calls home, and nothing is fetched once the set-up is done.
export HF_HUB_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export RASA_TELEMETRY_ENABLED := false
export DO_NOT_TRACK := 1
export TF_CPP_MIN_LOG_LEVEL := 3
export TOKENIZERS_PARALLELISM := false
# Where it is set, every process that the demo and the tests start would compile all of Firstline's modules again.
export PYTHONDONTWRITEBYTECODE :=

PY := .venv/bin/python
BOT_PY := bot/.venv/bin/python
BOOTSTRAP := $(PYTHON3) scripts/bootstrap.py

.PHONY: help setup demo test check test-all test-service test-bot lock clean python3

help: ## Show this list
	@printf 'Firstline. Start with "make demo".\n\n'
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)$$/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

python3:
	@command -v $(PYTHON3) >/dev/null 2>&1 || { \
	  printf '%s\n' 'python3 was not found. Install Python 3.8 or newer and run the same command again:' \
	    '  Debian, Ubuntu:  sudo apt-get install python3 python3-venv' \
	    '  Fedora:          sudo dnf install python3' \
	    '  macOS:           xcode-select --install' >&2; exit 1; }
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 8))' || { \
	  printf '%s\n' "python3 is too old: Python 3.8 or newer is needed, this is $$($(PYTHON3) --version 2>&1)." \
	    'A newer one under another name can be given:  make setup PYTHON3=python3.11' >&2; exit 1; }

setup: python3 ## Install both environments, fill the database, build the index, train the assistant
	@$(BOOTSTRAP) setup

demo: setup ## Start everything on this machine and print the addresses to open
	@.venv/bin/firstline demo

test: setup ## Run the checks and all tests
	@$(BOOTSTRAP) dev
	@$(MAKE) --no-print-directory check test-all

check: python3 ## Lint, format, types, import rules
	@$(BOOTSTRAP) dev --quiet
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/mypy --config-file bot/pyproject.toml
	.venv/bin/lint-imports

# Two processes, one for each core of the smallest machine that we promise; a file's tests stay together, and files
# are begun in the order of tests/conftest.py.
TEST_PROCESSES ?= 2

# The assistant's tests mostly wait for Rasa, so they run beside the others; what they say comes after them.
BOT_LOG := test-artefacts/assistant-tests.log

test-all:
	@mkdir -p $(dir $(BOT_LOG))
	@$(MAKE) --no-print-directory test-bot >$(BOT_LOG) 2>&1 & bot=$$!; \
	  trap 'kill $$bot 2>/dev/null' INT TERM; \
	  $(MAKE) --no-print-directory test-service; service=$$?; \
	  wait $$bot; assistant=$$?; cat $(BOT_LOG); \
	  exit $$((service > assistant ? service : assistant))

# The encoder that the set-up exported serves the tests as well; without it, they export it anew.
test-service: export FIRSTLINE_TEST_HOME ?= $(abspath $(or $(FIRSTLINE_HOME),.firstline))
test-service: ## Run the tests of the service and the knowledge base
	$(PY) -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test-bot: ## Run the tests of the assistant, in its own environment
	$(BOT_PY) -m pytest -c bot/pyproject.toml --rootdir . tests/bot

lock: python3 ## Solve the locked requirements anew (needs the network)
	@$(BOOTSTRAP) lock

clean: python3 ## Remove everything that these commands made: environments, data, caches
	@$(BOOTSTRAP) clean
