# make demo    sets everything up, runs the quickstart on both frameworks, prints the table
# make test    sets everything up, runs all tests
# make check   ruff, mypy, import-linter
# make agreement  both frameworks' int8 files of networks at 224 pixels and of detectors, bit by bit; int8 on every
#              network of the zoo; files of torchvision's networks for pixels
# make zoo     counts the figures of `paredown zoo`
# make matrix  prunes every network of the zoo on both frameworks, writes the table of docs/networks.md
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
OUT := out

.PHONY: demo test check format setup zoo bench-slice bench-pruning bench-cutting bench-quantization bench-calibration bench-distillation bench-loading bench-tasks agreement matrix clean

demo: setup
	@$(BIN)/paredown compare examples/quickstart.yaml --out $(OUT)/quickstart

# Compiled first: the tests start hundreds of processes, and where no bytecode is written each would compile anew.
test: setup
	@$(BIN)/python -m compileall -q core backends plugins
	@$(BIN)/python -m pytest

check: setup
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

bench-slice: setup
	@$(BIN)/python benchmarks/slice.py

bench-pruning: setup
	@$(BIN)/python benchmarks/pruning/run.py

bench-cutting: setup
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/cutting.py

bench-quantization: setup
	@$(BIN)/python benchmarks/quantization/run.py

bench-calibration: setup
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/calibration.py

bench-distillation: setup
	@$(BIN)/python benchmarks/distillation/run.py

bench-loading: setup
	@$(BIN)/python benchmarks/loading.py

bench-tasks: setup
	@$(BIN)/python benchmarks/tasks/run.py

agreement: setup
	@$(BIN)/python -m pytest -n 0 -m "" tests/agreement/test_at_224.py tests/agreement/test_detector.py \
	  tests/matrix/test_quantized.py tests/torch/test_torchvision.py

matrix: setup
	@$(BIN)/python -m pytest -n 0 -m "" tests/matrix/test_networks.py; tested=$$?; \
	  PYTHONPATH=tests $(BIN)/python -m matrix.table && exit $$tested
	@$(BIN)/python -m pytest -n 0 -m "" tests/matrix/test_page.py

zoo: setup
	@PYTHONPATH=tests $(BIN)/python -m zoo_figures

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "paredown needs Python 3.11 or 3.12; name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	@echo "installing (PyTorch and PaddlePaddle: about 6 GB the first time)"
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -e ".[all,openvino,timm,testing]"
	@touch $@

clean:
	rm -rf $(VENV) $(OUT)
