# Every target sets up what it needs; PYTHON may name the interpreter to make the virtual environment with (3.11 or newer).
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
READY := $(VENV)/ready
PEERS := $(VENV)/peers
MUTATION := $(VENV)/mutation
SPARK := $(VENV)/spark
TOOLS := $(VENV)/tools
DIST := dist
SERVICES ?= $(CURDIR)/services
HOST ?= 127.0.0.1
PORT ?= 5000

.DEFAULT_GOAL := help
.PHONY: help setup demo test quick fuzz coverage mutation check commands bench dist sbom size ui label-studio services clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## make the virtual environment .venv with everything installed

$(READY): pyproject.toml constraints.txt
	@echo "==> virtual environment in $(VENV) (about 2 GB, some minutes; only this once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "newsmark needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	@$(PYTHON) -m venv $(VENV)
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check torch -c constraints.txt
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable '.[annotate,files,train,transformer,serve,team,ray,dev]' -c constraints.txt
	@mkdir -p $(VENV)/src && ln -sfn ../.. $(VENV)/src/newsmark
	@touch $@

demo: $(READY)  ## train both models on the five seeds, compare them, predict (the main job)
	@echo "==> 1/4 the annotated articles"
	@$(RUN)/annotate check
	@echo "==> 2/4 baseline: TF-IDF and logistic regression, leave-one-article-out (a minute)"
	@$(RUN)/train --config configs/baseline.yaml
	@echo "==> 3/4 transformer, the cheap way: fine-tuned multilingual-e5-small, leave-one-article-out (some minutes)"
	@$(RUN)/train --config configs/transformer.yaml --fast
	@echo "==> 4/4 the newest model on a Swedish and a French article (it was trained on both: this shows the output, not a score)"
	@$(RUN)/predict --format table seeds/001_de0bcf51e6ff2360.txt seeds/003_351322b492e975e1.txt
	@$(RUN)/train compare
	@echo "==> done; to look at the runs: make ui"

$(SPARK): $(READY)
	@! command -v java >/dev/null || { echo "==> Spark, for one of the tests (half a GB, only this once)" \
	  && $(RUN)/python -m pip install --quiet --disable-pip-version-check --editable '.[spark]' -c constraints.txt && touch $@; }

test: $(SPARK)  ## set up, then lint, types and all tests, one process per core; prints the slowest
	@$(MAKE) --no-print-directory check
	@$(RUN)/python -m pytest --numprocesses logical --dist loadfile --no-loadscope-reorder --durations 20

quick: $(READY)  ## the tests that start no server and train nothing (under two minutes)
	@$(RUN)/python -m pytest --numprocesses logical --dist loadfile --no-loadscope-reorder -m "not server and not training"

fuzz: $(READY)  ## try what must hold for any file and any text on thousands of examples, other ones each time (an hour and more)
	@$(RUN)/python -m pytest --numprocesses logical -m "hypothesis and not server" --hypothesis-profile fuzz

coverage: $(SPARK)  ## all tests, then the share of lines and branches that they run, by file
	@$(RUN)/python -m pytest --numprocesses logical --dist loadfile --no-loadscope-reorder --cov --cov-report term

$(MUTATION): $(READY)
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mutation]' -c constraints.txt
	@touch $@

mutation: $(MUTATION)  ## change offsets, projection, folds, merging and push in small ways, and print what no test notices (a quarter of an hour)
	@$(RUN)/python tests/mutation.py

check: $(READY)  ## lint, format, types and the direction of imports only
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/python -m pytest -q tests/test_directions.py

commands: $(READY)  ## write the help pages of all commands into the manuals (COMMANDS.md)
	@$(RUN)/python tests/help_pages.py

$(PEERS): $(READY)
	@echo "==> SetFit and spaCy, to compare with (only this once)"
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]' -c constraints.txt
	@touch $@

bench: $(PEERS)  ## compare with bare calls, plain servers and other classifiers (long; TEST=FILE: labelled passages to score on; SPLITTING=FOLDER: suites of split sentences; PAGES=FILE: saved pages)
	@$(RUN)/python tests/benchmarks/annotations.py
	@$(RUN)/python tests/benchmarks/label_studio.py
	@$(RUN)/python tests/benchmarks/actions.py
	@$(RUN)/python tests/benchmarks/spans.py
	@$(RUN)/python tests/benchmarks/turn.py
	@$(RUN)/python tests/benchmarks/records.py
	@$(RUN)/python tests/benchmarks/prediction.py
	@$(RUN)/python tests/benchmarks/serving.py
	@$(RUN)/python tests/benchmarks/splitting.py $(if $(SPLITTING),--data "$(SPLITTING)")
	@$(RUN)/python tests/benchmarks/pages.py $(if $(PAGES),--pages "$(PAGES)")
	@$(RUN)/python tests/benchmarks/classifiers.py $(if $(TEST),--test "$(TEST)")
	@$(RUN)/python tests/benchmarks/new_label.py $(if $(TEST),--test "$(TEST)")
	@$(RUN)/train simulate --articles 100 --batch 20 --repetitions 3 --label commitment
	@$(RUN)/python tests/benchmarks/topics.py $(if $(MODEL),--model "$(MODEL)")

