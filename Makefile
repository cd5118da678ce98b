PYTHON ?= python3.11
# Many tests wait for real processes: more of them at once than there are cores.
PARALLEL ?= 4
# Some tests take a minute: who is done takes over from who is not.
RUN_ALL = pytest -n $(PARALLEL) --dist worksteal
MINUTES ?= 30
BIN := .venv/bin
# Images that set it make each process of the tests compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup clients demo bench audit sbom unit test clocks browser pictures soak check format lint types coverage lock clean

help: ## say what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: .venv/ready ## make the environment that all else runs in

.venv/ready: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	touch $@

demo: setup ## proxy, shipper, a provider and a Loki on this machine, with a few calls made
	$(BIN)/python scripts/demo.py

bench: setup ## measure speed and memory in minutes, AGAINST=<commit> too
	$(BIN)/python -m benchmarks $(if $(AGAINST),--against $(AGAINST))

unit: setup ## run the fast tests, in less than a minute: no processes, few examples
	$(BIN)/python -m pytest -n 2 --dist loadfile --hypothesis-profile=quick -m "not slow and not e2e and not browser"

test: setup ## run all tests
	$(BIN)/python -m $(RUN_ALL)

clocks: setup ## run what meets the wall clock 40 days ahead, over the turn of a year, on 29 February
	$(BIN)/python scripts/clocks.py -n $(PARALLEL) --dist worksteal

clients: setup ## run today's clients from npm and PyPI through the proxy, before a stand-in
	PYTHONPATH=. $(BIN)/python scripts/clients/run.py

soak: setup ## kill the shipper and take Loki away, for MINUTES
	SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest tests/e2e/test_kills.py tests/e2e/test_load.py

browser: setup ## run the tests of the page in Chromium
	$(BIN)/python -m pytest tests/browser

pictures: setup ## make the pictures of the README, from a run of a quarter of an hour
	$(BIN)/python scripts/pictures.py

check: format lint types test ## format, lint, types, tests

format: setup
	$(BIN)/ruff format --check .

lint: setup
	$(BIN)/ruff check .
	$(BIN)/vulture

types: setup
	$(BIN)/mypy

coverage: setup ## run all tests and count what they reach, subprocesses too
	$(BIN)/coverage erase
	$(BIN)/coverage run -m $(RUN_ALL)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lock: setup ## pin every dependency by hash again
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 --group dev pyproject.toml -o requirements-dev.lock

audit: setup ## ask for known vulnerabilities of the locked dependencies, and say when nobody could be asked
	$(BIN)/python scripts/audit.py

sbom: setup ## write what the image holds as a CycloneDX bill of materials, dist/sbom.cdx.json
	rm -rf dist/sbom
	$(BIN)/uv venv --quiet --python $(BIN)/python dist/sbom
	$(BIN)/uv pip sync --quiet --python dist/sbom --require-hashes --only-binary :all: requirements.lock
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.cdx.json dist/sbom

clean: ## remove all that was made
	rm -rf .venv dist .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
