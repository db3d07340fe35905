# Weir. `make` prints the targets.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help dev build temporal iceberg web generate migration check unit simulate mutants console e2e story kills equalities syncs size test soak bench endure fuzz need need-test clean

# Node and Chromium from npm, where setup had to put them; one build cache for products and tests.
export PATH    := $(CURDIR)/bin/tools:$(PATH)
export GOFLAGS := $(shell go env GOFLAGS 2>/dev/null) -trimpath

MODULES  := shared controlplane dataplane migrations web infra/weir infra/temporal infra/iceberg
ARGS     ?=
SEEDS    ?= 1000
FROM     ?= 1
KILLS    ?= 20
FUZZTIME ?= 30s
SOAK     ?= 30m
gotestsum = bin/gotestsum --format-hide-empty-pkg --format

help: ## print the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

need:
	@infra/tools/setup.sh dev

need-test:
	@infra/tools/setup.sh test

dev: need ## build what is stale and run both planes on this machine (ARGS="--regions eu,us")
	@infra/tools/steps.sh web='seconds, the first time half a minute' build='seconds, the first time three to six minutes'
	@exec bin/weir dev $(ARGS)

build: need ## build bin/weir
	@infra/tools/build.sh

bin/weir-temporal: infra/temporal/store/entry/main.go infra/temporal/go.mod infra/temporal/go.sum
	@infra/tools/temporal.sh && touch $@

temporal: need bin/weir-temporal ## build bin/weir-temporal, which weir dev uses when it is there: history of jobs (the first time five to ten minutes)

