# Every target does whatever set-up it needs on a machine with Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test setup check bench bench-growth chaos chaos-mutants mutants fuzz oracle apicurio java-client clean

demo: setup ## The main job on the local stack; ends by itself and prints a summary.
	$(BIN)/python -m examples.shop.demo

test: setup check ## Lint, types, layers and all tests.
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder \
		--ignore tests/acceptance/test_chaos.py
	$(BIN)/python -m pytest tests/acceptance/test_chaos.py

setup: $(READY) ## The virtual environment from the lock, and the local Kafka.
	@$(BIN)/relay stack download

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

check: $(READY) ## Lint, types and layers only.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/relay schemas generate --check
	$(BIN)/relay schemas export --markdown --output docs/catalog.md --check

bench: setup ## Measures this machine and the relay on it.
	$(BIN)/relay bench

bench-growth: setup ## Does an outbox of 50 million delivered events cost more than one of a million?
	$(BIN)/relay bench --scenario growth --growth-rows 50000000

chaos: setup ## Kills, freezes and cuts off everything, and checks the events; SEED= repeats a run, SECONDS= (300).
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS))

chaos-mutants: setup ## Takes rules of the relay out and shows that a short chaos run notices; NAME= runs one.
	$(BIN)/python -m tests.chaos.mutants $(NAME)

mutants: setup ## Takes the rules of hazards out one by one and shows that a test fails; NAME=H10 runs one.
	$(BIN)/python -m tests.mutants $(NAME)

fuzz: setup ## Runs 100,000 odd rows through a relay: each ends published, held with a reason, or refused.
	$(BIN)/python -m tests.fuzz --rows 100000

oracle: $(READY) ## 20,000 generated pairs of schemas against Java's verdict, and what Java reads of their values.
	$(BIN)/python -m tests.oracle --pairs 20000
	$(BIN)/python -m tests.oracle.values --pairs 20000

apicurio: setup ## The registry's acceptance tests against Apicurio as well, which is downloaded once (159 MB).
	EVENT_BUS_TEST_REGISTRY=apicurio $(BIN)/python -m pytest tests/integration/test_registry_acceptance.py tests/integration/test_relay_apicurio.py tests/integration/test_review_registries.py

java-client: setup ## Confluent's client for Java on the embedded registry; it is downloaded once (23 MB).
	EVENT_BUS_TEST_CLIENT=java $(BIN)/python -m pytest tests/integration/test_registry_java_client.py tests/integration/test_registry_java_records.py

clean: ## Takes away what set-up and tests have made.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
