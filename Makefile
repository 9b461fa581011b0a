# Two commands are all a newcomer needs:  make demo  and  make test.
# Both make their own environment in .venv; nothing outside this folder is touched.

PYTHON ?= python3
# The exact version picks the CPU build where the package index offers one; a bare "torch" may
# bring several GB of CUDA libraries. With an NVIDIA GPU: make TORCH=torch demo
TORCH ?= torch==2.13.0
OUT ?= runs/demo
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint tools/constraints.txt

.PHONY: help demo test lint docs results gallery pretrained viewer clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/'

demo: $(READY)  ## default faces, training, samples, transfer, scores: a report in some minutes
	$(BIN)/meshgan demo --out $(OUT)

test: $(READY)  ## all tests that need no GPU
	$(BIN)/python -m pytest

lint: $(READY)  ## style, types, and that imports go down only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright --level error

docs: $(READY)  ## the documentation as web pages in docs/_build
	$(PIP) --editable .[docs]
	$(BIN)/sphinx-build --quiet docs docs/_build

results: $(READY)  ## the README's numbers, measured on this machine after make demo
	$(BIN)/python tools/make_results.py --demo $(OUT) --bench

pretrained: $(READY)  ## the small model that comes with the package: data, training, card
	$(BIN)/python tools/make_pretrained.py

gallery: $(READY)  ## the pictures of docs/gallery.md
	$(BIN)/python tools/make_gallery.py

viewer: $(READY)  ## what meshgan view needs, system libraries included where allowed
	sh tools/install_viewer_libraries.sh

$(READY): pyproject.toml tools/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(TORCH)
	$(PIP) --editable .[dev]
	touch $(READY)

clean:  ## remove the environment and what was built
	rm -rf $(VENV) build dist docs/_build
