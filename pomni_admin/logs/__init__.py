"""Logs: one line an event, `key=value`, and in it only what is on a list (G6).

`fields` says which fields there are and what fits them, `messages` lets through text that is written in the code,
`faults` tells of exceptions without their messages. What was kept out is counted: `dropped=2`. It is the same
for our own lines and for libraries', in every process of the site and in the simulated bot.
"""

from __future__ import annotations

import logging
import logging.config
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor

from cache_layer.settings import Reader
from pomni_admin.logs import faults, messages
from pomni_admin.logs.fields import exception_name

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
TALKATIVE: Final = ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "qdrant_client", "django.server", "aiogram")
"""Libraries with a line for each call; they are heard only at DEBUG."""

_HEAD = ("timestamp", "level", "logger", "event")
_META = frozenset({"_record", "_from_structlog", "message", "asctime", "color_message", "taskName"})
"""What is no field: put on a record by structlog, by other formatters, and by uvicorn for terminals."""


def level(read: Reader) -> str:
    """`POMNI_LOG_LEVEL`: from which level on lines are written.

    Raises:
        cache_layer.errors.SettingsError: it is none.
    """
    return read.choice("POMNI_LOG_LEVEL", "INFO", LEVELS)


def set_up(least: str) -> None:
    """For a process without Django, which does this from its settings."""
    logging.config.dictConfig(configuration(least))


def configuration(least: str) -> dict[str, Any]:
    """What `logging.config.dictConfig` takes.

    It names the loggers of uvicorn and Celery, which would else write lines of their own make. uvicorn's log of
    requests is left off where it is off already: uvicorn has read its options when Django's settings are read.
    """
    ours: dict[str, Any] = {"handlers": [], "propagate": True, "level": least}
    loggers: dict[str, Any] = {
        **{name: {"level": "DEBUG" if least == "DEBUG" else "WARNING"} for name in TALKATIVE},
        **dict.fromkeys(("uvicorn", "uvicorn.error", "uvicorn.asgi"), ours),
        "multiprocessing": {"handlers": ["stderr"], "propagate": False, "level": least},
    }
    filters: dict[str, Any] = {}
    if logging.getLogger("uvicorn.access").hasHandlers():
        filters["route"] = {"()": "pomni_admin.logs.routes.ByRoute"}
        loggers["uvicorn.access"] = {**ours, "filters": ["route"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": filters,
        "formatters": {"line": {"()": "pomni_admin.logs.formatter"}},
        "handlers": {"stderr": {"()": "pomni_admin.logs.Lines", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": least},
        "loggers": loggers,
    }


class Lines(logging.StreamHandler[Any]):
    """Writes to standard error. A record that cannot be written is not repeated there, as logging would have it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        kind = exception_name(getattr(sys.exc_info()[0], "__name__", "")) or "Exception"
        try:
            self.stream.write(f"level=error logger=pomni_admin.logs event='a line could not be written' error={kind}\n")
        except (OSError, ValueError):
            return  # standard error is closed


def formatter() -> logging.Formatter:
    """A formatter for `logging` that renders standard records and structlog's events alike; sends the latter there."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,  # the id of the request
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        use_get_message=False,  # which would put the arguments into the text before they are looked at
        pass_foreign_args=True,
        processors=[
            only_allowed,
            structlog.processors.LogfmtRenderer(key_order=list(_HEAD), drop_missing=True, bool_as_flag=False),
        ],
    )


def only_allowed(_logger: Any, _method: str, found: EventDict) -> EventDict:
    """The structlog processor that leaves of a record what is on the list."""
    record: logging.LogRecord = found["_record"]
    said_first, args = found.pop("event", ""), found.pop("positional_args", None)
    message = messages.message_of(record, said_first, args)
    line: dict[str, Any] = {name: found.pop(name) for name in _HEAD if name in found}
    line["logger"] = re.sub(r"[^A-Za-z0-9_.]", "?", record.name)[:80]
    line["event"], dropped = message.text, message.dropped
    exc_info = found.pop("exc_info", None)
    allowed = messages.allowed_of(record.name)
    line.update(_of_request(record, found, allowed))
    for name, value in found.items():
        if name in _META or name in line:
            continue
        said = allowed[name](value) if name in allowed else None
        if said is None:
            dropped += 1
        else:
            line[name] = said
    line.update(_of_warning(record, said_first))
    error = _error(exc_info)
    if error is not None:
        line["error"] = exception_name(type(error).__name__) or "Exception"
        line["trace"] = faults.trace_of(error)
    if not messages.is_own(record.name):
        line.setdefault("at", faults.place(record.pathname, record.lineno))
    if dropped:
        line["dropped"] = dropped
    return line


def _error(exc_info: Any) -> BaseException | None:
    if exc_info is True:
        exc_info = sys.exc_info()
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def _of_request(record: logging.LogRecord, found: EventDict, allowed: Mapping[str, Any]) -> Mapping[str, str]:
    """Which page: by the name of its address, for the address itself may hold anything that somebody typed."""
    values: dict[str, object] = {}
    request = found.pop("request", None)
    if request is not None and "route" in allowed:
        match = getattr(request, "resolver_match", None)
        values = {"method": getattr(request, "method", None), "route": getattr(match, "view_name", None)}
    checked = {name: allowed[name](value) for name, value in values.items() if value is not None}
    return {name: said for name, said in checked.items() if said is not None}


def _of_warning(record: logging.LogRecord, text: object) -> Mapping[str, str]:
    """Of what `warnings` has said: the kind, and where."""
    if record.name != "py.warnings":
        return {}
    told = re.match(r"(?P<path>[^\n]*?):(?P<line>\d+): (?P<kind>\w+): ", str(text))
    if told is None:
        return {}
    return {"error": exception_name(told["kind"]) or "Warning", "at": faults.place(told["path"], int(told["line"]))}
