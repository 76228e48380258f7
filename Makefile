# The front door. Every target works on a fresh Debian 12: what is missing is installed first (scripts/packages.txt).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
JOBS ?= $(shell nproc)
SEED ?= 1
STEPS ?= 10000000
SECONDS ?= 600
FUZZ_SECONDS ?= 10
RATE ?= 60
# Of each service, where they share a database.
REPLICAS ?= 3
quick := --label-exclude '^(slow|bench)$$'
# One server for all cases that only need a database on it (tests/support/postgres_database.h).
beside_postgres := scripts/with_postgres.sh -c fsync=off -c autovacuum=off -c max_connections=500

# Configures quietly unless it fails, then builds: with another build preset if one is named.
build_preset = mkdir -p build && { cmake --preset $(1) > build/$(1).log 2>&1 || { cat build/$(1).log; exit 1; }; } \
	&& cmake --build --preset $(or $(2),$(1)) -j $(JOBS)

.PHONY: help setup setup-test setup-check setup-plot setup-profile build demo test verify sim chaos measure counts bench bench-short growth profile fuzz lint fmt

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install the packages that are missing, say which
	@scripts/setup.sh build

setup-test:
	@scripts/setup.sh test

setup-check:
	@scripts/setup.sh check

setup-plot:
	@scripts/setup.sh plot

setup-profile:
	@scripts/setup.sh profile

build: setup ## the release build: build/release/bin
	@$(call build_preset,release)

demo: build ## real files through a real system that gets killed; KEEP=1 leaves it up
	@python3 scripts/demo.py

test: setup-test ## the quick tests under ASan and UBSan
	@$(call build_preset,asan)
	@$(beside_postgres) scripts/test.sh asan $(quick)

sim: setup ## the deterministic simulation; SEED=… STEPS=… lives that world again
	@$(call build_preset,sim)
	@build/sim/tests/bin/kantoku-sim --seed $(SEED) --steps $(STEPS)

chaos: $(if $(BACKEND),setup-test,setup) ## real processes in which everything goes wrong for SECONDS=600; SEED=… plans the same faults again; BACKEND=postgres: there, with REPLICAS=3 of each service
	@$(call build_preset,sim,chaos)
	@build/sim/bin/kantoku-chaos --seconds $(SECONDS) --seed $(SEED) --rate $(RATE) $(if $(BACKEND),--backend $(BACKEND) --replicas $(REPLICAS))

measure: setup-test ## figures that are promised: what a token costs, what a flood of forged ones does to others, how fast a block holds
	@$(call build_preset,sim,measure)
	@scripts/test.sh sim --label-regex '^bench$$'

counts: setup-check ## instructions of the engine's operations, within 10 % of what is checked in; UPDATE=1 writes that
	@$(call build_preset,sim,counts)
	@scripts/counts.py $(if $(UPDATE),--update)

bench: $(if $(BACKEND),setup-test,setup) ## figures of this machine beside what it can do at best: a table, and JSON in build/bench; BACKEND=postgres: through that
	@$(call build_preset,sim,bench)
	@scripts/bench.sh $(if $(BACKEND),--backend $(BACKEND))

bench-short: build ## a few of these figures of the release build, in half a minute; JSON in build/bench/short.jsonl
	@mkdir -p build/bench
	@build/release/bin/kantoku bench throughput throughput-callers latency --tasks 100000 --singles 2000 > build/bench/short.jsonl

growth: setup-plot build ## how the cost of a task grows with backlog, sessions and types, in three minutes: docs/performance-growth.svg
	@mkdir -p build/bench
	@build/release/bin/kantoku bench growth-backlog growth-sessions growth-types --tasks 100000 > build/bench/growth.jsonl
	@tests/bench/plot_growth.py build/bench/growth.jsonl docs/performance-growth.svg

profile: setup-profile ## where the CPU time of the scenarios goes, by layer: a table, and docs/profiles/*.svg
	@$(call build_preset,sim,bench)
	@scripts/profile.sh

fuzz: setup-check ## each property of what reads outside data, under libFuzzer for FUZZ_SECONDS=10
	@$(call build_preset,fuzz)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/test.sh fuzz --label-regex '^fuzz$$'

lint: setup-check ## layout, protos, layering, clang-tidy on recent changes (LINT_ALL=1: on everything)
	@scripts/lint.sh

fmt: setup-check ## repair the layout of the sources
	@scripts/lint.sh fmt

verify: setup-check ## everything: lint of the whole tree, all tests, thread sanitizer, simulation, fuzzing, chaos, demo, counts, bench
	@LINT_ALL=1 scripts/lint.sh
	@$(call build_preset,tsan)
	@$(beside_postgres) scripts/test.sh tsan $(quick)
	@$(MAKE) --no-print-directory sim demo counts bench measure fuzz
	@$(MAKE) --no-print-directory chaos SECONDS=180
	@$(MAKE) --no-print-directory chaos SECONDS=180 BACKEND=postgres
	@$(call build_preset,asan)
	@$(beside_postgres) scripts/test.sh asan --label-exclude '^bench$$'
