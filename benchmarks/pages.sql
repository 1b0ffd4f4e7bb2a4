-- Fills the tables that Jobs, Job and Audit read, as after years without a clean-up.
-- Tables:  summaries_job, summaries_batch (and by its triggers summaries_tally), summaries_failure, audit_auditrow.
-- Sizes:   %(jobs)s jobs that have ended, each of one batch, over 80 days; a running one of %(batches)s batches; %(acts)s
--          acts of two rows, of which one in fifty is about a job and one in 9,999 has no outcome.
-- Limits:  into empty tables; psycopg's placeholders, percent signs doubled.

INSERT INTO summaries_job (
    id, kind, state, period_start, period_end, user_id, started_by, created_at, started_at, planned_at, finished_at,
    total, planned, plan_claim, plan_attempts, priority, note, idle_s
)
SELECT md5(n::text)::uuid,
       CASE WHEN n %% 100 = 0 THEN 'monthly' WHEN n %% 10 = 1 THEN 'weekly' WHEN n %% 7 = 0 THEN 'rebuild' ELSE 'daily' END,
       CASE WHEN n %% 5000 = 3 THEN 'failed' WHEN n %% 40 = 3 THEN 'partial' WHEN n %% 90 = 7 THEN 'canceled' ELSE 'ok' END,
       '2026-11-01', '2026-11-02', CASE WHEN n %% 7 = 0 THEN n END,
       CASE WHEN n %% 10 = 0 THEN 'schedule' ELSE 'agent' || n %% 20 END,
       at, at + interval '1 s', at + interval '3 s', at + interval '20 s', 40, true, 1, 1, 0,
       CASE WHEN n %% 40 = 3 AND n %% 5000 <> 3 THEN 'some_failed' ELSE '' END, 0
FROM generate_series(1, %(jobs)s) AS n
CROSS JOIN LATERAL (SELECT now() - (%(jobs)s - n + 60) * interval '80 days' / %(jobs)s AS at) AS day;

INSERT INTO summaries_batch (
    job_id, number, units, state, cursor, claim, claimed_by, claimed_at, heartbeat_at, finished_at, vector_at, attempts,
    processed, written, embedding_ok, errors, tokens_in, tokens_out
)
SELECT job.id, 1, ARRAY(SELECT generate_series(1, 40)), 'done', 40, 1, 'worker-1:41', job.started_at, job.finished_at,
       job.finished_at, job.finished_at, 0, 40 - (job.state <> 'ok')::int, 40 - (job.state <> 'ok')::int,
       40 - (job.state <> 'ok')::int, (job.state <> 'ok')::int, 52000, 2100
FROM summaries_job AS job;

INSERT INTO summaries_job (
    id, kind, state, period_start, period_end, started_by, created_at, started_at, planned_at, deadline_at, total,
    planned, plan_claim, plan_attempts, priority, note, idle_s
)
VALUES (%(running)s, 'daily', 'running', '2026-11-01', '2026-11-02', 'schedule', now() - interval '40 min',
        now() - interval '39 min', now() - interval '38 min', now() + interval '1 h', %(batches)s * 50, true, 1, 1, 0, '', 0);

INSERT INTO summaries_batch (
    job_id, number, units, state, cursor, claim, claimed_by, claimed_at, heartbeat_at, finished_at, lease_until,
    attempts, processed, written, embedding_ok, skipped, errors, tokens_in, tokens_out
)
SELECT %(running)s, n, ARRAY(SELECT generate_series(n * 50, n * 50 + 49)),
       CASE WHEN n <= %(batches)s / 2 THEN 'done' WHEN n <= %(batches)s / 2 + 6 THEN 'running' ELSE 'waiting' END,
       0, (n <= %(batches)s / 2 + 6)::int, 'worker-' || n %% 6 || ':4' || n %% 6,
       CASE WHEN n <= %(batches)s / 2 + 6 THEN now() - interval '30 s' END,
       CASE WHEN n <= %(batches)s / 2 + 6 THEN now() - interval '2 s' END,
       CASE WHEN n <= %(batches)s / 2 THEN now() - interval '2 s' END,
       CASE WHEN n > %(batches)s / 2 AND n <= %(batches)s / 2 + 6 THEN now() + interval '1 h' END, 0,
       done * 44, done * 44, done * 44, done * 5, done, done * 52000, done * 2100
FROM generate_series(1, %(batches)s) AS n CROSS JOIN LATERAL (SELECT (n <= %(batches)s / 2)::int AS done) AS so_far;

INSERT INTO summaries_failure (job_id, batch_id, unit, code)
SELECT job_id, id, number * 50, CASE WHEN number %% 3 = 0 THEN 'llm_timeout' ELSE 'llm_rate_limited' END
FROM summaries_batch WHERE errors > 0;

INSERT INTO audit_auditrow (act_id, phase, at, actor, role, act, handle, subject, reason, result, receipt)
SELECT overlay(md5(n::text) placing '4' from 13)::uuid, phase, now() - (%(acts)s - n) * interval '10 s',
       'agent' || n %% 20, 'support',
       CASE WHEN n %% 50 = 0 THEN (ARRAY['summaries.pause', 'summaries.resume', 'summaries.run'])[1 + n / 50 %% 3]
            ELSE 'people.look_up' END,
       CASE WHEN phase = 'outcome' AND n %% 50 > 0 THEN 'U-' || lpad(upper(to_hex(n %% 30000)), 10, '0') ELSE '' END,
       CASE WHEN n %% 5000 = 0 THEN %(running)s::text WHEN n %% 50 = 0 THEN md5((n %% 1000)::text)::uuid::text ELSE '' END,
       '', CASE WHEN phase = 'intent' THEN '' WHEN n %% 5001 = 0 THEN 'unreachable' WHEN n %% 7001 = 0 THEN 'refused'
                WHEN n %% 7003 = 0 THEN 'error:ValueError' ELSE 'ok' END,
       'R-' || lpad(upper(to_hex(n / 65536)), 4, '0') || '-' || lpad(upper(to_hex(n %% 65536)), 4, '0')
FROM generate_series(1, %(acts)s) AS n, unnest(ARRAY['intent', 'outcome']) AS phase
WHERE phase = 'intent' OR n %% 9999 <> 0;
