"""The truth about summary jobs (G9). Redis mirrors these rows, and Celery only wakes up who works on them.

Nothing here has a foreign key to the bot's tables: people leave in mid-job, and the job goes on without them.
"""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now

from pomni_admin.summaries.periods import Period


class Kind(models.TextChoices):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    REBUILD = "rebuild"


class JobState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELING = "canceling"
    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELED = "canceled"


ACTIVE = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED, JobState.CANCELING)
"""The states in which a job may still move."""


class Job(models.Model):
    """One run of one kind.

    Attributes:
        period_start, period_end: UTC days, the end exclusive.
        period_start, period_end: of a rebuild, the days; its weeks and months are the last ones over by the end.
        user_id: set for a run for one person only.
        priority: workers leave a job for one with a higher priority at the next person.
        retry_of: the job whose failed people this one takes up.
        fence: grows with every job; the lock in Redis carries it, and every write checks it (G8).
        once: a name that may start only once, such as a schedule's start of one day; empty for people's starts.
        plan_claim, plan_lease_until, plan_attempts: who may plan now, as for batches.
        planned_at: when the plan was made; None also for jobs of before this was kept.
        total: units in the plan; None until it is made.
        paused_at, idle_s: since when it is paused; how long it has been paused, or ended before it was resumed.
        note: a short fixed word that says why a job ended as it did, where its counters do not.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    period_start = models.DateField()
    period_end = models.DateField()
    user_id = models.BigIntegerField(null=True)
    state = models.CharField(max_length=16, choices=JobState.choices, default=JobState.QUEUED)
    fence = models.BigIntegerField(db_default=Func(Value("summaries_job_fence"), function="nextval"), editable=False)
    started_by = models.CharField(max_length=150)
    once = models.CharField(max_length=64, null=True, unique=True)
    priority = models.SmallIntegerField(default=0)
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="retries")
    planned = models.BooleanField(default=False)
    planned_at = models.DateTimeField(null=True)
    plan_claim = models.IntegerField(default=0)
    plan_lease_until = models.DateTimeField(null=True)
    plan_attempts = models.IntegerField(default=0)
    total = models.IntegerField(null=True)
    note = models.CharField(max_length=64, default="")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    idle_s = models.FloatField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=Q(state__in=ACTIVE), name="summaries_one_active_job_a_kind"
            ),
            models.CheckConstraint(condition=Q(period_end__gt=F("period_start")), name="summaries_period_not_empty"),
        ]
        indexes = [
            models.Index(fields=["kind", "state", "created_at", "id"], name="summaries_job_by_state"),
            models.Index(fields=["started_by", "kind", "state", "created_at", "id"], name="summaries_job_by_starter"),
            models.Index(fields=["kind", "period_start"], condition=Q(user_id=None), name="summaries_job_by_period"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.period_start} {self.state}"

    @property
    def period(self) -> Period:
        return Period(self.period_start, self.period_end)


class RetryInLine(models.Model):
    """A job whose failed people are to be retried as soon as no other job of its kind runs.

    One kind runs once at a time: of several retries that are asked for together, all but the first stand here.

    Attributes:
        by: the sign-in name of who asked for it, which the new job says it was started by.
    """

    job = models.OneToOneField(Job, models.CASCADE, primary_key=True, related_name="retry_in_line")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    by = models.CharField(max_length=150)
    since = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"retry in line {self.kind}"


class BatchState(models.TextChoices):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


class Batch(models.Model):
    """A fixed list of units that one worker at a time works off, and how far it is.

    Cursor and counters move in one statement, in the transaction that writes the unit's summary: that is why they are
    exact whenever a worker dies. Everything that a batch begins with is the database's default: the planner writes
    batches by SQL.

    Attributes:
        units: people, or the spans of one person's rebuild, as `units` numbers them; ascending and final.
        cursor: the last of `units` that is finished; 0 before the first.
        claim: grows with every claim; a write that carries an older one is refused (G8).
        vector_at: when one of its vectors was last brought.
        attempts: claims since the cursor last moved: a person whose texts kill the worker is passed over in the end.
        tokens_in, tokens_out: what the model has read and written, by its own account, for failed people too.
        tokens_embedded: what was read for the vectors that were brought.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="batches")
    number = models.IntegerField()
    units: ArrayField[list[int], list[int]] = ArrayField(models.BigIntegerField())
    state = models.CharField(max_length=8, choices=BatchState.choices, db_default=BatchState.WAITING)
    cursor = models.BigIntegerField(db_default=0)
    claim = models.BigIntegerField(db_default=0)
    claimed_by = models.CharField(max_length=150, db_default="")
    claimed_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    vector_at = models.DateTimeField(null=True)
    attempts = models.IntegerField(db_default=0)
    processed = models.IntegerField(db_default=0)
    written = models.IntegerField(db_default=0)
    embedding_ok = models.IntegerField(db_default=0)
    embedding_429 = models.IntegerField(db_default=0)
    skipped = models.IntegerField(db_default=0)
    errors = models.IntegerField(db_default=0)
    retries = models.IntegerField(db_default=0)
    tokens_in = models.BigIntegerField(db_default=0)
    tokens_out = models.BigIntegerField(db_default=0)
    tokens_embedded = models.BigIntegerField(db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="summaries_batch_number")]
        indexes = [
            models.Index(
                fields=["job", "number"], condition=~Q(state=BatchState.DONE), name="summaries_batch_unfinished"
            ),
            models.Index(
                fields=["job", "number"], condition=Q(state=BatchState.RUNNING), name="summaries_batch_running"
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.number} {self.state}"


class Tally(models.Model):
    """Neighbouring batches of a job added up. Written by the triggers of `tally.sql` alone.

    Attributes:
        first, last: their numbers.
        done, failed: how many of them are done; in how many somebody failed.
        vectors_pending: the `PendingVector`s of theirs.
        written_at, vectors_at: when the last of them was done, and the last vector brought.
        heartbeat_at: the newest when a counter moved; of those that are worked on now the batch says more.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="tallies", db_index=False)
    first = models.IntegerField()
    last = models.IntegerField()
    batches = models.IntegerField()
    done = models.IntegerField()
    failed = models.IntegerField()
    processed = models.IntegerField()
    written = models.IntegerField()
    embedding_ok = models.IntegerField()
    embedding_429 = models.IntegerField()
    skipped = models.IntegerField()
    errors = models.IntegerField()
    retries = models.IntegerField()
    tokens_in = models.BigIntegerField()
    tokens_out = models.BigIntegerField()
    tokens_embedded = models.BigIntegerField()
    vectors_pending = models.IntegerField()
    written_at = models.DateTimeField(null=True)
    vectors_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "first"], name="summaries_tally_place")]

    def __str__(self) -> str:
        return f"tally of batches {self.first}-{self.last}"


class Failure(models.Model):
    """A unit whose summary could not be made, and the class of error; never a text (G6)."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="failures")
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="failures")
    unit = models.BigIntegerField()
    code = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "unit"], name="summaries_one_failure_a_unit")]

    def __str__(self) -> str:
        return f"failure {self.code}"


