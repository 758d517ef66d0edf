# `make` alone lists the commands. Each installs what it needs into .venv first, once for each state of pyproject.toml.

PYTHON ?= python3
BIN := .venv/bin
# Never ".": operators and sources at the top are links into rxstreams, and tools would see every file twice.
CODE := rxstreams tests benchmarks notebooks

# Without these, pip and pyright ask the network for newer versions of themselves.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check lint format types notebooks wheel bench clean

help: ## list the commands
	@echo "make demo and make test work in a fresh clone; all they need is Python 3.11 or newer and make."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  make PYTHON=python3.13 test          another Python (make clean first: .venv keeps the one it was made with)"
	@echo "  make test ARGS='-k kraken'           some of the tests; ARGS goes to pytest, or to rxstreams demo"
	@echo "  RXSTREAMS_RECORDINGS=DIR make test   where the recorded exchange data is, if not in ../shared/recordings"

demo: .venv/.has-cli ## candles from a simulated exchange that drops and stalls, checked against the truth
	$(BIN)/rxstreams demo $(ARGS)

test: .venv/.has-test ## run the tests
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	@echo "tests/property, the others that only compute beside it (their output follows), then tests/integration"
	@$(BIN)/python -m pytest tests --ignore=tests/property --ignore=tests/integration >.venv/tests.log 2>&1 & others=$$!; \
	trap 'kill $$others 2>/dev/null; exit 130' INT TERM; \
	failed=0; $(BIN)/python -m pytest tests/property || failed=1; \
	wait $$others || failed=1; cat .venv/tests.log; \
	$(BIN)/python -m pytest tests/integration || failed=1; \
	exit $$failed
endif

check: lint types test wheel ## all that a change has to pass: lint, format, types, tests, wheel

lint: .venv/.has-dev ## what ruff finds in the code and its format
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

format: .venv/.has-dev ## let ruff mend the code and its format
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

types: .venv/.has-dev ## mypy and pyright, both strict
	$(BIN)/mypy
	$(BIN)/pyright

notebooks: .venv/.has-test ## run the notebooks again, and keep what they put out
	$(BIN)/python tests/notebooks/run_notebooks.py notebooks/*.ipynb

wheel: .venv/.has-dev ## build the wheel and try it in an empty venv
	.ci/try-wheel $(BIN)/python

bench: .venv/.has-dev ## run the benchmarks: a minute or more, on an otherwise idle machine
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python "$$script" $(ARGS) || exit 1; done

clean: ## remove .venv and everything else that can be made again
	rm -rf .venv build dist rxstreams.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find rxstreams tests benchmarks notebooks -name __pycache__ -prune -exec rm -rf {} +

# dev includes test, and test includes cli (pyproject.toml), so a venv that has the larger one needs no second look.
.venv/.has-%: pyproject.toml | .venv/.made
	@echo "Installing rxstreams[$*] into .venv (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@case $* in dev) touch .venv/.has-test .venv/.has-cli ;; test) touch .venv/.has-cli ;; esac
	@touch $@

.venv/.made:
	@version=$$($(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null) || { \
	  echo "There is no $(PYTHON) that runs here. rxstreams needs Python 3.11 or newer; if it has another name, say" >&2; \
	  echo "make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "rxstreams needs Python 3.11 or newer, and $(PYTHON) is $$version. If a newer one has another name, say" >&2; \
	  echo "make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) ($$version) can't make virtual environments: its modules venv and ensurepip are missing." >&2; \
	  echo "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	@touch $@
