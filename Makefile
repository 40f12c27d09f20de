# make run      install into .venv, execute the notebook headless, print measured beside predicted ranks
#               with other hyperparameters: make run dataset=MNIST loss_name=cross widths="[20, 20]"
#               another notebook, and another folder to write to: make run NOTEBOOK="my copy.ipynb" RESULTS=/tmp/results
# make lab      the same environment, the list of the notebooks open in JupyterLab
# make explore  sliders in a browser: closed forms, measured and exact ranks of one network
# make html     all notebooks with their outputs as a site in site/, which reads without a network
# make test     the tests
# make lint     ruff, over modules, tests and notebooks
# make notebooks  execute the committed notebooks in place, and redraw the README's picture
# make benchmark  the original's way, curvlinops and this project, side by side; the ways of this project judged
#               a first look, in a minute: make benchmark SMALL=yes

PYTHON ?= $(shell command -v python3.11 || command -v python3)
override OPENED := $(if $(filter undefined,$(origin NOTEBOOK)),notebooks/index.ipynb)
NOTEBOOK ?= notebooks/hessian_rank.ipynb
RESULTS ?= results
BIN = .venv/bin
READY = .venv/ready
GOALS = run lab explore html test lint notebooks benchmark

ifneq ($(filter-out $(GOALS) $(READY),$(MAKECMDGOALS)),)
$(error $(filter-out $(GOALS) $(READY),$(MAKECMDGOALS)): neither one of '$(GOALS)' nor name=value. \
Put a value with spaces in quotes: make run dataset=MNIST widths="[3, 20]")
endif

# notebooks/run.py reads the hyperparameters from MAKEFLAGS, where they stand as they were typed. Make would expand a $ in
# them to hand them on to the commands, so they are not handed on. The names of notebook and folder are, unexpanded. (In
# MAKEOVERRIDES a backslash stands before spaces and backslashes: without these, every setting is one word.)
override NOTEBOOK := $(value NOTEBOOK)
override RESULTS := $(value RESULTS)
export NOTEBOOK OPENED RESULTS
empty :=
TYPED = $(subst \$(empty) ,_,$(subst \\,_,$(MAKEOVERRIDES)))
NAMES = $(foreach word,$(TYPED),$(firstword $(subst =, ,$(word))))
SETTINGS = $(filter-out PYTHON NOTEBOOK RESULTS BIN READY SMALL,$(NAMES))
unexport $(filter-out NOTEBOOK RESULTS,$(NAMES))

.PHONY: $(GOALS)

run: $(READY)
	@$(BIN)/python notebooks/run.py --make "$$NOTEBOOK" --results "$$RESULTS"

ifneq ($(filter lab explore,$(MAKECMDGOALS)),)
ifneq ($(SETTINGS),)
$(error make $(filter lab explore,$(MAKECMDGOALS)) takes no hyperparameters: change $(SETTINGS) in the notebook)
endif
endif

lab: $(READY)
	$(BIN)/jupyter lab "$${OPENED:-$$NOTEBOOK}"

# In voila.json are three extensions of JupyterLab that voila's page has no use for, and complains of.
explore: $(READY)
	$(BIN)/voila notebooks/explorer.ipynb

html: $(READY)
	@$(BIN)/python notebooks/overview.py

test: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

notebooks: $(READY)
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False \
		--ExecutePreprocessor.store_widget_state=False notebooks/*.ipynb
	$(BIN)/jupyter nbconvert --to notebook --inplace --coalesce-streams notebooks/*.ipynb
	$(BIN)/python notebooks/run.py notebooks/hessian_rank.ipynb
	cp results/hessian_rank/figure-2.png docs/spectra.png

benchmark: $(READY)
	-@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks.experiments.side_by_side $(if $(SMALL),--small)
	$(BIN)/python -m benchmarks.ranks.graded $(if $(SMALL),--small)
	$(BIN)/python -m benchmarks.ranks.cost_of_checks $(if $(SMALL),--small)
	$(BIN)/python -m benchmarks.matrix_free.random_settings $(if $(SMALL),--settings 1 --draws 1)
	$(BIN)/python -m benchmarks.matrix_free.probes_compared $(if $(SMALL),--small)
	$(BIN)/python -m benchmarks.matrix_free.spectra_compared $(if $(SMALL),--small)
	$(BIN)/python -m benchmarks.closed_forms.certified $(if $(SMALL),--small)
	$(BIN)/python -m benchmarks.closed_forms.on_images $(if $(SMALL),--small)
	$(BIN)/python -m benchmarks.exact.exact_ranks $(if $(SMALL),--small)
	$(BIN)/python -m benchmarks.exact.smooth_networks $(if $(SMALL),--small)
	$(BIN)/python -m benchmarks.linear_networks.judged_signs $(if $(SMALL),--seconds 0.5)
	$(BIN)/python -m benchmarks.notebooks.random_hyperparameters $(if $(SMALL),--settings 4)

$(READY): requirements.txt pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, {sys.executable} is {sys.version.split()[0]}; say make PYTHON=/path/to/python3.11")'
	@echo "Installing into .venv (once, several GB, a few minutes) ..."
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $(READY)
