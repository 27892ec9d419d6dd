# The tasks of the house.  `make help` lists them.
#
# Everything is installed into .venv; nothing else on the machine is changed, except by
# `make test-system`, which installs Debian packages when it runs as root.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
STAMPS := $(VENV)/stamps
WHEELS := build/wheel

# Arguments of the tasks: make test ARGS="-k selectors"
ARGS ?=
SYSTEM_PACKAGES := python3-venv python3-dev fiu-utils libfiu0 softhsm2

FUZZ_TARGETS := signature envelope tree certificate revocation
FUZZ_RUNS ?= 200000

# A changed, new or deleted source re-installs.  In a tree without git, find stands in.
SOURCES := $(wildcard $(shell \
	git ls-files -co --exclude-standard -- \
		router bench bindings setup.py pyproject.toml README.md LICENSE 2>/dev/null \
	|| find router bench bindings setup.py pyproject.toml README.md LICENSE -type f \
		-not -path '*/__pycache__/*'))
ALL_SUITES := $(addprefix tests/,source contract unit property bench sim crash e2e)
SUITES := $(wildcard $(ALL_SUITES))

# The tools a user has switched on must not leak into the build and the tests.
unexport PYTHONPATH
unexport PYTHONHOME

.PHONY: help
help: ## list the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | \
		awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: run
run: $(STAMPS)/http ## build, install and run the demo: one Hà Giang day, end to end
	@$(BIN)/vanban demo $(ARGS)

.PHONY: install
install: $(STAMPS)/http ## build and install into .venv what the daemon needs

.PHONY: dev
dev: $(STAMPS)/lint $(STAMPS)/test ## install everything the other tasks need

.PHONY: test
test: $(STAMPS)/test ## run every suite that needs no root and no Debian packages
	@echo "Suites: $(SUITES)"
	for suite in $(filter-out $(SUITES),$(ALL_SUITES)); do
		echo "SKIPPED: $$suite does not exist in this tree."
	done
	echo "Not run here: tests marked 'system' (make test-system runs them)."
	VANBAN_INSTALLED=1 VANBAN_WHEEL="$$(ls $(WHEELS)/*.whl)" \
		$(BIN)/pytest -m "not system" --durations=15 --durations-min=1 \
		--benchmark-disable $(ARGS) $(SUITES)

.PHONY: test-system
test-system: $(STAMPS)/test $(STAMPS)/fuzz ## install Debian packages (as root) and run the tests that need them
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		missing=""
		for package in $(SYSTEM_PACKAGES); do
			dpkg -s "$$package" >/dev/null 2>&1 || missing="$$missing $$package"
		done
		if [ -n "$$missing" ]; then
			echo "Installing Debian packages:$$missing"
			apt-get update -qq
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing
		else
			echo "Debian packages are there: $(SYSTEM_PACKAGES)"
		fi
	else
		echo "Not root on Debian: no packages are installed ($(SYSTEM_PACKAGES));" \
			"tests that miss one say so below."
	fi
	status=0
	VANBAN_INSTALLED=1 $(BIN)/pytest -m system --durations=0 --durations-min=1 \
		--benchmark-disable $(ARGS) tests || status=$$?
	if [ "$$status" = 5 ]; then
		echo "SKIPPED: no test is marked 'system' in this tree, so nothing was run."
	elif [ "$$status" != 0 ]; then
		exit "$$status"
	fi

.PHONY: lint
lint: $(STAMPS)/lint ## style, types, stubs, import contract of the rooms
	@echo "ruff check"; $(BIN)/ruff check --quiet .
	echo "ruff format"; $(BIN)/ruff format --check --quiet . \
		|| { $(BIN)/ruff format --check . ; exit 1; }
	echo "mypy --strict, the installed packages"
	(cd $(VENV) && bin/python -m mypy --config-file ../pyproject.toml \
		--cache-dir ../.mypy_cache)
	modules="$$(find router -name '*.pyx' | sed -E 's|/|.|g; s|\.pyx$$||' | sort)"
	if [ -n "$$modules" ]; then
		echo "stubtest" $$modules
		(cd $(VENV) && bin/python -m mypy.stubtest --mypy-config-file ../pyproject.toml \
			--allowlist ../tests/source/stubtest-allowlist.txt \
			--ignore-unused-allowlist $$modules)
		echo "cython-lint"
		PATH="$$PWD/$(BIN):$$PATH" $(BIN)/cython-lint $$(find router -name '*.pyx' -o -name '*.pxd')
	fi
	echo "import contract of the rooms"
	$(BIN)/lint-imports --no-cache
	VANBAN_INSTALLED=1 $(BIN)/pytest -q tests/source tests/contract/test_rooms.py