class PendingVector(models.Model):
    """A summary whose vector is still to be written; made with the row, gone with the vector.

    Attributes:
        summary_id: of `dialog_summaries`; when that row is gone, the point is deleted instead of written.
        written_at: the row's `updated_at` when this was made: a vector of an older text does not settle it.
        batch: gets the count when the vector is there; None when the job has been removed.
        not_before: nobody else tries before; the worker that has just written the row does it itself.
        reason: a short fixed word: why the last attempt failed; empty before the first.
    """

    summary_id = models.BigIntegerField(primary_key=True)
    user_id = models.BigIntegerField()
    batch = models.ForeignKey(Batch, models.SET_NULL, null=True, related_name="pending_vectors")
    written_at = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    not_before = models.DateTimeField(db_index=True)
    reason = models.CharField(max_length=64, default="")

    def __str__(self) -> str:
        return f"pending vector {self.reason or 'new'}"


class Schedule(models.Model):
    """Whether a kind is started by the clock. When, says the environment.

    Attributes:
        since: when it was last switched on: nothing from before counts as missed.
    """

    kind = models.CharField(max_length=16, choices=Kind.choices, primary_key=True)
    on = models.BooleanField(default=True)
    since = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.kind} {'on' if self.on else 'off'}"


class DailyTotal(models.Model):
    """What is left of finished jobs after their time: one row for each kind and UTC day on which jobs finished."""

    day = models.DateField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    jobs = models.IntegerField()
    ok = models.IntegerField()
    partial = models.IntegerField()
    failed = models.IntegerField()
    canceled = models.IntegerField()
    units = models.BigIntegerField()
    written = models.BigIntegerField()
    skipped = models.BigIntegerField()
    errors = models.BigIntegerField()
    retries = models.BigIntegerField()
    tokens_in = models.BigIntegerField()
    tokens_out = models.BigIntegerField()
    tokens_embedded = models.BigIntegerField(db_default=0)
    seconds = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "kind"], name="summaries_one_total_a_day")]

    def __str__(self) -> str:
        return f"{self.kind} {self.day}"
