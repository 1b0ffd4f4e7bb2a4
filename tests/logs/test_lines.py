"""What gets into a log line, and what does not (G6). Real records through the real configuration."""

from __future__ import annotations

import ast
import asyncio
import io
import logging
import logging.config
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import structlog
from psycopg import errors

from pomni_admin import logs
from pomni_admin.logs import fields, messages
from tests.harness.processes import Spawn

SECRET = "Шкатулка Алисы"
TG_ID = 700000001
JOB = "1d0dbe5c-0a8c-4c5f-9d0e-3c1f4a1e9a11"


@pytest.fixture
def written() -> Iterator[Callable[[], str]]:
    """What a handler with the real formatter wrote, of every logger of the test."""
    stream = io.StringIO()
    handler = logs.Lines(stream)
    handler.setFormatter(logs.formatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream.getvalue
    root.removeHandler(handler)
    root.setLevel(level)


def test_known_fields_of_the_right_shape_come_through(written: Callable[[], str]) -> None:
    log = structlog.get_logger("pomni_admin.tests")
    log.warning("summary failed", job=JOB, batch=3, code="http_429")
    logging.getLogger("cache_layer").info(
        "redis ping ok role=%s latency_ms=%.1f server=%s", "web", 1.26, "valkey 9.1.0"
    )
    said = written()
    assert f'event="summary failed" job={JOB} batch=3 code=http_429' in said
    assert "redis ping ok role=web latency_ms=1.26 server=valkey 9.1.0" in said
    assert "dropped" not in said


@pytest.mark.parametrize(
    "extra",
    [
        {"text": SECRET},
        {"code": SECRET},
        {"batch": TG_ID},
        {"number": str(TG_ID)},
        {"job": "alisa"},
        {"error": "Alisa"},
        {"found": [SECRET]},
        {"user_id": 1},
        {"reason": "Alisa is away"},
    ],
)
def test_an_unknown_field_or_another_shape_is_dropped_and_counted(
    written: Callable[[], str], extra: dict[str, object]
) -> None:
    logging.getLogger("pomni_admin.tests").warning("a message", extra=extra)
    (line,) = written().splitlines()
    assert 'event="a message" dropped=1' in line
    assert str(next(iter(extra.values()))) not in line.partition("dropped")[0].partition("event=")[2].replace(
        "a message", ""
    )


def test_a_message_that_is_not_written_in_the_code_is_not_shown(written: Callable[[], str]) -> None:
    logging.getLogger("pomni_admin.tests").warning("said: " + SECRET)  # noqa: G003
    structlog.get_logger("pomni_admin.tests").warning(f"said: {SECRET}")
    assert written().count('event="(not shown)" dropped=1') == 2
    assert SECRET not in written()


def test_values_in_a_message_are_checked_as_fields_are(written: Callable[[], str]) -> None:
    log = logging.getLogger("cache_layer")
    log.warning("lock lost name=%s fence=%d", SECRET, 5)
    log.warning("redis circuit opened%s: %s; caches", " node=10.0.0.1:6379", "TimeoutError")
    log.warning("an odd one: %s %d", SECRET, TG_ID)
    said = written()
    assert "lock lost name=* fence=5" in said
    assert "redis circuit opened node=10.0.0.1:6379: TimeoutError; caches" in said
    assert 'an odd one: * *" dropped=2' in said


def test_of_a_librarys_line_the_text_of_the_code_is_left(written: Callable[[], str]) -> None:
    logging.getLogger("somelib").error("user %s wrote %r", TG_ID, SECRET, extra={"sql": SECRET, "status_code": 500})
    logging.getLogger("somelib").error(f"user wrote {SECRET}")  # noqa: G004
    first, second = written().splitlines()
    assert 'event="user * wrote *"' in first
    assert "at=tests/logs/test_lines.py:" in first
    assert 'event="(not shown)"' in second
    assert SECRET not in written()
    assert str(TG_ID) not in written()


def test_of_an_exception_class_code_and_places_are_told(written: Callable[[], str]) -> None:
    log = logging.getLogger("pomni_admin.tests")
    try:
        try:
            raise errors.UniqueViolation(f"Key (tg_id)=({TG_ID}) already exists.")
        except psycopg.Error as error:
            error.add_note(SECRET)
            raise ValueError(SECRET) from error
    except ValueError:
        log.exception("a live connection broke", extra={"error": "ValueError"})
    line = written()
    assert "error=ValueError" in line
    assert "ValueError tests/logs/test_lines.py:" in line
    assert "< UniqueViolation 23505 tests/logs/test_lines.py:" in line
    assert SECRET not in line
    assert str(TG_ID) not in line


def test_groups_deep_recursion_and_strange_values_are_told_too(written: Callable[[], str]) -> None:
    class Rude:
        def __str__(self) -> str:
            raise ValueError(SECRET)

    log = logging.getLogger("pomni_admin.tests")
    try:
        raise ExceptionGroup(SECRET, [ValueError(SECRET), KeyError(SECRET)])
    except ExceptionGroup:
        log.exception("several")
    log.warning("strange", extra={"code": Rude()})
    assert "ExceptionGroup(ValueError KeyError)" in written()
    assert SECRET not in written()


def test_a_warning_is_told_by_its_kind_and_place(written: Callable[[], str]) -> None:
    logging.getLogger("py.warnings").warning(
        warnings.formatwarning(SECRET, RuntimeWarning, "/srv/app/pomni_admin/x.py", 12, SECRET)
    )
    assert "error=RuntimeWarning at=pomni_admin/x.py:12" in written()
    assert SECRET not in written()


def test_of_a_workers_line_about_a_task_its_name_and_id_are_told(written: Callable[[], str]) -> None:
    from celery.app import trace

    context = {"name": "summaries.work", "id": JOB, "args": SECRET, "kwargs": SECRET, "eta": SECRET}
    logging.getLogger("celery.worker.strategy").info(trace.LOG_RECEIVED, context, extra={"data": context})
    assert f'event="Task summaries.work[{JOB}] received"' in written()
    assert SECRET not in written()


async def test_what_asyncio_says_of_a_lost_exception_is_told_without_it(written: Callable[[], str]) -> None:
    loop = asyncio.get_running_loop()
    loop.default_exception_handler({"message": f"Task {SECRET}", "exception": ValueError(SECRET)})
    assert "logger=asyncio" in written()
    assert "error=ValueError" in written()
    assert SECRET not in written()


def test_what_nobody_caught_is_a_line_in_every_process_that_is_no_terminal(spawn: Spawn) -> None:
    """Python would print the exception's message, and in a thread as well."""
    code = (
        "import threading, warnings\n"
        "from pomni_admin import logs; from pomni_admin.logs import last_words\n"
        "logs.set_up('DEBUG'); last_words.into_the_log()\n"
        f"threading.Thread(target=lambda: int('{SECRET}')).start()\n"
        f"warnings.warn('{SECRET}')\n"
        f"raise ValueError('{SECRET}')\n"
    )
    process = spawn(["-c", code])
    assert process.wait() == 1
    assert process.output.count("error=ValueError") == 2
    assert "uncaught exception: the process ends" in process.output
    assert "error=UserWarning" in process.output
    assert SECRET not in process.output


def test_a_wrong_level_stops_the_start(spawn: Spawn) -> None:
    process = spawn(["manage.py", "check"], {"POMNI_LOG_LEVEL": "loud"})
    assert process.wait() != 0
    assert "POMNI_LOG_LEVEL is 'loud'; allowed: DEBUG, INFO, WARNING, ERROR" in process.output


LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
PASSED = {"exc_info", "stack_info", "extra", "stacklevel"}


def test_every_log_call_of_ours_has_a_literal_text_and_fields_that_are_on_the_list(project: Path) -> None:
    """A field that is not would be dropped where somebody needs it."""
    wrong = []
    for path in [*(project / "pomni_admin").rglob("*.py"), *(project / "cache_layer").rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in LEVELS):
                continue
            if not (isinstance(call.func.value, ast.Name) and call.func.value.id in {"log", "logger"}):
                continue
            where = f"{path.relative_to(project)}:{call.lineno}"
            text = call.args[1] if call.func.attr == "log" else call.args[0]
            if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
                wrong.append(f"{where}: the text is no literal")
                continue
            names = {word.arg for word in call.keywords if word.arg} - PASSED
            for word in call.keywords:
                if word.arg == "extra" and isinstance(word.value, ast.Dict):
                    names |= {str(key.value) for key in word.value.keys if isinstance(key, ast.Constant)}
            names |= {found["name"] for found in messages._PLACE.finditer(text.value) if found["name"]}
            wrong += [f"{where}: {name}" for name in sorted(names - fields.FIELDS.keys())]
    assert not wrong, "\n".join(wrong)
