# The verbs of this checkout. What each does stands in tools/, in Python's standard library.

# The first of these that is Python 3.11 or newer; `make PYTHON=/path/to/python3` names another.
# An old Python is refused by tools/ with a line that says what to do.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$p" -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { command -v "$$p"; exit; }; done; echo python3)
RUN := @PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m

# An inventory for `plan`, arguments passed on (`plan`: ansible-playbook; tests: pytest), benches.
INVENTORY ?=
ARGS ?=
ONLY ?=

.DEFAULT_GOAL := help
.PHONY: help prepare docs demo demo-down plan test lint sanity unit lab-test lab-test-long molecule bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

prepare: ## install what the tests need: .venv, Debian packages (the other verbs do it by themselves)
	$(RUN) tools.prepare test

demo: ## boot the lab, run playbooks/site.yml on it, verify, show the verdict
	$(RUN) tools.demo up

demo-down: ## stop the demo's lab and remove what it made
	$(RUN) tools.demo down

plan: ## plan alone, no host touched: INVENTORY=inventories/NAME [ARGS=--diff]
	$(RUN) tools.plan "$(INVENTORY)" $(ARGS)

test: ## lint, sanity, unit tests, lab tests but for the long ones; a table and a count at the end
	$(RUN) tools.check

docs: ## write docs/reference and docs/underlay.schema.json anew
	$(RUN) tools.reference $(ARGS)

lint: ## ruff, mypy, yamllint, ansible-lint
	$(RUN) tools.check lint

sanity: ## ansible-test sanity on a clean copy
	$(RUN) tools.check sanity

unit: ## tests that need no virtual machine: [ARGS="-k NAME"]
	$(RUN) tools.check unit --args="$(ARGS)"

lab-test: ## tests on the lab's virtual machines: [ARGS="-k NAME"]
	$(RUN) tools.check lab --args="$(ARGS)"

lab-test-long: ## tests on virtual machines that take minutes each: network boot, many runs
	$(RUN) tools.check long --args="$(ARGS)"

molecule: ## Molecule's scenarios, on lab hosts
	$(RUN) tools.check molecule

bench: ## measure, side by side with what others do: [ONLY=plan,pods]
	$(RUN) tools.bench --only "$(ONLY)"

clean: ## remove .venv, caches and logs (a running lab: demo-down)
	$(RUN) tools.clean
