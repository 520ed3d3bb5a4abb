# make run | test | check | conformance | ray | bench | stress [PART=...] | cluster-test | mutate | coverage. Each sets up what it needs, and says so.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.run-ready
DEV    := $(VENV)/.dev-ready

.PHONY: run test check conformance ray bench stress cluster-test mutate coverage lock clean help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: $(RUN) ## set everything up and start the server on http://127.0.0.1:8400
	@$(BIN)/renzheng models install
	@exec $(BIN)/renzheng serve

test: $(DEV) ## set everything up and run the tests (under ten minutes)
	@$(BIN)/renzheng models install
	@sh scripts/chromium.sh
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not stress" $(ARGS)

check: $(DEV) ## lint, format, types (of the JavaScript too), import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/javascript.py

conformance: $(DEV) ## official clients, live: Node SDK and tccli, in folders of their own
	@$(BIN)/renzheng models install
	@$(BIN)/python -m pytest conformance $(ARGS)

stress: $(DEV) ## what takes long; PART=attacks|races|disk|overload|replay|cluster|soak: that part alone
	@$(BIN)/renzheng models install
	@$(BIN)/python -m pytest -m "stress$(if $(PART), and $(PART))" $(ARGS)

cluster-test: $(DEV) ## PostgreSQL, Redis, S3, nginx, two servers and two judges here, all of them killed while 40 people verify
	@$(BIN)/renzheng models install
	@$(BIN)/python -m pytest -s -m "stress and cluster" tests/server/test_cluster.py $(ARGS)

ray: $(DEV) ## add Ray, 150 MB, for those tests of make stress and make cluster-test that need it
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/ray.lock

bench: $(DEV) ## measure against peers and floors, print the ratios
	@$(BIN)/renzheng models install
	@$(BIN)/python -m bench

mutate: $(DEV) ## change one thing of the code at a time, and list what no test notices (ten minutes; ARGS="store --minutes 60")
	@$(BIN)/renzheng models install
	@$(BIN)/python scripts/mutate.py $(ARGS)

coverage: $(DEV) ## run the tests, and print what they reach of each room (half an hour; ARGS="tests/store" for a part)
	@$(BIN)/renzheng models install
	@sh scripts/chromium.sh
	@$(BIN)/python scripts/covered.py $(ARGS)

lock: ## re-derive the locks of exact versions
	@sh scripts/lock.sh --upgrade

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "renzheng needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	@echo "Making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(RUN): requirements/run.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the server's packages (about 200 MB, one to three minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(DEV): requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the packages of the server and the tests (about 400 MB, one to four minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@ $(RUN)
