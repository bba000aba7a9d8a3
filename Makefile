# Needs Python 3.11 to 3.13 and make. `make` alone says what there is.
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c '$(SUITABLE)' >/dev/null 2>&1 && command -v $$name && break; done)
BIN := .venv/bin

.PHONY: help run test thorough interop quick flink flink-jars lint install lock pipeline image clean soak
help:
	@echo "make run      train, judge and push the Auto MPG model on its sample data (sets everything up first)"
	@echo "make test     lint, type-check and test; all but what make thorough does"
	@echo "make thorough the tests that take minutes: the image, KFP's own runner, several devices, search, reproduction"
	@echo "make interop  whether TensorFlow for Java answers from pushed versions as Sluice does (needs Java 17 and Maven)"
	@echo "make soak     300 kills, 56 fits, 1,000 mutated files, 100 races: hours (SOAK='--files 200' for a part)"
	@echo "make quick    the tests that take seconds; one room's: make quick ROOM=components/ingest"
	@echo "make lint     ruff, mypy and import-linter"
	@echo "make install  the virtual environment in .venv, as requirements.lock pins it"
	@echo "make lock     resolve requirements.lock anew from pyproject.toml"
	@echo "make pipeline compile pipeline.yaml"
	@echo "make flink    ingest and transform on a real Flink beside this machine's own runner (needs Java and Maven)"
	@echo "make flink-jars what the test of Flink's mini cluster needs, which make test skips without it (needs Java and Maven)"
	@echo "make image    build the images sluice-pipelines:0.1.0 and :0.1.0-gpu (needs docker; IMAGE=registry/name:tag)"
	@echo "make clean    remove .venv, runs, serving and caches"

run: install
	@$(BIN)/sluice run auto_mpg

# A file's tests share what they start from, so they stay together; tests/conftest.py puts the slow files first.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
test: lint
	$(PYTEST) -m "not thorough"

thorough: install
	$(PYTEST) -m thorough

interop: install
	$(BIN)/python interop/compare.py $(if $(KEEP_PUSHED),--pushed $(KEEP_PUSHED))

# One room's: make quick ROOM=components/ingest
ROOM ?=
quick: install
	$(if $(ROOM),$(BIN)/python -m pytest tests/$(ROOM),$(PYTEST)) -m "not slow and not thorough"

soak: install
	nice $(BIN)/python benchmarks/soak $(SOAK)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: .venv/installed

# Of what is there, only what the steps import is compiled: here, where somebody waits anyway, and also for whom Python
# is not to write bytecode.
.venv/installed: requirements.lock
	@"$(PYTHON)" -c '$(SUITABLE)' 2>/dev/null || { echo "Sluice needs Python 3.11, 3.12 or 3.13. Found: $$("$(PYTHON)" --version 2>&1 | tail -1). Install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up .venv with $$("$(PYTHON)" --version): about 250 packages, once (two to five minutes)."
	@"$(PYTHON)" -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock & \
	trap "kill $$! 2>/dev/null; exit 1" INT TERM; \
	seconds=0; while kill -0 $$! 2>/dev/null; do sleep 1; seconds=$$((seconds + 1)); \
		[ $$((seconds % 5)) -ne 0 ] || echo "  $$seconds s: $$(ls -d .venv/lib/python*/site-packages/*.dist-info | wc -l) packages in place"; \
	done; wait $$!
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@echo "Compiling what the steps import (a quarter of a minute)."
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -c "import pipelines.training; from components.ingest import step; from components.transform import step; from components.train import step; from components.evaluate import step" >/dev/null 2>&1
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q -l .venv/lib/python*/site-packages
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q pipelines components tasks transforms
	@touch $@

lock: install
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --group dev pyproject.toml --output-file requirements.lock
	echo 'tensorflow[and-cuda]==2.21.*' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --constraints requirements.lock - --output-file requirements-gpu.lock

pipeline: install
	$(BIN)/sluice compile

# Beam's job server for Flink, which has a mini cluster in it, each jar as its hash says: 157 MB, once.
.flink/job-server/ready: interop/flink/pom.xml interop/flink/jars.sha256
	@command -v java >/dev/null && command -v mvn >/dev/null || { echo "Flink needs Java 11 or 17 and Maven, which are not here." >&2; exit 1; }
	@echo "Fetching Beam's job server for Flink (a minute or so, once)."
	@rm -rf .flink/job-server && mkdir -p .flink/job-server
	@mvn --quiet --batch-mode --file interop/flink/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/.flink/job-server
	@cd .flink/job-server && sha256sum --quiet --check ../../interop/flink/jars.sha256
	@touch $@

# Flink itself beside it, about 240 MB more.
.flink/ready: .flink/job-server/ready interop/flink/requirements.txt | install
	@echo "Fetching Flink 1.19.3 (some minutes, once)."
	@rm -rf .flink/flink && mkdir -p .flink/flink
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-binary :all: --require-hashes --requirement interop/flink/requirements.txt --dest .flink
	@tar -xzf .flink/apache-flink-libraries-*.tar.gz -C .flink/flink --strip-components 2 --wildcards '*/deps/lib/*.jar' && rm .flink/*.tar.gz
	@touch $@

flink-jars: .flink/job-server/ready

flink: .flink/ready
	$(BIN)/python interop/flink/compare.py .flink
	$(BIN)/python interop/flink/compare.py .flink --kill

IMAGE ?= sluice-pipelines:0.1.0
image:
	docker build --target cpu --tag $(IMAGE) .
	docker build --target gpu --tag $(IMAGE)-gpu .

clean:
	rm -rf .venv runs serving dist .flink interop/target .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
