# Every target does whatever set-up it needs on a machine with Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test setup check bench chaos mutants oracle apicurio java-client clean

demo: setup ## The main job on the local stack; ends by itself and prints a summary.
	$(BIN)/python -m examples.shop.demo

test: setup check ## Lint, types, layers and all tests.
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile

setup: $(READY) ## The virtual environment from the lock, and the local Kafka.
	@$(BIN)/python -m relay.local.provision

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

chaos: setup ## The tests that kill, freeze and cut things off.
	$(BIN)/python -m pytest tests/acceptance tests/integration -k "hazard or killed or kill or crash"

mutants: setup ## Takes the rules of hazards out one by one and shows that a test fails; NAME=H10 runs one.
	$(BIN)/python -m tests.mutants $(NAME)

oracle: $(READY) ## Compatibility on 20,000 generated pairs of schemas against Java's verdict.
	$(BIN)/python -m tests.oracle --pairs 20000

apicurio: setup ## The registry's acceptance tests against Apicurio as well, which is downloaded once (159 MB).
	EVENT_BUS_TEST_REGISTRY=apicurio $(BIN)/python -m pytest tests/integration/test_registry_acceptance.py tests/integration/test_relay_apicurio.py tests/integration/test_review_registries.py

java-client: setup ## Confluent's client for Java on the embedded registry; it is downloaded once (23 MB).
	EVENT_BUS_TEST_CLIENT=java $(BIN)/python -m pytest tests/integration/test_registry_java_client.py tests/integration/test_registry_java_records.py

clean: ## Takes away what set-up and tests have made.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
