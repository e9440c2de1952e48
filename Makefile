.DEFAULT_GOAL := help
PORT ?= 8000
PYTHON ?= python3
BIN := .venv/bin
# Stamps of .venv: with the requirements for running, and with all.
RUN_STAMP := .venv/.installed-to-run
STAMP := .venv/.installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --only-binary :all: \
	--no-header --no-annotate pyproject.toml

# Commands and tests start Python hundreds of times; compiled modules save half a second each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run demo test fuzz chaos proof bench lint lock openapi clean

help: ## Show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

define NEW_VENV
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Footing needs Python 3.11 or newer; $(PYTHON) is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12 setup")'
	$(PYTHON) -m venv .venv
endef

define INSTALL
	$(PIP) install --require-hashes --no-deps --only-binary :all: -r
endef

define INSTALL_FOOTING
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
endef

$(STAMP): requirements.lock pyproject.toml
	$(NEW_VENV)
	$(INSTALL) requirements.lock
	$(INSTALL_FOOTING)
	$(PIP) check

$(RUN_STAMP): requirements.lock pyproject.toml
	$(NEW_VENV)
	sed -e '/^# Publish/,/^# Build/d' -e '/^# Development/,$$d' requirements.lock > .venv/run.lock
	$(INSTALL) .venv/run.lock
	$(INSTALL_FOOTING)

setup: $(STAMP) ## Create .venv with everything that is pinned in requirements.lock

run: $(if $(wildcard $(STAMP)),$(STAMP),$(RUN_STAMP)) ## Migrate, seed and serve on PORT (8000)
	$(BIN)/footing serve --prepare --port $(PORT)

# Recreated each time: the key is shown once, and figures that were published never change.
demo: export FOOTING_DATABASE_URL = sqlite:///demo.db
demo: export FOOTING_PUBLICATION_LOG = demo-publications.log
demo: $(STAMP) ## Serve synthetic users and the figures for clinicians on PORT (8000)
	rm -f demo.db demo.db-shm demo.db-wal demo-publications.log
	$(BIN)/footing migrate
	$(BIN)/footing seed
	$(BIN)/footing demo
	$(BIN)/footing serve --port $(PORT)

test: $(STAMP) ## Run every test, on SQLite and on PostgreSQL
	$(BIN)/python -m pytest

# The full budgets of tests that are quick in `make test`; see docs/developers.md.
fuzz chaos proof: export TEST_BUDGET = full
fuzz chaos proof: export PYTEST_TIMEOUT = 3600

fuzz: $(STAMP) ## Try far more generated input than `make test` does, and other input each time
	$(BIN)/python -m pytest -m fuzz

chaos: $(STAMP) ## Kill processes, cut connections and race devices for longer
	$(BIN)/python -m pytest -m chaos

proof: $(STAMP) ## Run all tests of the anonymised figures, and print what they measured
	$(BIN)/python -m pytest -m proof -n 0 -q

bench: $(STAMP) ## Measure speed against stated limits, or one ROW of bench/results.md; needs wrk
	$(BIN)/python -m bench $(ROW)

lint: $(STAMP) ## Check style, types, imports, dependencies, the seed, the Dockerfile and the OpenAPI document
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/footing check
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m pytest -m lint -n 2 -q

# Everything is resolved together, so that the image runs what was tested; then it is divided into
# four parts, so that the image can omit the last one, and `make run` the noise library.
lock: $(STAMP) ## Bring requirements.lock in line with pyproject.toml (UPGRADE=--upgrade: newest versions)
	$(COMPILE) $(UPGRADE) --generate-hashes --all-extras --group dev -o requirements.lock
	$(COMPILE) -c requirements.lock --extra redis -o .venv/run
	$(COMPILE) -c requirements.lock --extra redis --extra publish -o .venv/publish
	$(COMPILE) -c requirements.lock --extra redis --extra publish --group build -o .venv/build
	awk -F == '\
		FILENAME ~ /run$$/ { part[$$1] = "run"; next } \
		FILENAME ~ /publish$$/ { if (!part[$$1]) part[$$1] = "publish"; next } \
		FILENAME ~ /build$$/ { if (!part[$$1]) part[$$1] = "build"; next } \
		/^[a-z0-9]/ { now = part[$$1] } \
		{ text[now] = text[now] $$0 "\n" } \
		END { \
			ORS = ""; print "# Run time\n" text["run"] "# Publish\n" text["publish"]; \
			print "# Build\n" text["build"] "# Development\n" text[""] \
		}' .venv/run .venv/publish .venv/build requirements.lock > .venv/lock
	mv .venv/lock requirements.lock

openapi: $(STAMP) ## Record the examples of the OpenAPI document and write docs/openapi.json
	RECORD_EXAMPLES=1 $(BIN)/python -m pytest -q -n 0 tests/contract/test_openapi.py -k "examples_are and sqlite"
	$(BIN)/footing openapi > docs/openapi.json

clean: ## Remove .venv and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
