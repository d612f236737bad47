# One word for each thing a person does; `make` alone lists them.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
JOBS ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
INSTALLED := .venv/.installed

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help repro test test-fast test-faults coverage check add-corpus forget profile lock remote push pull intact review verify resolve-lock status diff folds gate bench bench-corpus bench-runner transcribe bench-realtime rtneural-check clean

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
	@python -m fonoteka.pipeline.runner.run --jobs $(JOBS) --show reports/comparison.md $(STAGES)

# A file goes to one worker, so that what its tests share is made once.
PYTEST := python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
COVERAGE_OPTIONS := --cov=fonoteka --cov=stages --cov-report=term --cov-fail-under=90

test: $(INSTALLED) ## run all tests that a change can break, and the examples in docstrings
	$(PYTEST) $(if $(COVERAGE),$(COVERAGE_OPTIONS)) $(ARGS)

test-fast: $(INSTALLED) ## run the tests that start no dvc, train nothing and need no built pipeline
	$(PYTEST) --fast $(ARGS)

test-faults: $(INSTALLED) ## kill, fill the disk, flip bytes, cut connections, rebuild elsewhere: [PART=1/5]
	$(PYTEST) -m faults tests/faults $(PART:%=--part %) $(ARGS)

coverage: $(INSTALLED) ## run `make test` and require that it reaches at least 90 % of the lines
	@$(MAKE) --no-print-directory test COVERAGE=1

check: $(INSTALLED) ## lint, layout and types
	ruff check .
	ruff format --check .
	mypy

# The values go through the environment, so that a path may have spaces in it.
add-corpus: $(INSTALLED) ## take recordings in: FROM=folder NAME=... LICENCE=... [SOURCE=...]; or look: FROM=folder ARGS=--look
	@test -n "$$FROM" || { \
	  echo "usage: make add-corpus FROM=folder NAME=... LICENCE=... [SOURCE=...] [ARGS=--look]" >&2; \
	  exit 2; }
	@python -m fonoteka.corpus.importers.add "$$FROM" $${NAME:+--name "$$NAME"} \
	  $${LICENCE:+--licence "$$LICENCE"} $${SOURCE:+--source "$$SOURCE"} $(ARGS)

forget: $(INSTALLED) ## show a person's recordings and what came from them: SPEAKER=corpus/name or SOURCE=corpus [ARGS=--yes]
	@test -n "$$SPEAKER$$SOURCE" || { \
	  echo "usage: make forget SPEAKER=corpus/name [ARGS=--yes], or SOURCE=corpus, or SOURCE=corpus/source" >&2; \
	  exit 2; }
	@python -m fonoteka.erasure.command $${SPEAKER:+--speaker="$$SPEAKER"} $${SOURCE:+--source="$$SOURCE"} $(ARGS)

profile: $(INSTALLED) ## lay a set of values over params.yaml: NAME=...
	@test -n "$$NAME" || { echo "usage: make profile NAME=..." >&2; exit 2; }
	@python -m fonoteka.pipeline.overrides "$$NAME"

# `pip list` and not `pip freeze`: it knows names and versions only, no paths and no addresses. What
# torch brings for CUDA exists for Linux alone.
lock: ## resolve pyproject.toml anew into requirements.lock
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	"$(PYTHON)" -m venv "$$folder/venv"; PATH="$$folder/venv/bin:$$PATH"; \
	python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*project["dependencies"], *project["optional-dependencies"]["dev"], sep="\n")' \
	  > "$$folder/wanted"; \
	pip install --requirement "$$folder/wanted"; \
	pip list --format=freeze --exclude pip --exclude setuptools --exclude wheel \
	  > "$$folder/found"; \
	{ echo '# Made by `make lock` from pyproject.toml, on Linux: versions that were installed together.'; \
	  sed -E -e 's/\+[a-z0-9.]*$$//' -e '/^(cuda-|nvidia-[^m]|triton)/s/$$/; sys_platform == "linux"/' \
	    "$$folder/found" | LC_ALL=C sort -f; } > requirements.lock

