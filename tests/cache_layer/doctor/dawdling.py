"""The doctor, stopping in the midst of a probe until it is interrupted. Run as a process of its own."""

from __future__ import annotations

import asyncio
import sys

from cache_layer.__main__ import main
from cache_layer.doctor import probes
from cache_layer.doctor.stage import Stage, Timings


async def _wait(stage: Stage, timings: Timings) -> str:
    sys.stdout.write("probing\n")
    sys.stdout.flush()
    await asyncio.Event().wait()
    return ""


if __name__ == "__main__":
    PROBES = dict(probes.PROBES)
    name, (cache, _) = list(PROBES.items())[-1]
    PROBES[name] = (cache, _wait)
    sys.modules["cache_layer.doctor.examination"].PROBES = PROBES  # type: ignore[attr-defined]
    sys.exit(main(["doctor"]))
