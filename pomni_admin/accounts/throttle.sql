-- Counts an attempt against a limit, in one statement, so that many at once cannot slip through.
-- Parameters: key, window (seconds).
-- Returns:    count (this attempt included), and the seconds until the window ends. A window begins with the first
--             attempt; when it is over the next attempt begins another.
INSERT INTO accounts_attempts AS a (key, count, ends_at)
VALUES (%s, 1, clock_timestamp() + %s * interval '1 second')
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN a.ends_at <= clock_timestamp() THEN 1 ELSE a.count + 1 END,
    ends_at = CASE WHEN a.ends_at <= clock_timestamp() THEN excluded.ends_at ELSE a.ends_at END
RETURNING count, extract(epoch FROM a.ends_at - clock_timestamp())
