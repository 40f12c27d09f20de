# make run      install into .venv, execute the notebook headless, print measured beside predicted ranks
#               with other hyperparameters: make run dataset=MNIST loss_name=cross widths="[20, 20]"
# make lab      the same environment, the notebook open in JupyterLab
# make test     the tests
# make lint     ruff, over modules, tests and notebooks
# make notebooks  execute the committed notebooks in place, and redraw the README's picture
# make benchmark  the original's way, curvlinops and this project, side by side; the ways of this project judged

PYTHON ?= $(shell command -v python3.11 || command -v python3)
NOTEBOOK ?= notebooks/hessian_rank.ipynb
BIN = .venv/bin
READY = .venv/ready

# name=value words of the command line that are not make's own are hyperparameters
SETTINGS = $(filter-out PYTHON=% NOTEBOOK=%,$(MAKEOVERRIDES))

.PHONY: run lab test lint notebooks benchmark

run: $(READY)
	@$(BIN)/python notebooks/run.py $(NOTEBOOK) $(SETTINGS)

lab: $(READY)
	$(BIN)/jupyter lab $(NOTEBOOK)

test: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

notebooks: $(READY)
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False notebooks/*.ipynb
	$(BIN)/jupyter nbconvert --to notebook --inplace --coalesce-streams notebooks/*.ipynb
	$(BIN)/python notebooks/run.py notebooks/hessian_rank.ipynb
	cp results/hessian_rank/figure-2.png docs/spectra.png

benchmark: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks.experiments.side_by_side
	$(BIN)/python -m benchmarks.matrix_free.random_settings
	$(BIN)/python -m benchmarks.matrix_free.probes_compared
	$(BIN)/python -m benchmarks.exact.exact_ranks
	$(BIN)/python -m benchmarks.linear_networks.judged_signs

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, {sys.executable} is {sys.version.split()[0]}; say make PYTHON=/path/to/python3.11")'
	@echo "Installing into .venv (once, several GB, a few minutes) ..."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $(READY)
