# The commands of this repository, the same for people and for CI. CARGO_TARGET_DIR is respected.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test flake upgrade bench lint deny setup bless

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## Supervise a few units, kill one, show what happens. ONCE=1 ends by itself
	@ONCE="$(ONCE)" conf/demo/demo.sh

test: ## Install what the tests need, then run all of them
	@scripts/test.sh

flake: ## Run the end-to-end tests N=10 times, up to the first failure
	@scripts/flake.sh "$(or $(N),10)"

upgrade: ## Run a fleet of this version and of the one of REV=revision, side by side
	@scripts/upgrade.sh "$(REV)"

bench: ## The figures, beside the floor and the peers. BENCH_IDLE=600 for the full idle window
	@scripts/bench.sh $(BENCH)

lint: ## Formatting and clippy; warnings are errors
	@scripts/lint.sh

deny: ## What dependencies may be: bans, licences, sources
	@scripts/deny.sh

setup: ## Install what the tests need, and nothing else
	@scripts/setup.sh

bless: ## Write golden outputs and generated files anew; review the diff
	@DIXMGR_BLESS=1 scripts/test.sh