# The values go through the environment here too, and a secret through FONOTEKA_SECRET alone.
remote: $(INSTALLED) ## name where data is kept: URL=... or READ=... WRITE=... [ENDPOINT=...], SECRET=option [FOR=remote]; or show it
	@python -m fonoteka.pipeline.remote.command $${URL:+--url "$$URL"} $${READ:+--read "$$READ"} \
	  $${WRITE:+--write "$$WRITE"} $${ENDPOINT:+--endpoint "$$ENDPOINT"} \
	  $${SECRET:+--secret "$$SECRET"} $${FOR:+--remote "$$FOR"}

push: $(INSTALLED) ## send data and the run-cache to where it is written: [WHAT="data/raw/mine"] [AGAIN=md5]
	@python -m fonoteka.pipeline.remote.transfer push $(WHAT) $(AGAIN:%=--again %)

intact: $(INSTALLED) ## hash cache and workspace again, and take away what is damaged: [STAGES=...]
	@python -m fonoteka.pipeline.fsck $(STAGES)

pull: $(INSTALLED) ## fetch data and the run-cache from where it is read: [WHAT="data/raw/mine"]
	@python -m fonoteka.pipeline.remote.transfer pull $(WHAT) $(ARGS)

review: $(INSTALLED) ## freshness, data and numbers of this branch on one page, as on a pull request: [BASE=origin/main]
	@python -m fonoteka.pipeline.review.command $${BASE:+--base "$$BASE"} $(ARGS)

# Without VARY all is as here; 1 stands for `surroundings`.
verify: $(INSTALLED) ## rebuild all from nothing in a clone and hold it to dvc.lock: [VARY=1|processor] [SAMPLE=stage]
	@python -m fonoteka.pipeline.verify.command $(if $(VARY),--vary $(patsubst 1,surroundings,$(VARY))) \
	  $${SAMPLE:+--sample "$$SAMPLE"}

resolve-lock: $(INSTALLED) ## after a merge conflict in dvc.lock: make it anew, running only what changed: [ARGS=--run]
	@python -m fonoteka.pipeline.merge.command --jobs $(JOBS) $(ARGS)

status: $(INSTALLED) ## say what is stale, why, and what a run would cost: [ARGS=--allow-missing]
	@python -m fonoteka.pipeline.status.command $(ARGS)

diff: $(INSTALLED) ## judge this branch against main, or on main the last commit: [BASE=...] [ARGS="--json FILE --plots FOLDER"]
	@python -m fonoteka.pipeline.diff.command $${BASE:+--base "$$BASE"} $(ARGS)

gate: $(INSTALLED) ## refuse numbers past a limit or worse than at another revision, and damaged models: BASE=HEAD
	@python -m fonoteka.pipeline.diff.gate --base $(or $(BASE),HEAD)

bench: $(INSTALLED) ## time heads, whole paths and embedding against named baselines: [WHAT="head path encoder realtime"]
	@python -m fonoteka.bench.command $(WHAT)

bench-corpus: $(INSTALLED) ## time the corpus side, and count what near duplicates it finds: [ARGS=--full]
	@python -m fonoteka.bench.corpus $(ARGS)

bench-runner: $(INSTALLED) ## time make repro with nothing to do, and with one job and many: [WHAT="idle jobs"]
	@python -m fonoteka.bench.runner $(WHAT)

bench-realtime: $(INSTALLED) ## time the five small models, a hop a call on one core, and their front end
	@python -m fonoteka.bench.command realtime

rtneural-check: $(INSTALLED) ## check the bundle of small models and hear with it, whole and in blocks: [FOLDER=...] [WAV=...]
	@python -m fonoteka.realtime.bundle_check $${FOLDER:+"$$FOLDER"} $${WAV:+--wav "$$WAV"}

transcribe: $(INSTALLED) ## name the phones of a recording: WAV=clip.wav [MODEL=ensemble]
	@test -n "$$WAV" || { echo "usage: make transcribe WAV=... [MODEL=ensemble]" >&2; exit 2; }
	@python -m fonoteka.transcribe "data/models/$(or $(MODEL),ensemble)" "$$WAV"

# Each fold is an experiment of its own: encoders are trained on the training part too.
folds: $(INSTALLED) ## leave one speaker out, each in turn: [CORPUS=...] [ARGS=--queue]
	@python -m fonoteka.pipeline.leave_one_out data/splits/speakers.csv $${CORPUS:+--corpus "$$CORPUS"} $(ARGS)

clean: ## remove what tools and interrupted training left, never data
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* checkpoints
	find fonoteka stages tests -type d -name __pycache__ -exec rm -rf {} +
