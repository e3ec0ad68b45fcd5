# The only commands to know: make demo, make test; for developers make setup, check, bench, test-long, lock.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --require-hashes
DEMO := demo-out
# tests in two processes; what shares Ray runs in one of them (tests/conftest.py)
PARALLEL := -n 2 --dist loadgroup

.PHONY: demo test check setup bench test-long fastdup lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    install the core and run the main job on real photographs, without network"
	@echo "make test    install everything and run the whole test suite"
	@echo "make setup   install everything into .venv"
	@echo "make check   format, lint, types, import contracts, SQL style, fast tests"
	@echo "make bench   benchmarks: ratios to bare loops and to peers"

demo: .venv/core
	$(BIN)/python demo/pictures.py $(DEMO)/pictures
	$(BIN)/imagelake init $(DEMO)/lake
	$(BIN)/imagelake ingest --lake $(DEMO)/lake $(DEMO)/pictures --labels-from-folders folder
	$(BIN)/imagelake extract --lake $(DEMO)/lake --embed descriptor
	$(BIN)/imagelake dedupe --lake $(DEMO)/lake
	$(BIN)/imagelake curate clusters --lake $(DEMO)/lake
	$(BIN)/imagelake curate map --lake $(DEMO)/lake
	$(BIN)/imagelake dataset create photographs --lake $(DEMO)/lake --sql "select image_id from images where image_id not in (select image_id from quarantine)"
	$(BIN)/imagelake report --lake $(DEMO)/lake --out $(DEMO)/report
	$(BIN)/imagelake sql --lake $(DEMO)/lake "select format, count(*) as pictures, sum(length_bytes) as bytes, max(width_px) as widest_px from images group by all order by pictures desc"
	@echo "report: $(CURDIR)/$(DEMO)/report/index.html"

test: .venv/all
	$(BIN)/python -m pytest $(PARALLEL) -m "not long and not bench"

check: .venv/all
	$(BIN)/ruff format --check lib jobs tests demo
	$(BIN)/ruff check lib jobs tests demo
	$(BIN)/mypy
	rm -rf build/contracts && mkdir -p build/contracts
	cp -R lib/imagelake build/contracts/ && cp -R jobs schemas sql build/contracts/imagelake/
	cd build/contracts && ../../$(BIN)/lint-imports --config ../../pyproject.toml
	$(BIN)/sqlfluff lint --quiet sql schemas
	$(BIN)/python -m pytest $(PARALLEL) tests/unit tests/property tests/sql -m "not long and not bench"

bench: .venv/all
	$(BIN)/python -m pytest tests/benchmarks -m bench -s -p no:randomly

test-long: .venv/all
	$(BIN)/python -m pytest -m long -s

setup: .venv/all

# for `imagelake curate fastdup` only: packages that do not go together with ours, under a non-commercial licence
fastdup: requirements-fastdup.lock | .venv/uv
	$(UV) venv --quiet --allow-existing --no-python-downloads --python '>=3.11,<3.13' .fastdup
	$(UV) pip install --quiet --python .fastdup/bin/python --require-hashes -r requirements-fastdup.lock

.venv/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "imagelake needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-uv.lock
	@touch $@

.venv/core: requirements-core.lock pyproject.toml | .venv/uv
	$(INSTALL) -r requirements-core.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

.venv/all: requirements.lock pyproject.toml | .venv/uv
	$(INSTALL) -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

COMPILE := $(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 pyproject.toml
lock: .venv/uv
	$(COMPILE) --all-extras -o requirements.lock
	$(COMPILE) --extra demo --extra curate --constraint requirements.lock -o requirements-core.lock
	echo "uv==$$($(UV) --version | cut -d' ' -f2)" | $(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements-uv.lock -

clean:
	rm -rf .venv $(DEMO)