bin/weir-iceberg: $(filter-out %_test.go,$(wildcard infra/iceberg/store/entry/*.go)) infra/iceberg/go.mod infra/iceberg/go.sum
	@infra/tools/iceberg.sh

iceberg: need bin/weir-iceberg ## build bin/weir-iceberg, which destinations of the type iceberg need (the first time two to three minutes)

web: need web/dist/index.html ## build the console into web/dist

WEB_SOURCES := $(shell find web/src web/index.html web/package.json web/vite.config.ts 2>/dev/null -type f)

web/node_modules: web/package-lock.json
	cd web && npm install --no-save --no-audit --no-fund --loglevel=error && touch node_modules # not ci: it wants every platform in the lockfile

web/dist/index.html: web/node_modules $(WEB_SOURCES)
	cd web && npm run --silent build

generate: web/node_modules ## write every generated file
	go run ./shared/catalog/gen
	go run ./shared/workspace/document/gen
	go run ./infra/weir/cli/remote/openapi/gen
	cd controlplane && go run ./store/generate
	cd web && npm run --silent generate
	gofmt -w shared/catalog controlplane/store/ent dataplane

migration: need-test ## write the schema's difference as the next numbered migration (NAME=what_it_does)
	@test -n "$(NAME)" || { echo "say what it does: make migration NAME=add_labels"; exit 2; }
	cd controlplane && go run ./store/migrate $(NAME)

bin/staticcheck bin/gotestsum: infra/tools/go.mod infra/tools/go.sum
	@mkdir -p bin
	cd infra/tools && GOWORK=off go build -o ../../bin/ $$(GOWORK=off go list -f '{{.ImportPath}}' tool | grep '/$(@F)$$')

check: need-test bin/staticcheck web/node_modules ## format, vet, staticcheck, tidy modules, generated files up to date, types of the console
	@bad=$$(git ls-files '*.go' | xargs gofmt -l); test -z "$$bad" || { echo "not formatted: $$bad (gofmt -w)"; exit 1; }
	go vet work
	bin/staticcheck $$(go list work | grep -v /store/ent)
	@for m in $(MODULES); do (cd $$m && GOWORK=off go mod tidy -diff >/dev/null) || { echo "$$m: go mod tidy changes it"; exit 1; }; done
	@infra/tools/generated.sh
	cd controlplane && go run ./store/migrate -check
	cd controlplane && go test -count=1 -run TestRulesPassTheirOwnTests ./policy ./policy/rules
	cd web && npm run --silent check

# Simulations, and the mistakes that they have to find, have steps of their own. Many tests wait for servers: more packages at once than processors. What tests every package's imports is never cached: no change of theirs voids its result.
unit: need-test bin/weir-temporal bin/weir-iceberg bin/gotestsum ## tests of every package but simulations and black-box tests
	GOGC=400 $(gotestsum) pkgname -- -timeout 30m -p $$(($$(nproc) * 2)) -skip '^TestSimulation$$|Mutants' $$(go list work | grep -v -e /infra/weir/e2e -e '/infra/weir$$')
	$(gotestsum) pkgname -- -count=1 ./infra/weir
	cd infra/iceberg && GOWORK=off ../../$(gotestsum) pkgname -- ./...

# The folders of simulations are in memory where the system has that: none of their faults is a disk's own. The
# limit is for pools, which let go of nothing as long as the collector rests.
simulate: need ## SEEDS of the simulation of each package that has one, from FROM on (one again: cd dataplane/deliver && go test -run 'Simulation$$' -seed N -count 100; a seed fixes faults, not the order of goroutines)
	@for dir in $$(grep -rl --include='*_test.go' '^func TestSimulation(' dataplane | xargs -n 1 dirname | sort); do \
		echo "$$dir: $(SEEDS) seeds from $(FROM) on"; \
		(cd $$dir && GOGC=400 GOMEMLIMIT=1GiB go test $(if $(wildcard /dev/shm),-exec 'env GOTMPDIR=/dev/shm') \
			-run '^TestSimulation$$' -count 1 -timeout 0 -from $(FROM) -seeds $(SEEDS)) || exit; done

mutants: need ## the simulations find every planted mistake (soak has them sought, not make test)
	@for dir in $$(grep -rl --include='*_test.go' 'mutationtest.Run(' dataplane | xargs -n 1 dirname | sort -u); do (cd $$dir && GOGC=400 go test -count 1 -timeout 0 -run Mutants .) || exit; done

console: need web/node_modules ## tests of the console's pages
	cd web && npm test --silent

infra/weir/e2e/node_modules: infra/weir/e2e/package-lock.json
	cd infra/weir/e2e && npm ci --no-audit --no-fund --loglevel=error && touch node_modules

# Its tests mostly wait: more of them at once than processors.
e2e: need-test bin/weir-temporal web/dist/index.html infra/weir/e2e/node_modules bin/gotestsum ## black-box tests: processes, public ports, real SDKs, KILLS of everything
	$(gotestsum) testname -- -count=1 -timeout 30m -parallel $$(($$(nproc) * 3)) ./infra/weir/e2e/... -kills $(KILLS)

test: need-test ## everything: check, temporal, iceberg, unit, simulate, console, e2e
	@infra/tools/steps.sh check='under a minute' temporal='seconds, the first time five to ten minutes' iceberg='seconds, the first time two to three minutes' unit='about four minutes' simulate='a minute or two' e2e+console='about five minutes'

story: need-test bin/gotestsum ## the founding story against stand-ins: events, tickets and subscriptions become persons, and a segment in a CRM (docs/story.md)
	$(gotestsum) standard-verbose -- -count=1 -timeout 15m -run '^TestTheStory$$' ./infra/weir/e2e

kills: need-test bin/gotestsum ## black-box tests of processes that die under load, KILLS times
	$(gotestsum) standard-verbose -- -count=1 -timeout 0 -run '^TestKilled' ./infra/weir/e2e -kills $(KILLS)

size: need-test bin/gotestsum web/dist/index.html infra/weir/e2e/node_modules ## the console with 500 connections and 300 workspaces: finds one within 5 s, keeps the browser's main thread for 200 ms at most
	$(gotestsum) standard-verbose -- -count=1 -timeout 0 -run '^TestOneAmongMany' ./infra/weir/e2e -connections 500 -workspaces 300

soak: export SEEDS = 10000
soak: export KILLS = 100
soak: ## what takes long: 10,000 seeds of each simulation, planted mistakes, 100 kills, then 60 seeds of identity's equalities, and the console at size (later: FROM=4001 goes on from a seed; other amounts: SEEDS, KILLS)
	@infra/tools/steps.sh simulate='about ten minutes' mutants='two minutes' kills='about two minutes' equalities='about ten minutes' syncs='about five minutes' size='a minute'

equalities: need-test ## identity and features on both engines for 60 seeds: batches, deaths, decisions and expiry against full builds, SQL against breadth first and union-find
	cd dataplane/identity && go test -count 1 -timeout 0 . -seeds 60
	cd dataplane/profile && go test -count 1 -timeout 0 . -run '^TestSomeIsAll$$' -seeds 60

syncs: need-test ## syncs on DuckDB and Postgres for 200 random steps: rejects, lost answers and deaths against a model of the tool
	cd dataplane && go test -count 1 -timeout 0 ./warehouses -run TestSyncs -syncsteps 200

bench: build ## speed and memory, with ratios against baselines of the same run
	go test -run '^$$' -bench . -benchmem $$(go list work | grep -v -e /store/ent -e /e2e)
	cd dataplane/identity && go test -run '^$$' -bench Stitch -benchtime 1x . -links 1000000 && go test -run '^$$' -bench Stitch -benchtime 1x . -links 5000000 && go test -run '^$$' -bench Stitch -benchtime 1x . -links 1000000 -engine postgres
	cd dataplane/profile && go test -run '^$$' -bench Build -benchtime 1x . -customers 200000
	cd dataplane/syncs/books && go test -run '^$$' -bench Plan -benchtime 1x . -rows 5000000 && go test -run '^$$' -bench Plan -benchtime 1x . -rows 1000000 -engine postgres
	go run ./infra/weir/bench -weir bin/weir
	go run ./infra/weir/bench -weir bin/weir -only rows
	go run ./infra/weir/bench -weir bin/weir -only freshness
	go run ./infra/weir/bench -weir bin/weir -only pulls
	go run ./infra/weir/bench -weir bin/weir -only kinds
	go run ./infra/weir/bench -weir bin/weir -only neighbours
	go run ./infra/weir/bench -weir bin/weir -only api

endure: build ## the load run's soak: half an hour beside webhooks that fall ill and get well (SOAK=30m)
	go run ./infra/weir/bench -weir bin/weir -only soak -soak $(SOAK)

fuzz: ## every fuzz target for FUZZTIME (for a night: FUZZTIME=1h), or all of them for FUZZALL seconds
	@infra/tools/fuzz.sh $(FUZZTIME) $(FUZZALL)

clean: ## remove what was built
	rm -rf bin web/node_modules infra/weir/e2e/node_modules
	find web/dist -mindepth 1 ! -name .gitkeep -delete
