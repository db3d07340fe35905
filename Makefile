# Weir. `make` prints the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help dev build web generate migration check unit simulate test e2e bench soak endure fuzz need need-pg clean

MODULES  := shared controlplane dataplane migrations web infra/weir
PG_BIN   ?= $(firstword $(wildcard /usr/lib/postgresql/*/bin) $(dir $(shell command -v initdb 2>/dev/null)))
ARGS     ?=
FUZZTIME ?= 30s
SOAK     ?= 30m
step = @printf '\033[1m%s\033[0m\n' "$(1)"

help: ## print the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

need:
	@command -v go >/dev/null  || { echo "Go 1.26 or newer is missing: install it from go.dev/dl"; exit 1; }
	@command -v g++ >/dev/null || { echo "a C++ compiler is missing: install g++ (Debian: apt-get install g++)"; exit 1; }
	@command -v npm >/dev/null || { echo "Node 20 or newer with npm is missing: install nodejs and npm"; exit 1; }

need-pg:
	@test -x "$(PG_BIN)/initdb" || { echo "the Postgres server binaries are missing: install postgresql (Debian: apt-get install postgresql)"; exit 1; }
	@command -v strace >/dev/null || { echo "strace is missing: install strace (Debian: apt-get install strace)"; exit 1; }
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { echo "Chromium is missing: install chromium (Debian: apt-get install chromium)"; exit 1; }

dev: need ## build what is stale and run both planes on this machine (ARGS="--regions eu,us")
	$(call step,[1/3] the console)
	@$(MAKE) --no-print-directory web/dist/index.html
	$(call step,[2/3] the weir binary (minutes on the first build$(comma) seconds after))
	@$(MAKE) --no-print-directory build
	$(call step,[3/3] weir dev)
	@exec bin/weir dev $(ARGS)

comma := ,

build: need ## build bin/weir
	@mkdir -p bin
	go build -trimpath -ldflags '-s -w' -o bin/weir ./infra/weir

web: web/dist/index.html ## build the console into web/dist

WEB_SOURCES := $(shell find web/src web/index.html web/package.json web/vite.config.ts 2>/dev/null -type f)

web/node_modules: web/package-lock.json
	cd web && npm install --no-save --no-audit --no-fund --loglevel=error && touch node_modules # not ci: it wants every platform in the lockfile

web/dist/index.html: web/node_modules $(WEB_SOURCES)
	cd web && npm run --silent build

generate: web/node_modules ## write every generated file
	go run ./shared/catalog/gen
	cd controlplane && go run ./store/generate
	cd web && npm run --silent generate
	gofmt -w shared/catalog controlplane/store/ent dataplane

migration: need-pg ## write the schema's difference as the next numbered migration (NAME=what_it_does)
	@test -n "$(NAME)" || { echo "say what it does: make migration NAME=add_labels"; exit 2; }
	cd controlplane && go run ./store/migrate $(NAME)

bin/staticcheck: infra/tools/go.mod infra/tools/go.sum
	@mkdir -p bin
	cd infra/tools && GOWORK=off go build -o ../../bin/staticcheck honnef.co/go/tools/cmd/staticcheck

check: need bin/staticcheck ## format, vet, staticcheck, tidy modules, generated files up to date, types of the console
	$(call step,check)
	@bad=$$(git ls-files '*.go' | xargs gofmt -l); test -z "$$bad" || { echo "not formatted: $$bad (gofmt -w)"; exit 1; }
	go vet work
	bin/staticcheck $$(go list work | grep -v /store/ent)
	@for m in $(MODULES); do (cd $$m && GOWORK=off go mod tidy -diff >/dev/null) || { echo "$$m: go mod tidy changes it"; exit 1; }; done
	@infra/tools/generated.sh
	cd controlplane && go run ./store/migrate -check
	@$(MAKE) --no-print-directory web/node_modules
	cd web && npm run --silent check

unit: need need-pg ## tests of every package but the black-box ones
	$(call step,unit tests)
	go test $$(go list work | grep -v -e /infra/weir/e2e -e '/infra/weir$$')
	go test -count=1 ./infra/weir # of every package's imports: no change of theirs voids a cached result

# The folders of simulations are in memory where the system has that: none of their faults is a disk's own. The
# limit is for pools, which let go of nothing as long as the collector rests.
simulated = GOGC=400 GOMEMLIMIT=1GiB go test $(if $(wildcard /dev/shm),-exec 'env GOTMPDIR=/dev/shm') -run 'TestSimulation$$'

simulate: need ## 10,000 seeds of simulated loads, lanes, and the partition (one again: go test ./dataplane/pipeline -run 'Simulation$$' -seed N -count 100; a seed fixes faults, not the order of goroutines)
	$(call step,simulation)
	@for part in load deliver pipeline; do $(simulated) -timeout 30m ./dataplane/$$part -seeds 10000 || exit; done

soak: need ## seeds of all simulations until they are stopped or have failed
	$(simulated) -timeout 0 -p 3 ./dataplane/pipeline ./dataplane/deliver ./dataplane/load -seeds 0

infra/weir/e2e/node_modules: infra/weir/e2e/package-lock.json
	cd infra/weir/e2e && npm ci --no-audit --no-fund --loglevel=error && touch node_modules

e2e: need need-pg web/dist/index.html infra/weir/e2e/node_modules ## black-box tests: processes, public ports, real SDKs
	$(call step,end to end)
	go test -count=1 -timeout 20m ./infra/weir/e2e/...

test: check unit simulate ## everything: check, unit, simulation, console, end to end
	$(call step,tests of the console)
	cd web && npm test --silent
	@$(MAKE) --no-print-directory e2e

bench: build ## speed and memory, with ratios against baselines of the same run
	go test -run '^$$' -bench . -benchmem $$(go list work | grep -v -e /store/ent -e /e2e)
	go run ./infra/weir/bench -weir bin/weir

endure: build ## the load run's soak: half an hour beside webhooks that fall ill and get well (SOAK=30m)
	go run ./infra/weir/bench -weir bin/weir -only soak -soak $(SOAK)

fuzz: ## every fuzz target for FUZZTIME (short in .ci/run; for a night: FUZZTIME=1h)
	$(call step,fuzz $(FUZZTIME) each)
	@infra/tools/fuzz.sh $(FUZZTIME)

clean: ## remove what was built
	rm -rf bin web/node_modules infra/weir/e2e/node_modules
	find web/dist -mindepth 1 ! -name .gitkeep -delete
