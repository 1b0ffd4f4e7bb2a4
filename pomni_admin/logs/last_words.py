"""What a process says when something went wrong that nobody caught: a log line, not Python's traceback with its values.

Meant for processes whose standard error is kept. At a terminal a person sees the whole traceback, as ever.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Any

log = logging.getLogger(__name__)


def into_the_log() -> None:
    """From now on uncaught exceptions of any thread, and warnings, are log lines."""
    logging.captureWarnings(True)
    logging.raiseExceptions = False
    if sys.stderr is not None and sys.stderr.isatty():
        return
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("uncaught exception: the process ends", exc_info=error.with_traceback(trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        log.error("uncaught exception in a thread", exc_info=args.exc_value)


def _unraisable(args: Any) -> None:
    log.error("an exception that could not be raised", exc_info=args.exc_value)
