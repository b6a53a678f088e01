# Everything happens in .venv. Another interpreter: make chat PYTHON=python3.13

PYTHON ?= python3
BIN := .venv/bin

# llama-cpp-python arrives as source; .ci/requirements/llama.cmake trims and mends it. The vision library
# (LLAVA) is not ours to need either.
LLAMA_FLAGS := -DLLAVA_BUILD=OFF '-DCMAKE_PROJECT_llama_cpp_INCLUDE=$(CURDIR)/.ci/requirements/llama.cmake'

# Exactly the parts of .ci/requirements/, as built by their makers and with their checksums; what has to
# be compiled is built with tools from there too. Any index or mirror that pip knows may hand them out.
LOCKED := $(BIN)/python -m pip install --no-deps --require-hashes

.PHONY: help chat test test-large test-extras check faults torture lock bench wheel

help:
	@echo "make chat    install, index seeds/articles, chat on http://127.0.0.1:7860 (MODEL=qwen-1.5b)"
	@echo "make test    install, then run every test"
	@echo "make test-large  run the tests of a larger language model, where one was fetched"
	@echo "make test-extras  install what the extras need as well, then run their tests: adapters, recognised text"
	@echo "make check   formatting, lint, types of Python and JavaScript, import rules, known weaknesses"
	@echo "make faults  write tests/FAULTS.md: which test holds the outcome of which fault"
	@echo "make torture kill the command line at random instants, again and again (100 kills)"
	@echo "make lock    find the versions and checksums of .ci/requirements/ for pyproject.toml's ranges"
	@echo "make bench   how far each path is from a raw baseline of the same run (20 minutes)"
	@echo "make wheel   build dist/pilcrow_rag-*.whl"

# A larger language model is fetched while you chat, and says so: where this machine is good for one and a person
# is at the terminal. Another one: make chat MODEL=NAME, or a file; none, now and later: MODEL=bundled
chat: .venv/.installed
	@echo "==> Indexing seeds/articles (about a minute the first time, then only what changed)"
	@$(BIN)/pilcrow add seeds/articles || [ $$? -eq 4 ]
	@echo "==> Starting the chat on http://127.0.0.1:$${PILCROW_PORT:-7860} (Ctrl-C stops it)"
	@case "$(MODEL)" in \
	  "") set -- --get auto ;; \
	  bundled) $(BIN)/pilcrow model use bundled && set -- ;; \
	  */*|*.gguf) set -- --model "$(MODEL)" ;; \
	  *) set -- --get "$(MODEL)" ;; esac; \
	$(BIN)/pilcrow chat "$$@"

test: .venv/.installed-dev
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not browser and not large and not adapters"
	@$(BIN)/python -m pytest -m browser  # one browser at a time: two starved each other of a page

# With the model that `pilcrow model get qwen-1.5b` fetched, or PILCROW_LARGE_MODEL=FILE
test-large: .venv/.installed-dev
	@$(BIN)/python -m pytest -m large

# Into .venv beside the rest, of which it changes nothing
test-extras: .venv/.installed-extras
	@$(BIN)/python -m pytest -m adapters

check: .venv/.installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.ui.check_scripts
	@$(BIN)/python -m tests.programs.audit

faults: .venv/.installed-dev
	@$(BIN)/python -m tests.programs.fault_table

# For longer, or the same again: make torture TORTURE="--kills 500", "--minutes 30", "--seed 77"
torture: .venv/.installed-dev
	@$(BIN)/python -m tests.programs.torture $(TORTURE)

# What is locked stays while it fits its range; the newest of everything: make lock LOCK=--upgrade
lock: .venv/.installed-dev
	@$(BIN)/python -m tests.programs.lock $(LOCK)

# Keep the synthetic libraries (1.7 GB) for the next time: make bench BENCH="--folder DIR"
bench: .venv/.installed-dev
	@$(BIN)/python -m tests.benchmarks.bench_speed $(BENCH)
	@$(BIN)/python -m tests.benchmarks.bench_formats

wheel: .venv/.installed-dev
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/pilcrow_rag-*.whl

# --- Set-up: each step leaves a mark in .venv, so the second run starts at once -----------------

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || { \
	  echo "Pilcrow is locked for Python 3.11 to 3.14; '$(PYTHON)' is $$($(PYTHON) -V 2>&1 || true)"; \
	  echo "Name another one: make PYTHON=python3.12"; exit 1; }
	@echo "==> Creating .venv with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "No virtual environment could be made (Debian: apt install python3-venv)"; exit 1; }

.venv/.build: .ci/requirements/build.txt | .venv/bin/python
	@$(LOCKED) --quiet --only-binary :all: -r .ci/requirements/build.txt
	@touch $@

# Compiled for this very processor: pip's cache may hold what another one, or other flags, made
.venv/.llama: .ci/requirements/llama.txt .ci/requirements/llama.cmake | .venv/.build
	@echo "==> Installing llama.cpp: compiled once, about 4 minutes on two idle cores"
	@command -v c++ >/dev/null || command -v clang++ >/dev/null || command -v g++ >/dev/null || \
	  echo "    No C++ compiler found: if this fails, install one (Debian: build-essential)"
	@CMAKE_ARGS="$(LLAMA_FLAGS) $$CMAKE_ARGS" $(LOCKED) --progress-bar off --no-cache-dir \
	  --force-reinstall --no-build-isolation -r .ci/requirements/llama.txt
	@touch $@

PARTS := $(addprefix .ci/requirements/, cpu.txt run.txt cuda.txt)

.venv/.installed: pyproject.toml $(PARTS) .venv/.build .venv/.llama
	@echo "==> Installing Pilcrow and its parts (a few minutes the first time, mostly torch)"
	@$(LOCKED) --quiet --only-binary :all: -r .ci/requirements/cpu.txt 2>/dev/null || \
	  echo "    torch for the CPU alone is not offered here; the larger one of the index does as well"
	@$(LOCKED) --quiet --only-binary :all: -r .ci/requirements/run.txt
	@if [ "$$(uname)" = Linux ] && $(BIN)/python -m pip show torch | grep -q '^Requires:.*nvidia-'; \
	then echo "==> Installing what torch needs that was built for CUDA (some gigabytes)"; \
	  $(LOCKED) --quiet --only-binary :all: -r .ci/requirements/cuda.txt; fi
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.installed-dev: .ci/requirements/dev.txt .venv/.installed
	@echo "==> Installing the tools for tests and checks"
	@$(LOCKED) --quiet --only-binary :all: -r .ci/requirements/dev.txt
	@touch $@

.venv/.installed-extras: .ci/requirements/extras.txt .venv/.installed-dev
	@echo "==> Installing what the extras need: frameworks that adapters are for, text recognition"
	@$(LOCKED) --quiet --only-binary :all: -r .ci/requirements/extras.txt
	@touch $@
