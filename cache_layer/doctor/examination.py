"""All that the doctor does, in its order: settings, Redis, caches."""

from __future__ import annotations

from collections.abc import Mapping

from cache_layer.doctor import configuration, judgement
from cache_layer.doctor.probes import PROBES, Probe
from cache_layer.doctor.report import Finding, Report, as_ms, softened
from cache_layer.doctor.server import NotReached, observe
from cache_layer.doctor.stage import ROLE, DoesNotWork, Stage, Timings, open_stage, probe_prefix
from cache_layer.errors import CacheLayerError
from cache_layer.layer.definitions import Definitions
from cache_layer.runners import AsyncRunner
from cache_layer.settings import CACHES, Settings

SECTION = "Caches"


async def examine(settings: Settings, environment: str) -> Report:
    """Look at everything; a Redis that is away, or hung, costs some seconds and raises nothing.

    Args:
        environment: what `POMNI_ENV` says.
    """
    findings = list(configuration.findings(settings, environment))
    redis = await _redis(settings)
    anything_on = any(settings.is_on(cache) for cache in CACHES)
    findings += redis if anything_on else softened(redis)
    answers = bool(redis) and not any(finding.name == "ping" and finding.verdict == "fault" for finding in redis)
    if answers and anything_on:
        takes_writes = not any(finding.name == "writes" and finding.verdict == "fault" for finding in redis)
        findings += await _caches(settings, await _switched_off(settings), "" if takes_writes else ": see writes")
    else:
        findings += _untried(settings)
    return Report(tuple(findings))


async def _redis(settings: Settings) -> tuple[Finding, ...]:
    if not settings.redis_url:
        return ()
    try:
        return tuple(judgement.findings(await observe(settings, f"{probe_prefix(settings)}probe"), settings))
    except NotReached as error:
        return (judgement.unreached(str(error), settings),)


def _untried(settings: Settings) -> list[Finding]:
    return [
        _off(settings.why_off(cache), name) or Finding(SECTION, name, "fault", "not tried: see ping")
        for name, (cache, _) in PROBES.items()
    ]


async def _switched_off(settings: Settings) -> Mapping[str, str]:
    """Which caches somebody has switched off at run time, for all processes, and why."""
    runner = AsyncRunner(settings)
    try:
        switches = await runner.run(Definitions(settings, ROLE).exchange.board.list())
    finally:
        await runner.close()
    return {
        one.cache: f"switched off at run time since {one.switched_off.since:%Y-%m-%d %H:%M} UTC: "
        f"{one.switched_off.reason}"
        for one in switches
        if one.switched_off is not None
    }


async def _caches(settings: Settings, switched_off: Mapping[str, str], known: str) -> list[Finding]:
    """
    Args:
        switched_off: why, by cache.
        known: what is known already of why a cache does not work, to be added to what was seen of it.
    """
    async with open_stage(settings) as stage:
        found = [
            _off(settings.why_off(cache) or switched_off.get(cache, ""), name)
            or await _probed(stage, name, cache, probe, known)
            for name, (cache, probe) in PROBES.items()
        ]
    if stage.left:
        said = f"{stage.left} of the doctor's own keys could not be removed; they end by themselves"
        found.append(Finding(SECTION, "cleaning up", "warning", said, {"left": stage.left}))
    return found


def _off(why: str, name: str) -> Finding | None:
    return Finding(SECTION, name, "off", why) if why else None


async def _probed(stage: Stage, name: str, cache: str, probe: Probe, known: str) -> Finding:
    timings = Timings()
    ttl_s = int(stage.settings.ttls[cache].total_seconds())
    try:
        said = await probe(stage, timings)
    except (DoesNotWork, CacheLayerError) as error:
        circuit = "" if stage.here.circuit == "closed" else "; Redis is not being asked, since it was too slow or away"
        return Finding(SECTION, name, "fault", f"{error}{known}{circuit}", {"ttl_s": ttl_s})
    write, read = (_in_words(timings.figures.get(which)) for which in ("write_ms", "read_ms"))
    columns = f"write {write:>8}  read {read:>8}  TTL {ttl_s:>4} s  {said}"
    return Finding(SECTION, name, "ok", columns, {"ttl_s": ttl_s, **timings.figures})


def _in_words(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else as_ms(milliseconds)
