# Everything is set up into .venv from PyPI. TORCH_INDEX (optional) names an index with CPU-only
# wheels of torch and torchvision, e.g. for laptops where 5 GB of CUDA libraries are unwelcome.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH_INDEX ?=
# Compiled at once: otherwise every first start would do it, and where Python may not keep what it
# compiled (PYTHONDONTWRITEBYTECODE, a read-only installation) every start of a command, in 5 s.
UV := $(BIN)/uv pip install --quiet --compile-bytecode -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX) --index-strategy unsafe-best-match,)

export NO_ALBUMENTATIONS_UPDATE := 1

.PHONY: install demo test lint clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV=$(VENV) $(UV) -e '.[dev]'
	@$(BIN)/python -m compileall -q src
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/groundbreak demo -o demo

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(STAMP) lint
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

clean:
	rm -rf $(VENV) demo build dist
