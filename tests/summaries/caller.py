"""A process that only calls the model, so many times: `python -m tests.summaries.caller CALLS`; says when it did."""

from __future__ import annotations

import os
import sys
import time

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pomni_admin.settings")
    django.setup()
    from pomni_admin.cache import layer
    from pomni_admin.summaries.provider_gate import Service
    from pomni_admin.summaries.providers import provider
    from pomni_admin.summaries.retries import persist

    layer()
    sys.stdout.write("ready\n")
    for _ in range(int(sys.argv[1])):
        persist(Service.LLM, provider().probe, pause=time.sleep, probe=provider().probe)
        sys.stdout.write("answered\n")
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main()
