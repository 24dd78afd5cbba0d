# branchbot: `make` says what there is. Everything but results goes to stderr, so
# that `make demo ARGS='--once --json'` prints one JSON document.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

ARGS ?=
FUZZTIME ?= 10s
BENCH ?= .
VULNDB ?=

PROGRAMS := branchbot headoffice botpack demo
TOOL := go tool -modfile=tools/go.mod
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# A tree that git does not trust (another owner) or does not know is built without a version stamp.
VCS := $(shell git status --porcelain >/dev/null 2>&1 && echo auto || echo false)
GOBUILD := go build -trimpath -buildvcs=$(VCS) -ldflags "-s -w -X main.version=$(VERSION)"

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

.PHONY: deps
deps: ## install what is missing on Debian or Ubuntu (root or sudo)
	@install/deps.sh

ASSETS := internal/ui/assets/htmx.min.js internal/bank/assets/vue.global.prod.js
LOCKS := $(wildcard internal/ui/package-lock.json internal/bank/package-lock.json)

.PHONY: assets
assets: $(ASSETS) ## front-end files, from npm by lock file
$(ASSETS) &: internal/ui/assets.sh $(LOCKS)
	@sh internal/ui/assets.sh >&2
	@touch $(ASSETS)

.PHONY: programs
programs: assets ## the programs of this machine, into bin/
	@CGO_ENABLED=0 $(GOBUILD) -o bin/ $(PROGRAMS:%=./cmd/%)
	@CGO_ENABLED=1 $(GOBUILD) -o bin/ ./cmd/branchbot-ocr

.PHONY: build
build: programs ## the programs, and branchbot for windows/amd64 and linux/arm64
	@GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GOBUILD) -o bin/windows-amd64/ ./cmd/branchbot
	@GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(GOBUILD) -o bin/linux-arm64/ ./cmd/branchbot

.PHONY: demo
demo: deps programs ## everything on loopback (ARGS='--once --json' ends by itself)
	@bin/demo $(ARGS)

.PHONY: test
test: deps build ## all tests, with the race detector and in random order
	@go test -race -shuffle=on -timeout 20m ./...

.PHONY: check-fast
check-fast: ## formatting, vet and the rules of the tree: no tool to build
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l); \
		[ -z "$$unformatted" ] || { echo "not formatted (gofmt -w):"; echo "$$unformatted"; exit 1; } >&2
	@go vet ./...
	@go test ./internal/testkit/arch

.PHONY: check
check: check-fast ## check-fast, linters, tidy modules; VULNDB=FOLDER looks for known holes
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs -r $(TOOL) gofumpt -l); \
		[ -z "$$unformatted" ] || { echo "not formatted (gofumpt -w):"; echo "$$unformatted"; exit 1; } >&2
	@go mod tidy -diff
	@$(TOOL) golangci-lint config verify
	@$(TOOL) golangci-lint run
	@if [ -n "$(VULNDB)" ]; then $(TOOL) govulncheck -db "file://$(abspath $(VULNDB))" ./...; \
		else echo "govulncheck: not run, no VULNDB=FOLDER given" >&2; fi

.PHONY: soak
soak: deps assets ## the long tests, 40 minutes at most, stage by stage (ARGS='STAGE …' chooses)
	@tools/soak.sh $(ARGS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s)
	@tools/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: build ## benchmarks and sizes (BENCH=REGEXP chooses)
	@find bin -type f -printf '%s %p\n' | sort -k2 | awk '{printf "size %6.2f MB  %s\n", $$1/1e6, $$2}'
	@go test -run '^$$' -bench '$(BENCH)' -benchmem ./... | grep -v 'no test files'

.PHONY: clean
clean: ## remove what was built and fetched
	@rm -rf bin out internal/ui/node_modules internal/bank/node_modules
	@find internal/ui/assets internal/bank/assets -type f ! -name README.md -delete