.PHONY: format
format: $(STAMPS)/lint ## rewrite the Python sources in the house style
	@$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

.PHONY: sim
sim: $(STAMPS)/test ## run the simulator on 10,000 seeds, all cores: make sim ARGS="--seeds 200"
	@$(BIN)/python -P -m vanban_bench.simulator $(ARGS)

.PHONY: fuzz
fuzz: $(STAMPS)/fuzz ## change what strangers send, guided by coverage: make fuzz FUZZ_RUNS=1000000
	@for target in $(FUZZ_TARGETS); do
		echo "$$target: $(FUZZ_RUNS) runs, from and into build/fuzz/$$target"
		PYTHONPATH=tests $(BIN)/python -P -m fuzz $$target build/fuzz/$$target \
			-runs=$(FUZZ_RUNS) $(ARGS)
	done

.PHONY: bench
bench: $(STAMPS)/test ## run all benchmarks; rows go to build/bench.jsonl
	@mkdir -p build
	$(BIN)/vanban bench run --json build/bench.jsonl $(ARGS)
	$(BIN)/pytest --benchmark-only --benchmark-columns=median,iqr,rounds tests/bench

.PHONY: clean
clean: ## remove everything built here, .venv too
	rm -rf $(VENV) build dist *.egg-info demo-data .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .benchmarks .import_linter_cache
	find router bench bindings tests -name __pycache__ -type d -exec rm -rf {} +
	find router -name '*.so' -delete

# --- how .venv comes about -----------------------------------------------------------

$(STAMPS)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.11 …"; exit 1; }
	command -v gcc >/dev/null || command -v cc >/dev/null || \
		{ echo "A C compiler is needed: apt-get install gcc"; exit 1; }
	echo "Making $(VENV) with $$($(PYTHON) --version)" >&2
	rm -rf $(VENV)
	if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then
		$(PYTHON) -m venv $(VENV)
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then
		# Debian without python3-venv: a bare environment, filled by the system's pip.
		$(PYTHON) -m venv --without-pip $(VENV)
		$(PYTHON) -m pip --disable-pip-version-check -qq --python $(BIN)/python install pip
	else
		rm -rf $(VENV)
		echo "Neither venv nor pip is there: apt-get install python3-venv"
		exit 1
	fi
	mkdir -p $(STAMPS)
	touch $@

$(STAMPS)/tools: pyproject.toml $(STAMPS)/made
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		> $(STAMPS)/requires.txt
	$(PIP) install wheel -r $(STAMPS)/requires.txt
	touch $@

# The list of sources, touched when a file comes or goes.
$(STAMPS)/sources: FORCE | $(STAMPS)/made
	@printf '%s\n' $(SOURCES) > $@.new
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# build/lib would carry deleted modules into the wheel, so it is made anew.
$(STAMPS)/package: $(STAMPS)/tools $(STAMPS)/sources $(SOURCES)
	@echo "Building and installing the package" >&2
	rm -rf build/lib* build/bdist* $(WHEELS)
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir $(WHEELS) .
	$(PIP) install --no-deps --force-reinstall $(WHEELS)/*.whl
	touch $@

# The wheel is installed already; these add what its extras need.
$(STAMPS)/http: EXTRAS := http
$(STAMPS)/test: EXTRAS := http,bench,test
$(STAMPS)/lint: EXTRAS := http,bench,test,lint
$(STAMPS)/fuzz: EXTRAS := http,bench,test,fuzz
$(STAMPS)/http $(STAMPS)/test $(STAMPS)/lint $(STAMPS)/fuzz: $(STAMPS)/package
	@echo "Installing what [$(EXTRAS)] needs" >&2
	$(PIP) install "$$(ls $(WHEELS)/*.whl)[$(EXTRAS)]"
	touch $@

.PHONY: FORCE
FORCE:
