# Two commands show and prove the whole: `make demo` and `make test`. Both make .venv from the lock if it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin

export PATH := $(BIN):$(PATH)
export DO_NOT_TRACK := 1
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false
export HF_HUB_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
export ORT_DISABLE_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What the remote inside the repository holds: the sample and the model that ships. Results of stages are not there.
TRACKED := data.dvc mtclar/shipped/default.dvc

# What `make ship` gives to everybody; each can be named on the command line.
BUNDLE := artifacts/export
EVALUATION := artifacts/evaluate
REAL := artifacts/real

.PHONY: help demo test test-all test-images test-cluster bench lint lock ship weights images clean

help:
	@echo "make demo      install, pull the sample, run the line, label the sample's videos, show the result"
	@echo "make test      install, run the test suite"
	@echo "make test-all  the test suite with its slow tests"
	@echo "make bench     how fast things are on this machine"
	@echo "make lint      format, lint and type check"
	@echo "make images    build the container images of this commit; make test-images tries them"
	@echo "make test-cluster  the manifests and images on the cluster that KUBECONFIG names"
	@echo "make ship      make BUNDLE the model that ships, with the card of its EVALUATION and its test on REAL faces"
	@echo "make weights   make the graphs of the face detectors again, from the packages that carry their weights"
	@echo "make lock      resolve the newest versions and write requirements.lock"

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mtclar needs Python 3.11 or newer; $(PYTHON) is older. Give one: make PYTHON=python3.12 demo"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

demo: $(VENV)/.installed
	dvc pull --quiet $(TRACKED)
	dvc repro
	@mtclar evaluate --show
	@echo "Labelled videos: artifacts/label/index.html"

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-all: $(VENV)/.installed
	$(BIN)/python -m pytest -n 2 --dist worksteal

bench: $(VENV)/.installed
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

lint: $(VENV)/.installed
	ruff format .
	ruff check --fix .
	mypy

lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet --editable '.[all]'
	{ echo "# Every package mtclar[all] needs, by exact version; written by 'make lock'."; \
	  build/lock/bin/pip freeze --exclude-editable --local | sed -E 's/\+cpu$$//'; } > requirements.lock

# What converts them stays out of the lock: nobody needs it who does not change them.
weights: $(VENV)/.installed
	rm -rf build/weights && $(PYTHON) -m venv build/weights
	build/weights/bin/pip install --quiet 'onnx>=1.17' 'tflite>=2.18' 'ai-edge-litert>=2'
	build/weights/bin/python -m tools.face_weights

images:
	@infra/images/build.sh

test-cluster: $(VENV)/.installed
	$(BIN)/python -m pytest tests/cluster

test-images: $(VENV)/.installed
	$(BIN)/python -m pytest tests/infra/test_images.py tests/pipelines/test_containers.py

# The old model's objects leave the remote: the repository holds one model and the sample. (Not by `dvc gc`, which would
# empty the cache of every experiment as well.)
ship: $(VENV)/.installed
	mtclar models ship --bundle $(BUNDLE) --evaluation $(EVALUATION) --real $(REAL) --out mtclar/shipped/default
	cp mtclar/shipped/default/card.md docs/model-card.md
	dvc add --quiet mtclar/shipped/default
	dvc push --quiet $(TRACKED)
	$(BIN)/python -m tools.clean_remote dvc-remote $(TRACKED)
	@echo "Commit mtclar/shipped/default.dvc, mtclar/shipped/.gitignore, docs/model-card.md and dvc-remote/."

clean:
	rm -rf artifacts build mlflow.db mlruns mlartifacts
