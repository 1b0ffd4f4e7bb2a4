"""When a job has ended, and how."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pomni_admin.summaries.verdicts import Facts, Verdict, verdict

RUNNING = Facts(
    state="running",
    planned=True,
    planning=False,
    planner_failed=False,
    total=10,
    errors=0,
    unfinished=0,
    live=0,
    vectors_pending=0,
    quiet_s=0.0,
    overdue_s=-100.0,
)

CASES: dict[str, tuple[dict[str, Any], tuple[str, str] | None]] = {
    "all done": ({}, ("ok", "")),
    "nobody to do": ({"total": 0}, ("ok", "")),
    "some failed": ({"errors": 3}, ("partial", "some_failed")),
    "everyone failed": ({"errors": 10}, ("failed", "everyone_failed")),
    "batches left": ({"unfinished": 1}, None),
    "not planned yet": ({"planned": False, "total": 0}, None),
    "vectors pending a moment": ({"vectors_pending": 1, "quiet_s": 5.0}, None),
    "vectors pending too long": ({"vectors_pending": 1, "quiet_s": 61.0}, ("partial", "vectors_pending")),
    "vectors pending at the deadline": ({"vectors_pending": 1, "overdue_s": 1.0}, ("partial", "vectors_pending")),
    "done, though late": ({"overdue_s": 500.0}, ("ok", "")),
    "deadline, nobody at it": ({"unfinished": 2, "overdue_s": 0.1}, ("partial", "deadline")),
    "deadline, calls in flight": ({"unfinished": 2, "live": 1, "overdue_s": 0.1}, None),
    "deadline long past": ({"unfinished": 2, "live": 1, "overdue_s": 121.0}, ("partial", "deadline")),
    "the planner keeps failing": ({"planned": False, "planner_failed": True}, ("failed", "planner")),
    "the last planner still tries": ({"planned": False, "planner_failed": True, "planning": True}, None),
    "canceled, calls in flight": ({"state": "canceling", "live": 1, "unfinished": 1}, None),
    "canceled, planner in flight": ({"state": "canceling", "planned": False, "planning": True}, None),
    "canceled, nobody at it": ({"state": "canceling", "unfinished": 1}, ("canceled", "")),
    "canceled, a worker hangs": ({"state": "canceling", "live": 1, "overdue_s": 121.0}, ("canceled", "")),
}


@pytest.mark.parametrize(("change", "expected"), CASES.values(), ids=CASES.keys())
def test_a_job_ends_as_its_numbers_say(change: dict[str, Any], expected: tuple[str, str] | None) -> None:
    found = verdict(dataclasses.replace(RUNNING, **change), vector_grace_s=60, patience_s=120)
    assert (None if found is None else (str(found.state), found.note)) == expected


@given(
    st.builds(
        Facts,
        state=st.sampled_from(["running", "canceling"]),
        planned=st.booleans(),
        planning=st.booleans(),
        planner_failed=st.booleans(),
        total=st.integers(0, 50),
        errors=st.integers(0, 50),
        unfinished=st.integers(0, 5),
        live=st.integers(0, 5),
        vectors_pending=st.integers(0, 5),
        quiet_s=st.floats(0, 1000),
        overdue_s=st.floats(121, 1000),
    )
)
def test_no_job_outlives_its_deadline_and_the_patience_after_it(facts: Facts) -> None:
    assert isinstance(verdict(facts, vector_grace_s=60, patience_s=120), Verdict)
