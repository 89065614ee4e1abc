# flashsale: `make` lists what there is. Every target installs what it misses first
# (scripts/setup.sh), and asks nothing.

SHELL := bash
# Where rustup puts cargo, for shells that do not know it yet.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

# redis.conf loads the module from here, wherever else cargo may be told to build.
export CARGO_TARGET_DIR := $(CURDIR)/target

PORT ?= 6379
SETUP := ./scripts/setup.sh
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

.DEFAULT_GOAL := help
# In the order written, also with -j.
.NOTPARALLEL:
.PHONY: help setup build run port-is-free demo bench bench-quick profile test test-servers test-clients test-shops shop test-story test-cluster test-docker test-kubernetes companion test-companion bench-companion bench-split lint-companion test-asan fuzz soak pictures lint hooks deny msrv build-arm64 release sbom deb release-companion image version clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## install what is missing: Rust, libclang, a C compiler, redis-server, clients, Prometheus
	@$(SETUP) build server lint python node monitoring

build: ## build the module: target/release/libflashsale.so
	@$(SETUP) build
	cargo build --release --locked

run: port-is-free build ## build, and start a server with the module on PORT (6379)
	@$(SETUP) server
	@PORT=$(PORT) ./scripts/run.sh

# Before minutes of building, not after.
port-is-free:
	@PORT=$(PORT) ./scripts/run.sh check

# Its bounds of time are wide: here it is the books that count, on whatever machine this is.
demo: build companion ## sell 10,000 units to 100,000 buyers, in a race and in a line, and check both (ARGS="--stock 500 ...")
	@$(SETUP) server
	target/companion/release/flashsale load spike --own target/release/libflashsale.so \
	  --wait --race-first --p95 10s --behind 10s --report target/demo.html $(ARGS)

STORY_PYTHON := $(CURDIR)/target/shops/python/bin/python -B

shop: build companion ## play a whole sale: page, gateway, worker, till; kill each, compare the books (ARGS="--keep ...")
	@$(SETUP) server shops
	@$(STORY_PYTHON) examples/story/story.py $(ARGS)