$(TOOLS)/build: constraints.txt
	@echo "==> the tools that build, in $(TOOLS) (only this once)"
	@$(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check build hatchling -c constraints.txt
	@touch $@

$(TOOLS)/sbom: $(TOOLS)/build
	@echo "==> the tools that list what is installed (only this once)"
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom pip-licenses -c constraints.txt
	@touch $@

dist: $(TOOLS)/build  ## build the sdist, from it the wheel, and the list of their checksums, in dist/
	@rm -rf $(DIST) && mkdir -p $(DIST)
	@$(TOOLS)/bin/python -m build --no-isolation --outdir $(DIST) >$(DIST)/build.log 2>&1 || { cat $(DIST)/build.log >&2; exit 1; }
	@rm $(DIST)/build.log && cp constraints.txt $(DIST)
	@cd $(DIST) && $(abspath $(TOOLS))/bin/python -c 'import hashlib, pathlib; pathlib.Path("SHA256SUMS").write_text("".join( \
	  f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}\n" for one in sorted(pathlib.Path().iterdir())))'
	@cat $(DIST)/SHA256SUMS

sbom: $(READY) $(TOOLS)/sbom  ## write what is installed in .venv to dist/: sbom.cdx.json (CycloneDX) and licences.md
	@mkdir -p $(DIST)
	@$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file $(DIST)/sbom.cdx.json $(RUN)/python
	@$(TOOLS)/bin/pip-licenses --python $(RUN)/python --from mixed --with-urls --format markdown --output-file $(DIST)/licences.md >/dev/null
	@$(TOOLS)/bin/pip-licenses --python $(RUN)/python --from mixed --summary --order count

size: $(READY) dist  ## install the wheel alone into a new virtual environment and print what predicting takes: megabytes, and seconds to import
	@$(RUN)/python tests/benchmarks/install.py $(DIST)

ui: $(READY)  ## open MLflow's page with all runs on http://127.0.0.1:5000
	@MLFLOW_DISABLE_TELEMETRY=1 $(RUN)/mlflow ui --host 127.0.0.1 --port 5000 --backend-store-uri "sqlite:///$(CURDIR)/mlruns/mlflow.db"

services: $(READY)  ## MLflow for a team, on PostgreSQL and with passwords (DATABASE=postgresql://USER:PASSWORD@HOST/NAME make services)
	@test -n "$$DATABASE" || { echo "make services: name an empty PostgreSQL database: DATABASE=postgresql://USER:PASSWORD@HOST/NAME make services" >&2; exit 2; }
	@umask 077 && mkdir -p $(SERVICES)/artifacts && cd $(SERVICES) && { test -s credentials || $(PYTHON) -c 'import secrets; \
	  print(f"MLFLOW_FLASK_SERVER_SECRET_KEY={secrets.token_hex(32)}\nMLFLOW_AUTH_ADMIN_PASSWORD={secrets.token_urlsafe(18)}")' > credentials; } \
	  && printf '[mlflow]\ndefault_permission = EDIT\ndatabase_uri = %s\nadmin_username = admin\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n' \
	  "$$(printf %s "$$DATABASE" | sed 's/%/%%/g')" > auth.ini
	@echo "==> http://$(HOST):$(PORT), user admin, password in $(SERVICES)/credentials; artifacts in $(SERVICES)/artifacts"
	@# the database's address holds a password: it is passed on in the environment, which the list of processes does not show
	@set -a && . $(SERVICES)/credentials && export MLFLOW_BACKEND_STORE_URI="$$DATABASE" \
	  MLFLOW_AUTH_CONFIG_PATH="$(SERVICES)/auth.ini" MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=1 \
	  && exec $(abspath $(RUN))/python -m mlflow server --app-name basic-auth --workers 1 --host $(HOST) --port $(PORT) \
	  --serve-artifacts --artifacts-destination "file://$(SERVICES)/artifacts"

label-studio: $(READY)  ## start a Label Studio for annotating, on http://127.0.0.1:8080
	@$(RUN)/annotate serve

clean:  ## remove the virtual environment and caches; trained models (mlruns/) stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
