"""`python -m cache_layer switch`: caches switched off and on for all processes, from a shell."""

from __future__ import annotations

from cache_layer.layer import CacheLayer
from cache_layer.settings import Settings
from cache_layer.switches import CacheSwitch

ROLE = "command"


async def turn(settings: Settings, cache: str, *, on: bool, by: str, reason: str) -> str:
    """What came of it, for a person.

    Raises:
        ValueError: `by` or `reason` is not of its shape, or there is no such cache.
        Unavailable: Redis is away; nobody knows whether it was done.
    """
    layer = CacheLayer(settings, ROLE)  # not started: it is no instance that anybody should see
    try:
        turned = await layer.switches.turn(cache, on, by=by, reason=reason)
    finally:
        await layer.close()
    done = "switched" if turned.changed else "was already switched"
    return f"{cache} {done} {'on' if on else 'off'}, in every process within two seconds\n{_line(turned.switch)}"


async def listing(settings: Settings) -> str:
    """All caches, a line each."""
    layer = CacheLayer(settings, ROLE)
    try:
        return "\n".join(map(_line, await layer.switches.list()))
    finally:
        await layer.close()


def _line(switch: CacheSwitch) -> str:
    off = switch.switched_off
    whys = [
        *((switch.why_off,) if switch.why_off else ()),
        *((f"switched off by {off.by} since {off.since:%Y-%m-%d %H:%M} UTC: {off.reason}",) if off else ()),
    ]
    return f"  {'on' if switch.on else 'off':<4} {switch.cache:<14} {'; '.join(whys)}".rstrip()
