# Two commands: `make demo` simulates the study and runs the whole workflow, `make test` runs the tests.
# Both set up .venv first; nothing else needs to be installed by hand.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
CORES ?= $(shell $(PYTHON) -c "import os; print(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count())")
# One BLAS thread per process: the workers already use every core.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

.PHONY: help demo test test-full check format bench oracle calibrate attack mutants inputs reruns lock clean
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'rsconn needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...')"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY)  ## simulate the study, run everything, end at results/report.html
	$(BIN)/rsconn demo --cores $(CORES)

test: $(READY)  ## the tests that CI runs
	$(BIN)/python -m pytest -m "not slow"

test-full: $(READY)  ## every test, slow ones too
	$(BIN)/python -m pytest

check: $(READY)  ## every lint gate
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/codespell
	$(BIN)/python tests/lint_workflow.py

format: $(READY)  ## rewrite the code in the house style
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

bench: $(READY)  ## measure speed and memory as ratios in one run
	$(BIN)/python benchmarks/run.py

oracle: $(READY)  ## install R (Debian, as root) and compare every statistic with it afresh
	$(BIN)/python tests/reference/compare.py --install

calibrate: $(READY)  ## measure the error rates of the verdicts (about an hour; resumes) and write docs/calibration.md
	$(BIN)/python benchmarks/calibrate.py

MINUTES ?= 30
attack: $(READY)  ## broken input for every reader, trouble for whole studies, for MINUTES (resumes)
	$(BIN)/python benchmarks/attack.py --minutes $(MINUTES)

mutants: $(READY)  ## break the code in one place at a time, see whether tests notice, for MINUTES (resumes)
	$(BIN)/python benchmarks/mutants.py --minutes $(MINUTES)

inputs: $(READY)  ## try every layout and write docs/inputs.md
	$(BIN)/python docs/make_inputs.py

reruns: $(READY)  ## change every option and write docs/reruns.md
	$(BIN)/python docs/make_reruns.py

lock:  ## refresh requirements.lock (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --all-extras pyproject.toml -o requirements.lock

clean:  ## remove everything that make made
	rm -rf .venv results data/demo .pytest_cache .ruff_cache .mypy_cache .import_linter_cache build dist
