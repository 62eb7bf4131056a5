.DEFAULT_GOAL := help
export GOFLAGS := -buildvcs=false
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/weir

help: ## Say what can be made.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Watch a release on a cluster that is made for it.
	go run ./e2e/demo

# One package at a time: some run a cluster, and their stories are about seconds. Within a package most
# tests that are parallel wait for a cluster, so there may be more of them than cores.
test: ## Run the tests; what they need is built and cached on the first run.
	go test -count=1 -timeout 60m -p 1 -parallel 12 ./...

e2e: ## Run every story on the real cluster, and type every page of the docs; that takes two hours.
	WEIR_E2E=1 go test -count=1 -timeout 180m -p 1 -parallel 12 -v ./e2e/...

bench-core: ## Time a decision, a rendering and a verdict; benchstat is built and cached on the first run.
	cd e2e/tools/bench && GOBIN=$(CACHE)/bin/bench go install tool
	go test -run '^$$' -bench . -benchmem -count 6 ./pkg/rollout ./pkg/analysis/... ./pkg/router/gatewayapi | $(CACHE)/bin/bench/benchstat -

bench: bench-core ## Measure the operator with 1000 Canaries, at rest, at 100 releases at once, and in trouble.
	go run ./e2e/scale -canaries 1000 -releases 100 -for 10m -hanging -kill

bench-large: ## The same with 10,000 Canaries and 500 releases at once.
	go run ./e2e/scale -canaries 10000 -releases 500 -for 10m -hanging -kill

bench-soak: ## Have 100,000 short runs, and see whether anything grows.
	go run ./e2e/scale -canaries 50 -parts none -soak 100000

bench-evidence: ## Release bad versions on a real cluster, with the guard and without, and count the users that they hurt.
	go run ./e2e/evidence

bench-loadtester: ## Measure how truthful the load tester is, beside ab, hey and wrk where they are installed.
	go run ./e2e/pressure -for 3s -rounds 3

generate: ## Generate deep copies, clients and CRDs from the types, and copy what the charts need.
	e2e/tools/codegen/generate.sh

verify: ## Check generated files, format, modules, style and architecture.
	e2e/tools/verify.sh

lint: ## Run the linters; they are built and cached on the first run.
	cd e2e/tools/lint && GOBIN=$(CACHE)/bin/lint go install tool
	$(CACHE)/bin/lint/golangci-lint run

build: ## Build the programs into bin.
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/ ./cmd/...

kubectl-weir: ## Build the kubectl plugin into bin, from where it goes on the PATH.
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/ ./cmd/kubectl-weir

image: ## Build the operator's image into bin, without a container engine.
	go run ./e2e/sandbox/cmd/image -file bin/weir.tar -tag weir:dev ./cmd/weir

image-loadtester: ## Build the load tester's image into bin, without a container engine.
	go run ./e2e/sandbox/cmd/image -file bin/weir-loadtester.tar -tag weir-loadtester:dev ./cmd/weir-loadtester

site: ## Make a site of the documentation in bin/site; it needs Hugo, as in Debian's package hugo.
	hugo --source e2e/tools/site --destination $(CURDIR)/bin/site --cleanDestinationDir --panicOnWarning --quiet

.PHONY: help demo test e2e bench bench-core bench-large bench-soak bench-evidence bench-loadtester generate verify lint build kubectl-weir image image-loadtester site
