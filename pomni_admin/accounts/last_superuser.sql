-- Keeps the last superuser who can sign in: neither the site, a shell, nor psql can delete, demote or deactivate them, or
-- take away their password.
-- Table:   accounts_user.
-- Effect:  an UPDATE or DELETE after which nobody could manage people fails with SQLSTATE 23001 (restrict_violation).
-- At once: an advisory lock, held until the transaction ends, lets one such change at a time be judged; the count then
--          sees what the others have committed (READ COMMITTED takes a new snapshot for each statement).
-- Limits:  TRUNCATE, and session_replication_role = replica, by which tests empty the table.

CREATE FUNCTION accounts_keep_a_superuser() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog
AS $$
DECLARE
    one_is_left boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('accounts: the last superuser'));
    EXECUTE format(
        'SELECT EXISTS (SELECT 1 FROM %I.%I WHERE is_superuser AND is_active AND password NOT LIKE ''!%%'')',
        TG_TABLE_SCHEMA, TG_TABLE_NAME  -- whatever schema it is in
    ) INTO one_is_left;
    IF NOT one_is_left THEN
        RAISE EXCEPTION 'the last superuser stays' USING
            ERRCODE = 'restrict_violation',
            HINT = 'Make somebody else a superuser first.';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER accounts_superuser_changed
AFTER UPDATE OF is_superuser, is_active, password ON accounts_user
FOR EACH ROW
WHEN (
    OLD.is_superuser AND OLD.is_active AND OLD.password NOT LIKE '!%'
    AND NOT (NEW.is_superuser AND NEW.is_active AND NEW.password NOT LIKE '!%')
)
EXECUTE FUNCTION accounts_keep_a_superuser();

CREATE TRIGGER accounts_superuser_deleted
AFTER DELETE ON accounts_user
FOR EACH ROW
WHEN (OLD.is_superuser AND OLD.is_active AND OLD.password NOT LIKE '!%')
EXECUTE FUNCTION accounts_keep_a_superuser();
