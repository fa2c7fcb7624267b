# Two commands do everything on a machine with Python 3.11 or 3.12, git and make:
#   make repro   environment, install, all stages, the table of results
#   make test    environment, install, checks and tests
# VENV=… names another environment than .venv; PYTHON=… the Python that a new one is made of.

VENV ?= .venv
BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)

# Named after the folder and what is installed there: it is out of date when one of them has changed.
STAMP := $(VENV)/.genreid-$(shell { pwd; cat pyproject.toml constraints.txt; } | cksum | cut -d ' ' -f 1)

# A process a core, each with one thread: threads of two processes of torch that share cores wait for one another. A file's
# tests stay together, for the fixtures that they share, and the longest files begin first (tests/conftest.py).
TESTS = OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help install repro test test-fast check docs mutants bench bench-full photographs romp browser release clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -4
	@echo "  make test-fast, make check, make install, make clean"
	@echo "  make docs: the pages of docs/ as a site, in site/index.html"
	@echo "  make mutants: which faults the tests let pass (half an hour; ARGS=--help for more)"
	@echo "  make bench, make bench-full: what docs/performance.md says, measured here"
	@echo "  make photographs: the files of weights that the recipe photographs needs"
	@echo "  make romp: the estimator of meshes for photographs (needs a C++ compiler)"
	@echo "  make release: wheel, source archive and notes in dist/, built from the last commit and tried; publishes nothing"
	@echo "  make browser: for the test of the page of genreid report (needs the system's package chromium)"

install: $(STAMP)

# DVC refuses a folder outside git, as an unpacked archive of the project is one, until it is told to do without.
repro: $(STAMP)
	@git rev-parse --git-dir >/dev/null 2>&1 || test -e .git \
		|| { echo "No git repository here: DVC does without; experiments and studies need one (git init)"; \
		$(BIN)/dvc config --local core.no_scm true; }
	@$(BIN)/dvc repro
	@$(BIN)/genreid summary

test: check
	@$(TESTS) -m "not slow"
	@$(TESTS) -m slow

test-fast: check
	@$(TESTS) -m "not slow"

check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/link_lines.py --check
	@$(BIN)/python -m tools.params_reference --check
	@$(BIN)/python -m tools.write_commands --check

# A broken link, a missing heading and a picture without words are errors.
docs: $(STAMP)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Open site/index.html"

# What it has found is kept, so it can be stopped and run again.
mutants: $(STAMP)
	@$(BIN)/python -m tools.mutants $(ARGS)

bench: $(STAMP)
	@$(BIN)/python -m benchmarks.run quick

# Measures what has no row in docs/performance.csv yet, so it can be stopped and run again.
bench-full: $(STAMP)
	@$(BIN)/python -m benchmarks.run full

# By the registry's ordinary client, into the user's cache; checked against the table in genreid/zoo.
photographs: $(STAMP)
	@$(BIN)/genreid models get blazepose_full mobilenetv2

# Its build needs Cython and NumPy in the environment, and says nothing of it.
romp: $(STAMP)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt cython setuptools
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt --no-build-isolation simple-romp==1.1.4

# What drives a browser; the browser itself is the system's package `chromium`.
browser: $(STAMP)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[browser]'

# See CONTRIBUTING.md. ARGS=--with-dependencies tries the wheel in an environment that has nothing else.
release: $(STAMP)
	@$(BIN)/python -m tools.release $(ARGS)

# Results and the environment stay; `dvc repro` makes anew what is missing.
clean:
	rm -rf .genreid .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dvc_plots build dist site *.egg-info
	find genreid pipeline stages tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# torch and torchvision go first, exactly and together: pip cannot tell whether they are a pair, an import can.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || { python=$$($(FIND_PYTHON)) && echo "Making $(VENV) of $$python" && "$$python" -m venv $(VENV); }
	@rm -f $(VENV)/.genreid-*
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt $$(grep -E '^torch(vision)?==' constraints.txt)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	@$(BIN)/python -c 'import torchvision' || { echo "torch and torchvision do not fit together; see constraints.txt" >&2; exit 1; }
	@touch $@

define FIND_PYTHON
for python in $(PYTHON) python3.11 python3.12 python3 python; do \
	if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' >/dev/null 2>&1; then \
		echo "$$python"; exit 0; \
	fi; \
done; \
echo "No Python 3.11 or 3.12 found: install one, or name it with PYTHON=/path/to/python" >&2; exit 1
endef
