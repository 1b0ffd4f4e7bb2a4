"""The triggers that add up the batches of a job as they move."""

from __future__ import annotations

from pathlib import Path
from typing import Final

CREATE: Final = (Path(__file__).parent / "tally.sql").read_text("utf-8")

REMOVE: Final = """
DROP TRIGGER summaries_tally_vector ON summaries_pendingvector;
DROP TRIGGER summaries_tally_moved ON summaries_batch;
DROP TRIGGER summaries_tally_planned ON summaries_batch;
DROP FUNCTION summaries_tally_vector();
DROP FUNCTION summaries_tally_moved();
DROP FUNCTION summaries_tally_planned();
"""

ADD_UP_WHAT_THERE_IS: Final = """
INSERT INTO summaries_tally (
    job_id, first, last, batches, done, failed, processed, written, embedding_ok, embedding_429, skipped, errors,
    retries, tokens_in, tokens_out, tokens_embedded, vectors_pending, written_at, vectors_at, heartbeat_at
)
SELECT job_id, (number - 1) / each * each + 1, max(number), count(*), count(*) FILTER (WHERE state = 'done'),
       count(*) FILTER (WHERE errors > 0), sum(processed), sum(written), sum(embedding_ok), sum(embedding_429),
       sum(skipped), sum(errors), sum(retries), sum(tokens_in), sum(tokens_out), sum(tokens_embedded), sum(pending),
       max(finished_at), max(vector_at), max(heartbeat_at)
FROM (
    SELECT batch.*, greatest(1, ceil(max(number) OVER (PARTITION BY job_id) / 200.0)::int) AS each,
           (SELECT count(*) FROM summaries_pendingvector AS vector WHERE vector.batch_id = batch.id) AS pending
    FROM summaries_batch AS batch
) AS sized
GROUP BY job_id, (number - 1) / each * each
"""
"""What there was before the triggers; to be run in the transaction that has created them, which keeps others from
writing meanwhile."""
