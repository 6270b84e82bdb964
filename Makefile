# The two commands that matter: `make run` and `make test`.
PORT ?= 8080
DATA ?= ./data
PROFILE ?= quick
CHAOS_SECONDS ?= 1200
SEEDS ?= 1000
FROM ?= 0

.PHONY: run mesh test sim chaos web fmt lint bench help

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

run: ## Install what is missing, build, and serve a demo company on 127.0.0.1:PORT
	@scripts/install.sh build
	@scripts/web.sh build
	@cargo build --profile $(PROFILE) -p afluente
	@exec target/$(PROFILE)/afluente dev --port $(PORT) --data $(DATA)

mesh: ## Serve the mesh as it is deployed: two processes of each service on private servers, until Ctrl-C
	@scripts/install.sh all
	@scripts/web.sh build
	@cargo build --profile $(PROFILE) -p afluente -p afluente-chaos
	@exec target/$(PROFILE)/afluente-chaos serve

chaos: ## Harm that mesh under load for CHAOS_SECONDS, and judge what came through; CHAOS_SEED= repeats a schedule
	@scripts/install.sh all
	@scripts/web.sh build
	@cargo build --profile $(PROFILE) -p afluente -p afluente-chaos
	@exec target/$(PROFILE)/afluente-chaos run --seconds $(CHAOS_SECONDS) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))

test: ## Everything: units, conformance on embedded and real servers, scenarios, browsers
	@scripts/install.sh all
	@scripts/test.sh

sim: ## Simulate SEEDS worlds from FROM on (SEED=n ONLY=a,b: one, with its trace; MUTATION=name: with a bug put in)
	@RUSTFLAGS='--cfg tokio_unstable' cargo run --quiet --profile sim --target-dir target/sim -p afluente-sim -- \
		$(if $(SEED),--seed $(SEED) $(if $(ONLY),--only $(ONLY)),--seeds $(SEEDS) --from $(FROM) --kept scripts/seeds) \
		$(if $(MUTATION),--mutation $(MUTATION))

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
