.DEFAULT_GOAL := help
.PHONY: help setup run test test-short build lint verify eval bench bench-quality bench-bot bench-size bench-promptfoo agree-promptfoo bench-numbers fuzz vuln chaos chaos-nodes soak screenshots clean

FUZZTIME ?= 10s
COUNT ?= 6
KILLS ?= 50
CRASHES ?= 10
SOAK ?= 10m
SIZE ?= 10k 100k
NUMBERS ?=

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1 \2/p' Makefile | while read -r name what; do printf '  make %-16s %s\n' "$$name" "$$what"; done

setup: ## find or install PostgreSQL with pgvector (nothing is asked; nothing is done when it is there)
	@sh deploy/postgres.sh

run: setup build ## start everything on this machine and print the URLs
	bin/aside up

test: setup ## run every test; the last line says how many passed
	@sh deploy/chromium.sh && go build -o bin/summary ./internal/testkit/summary && bin/summary ./...

test-short: setup ## run the quick tests
	@go build -o bin/summary ./internal/testkit/summary && bin/summary -short ./...

build: ## build bin/aside
	go build -o bin/aside ./cmd/aside

lint: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l . | tee /dev/stderr)" && go vet ./... && go tool staticcheck ./...

verify: lint vuln test ## what a change must pass: lint, tests with their goldens, tidy go.mod
	@go mod tidy -diff

eval: build ## run the evaluation suites and hold them against the baseline
	bin/aside eval gate --out .aside/eval

bench: setup ## run the benchmarks, for: go tool benchstat old.txt new.txt
	@go test -run '^$$' -bench . -benchmem -count $(COUNT) ./...

bench-quality: setup ## measure retrieval on every data set (minutes), print the table, rewrite evals/quality.txt
	@go test ./internal/measure -run '^TestQuality$$' -quality -count 1 -timeout 30m && cat evals/quality.txt

bench-bot: setup ## flood the customer's bot with 10,000 questions and measure agents beside it (minutes)
	@ASIDE_FLOOD=10000 go test ./internal/app -run '^TestBotFlood$$' -count 1 -v -timeout 20m

bench-size: setup build ## measure search, memory and ingest with SIZE passages ("10k 100k"; 1000000), or measure only: IN=data-directory
	@go build -o bin/size ./internal/testkit/size && bin/size $(if $(IN),--in $(IN),$(SIZE)) $(SIZE_FLAGS)

chaos-nodes: setup ## three nodes under load for two minutes, one killed every 10 s, NATS away for 30 s
	@go test ./internal/app -run '^TestNodes$$' -count 1 -v -timeout 15m -nodes 120s -nodes-kill 10s -nodes-cut 30s -nodes-gap 5s

bench-numbers: setup build ## measure every number that is promised and print them as one table (minutes); NUMBERS="relay idle" for some of it
	@go build -o bin/numbers ./internal/testkit/numbers && bin/numbers $(NUMBERS)

bench-promptfoo: build ## the same plain suite with promptfoo and with aside: wall clock and memory (skips without promptfoo)
	@go run ./internal/testkit/sidebyside

agree-promptfoo: build ## the tests' promptfoo suites with promptfoo and with aside: every assertion must come out alike (skips without promptfoo)
	@go run ./internal/testkit/sidebyside agree

fuzz: ## run each fuzz target for FUZZTIME (10s)
	@sh deploy/fuzz.sh $(FUZZTIME)

vuln: ## ask the vulnerability database about what is called (says so where it cannot be reached)
	@sh deploy/vuln.sh

chaos: setup ## the long fault runs: KILLS (50), CRASHES (10) of PostgreSQL, 200 dropped clients, 5,000 reconnects
	@go test ./internal/app -run '^(TestKills|TestCrashes|TestDeploys)$$' -kills $(KILLS) -crashes $(CRASHES) -v -count 1 -timeout 1h
	@go test ./internal/ws -run '^(TestRandomDrops|TestReconnectStorm)$$' -drops 200 -storm 5000 -v -count 1

soak: setup ## SOAK (10m) of load with agents, a failing model, cut lines and crashes of PostgreSQL; slopes of memory and goroutines
	@go test ./internal/app -run '^TestSoak$$' -soak $(SOAK) -v -count 1 -timeout 24h

clean: ## remove what was built (data directories stay)
	rm -rf bin

screenshots: setup build ## take the console's pictures for the README (starts a server of its own)
	@sh deploy/screenshots.sh
