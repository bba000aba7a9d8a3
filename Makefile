# Needs Python 3.11 to 3.13 and make. `make` alone says what there is.
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c '$(SUITABLE)' >/dev/null 2>&1 && command -v $$name && break; done)
BIN := .venv/bin

.PHONY: help run test quick lint install lock pipeline image clean
help:
	@echo "make run      train, judge and push the Auto MPG model on its sample data (sets everything up first)"
	@echo "make test     lint, type-check and test everything"
	@echo "make quick    the tests that take seconds; one room's: make quick ROOM=components/ingest"
	@echo "make lint     ruff, mypy and import-linter"
	@echo "make install  the virtual environment in .venv, as requirements.lock pins it"
	@echo "make lock     resolve requirements.lock anew from pyproject.toml"
	@echo "make pipeline compile pipeline.yaml"
	@echo "make image    build the images sluice-pipelines:0.1.0 and :0.1.0-gpu (needs docker; IMAGE=registry/name:tag)"
	@echo "make clean    remove .venv, runs, serving and caches"

run: install
	@$(BIN)/sluice run auto_mpg

# A file's tests share what they start from, so they stay together.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile
test: lint
	$(PYTEST)

# One room's: make quick ROOM=components/ingest
ROOM ?=
quick: install
	$(if $(ROOM),$(BIN)/python -m pytest tests/$(ROOM),$(PYTEST)) -m "not slow"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: .venv/installed

.venv/installed: requirements.lock
	@"$(PYTHON)" -c '$(SUITABLE)' 2>/dev/null || { echo "Sluice needs Python 3.11, 3.12 or 3.13. Found: $$("$(PYTHON)" --version 2>&1 | tail -1). Install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up .venv with $$("$(PYTHON)" --version): about 200 packages, once (two to five minutes)."
	@"$(PYTHON)" -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: install
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --group dev pyproject.toml --output-file requirements.lock
	echo 'tensorflow[and-cuda]==2.21.*' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --constraints requirements.lock - --output-file requirements-gpu.lock

pipeline: install
	$(BIN)/sluice compile

IMAGE ?= sluice-pipelines:0.1.0
image:
	docker build --target cpu --tag $(IMAGE) .
	docker build --target gpu --tag $(IMAGE)-gpu .

clean:
	rm -rf .venv runs serving dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
