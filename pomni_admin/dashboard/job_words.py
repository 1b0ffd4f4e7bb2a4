"""Words for what summary jobs say of themselves by fixed words, and for what the form that starts them refuses."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from pomni_admin.dashboard.words import Words

NOTES: Final[Words] = {
    "deadline": _("Its time limit was up before everybody's turn had come. Nothing that was written is lost."),
    "some_failed": _("It went through to the end, but not every summary could be made."),
    "vectors_pending": _(
        "Every summary is written, but some of their vectors are not: Qdrant or the embedding API did not take them."
        " They are tried again by themselves."
    ),
    "everyone_failed": _("Not one summary could be made, which as a rule is the provider's doing."),
    "planner": _("Nobody managed to list who has something to summarise; PostgreSQL may have been away."),
}
"""Why a job ended as it did, where its counters do not tell."""
WHAT_NOW: Final[Words] = {
    "deadline": _("Resume continues from there."),
    "some_failed": _("Retry starts a job for what failed, and for nothing else."),
    "vectors_pending": _("Resume waits for them and ends the job."),
    "everyone_failed": _("See the failures below, put right what they name, then retry."),
    "planner": _("Run it again once PostgreSQL is well."),
}
"""What can be done about it."""
FAILURES: Final[Words] = {
    "llm_rate_limited": _("The provider asked to slow down, until the retries were used up"),
    "llm_unavailable": _("The provider was unavailable"),
    "llm_timeout": _("The provider did not answer in time"),
    "llm_no_connection": _("The provider could not be reached"),
    "llm_empty_answer": _("The model's answer was empty"),
    "llm_refused_answer": _("The model refused"),
    "llm_no_choices": _("The model's answer held nothing"),
    "llm_answer_too_long": _("The answer was longer than any that is read"),
    "llm_bad_answer": _("The provider's answer could not be read"),
    "rows_locked": _("Somebody else kept the person's rows locked"),
    "rows_kept_changing": _("The person's messages kept changing while they were read"),
    "worker_died": _("The worker died on it, each time"),
}
FAILURES_LIKE: Final[Words] = {
    "llm_http_5": _("The provider had a fault"),
    "llm_http_4": _("The provider refused: the key, the model or its rules"),
    "llm_": _("The provider, in another way"),
    "unexpected_": _("A fault of this program; it is in the worker's log"),
}
"""By how the code begins, for codes that the table above does not have."""
STAGES: Final[Words] = {
    "requested": _("Requested"),
    "started": _("Started"),
    "planned": pgettext_lazy("stage", "Plan"),
    "written": pgettext_lazy("stage", "Summaries"),
    "vectors": pgettext_lazy("stage", "Vectors"),
    "ended": _("Ended"),
}
"""The way of a job."""
RUN_CHOICES: Final[Words] = {
    "daily": pgettext_lazy("summaries of", "a day"),
    "weekly": pgettext_lazy("summaries of", "a week"),
    "monthly": pgettext_lazy("summaries of", "a month"),
    "rebuild": pgettext_lazy("summaries of", "one person, rebuilt"),
}
"""What the form that starts a job offers."""
RUN_PROBLEMS: Final[Words] = {
    "not_a_day": _("That is no day of the calendar. A day is written like 2026-02-28."),
    "not_a_month": _("That is no month. A month is written like 2026-02."),
    "not_monday": _("That is not a Monday. Its week begins on:"),
    "not_over": _("That is not over yet in UTC. The last that can be summarised is:"),
    "too_early": _("That lies before the first day that can be summarised:"),
    "nothing_kept": _("That lies before everything that is kept: there was nothing to summarise yet."),
    "not_days": _("Type a number of days from 1 to 180."),
    "no_person": _("Type whose: a handle or a user id."),
    "not_a_person": _(
        "That is neither a handle nor a user id. A handle is U- and ten letters or digits; a user id is digits only."
    ),
    "nobody": _(
        "Nobody has this user id. A Telegram id is none: the page Users finds the person by it and shows the handle."
    ),
    "nobody_handle": _("Nobody has this handle. The person may have been deleted, or a letter may have been misheard."),
    "handle_timeout": _("Searching took too long and was stopped. Type the user id."),
    "ambiguous_handle": _("Two people share this handle by chance. Type the user id."),
    "no_handles": _("Your role does not find people by handle. Type the user id."),
    "too_many": _("Too many look-ups in one minute. Nothing was started."),
    "two_answers": _("Everybody was chosen, and yet a person was typed. Choose which it is."),
    "form_too_old": _("This form was too old, or not of this sign-in. Nothing was started: look at it once more."),
}
"""What is wrong with a field of the form; what was typed is not repeated."""
WRONG_FILTERS: Final[Words] = {
    "kind": _("kind: takes daily, weekly, monthly or rebuild; several with commas between them."),
    "state": _(
        "state: takes queued, running, paused, canceling, ok, partial, failed or canceled; several with commas between"
        " them."
    ),
    "started": _(
        "started: takes today, yesterday, 7d, 24h, a day like 2026-11-25, a month like 2026-11, or from..to, where"
        " either end may be left out. Days are UTC."
    ),
    "by": _("by: takes who or what has started a job: schedule, cron, command, or somebody's sign-in name."),
    "twice": _("started: and by: can be given once."),
    "qualifier": _("There are four filters: kind: state: started: by: – for example kind:daily state:failed,partial."),
    "word": _(
        "Words are not searched for. There are four filters: kind: state: started: by: – for example kind:daily"
        " state:failed,partial. Or type a job's id, from its first eight characters on."
    ),
    "long": _("That is longer than any filter."),
    "no_id": _("There is no job whose id begins so. Finished jobs are kept for 90 days."),
    "several_ids": _("More than one job's id begins so. Type more of it."),
    "place": _("The address names no job to begin at. Begin with the newest."),
}
"""Why a filter of the Jobs page is not taken, and what is; its value is not repeated."""
SPANS: Final[Words] = {
    "today": pgettext_lazy("started", "today"),
    "7d": pgettext_lazy("started", "7 days"),
    "30d": pgettext_lazy("started", "30 days"),
}
"""Times of start that are one press away."""
FATES: Final[Words] = {
    "starts": _("A job for those who failed starts at once."),
    "waits": _("Waits in line: starts when no other job of its kind runs."),
    "stops": _("No more people are processed; what is written stays."),
    "leaves": _("Is taken out of the line of retries."),
    "gone": _("Is not kept any more."),
    "active": _("Has not ended."),
    "retried": _("Has been retried already."),
    "in_line": _("Waits in line to be retried already."),
    "nobody_failed": _("Nobody failed in it."),
    "canceling": _("Is being canceled already."),
    "ended": _("Has ended."),
}
"""What an act on several jobs would do to one of them, or why nothing."""
