# make demo    everything on this machine, until Ctrl-C (PORT=8000, RESET=1 to start afresh)
# make test    all checks and all tests (JOBS=3 processes: a test waits for half of its time; ARGS="-k name" goes to pytest)
# make check   format, lint, types, imports, translations, migrations, Django's checks for production, advisories
# make bench   the figures of docs/benchmarks.md
# make soak    the long run: every page in every look, then everything under faults

SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
PEERS := $(VENV)/.peers
CATALOGUES := $(wildcard locale/*/LC_MESSAGES/*.po)
JOBS ?= 3
AUDIT ?=
ARGS ?=

# Set in many a container; then each of the many processes here compiles all that it imports, which takes seconds.
unexport PYTHONDONTWRITEBYTECODE

# What the caller has set for the product must not change what the checks see.
PLAIN := env -u REDIS_URL -u QDRANT_URL POMNI_ENV=test

# Invented values of the right shape; nothing is connected to.
AS_IN_PRODUCTION := env -i PATH="$$PATH" POMNI_ENV=production POMNI_ALLOWED_HOSTS=admin.example \
	POMNI_SECRET_KEY=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \
	POMNI_HASH_SECRET=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= \
	CACHE_ENCRYPTION_KEYS=k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= \
	DATABASE_URL=postgresql://127.0.0.1:1/none REDIS_URL=redis://127.0.0.1:1 QDRANT_URL=http://127.0.0.1:1 \
	OPENROUTER_API_KEY=none

.PHONY: demo test check audit bench soak venv translations chromium clean

demo: venv translations
	@exec $(PY) -m pomni_admin.demo --end-with-parent $(if $(PORT),--port $(PORT)) $(if $(filter-out 0,$(RESET)),--reset)

test: chromium check
	env -u DJANGO_SETTINGS_MODULE $(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: venv translations audit
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PLAIN) DATABASE_URL=postgresql://127.0.0.1:1/none $(PY) -W ignore::RuntimeWarning \
		manage.py makemigrations --check --dry-run
	$(AS_IN_PRODUCTION) $(PY) manage.py check --deploy --fail-level WARNING

# What is installed, against the advisories of the package registry. An advisory of today, and a registry that cannot be
# had, say nothing about the code: both are told loudly, and AUDIT=required makes a failure of them (docs/decisions/0023).
# The report is there only if all were looked up.
audit: venv
	@rm -f $(VENV)/audit.json; \
	$(VENV)/bin/pip-audit --progress-spinner off --timeout 10 --format json --output $(VENV)/audit.json \
		>$(VENV)/audit.log 2>&1; code=$$?; \
	if [ ! -s $(VENV)/audit.json ]; then \
		echo "AUDIT SKIPPED: the advisories could not be had, so nobody has looked whether packages are known to be vulnerable."; \
		echo "               $(VENV)/audit.log says why; AUDIT=required makes this a failure."; \
		[ "$(AUDIT)" != required ]; \
	elif [ $$code != 0 ]; then \
		$(VENV)/bin/pip-audit --progress-spinner off --desc off || true; \
		echo "VULNERABLE PACKAGES: see above; AUDIT=required makes this a failure."; \
		[ "$(AUDIT)" != required ]; \
	else echo "pip-audit: no known vulnerabilities in what is installed"; fi

bench: chromium venv translations $(PEERS)
	$(PY) -m benchmarks
	$(PY) -m benchmarks.bot_message
	$(PY) -m benchmarks.hung
	$(PY) -m benchmarks.recording
	$(PY) -m benchmarks.support
	$(PY) -m benchmarks.jobs
	$(PY) -m benchmarks.pages
	$(PY) -m benchmarks.live

soak: chromium venv translations
	env -u DJANGO_SETTINGS_MODULE $(PY) -m pytest -n $(JOBS) --dist worksteal -m matrix
	$(PY) -m benchmarks.soak
	$(PY) -m benchmarks.soak_locks
	$(PY) -m benchmarks.soak_talk
	$(PY) -m benchmarks.soak_relay
	$(PY) -m benchmarks.soak_jobs
	$(PY) -m benchmarks.soak_outage
	$(PY) -m benchmarks.soak_live

venv: $(INSTALLED)

translations: $(CATALOGUES:.po=.mo)

%.mo: %.po $(INSTALLED)
	@$(PY) -m babel.messages.frontend --quiet compile --input-file $< --output-file $@

# uv is several times as fast as pip; where it cannot be had, or does not get through to the registry, pip does it. Its
# cache is kept here, for a home folder may be read-only.
$(INSTALLED): requirements.txt requirements-dev.txt
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		rm -rf $(VENV); \
		for python in python3 python3.13 python3.12 python3.11; do \
			$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
			found=$$python; \
			$$python -c 'import venv, ensurepip' 2>/dev/null && break; \
			found="$$found without venv"; \
		done; \
		case "$$found" in \
			"") echo "Python 3.11 or newer is needed, and none is on the path."; exit 1;; \
			*without*) echo "$$found: the venv module is missing (on Debian and Ubuntu: apt install python3-venv)."; exit 1;; \
		esac; \
		echo "making $(VENV) with $$($$found --version)"; \
		$$found -m venv $(VENV); }
	@echo "installing packages"
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-cache-dir uv \
		&& UV_CACHE_DIR=$(VENV)/uv-cache $(VENV)/bin/uv pip install --quiet --python $(PY) -r requirements-dev.txt \
		|| { echo "uv did not manage; with pip this takes a minute"; \
			$(PY) -m pip install --quiet --disable-pip-version-check --no-cache-dir -r requirements-dev.txt; }
	@touch $@

# Beside the project's own packages, so that all that are compared run on one redis-py; a peer whose pins no longer
# allow that stops here. The checks do not see them (pyproject.toml: follow_imports).
$(PEERS): benchmarks/requirements.txt $(INSTALLED)
	@echo "installing the peers to compare with"
	@UV_CACHE_DIR=$(VENV)/uv-cache $(VENV)/bin/uv pip install --quiet --python $(PY) -r requirements.txt -r $< \
		|| $(PY) -m pip install --quiet --disable-pip-version-check --no-cache-dir -r requirements.txt -r $<
	@touch $@

chromium:
	@if [ -n "$$CHROMIUM" ]; then \
		test -x "$$CHROMIUM" || { echo "CHROMIUM=$$CHROMIUM cannot be run."; exit 1; }; \
	elif ! command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null; then \
		echo "installing Chromium for the browser tests"; \
		if [ "$$(id -u)" = 0 ]; then as_root=; else as_root="sudo -n"; fi; \
		{ DEBIAN_FRONTEND=noninteractive $$as_root apt-get -qq update \
			&& DEBIAN_FRONTEND=noninteractive $$as_root apt-get -qq install -y --no-install-recommends chromium fonts-dejavu-core \
			; } >/dev/null || { \
			echo "Chromium could not be installed. Install it, or name one: make test CHROMIUM=/path/to/chromium"; exit 1; }; \
	fi

clean:
	rm -rf $(VENV) .demo .test-artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