# With what `make test-companion` has built.
test-story: ## plant faults in the books of `make shop`, then play it with 1,500 buyers
	@$(SETUP) build companion server shops
	cargo build --locked
	$(COMPANION) build $(IN_COMPANION)
	cd examples/story && MYPYPATH=../shop-python $(STORY_PYTHON) -m mypy --strict --cache-dir $(CURDIR)/target/shops/mypy *.py tests/*.py
	FLASHSALE_MODULE=$(CURDIR)/target/debug/libflashsale.so FLASHSALE_PROGRAM=$(CURDIR)/target/companion/debug/flashsale \
	  $(STORY_PYTHON) -m pytest -q -p no:cacheprovider examples/story/tests

# What is measured, and how: benches/server/main.rs. Have the machine to yourself.
bench: ## measure it beside Redis's own commands and Lua, half an hour; tables and plot in target/bench
	@$(SETUP) build server
	cargo bench --locked --bench server -- $(ARGS)

bench-quick: ## the same at a glance, some minutes
	@$(SETUP) build server
	cargo bench --locked --bench server -- --quick $(ARGS)

profile: build ## count the instructions of a call, and whose they are (Linux; OUT=FILE)
	@$(SETUP) server profile
	@./scripts/profile.sh $(OUT)

# Two tests a core at a time: those with a server wait for it, or for a deadline, mostly.
test: ## run every test, against real servers
	@$(SETUP) build server python node monitoring servers
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$((2 * $$(getconf _NPROCESSORS_ONLN)))} cargo test --locked

test-servers: ## run what needs a server on Redis 7.0, 8.0, 8.2, Valkey 8.1 and 9.1 (SERVERS="valkey-9.1")
	@$(SETUP) build server python node servers debian-servers
	@./scripts/test_servers.sh $(ARGS)

test-clients: ## build and test the clients for Python and TypeScript (ARGS=short: their newest libraries, one server)
	@$(SETUP) build server client-libraries
	@./scripts/test_clients.sh $(ARGS)

test-shops: ## play every case of the shops in examples/, then rush each while all is killed (ARGS=short, python, node)
	@$(SETUP) build server shops $(if $(filter short,$(ARGS)),,companion)
	@./scripts/test_shops.sh $(ARGS)

# One after the other: each starts six servers.
test-cluster: ## move slots, hand over and kill primaries of a real cluster under load
	@$(SETUP) build server servers
	cargo test --locked --test server -- cluster_reshard:: slot_migration:: --ignored --nocapture --test-threads=1
	@$(SETUP) companion
	$(COMPANION) test $(IN_COMPANION) --test split -- cluster:: load:: --ignored --nocapture --test-threads=1

test-docker: ## build the image on Redis 7, Redis 8 and Valkey 8, and test each (IMAGES="redis:8-bookworm")
	@$(SETUP) build server compose
	@./scripts/test_docker.sh

test-kubernetes: ## play deploy/kubernetes with containers: an upgrade, all lost at once, a lost disk
	@$(SETUP) lint
	@./scripts/test_kubernetes.sh

# A workspace of its own: its crates are compiled for nobody who wants the module alone.
COMPANION := CARGO_TARGET_DIR=$(CURDIR)/target/companion cargo
IN_COMPANION := --manifest-path companion/Cargo.toml --locked

companion: ## build the program beside the module: target/companion/release/flashsale
	@$(SETUP) companion
	FLASHSALE_COMMIT=$$(git rev-parse --short=12 HEAD 2>/dev/null || true) $(COMPANION) build --release $(IN_COMPANION)

# Kill loops over 2,000 entries; ENTRIES=100000 for a long run.
test-companion: ## test the companion against Redis, databases and a browser (ENTRIES=100000)
	@$(SETUP) build companion server databases browser
	cargo build --locked
	FLASHSALE_DATABASES=required FLASHSALE_LOOP_ENTRIES=$(or $(ENTRIES),2000) \
	  $(COMPANION) test $(IN_COMPANION) -- --test-threads=2 $(ARGS)

bench-companion: ## measure what one worker stores, what reconcile compares, and what one gateway carries, 10 minutes
	@$(SETUP) build companion server databases
	cargo build --release --locked
	FLASHSALE_DATABASES=required $(COMPANION) test --release $(IN_COMPANION) --test worker -- bench:: --ignored --nocapture --test-threads=1
	$(COMPANION) test --release $(IN_COMPANION) --test serve -- bench:: --ignored --nocapture --test-threads=1

# Servers held to a tenth of a core each, where cgroups can be had; else without those figures.
bench-split: ## measure what a split sale costs, and its driver (FLASHSALE_PICTURE=docs/bench/split.svg)
	@$(SETUP) build companion server
	cargo build --release --locked
	$(COMPANION) test --release $(IN_COMPANION) --test split -- bench:: rush:: --ignored --nocapture --test-threads=1

lint-companion: ## check the companion's formatting and lints
	@$(SETUP) companion lint
	cargo fmt --manifest-path companion/Cargo.toml --check
	$(COMPANION) clippy --all-targets $(IN_COMPANION) -- -D warnings

test-asan: ## run the tests on servers under AddressSanitizer (Linux; ARGS="--test server NAME")
	@$(SETUP) build server
	@./scripts/asan.sh $(ARGS)

fuzz: ## look for names that stall it and bytes that confuse it (FUZZ_SECONDS=60 a target)
	@$(SETUP) build
	./scripts/fuzz.sh

soak: ## try fresh seeds until stopped; SOAK_MINUTES=60 for an hour
	@$(SETUP) build
	@./scripts/soak.sh

# Committed, so that no reader needs Graphviz. Look at them before that.
pictures: docs/architecture.svg docs/internals/life-of-a-change.svg ## make the pictures of the docs anew, with Graphviz

docs/%.svg: docs/%.dot
	@command -v dot >/dev/null || { echo "pictures: Graphviz is missing (apt-get install graphviz)" >&2; exit 1; }
	dot -Tsvg $< -o $@

lint: ## check formatting, lints, spelling, links, scripts, workflows and manifests
	@$(SETUP) build lint
	@./scripts/lint.sh

hooks: ## check what takes seconds before each commit, by a hook of git
	git config core.hooksPath .githooks

deny: ## check the crates: licences, sources, versions, vulnerabilities (ADVISORIES=required)
	@$(SETUP) build deny
	@./scripts/deny.sh

msrv: ## check that the oldest Rust that Cargo.toml promises is enough
	@$(SETUP) build
	@./scripts/msrv.sh

build-arm64: ## build the module for ARM64 and load it under QEMU (Debian or Ubuntu on x86-64)
	@$(SETUP) build arm64
	@TARGET=aarch64-unknown-linux-gnu ./scripts/release.sh tarball

release: ## build the tarball and load it where there is no Rust; target/release-artifacts
	@$(SETUP) build
	@./scripts/release.sh tarball

sbom: ## list what is linked in, as CycloneDX
	@$(SETUP) build sbom
	@./scripts/release.sh sbom

deb: release ## build the Debian package and load what it installs
	@$(SETUP) build deb
	@./scripts/release.sh deb

release-companion: ## build the companion's tarball and run it where there is no Rust
	@$(SETUP) companion
	@./scripts/release.sh companion

image: ## build the image of this version (IMAGE=flashsale:0.2.0)
	docker build --label org.opencontainers.image.version=$(VERSION) \
	  --label org.opencontainers.image.revision=$$(git rev-parse HEAD) -t $(or $(IMAGE),flashsale:$(VERSION)) .

version:
	@echo $(VERSION)

clean: ## remove what was built; data stays
	cargo clean
