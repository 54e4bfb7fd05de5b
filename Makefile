PYTHON ?= python3
BIN := .venv/bin

.PHONY: help run test lint bench docs pictures lock clean .compiled

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

run: .venv/installed  ## Start the demo: a server with a living simulated mail world
	$(BIN)/mailvane demo

# Compiled once, wherever the machine's settings say that nothing is kept: each server that a test starts, and each of
# the processes that run tests, would do it again. The tests are compiled beside the type checker, which needs one core.
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/installed  ## Run every check
	$(BIN)/python -m compileall -q src
	$(MAKE) --no-print-directory --jobs 2 lint .compiled
	$(BIN)/pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

.compiled: .venv/installed
	@$(BIN)/pytest --collect-only -qq >/dev/null || true

lint: .venv/installed  ## Style, types and import contracts
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: .venv/installed  ## Measure against the named peers
	$(BIN)/python benchmarks/postfix_import.py
	$(BIN)/python benchmarks/maillog_queries.py --data .cache/bench
	$(BIN)/python benchmarks/maillog_http.py --data .cache/bench
	$(BIN)/python benchmarks/policy.py
	$(BIN)/python benchmarks/increment.py
	$(BIN)/python benchmarks/dmarc.py
	$(BIN)/python benchmarks/alerts.py
	$(BIN)/python benchmarks/dnsbl.py --scratch .cache/bench

docs: .venv/installed  ## Write docs/reference/ anew from the program
	$(BIN)/python docs/generate.py

pictures: .venv/installed  ## Draw the pictures of the README anew: needs Chromium
	$(BIN)/python docs/pictures.py

lock:  ## Pin the newest versions that fit pyproject.toml
	$(PYTHON) -m venv .lock-venv
	.lock-venv/bin/pip install --quiet uv
	.lock-venv/bin/uv pip compile --universal --python-version 3.11 --extra dev --no-emit-index-url --upgrade --quiet -o requirements.lock pyproject.toml --no-header
	grep -q '^setuptools==' requirements.lock || echo 'setuptools==80.9.0' >> requirements.lock
	rm -rf .lock-venv

clean:  ## Remove what was built
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
