# Two commands do everything: `make verify` (the main job) and `make test`.
# They need Python >= 3.11 with venv, and make.
PYTHON ?= python3
BIN := .venv/bin
# What trains, and what tests and documentation need besides.
TRAINS := .venv/.validation
INSTALLED := .venv/.installed

.PHONY: verify test quick lint format docs formal bench gpu explorer locked clean

verify: $(TRAINS)
	$(BIN)/delaystability verify --output report

# With bytecode, which some environments switch off.
test: $(INSTALLED)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

# The inner loop: without the slow tests.
quick: $(INSTALLED)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not slow" -q

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Strict: every warning is an error, dead links too. Nothing is fetched.
docs: $(INSTALLED)
	$(BIN)/python -m sphinx -W --keep-going -n -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

# Needs Coq 8.16 and Coquelicot (Debian: coq libcoq-coquelicot), and no virtual environment.
formal:
	$(PYTHON) formal/check.py

# The peers, GPL and BSD, are only compared with; one that cannot be installed is left out.
bench: $(INSTALLED)
	-$(BIN)/python -m pip install --quiet control
	-$(BIN)/python -m pip install --quiet slycot
	-$(BIN)/python -m pip install --quiet --constraint constraints.txt curvlinops-for-pytorch
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks

# Everything that needs a GPU, within nine minutes; one file in docs/benchmarks.
gpu: $(TRAINS)
	$(BIN)/python -m benchmarks.gpu

# The page docs/explorer/index.html opens from its file; this refreshes its exported thresholds.
explorer: $(TRAINS)
	$(BIN)/python docs/explorer/build.py

# First, for who wants to know that the files are those that we had: every package but PyTorch is compared with its hashes
# before it is installed. `make verify` and `make test` then add what is missing.
locked:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement locked.txt

$(TRAINS): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[validation]'
	touch $(TRAINS)

$(INSTALLED): $(TRAINS)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[validation,dev]'
	touch $(INSTALLED)

clean:
	rm -rf .venv report build dist docs/_build docs/theory .mypy_cache .pytest_cache .ruff_cache
