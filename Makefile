# `make lab` and `make test` are all that a newcomer needs; `make help` lists the rest.

VENV := .venv
BIN := $(VENV)/bin
# One version everywhere, so that results can be compared.
TORCH := $(shell grep '^torch==' constraints.txt)

# The first Python on this machine that is new enough; `make install PYTHON=...` names another.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p $(NEW_ENOUGH) 2>/dev/null && echo $$p && break; done)

.PHONY: help install doctor lab app test html lessons solutions fuzz samples data lint format constraints

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

lab: install  ## set up, then open the first notebook in JupyterLab
	@# Otherwise JupyterLab asks each newcomer about news, in front of the first lesson.
	@test -e $(VENV)/etc/jupyter/labconfig/page_config.json || $(BIN)/jupyter labextension disable --level=sys_prefix \
	"@jupyterlab/apputils-extension:announcements" 2>/dev/null
	$(BIN)/jupyter lab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

# A kernel that has run the notebook waits for the next visitor, so that only one who comes too soon has to wait.
app: install  ## open the what-if lab as a web page, without code, in about a minute (DATA=folder for other recordings)
	@test -z "$(DATA)" || test -e "$(DATA)" || { echo "DATA=$(DATA): nothing is there; name a dataset folder or an archive." >&2; exit 1; }
	SELFDANA_DATA="$(DATA)" $(BIN)/voila notebooks/what_if_app.ipynb --preheat_kernel=True --pool_size=1 --Voila.ip=127.0.0.1

test: install  ## set up, then run the whole test suite (no network needed)
	$(BIN)/python -m pytest

install: $(VENV)/.installed  ## set up everything in .venv; instant when nothing has changed

# Not after install: it says what is wrong where that fails, or where there is no network.
doctor:  ## check that this machine is ready for the lessons, and say what to mend
	@$(or $(wildcard $(BIN)/python),$(PYTHON),python3) notebooks/course/doctor.py

html: install  ## run every lesson and write a site to read without a kernel or a network, build/html
	$(BIN)/python tests/run_lessons.py build/html

lessons: install  ## the same on recordings of yours, with settings for real ones: make lessons DATA=data/ptbxl
	@test -n "$(DATA)" || { echo "Which recordings? make lessons DATA=data/ptbxl" >&2; exit 1; }
	$(BIN)/python tests/run_lessons.py build/lessons --data "$(DATA)"

solutions: install  ## write every lesson with its exercises solved, for teachers, to build/solutions
	PYTHONPATH=notebooks $(BIN)/python -m course.solutions build/solutions

fuzz: install  ## read 25,000 damaged files and datasets; minutes (FUZZ="--seed 1" for others)
	$(BIN)/python tests/fuzz_readers.py $(FUZZ)

samples: install  ## simulate data_samples/ anew
	$(BIN)/python -m selfdana_lite.simulate data_samples --replace

data: data/ptbxl  ## download PTB-XL at 100 Hz (0.55 GB) and make the dataset data/ptbxl of it; stopped, it goes on

data/ptbxl: | install
	$(BIN)/python -m selfdana_lite.ptbxl $@

lint: install  ## check code and notebooks
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: install  ## format code and notebooks, take saved outputs out of notebooks
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	$(BIN)/nbstripout --keep-id $(wildcard notebooks/*.ipynb)

torch-%: $(BIN)/python  ## before install: torch-cpu for no CUDA, torch-auto for the build that fits this GPU
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip install --python $(BIN)/python --torch-backend=$* --reinstall-package torch $(TORCH)

# The stamp is younger than what it was made from, so a repeated call does nothing.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@count=$$($(BIN)/pip list --disable-pip-version-check 2>/dev/null | grep -c '^nvidia-'); [ "$$count" -eq 0 ] || \
	echo "Note: torch brought $$count CUDA packages. Without them: rm -r $(VENV) && make torch-cpu install"
	@touch $@

$(BIN)/python:
	@$(or $(PYTHON),false) $(NEW_ENOUGH) 2>/dev/null || { \
	echo "Python 3.11 or newer is needed; found $$($(or $(PYTHON),python3) --version 2>&1)." \
	"Install one, or name it: make install PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A fresh environment, so that nothing installed by hand gets in. A "+cpu" is a machine's own build of torch.
constraints:  ## renew constraints.txt (all but torch) within the ranges of pyproject.toml
	rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	build/constraints/bin/pip install --quiet --editable '.[test]' $(TORCH)
	{ sed -n '/^#/p' constraints.txt; build/constraints/bin/pip freeze --exclude-editable | sed 's/+.*//'; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
