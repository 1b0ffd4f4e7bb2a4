-- Adds up the batches of a job as they move, so that nobody who looks at a job has to.
-- Tables:   summaries_tally has a row for each run of neighbouring batches of a job, at most 200 for a whole plan: a cell
--           of its grid. Its counters are at any commit the sums over those rows of summaries_batch, and over the rows of
--           summaries_pendingvector that wait for them.
-- Triggers: batches come by one statement a plan, whose size says how many share a row. Later changes are added at
--           commit: until then no row of the tally is locked, so workers at neighbouring batches do not wait for each
--           other however long their transactions take. Heartbeats and leases change no counter and cost nothing.
-- Limits:   batches are deleted with their job only, and their tally before them; a batch's number and job never change.

CREATE FUNCTION summaries_tally_planned() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO summaries_tally AS tally (
        job_id, first, last, batches, done, failed, processed, written, embedding_ok, embedding_429, skipped, errors,
        retries, tokens_in, tokens_out, tokens_embedded, vectors_pending, written_at, vectors_at, heartbeat_at
    )
    SELECT job_id, (number - 1) / each * each + 1, max(number), count(*), count(*) FILTER (WHERE state = 'done'),
           count(*) FILTER (WHERE errors > 0), sum(processed), sum(written), sum(embedding_ok), sum(embedding_429),
           sum(skipped), sum(errors), sum(retries), sum(tokens_in), sum(tokens_out), sum(tokens_embedded), 0,
           max(finished_at), max(vector_at), max(heartbeat_at)
    FROM (
        SELECT *, greatest(1, ceil(max(number) OVER (PARTITION BY job_id) / 200.0)::int) AS each FROM planned
    ) AS sized
    GROUP BY job_id, (number - 1) / each * each
    ON CONFLICT (job_id, first) DO UPDATE SET
        last = greatest(tally.last, EXCLUDED.last), batches = tally.batches + EXCLUDED.batches,
        done = tally.done + EXCLUDED.done, failed = tally.failed + EXCLUDED.failed,
        processed = tally.processed + EXCLUDED.processed, written = tally.written + EXCLUDED.written,
        embedding_ok = tally.embedding_ok + EXCLUDED.embedding_ok,
        embedding_429 = tally.embedding_429 + EXCLUDED.embedding_429, skipped = tally.skipped + EXCLUDED.skipped,
        errors = tally.errors + EXCLUDED.errors, retries = tally.retries + EXCLUDED.retries,
        tokens_in = tally.tokens_in + EXCLUDED.tokens_in, tokens_out = tally.tokens_out + EXCLUDED.tokens_out,
        tokens_embedded = tally.tokens_embedded + EXCLUDED.tokens_embedded,
        written_at = greatest(tally.written_at, EXCLUDED.written_at),
        vectors_at = greatest(tally.vectors_at, EXCLUDED.vectors_at),
        heartbeat_at = greatest(tally.heartbeat_at, EXCLUDED.heartbeat_at);
    RETURN NULL;
END
$$;

CREATE TRIGGER summaries_tally_planned
AFTER INSERT ON summaries_batch
REFERENCING NEW TABLE AS planned
FOR EACH STATEMENT EXECUTE FUNCTION summaries_tally_planned();

CREATE FUNCTION summaries_tally_moved() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE summaries_tally SET
        done = done + (NEW.state = 'done')::int - (OLD.state = 'done')::int,
        failed = failed + (NEW.errors > 0)::int - (OLD.errors > 0)::int,
        processed = processed + NEW.processed - OLD.processed, written = written + NEW.written - OLD.written,
        embedding_ok = embedding_ok + NEW.embedding_ok - OLD.embedding_ok,
        embedding_429 = embedding_429 + NEW.embedding_429 - OLD.embedding_429,
        skipped = skipped + NEW.skipped - OLD.skipped, errors = errors + NEW.errors - OLD.errors,
        retries = retries + NEW.retries - OLD.retries, tokens_in = tokens_in + NEW.tokens_in - OLD.tokens_in,
        tokens_out = tokens_out + NEW.tokens_out - OLD.tokens_out,
        tokens_embedded = tokens_embedded + NEW.tokens_embedded - OLD.tokens_embedded,
        written_at = greatest(written_at, NEW.finished_at), vectors_at = greatest(vectors_at, NEW.vector_at),
        heartbeat_at = greatest(heartbeat_at, NEW.heartbeat_at)
    WHERE job_id = NEW.job_id AND first = (
        SELECT max(first) FROM summaries_tally WHERE job_id = NEW.job_id AND first <= NEW.number
    );
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER summaries_tally_moved
AFTER UPDATE ON summaries_batch
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (
    ((OLD.state = 'done'), OLD.processed, OLD.written, OLD.embedding_ok, OLD.embedding_429, OLD.skipped, OLD.errors,
     OLD.retries, OLD.tokens_in, OLD.tokens_out, OLD.tokens_embedded)
    IS DISTINCT FROM
    ((NEW.state = 'done'), NEW.processed, NEW.written, NEW.embedding_ok, NEW.embedding_429, NEW.skipped, NEW.errors,
     NEW.retries, NEW.tokens_in, NEW.tokens_out, NEW.tokens_embedded)
)
EXECUTE FUNCTION summaries_tally_moved();

CREATE FUNCTION summaries_tally_vector() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    -- A vector that is due anew goes from the batch of one job to that of another.
    UPDATE summaries_tally AS tally SET vectors_pending = vectors_pending + moved.by
    FROM (
        SELECT batch.job_id, cell.first, sum(change.by) AS by
        FROM (
            SELECT OLD.batch_id AS batch_id, -1 AS by WHERE TG_OP <> 'INSERT'
            UNION ALL SELECT NEW.batch_id, 1 WHERE TG_OP <> 'DELETE'
        ) AS change
        JOIN summaries_batch AS batch ON batch.id = change.batch_id
        CROSS JOIN LATERAL (
            SELECT max(first) AS first FROM summaries_tally WHERE job_id = batch.job_id AND first <= batch.number
        ) AS cell
        GROUP BY batch.job_id, cell.first
    ) AS moved
    WHERE tally.job_id = moved.job_id AND tally.first = moved.first;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER summaries_tally_vector
AFTER INSERT OR DELETE OR UPDATE OF batch_id ON summaries_pendingvector
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION summaries_tally_vector();
