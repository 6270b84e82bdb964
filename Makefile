# The two commands that matter: `make run` and `make test`.
PORT ?= 8080
DATA ?= ./data
PROFILE ?= quick

.PHONY: run test web build fmt lint bench servers clean-data help

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

run: ## Install what is missing, build, and serve a demo company on 127.0.0.1:PORT
	@scripts/install.sh build
	@scripts/web.sh build
	@cargo build --profile $(PROFILE) -p afluente
	@exec target/$(PROFILE)/afluente dev --port $(PORT) --data $(DATA)

test: ## Everything: units, conformance on embedded and real servers, scenarios, browsers
	@scripts/install.sh all
	@scripts/test.sh

web: ## The desk's page only
	@scripts/web.sh build

lint: ## Format, clippy, shellcheck, the page's linter
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings
	@shellcheck scripts/*.sh .ci/run
	@scripts/web.sh lint

fmt: ## Format the Rust
	@cargo fmt --all

bench: ## Measure (release build); figures are ratios of one run
	@scripts/install.sh all
	@scripts/web.sh build
	@scripts/bench.sh
