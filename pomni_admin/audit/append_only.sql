-- Makes the record of acts append-only (G11).
-- Table:   audit_auditrow.
-- Effect:  UPDATE, DELETE and TRUNCATE fail with SQLSTATE 42501 (insufficient_privilege), whoever asks and whether or
--          not a row would be touched. INSERT and SELECT are as before.
-- Limits:  the table's owner can drop the triggers, and a superuser can set session_replication_role = replica (as
--          tests do to empty the table); neither happens by accident or through the site.

CREATE FUNCTION audit_refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog
AS $$
BEGIN
    RAISE EXCEPTION 'the audit record is append-only: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'To correct an entry, record another act.';
END
$$;

CREATE TRIGGER audit_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_auditrow
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
