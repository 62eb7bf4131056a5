.DEFAULT_GOAL := help
export GOFLAGS := -buildvcs=false

help: ## Say what can be made.
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## Run the tests; what they need is built and cached on the first run.
	go test -count=1 -timeout 60m ./...

e2e: ## Run every story on the real cluster.
	WEIR_E2E=1 go test -count=1 -timeout 60m -v ./e2e/...

.PHONY: help test e2e
