# What a person runs. Every target sets up what it needs, may be repeated, and asks for no rights; `make` alone prints help.
.DEFAULT_GOAL := help
ENVOY_VERSIONS ?= 1.37.0 1.38.3 1.39.3 1.40.0
.PHONY: help setup demo test test-envoys test-kube test-gateway chart-readme chaos soak check simulate bench mutants clean
SHELL := /bin/sh

reports := .cache/reports
# npm puts node_modules/.bin first in PATH, so that its scripts run on the checkout's own Node, whatever the machine has.
run := npm run --silent

help:
	@echo 'make setup   dependencies (npm ci), Envoy and Redis; downloads are kept in ~/.cache/purser'
	@echo 'make demo    a real Envoy, a fake provider, example budgets; until Ctrl-C'
	@echo '             (make demo DEMO_ARGS=--once ends by itself)'
	@echo 'make test    everything: format, lint, types, unused code, unit tests, end to end tests'
	@echo 'make test-kube   the tests with a real Kubernetes, the chart and the image among them; it is built once (minutes) and kept in'
	@echo '             ~/.cache/purser; needs Go 1.26 or newer, and apt-get and dpkg or promtool and buildah'
	@echo 'make test-gateway   the tests with a real Envoy Gateway, in a network of their own; it is built once (minutes) and kept in'
	@echo '             ~/.cache/purser; needs Go 1.26.7 or newer, and a Linux that lets you make namespaces'
	@echo 'make chart-readme   writes the README.md of the chart from its values.yaml'
	@echo 'make test-envoys   the end to end tests that depend on Envoy, with each of $(ENVOY_VERSIONS)'
	@echo '             (make test-envoys ENVOY_VERSIONS=1.39.3 for one of them)'
	@echo 'make check   the quick gates only: format, lint, types, unused code'
	@echo 'make chaos   kills, stops and cuts off replicas and Redis under traffic, and compares the ledger with the bill (minutes)'
	@echo 'make soak    half an hour of mixed calls, a burst, abandoned calls and 10,000 open streams (SOAK_MINUTES=N for less): memory and'
	@echo '             files flat, the ledger at the bill'
	@echo 'make simulate   whole replicas on a simulated machine, network and store, 20,000 seeds of trouble (SEEDS=N for others);'
	@echo '             SEED=N shows one run, or with SEEDS where to begin'
	@echo 'make mutants plants hand-made faults in the ledger, one by one, and shows that the tests find each'
	@echo '             (make mutants MUTANT=lua/settle for some of them)'
	@echo 'make bench   Envoy alone, with a bare ext_proc echo, and with Purser, side by side'
	@echo 'make clean   removes what setup and tests made in this folder; ledgers and ~/.cache/purser stay'

setup: node_modules-of-lock
	@scripts/envoy >/dev/null
	@scripts/redis-server >/dev/null

# Keyed by the content of the lock file: a checkout's timestamps say nothing, and npm ci is not repeated for them.
.PHONY: node_modules-of-lock
node_modules-of-lock:
	@command -v npm >/dev/null || { echo "setup: npm is needed: run 'apt-get install npm', or install Node from nodejs.org" >&2; exit 1; }
	@cmp -s package-lock.json node_modules/.lock-installed || { \
	  echo 'setup: installing dependencies (once) ...' >&2; \
	  npm ci --loglevel=error --no-audit --no-fund --no-update-notifier >&2 && cp package-lock.json node_modules/.lock-installed; }

demo: setup
	@exec bin/purser demo $(DEMO_ARGS)

check: node_modules-of-lock
	@$(run) format
	@$(run) lint
	@$(run) types
	@$(run) unused

test: setup check
	@scripts/libfaketime >/dev/null
	@mkdir -p $(reports) && rm -f $(reports)/*.json
	@$(run) test -- --reporter=default --reporter=json --outputFile.json=$(reports)/unit.json
	@$(run) test -- --config vitest.e2e.config.ts --reporter=default --reporter=json --outputFile.json=$(reports)/e2e.json

# Each version is fetched once, and kept beside the usual one.
test-envoys: setup
	@for version in $(ENVOY_VERSIONS); do \
	  echo "Envoy $$version"; \
	  ENVOY_VERSION=$$version $(run) test -- --config vitest.e2e.config.ts test/drills test/e2e/passage test/e2e/nothing-lost test/e2e/drain test/e2e/bad-input \
	    || exit 1; \
	done

kube_tools := kube-apiserver etcd kubectl kube-controller-manager kube-scheduler kwok helm helm-docs kwok-stages \
  gateway-api-crds envoy-gateway-crds istio-crds prometheus-operator-crds cert-manager-crds

# The image holds files of other users, and is run as one: only root makes such files.
without_root := $(if $(filter 0,$(shell id -u)),,--exclude test/kube/image.test.ts)

test-kube: setup
	@[ -z '$(without_root)' ] || echo 'test-kube: the image is tried only by root, and so not now' >&2
	@scripts/kube-tools $(kube_tools) >/dev/null
	@scripts/debian-tools promtool buildah >/dev/null
	@mkdir -p $(reports) && rm -f $(reports)/kube.json
	@$(run) test -- --config vitest.kube.config.ts $(without_root) --reporter=default --reporter=json --outputFile.json=$(reports)/kube.json

chart-readme:
	@helm_docs=$$(scripts/kube-tools helm-docs) && "$$helm_docs" --log-level warning --chart-search-root charts/purser

test-gateway: setup
	@scripts/gateway-tools envoy-gateway egctl >/dev/null
	@mkdir -p $(reports) && rm -f $(reports)/gateway.json
	@scripts/own-network $(run) test -- --config vitest.gateway.config.ts --reporter=default --reporter=json --outputFile.json=$(reports)/gateway.json

bench: setup
	@PATH="$$PWD/node_modules/.bin:$$PATH"; export PATH; node bench/wire.ts --all && node bench/redis-ledger.ts && node bench/ledger-memory.ts && node bench/gateway.ts

chaos: setup
	@mkdir -p $(reports)
	@$(run) test -- --config vitest.chaos.config.ts --reporter=default --reporter=json --outputFile.json=$(reports)/chaos.json

soak: setup
	@PATH="$$PWD/node_modules/.bin:$$PATH"; export PATH; exec node bench/soak.ts

simulate: node_modules-of-lock
	@PATH="$$PWD/node_modules/.bin:$$PATH"; export PATH; SEED='$(SEED)' SEEDS='$(SEEDS)' exec node test/simulation/simulate.ts

mutants: setup
	@PATH="$$PWD/node_modules/.bin:$$PATH"; export PATH; node test/mutants/run.ts $(MUTANT)

clean:
	@rm -rf node_modules .cache
