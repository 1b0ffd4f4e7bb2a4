-- PostgreSQL as it is now: connections, the oldest transaction that others hold open, and the size of our tables.
-- $1 names of tables
-- Returns connections, how many there may be, age of the oldest open transaction in seconds or NULL, and as JSON the bytes
-- of each table that there is, with its indexes. Of sessions of other roles only pg_monitor learns since when they are open.
SELECT
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    current_setting('max_connections')::int,
    (
        SELECT extract(epoch FROM clock_timestamp() - min(xact_start))::float8
        FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()
    ),
    (
        SELECT coalesce(json_object_agg(name, pg_total_relation_size(to_regclass(name))), '{}')::text
        FROM unnest(%s::text[]) AS name
        WHERE to_regclass(name) IS NOT NULL
    )
