-- Keeps which acts have no outcome on record yet, so that they are found without looking through all.
-- Tables:   audit_openact has a row for each intent in audit_auditrow until its outcome is there.
-- Trigger:  one for a statement, in its transaction. A refused act is both rows at once and never stands here.
-- Limits:   it follows the record and is no part of it: made anew from it, it would be the same.

CREATE FUNCTION audit_open_acts() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_openact (act_id, intent_id)
    SELECT act_id, id FROM fresh
    WHERE phase = 'intent' AND act_id NOT IN (SELECT act_id FROM fresh WHERE phase = 'outcome');
    DELETE FROM audit_openact WHERE act_id IN (SELECT act_id FROM fresh WHERE phase = 'outcome');
    RETURN NULL;
END
$$;

CREATE TRIGGER audit_open_acts
AFTER INSERT ON audit_auditrow
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION audit_open_acts();

INSERT INTO audit_openact (act_id, intent_id)
SELECT act_id, id FROM audit_auditrow AS intent
WHERE phase = 'intent' AND NOT EXISTS (
    SELECT 1 FROM audit_auditrow AS outcome WHERE outcome.phase = 'outcome' AND outcome.act_id = intent.act_id
);
