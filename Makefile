GO ?= go
BIN := bin/kafka2prom
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LINT := build/tools/golangci-lint-2.15.0
FUZZTIME ?= 10s
BENCH ?= .
BENCHTIME ?= 1s
# Further flags of the end-to-end benchmark, such as "-shapes A,E,F -runs 3".
BENCHFLAGS ?=
# All scenarios of the faults; with a pattern only those, and the other rows of the table stay.
RUN ?=
# The scenarios that CI runs, smaller than in the table.
SHORT := ^Test(KilledUnderLoad|TerminatedUnderLoad|Zombie|PoisonAmongTwoThousand|AcknowledgementsLost|Misconfigured|PrometheusKilled|BrokerKilled|HostileRecords|DeadLetterTopicDown|Transactions)$$|^TestRebalanceStorm$$/^(cooperative|KIP-848)$$|^TestReceiverFails$$/^random
# Of a soak: how long there are faults, and which; left out: others each time.
SECONDS ?= 600
SEED ?=
.PHONY: help build test race lint fuzz bench bench-short bench-micro cover integration integration-full compliance faults faults-short soak demo fmt tidy vuln clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile

build: ## Build bin/kafka2prom.
	$(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) ./cmd/kafka2prom

test: ## Run the tests.
	$(GO) test ./...

race: ## Run the tests with the race detector, in random order.
	$(GO) test -race -shuffle=on ./...

lint: $(LINT) ## Run golangci-lint, for the integration tests too.
	$(LINT) run ./...

$(LINT):
	GOBIN=$(CURDIR)/build/tools $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	mv build/tools/golangci-lint $@

fuzz: ## Fuzz every target for FUZZTIME (default 10s).
	@grep -rl --exclude-dir=build --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do \
		for f in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do echo "fuzz $$f in $$file"; \
			$(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file) || exit 1; \
		done || exit 1; done

bench: build ## Measure what a record costs, all shapes; writes the table of docs/performance.md (BENCHFLAGS: go run ./bench -h).
	integration/servers/fetch
	$(GO) run ./bench -bin $(BIN) -json bench/results/bench.json -svg docs/performance.svg -docs docs/performance.md $(BENCHFLAGS)
bench-short: build ## The same in about a minute: fewer records, one run; writes nothing.
	$(GO) run ./bench -bin $(BIN) -short $(BENCHFLAGS)
bench-micro: ## Run the benchmarks beside the code (BENCH=pattern, BENCHTIME=1s).
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...

cover: ## Write bin/coverage.html.
	@mkdir -p bin
	$(GO) test -coverprofile bin/coverage.out ./... && $(GO) tool cover -html bin/coverage.out -o bin/coverage.html

integration: ## Test against real Kafka, Prometheus, VictoriaMetrics and a schema registry.
	integration/servers/fetch
	$(GO) test -count=1 -timeout 15m -tags integration ./integration/...
integration-full: ## The same, and a live Telegraf agent.
	integration/servers/fetch telegraf
	$(GO) test -count=1 -timeout 20m -tags integration,live ./integration/...

compliance: ## Run the official compliance suite for remote-write senders.
	cd integration/compliance && $(GO) test -count=1 ./...
faults: ## Injure the program, Kafka and Prometheus under load; writes the table of docs/reliability.md (RUN=pattern).
	integration/servers/fetch
	FAULTS_TABLE=$(CURDIR)/docs/reliability.md $(GO) test -count=1 -timeout 90m -tags faults -run '$(RUN)' -v ./integration/faults
faults-short: ## The same in little: a selection, with fewer and shorter faults, that writes nothing.
	integration/servers/fetch
	$(GO) test -short -count=1 -timeout 15m -tags faults -run '$(SHORT)' -v ./integration/faults
soak: ## Faults at random for SECONDS (default 600); SEED=n gives the same ones again.
	integration/servers/fetch
	SOAK_SECONDS=$(SECONDS) SOAK_SEED=$(SEED) $(GO) test -count=1 -timeout $$(($(SECONDS) * 3 + 900))s -tags faults,soak -run '^TestSoak$$' -v ./integration/faults

demo: build ## Run the whole pipeline in one process, without Kafka or Prometheus.
	$(BIN) demo

fmt: $(LINT) ## Format the code.
	$(LINT) fmt ./...
tidy: ## Tidy go.mod.
	$(GO) mod tidy
vuln: ## Look for known vulnerabilities.
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

clean: ## Remove what was built, but not the servers and tools in build/.
	rm -rf bin dist
