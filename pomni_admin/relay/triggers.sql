-- What tells the relay that something has changed which the caches hold (G1): functions, then triggers.
--
-- Run by:    `manage.py relay install`, each table's triggers in a transaction of its own under a lock_timeout. By hand:
--            first `SET search_path = <the schema of the tables>, pg_temp`, which the functions then keep for good.
-- Tables:    users, subscriptions, bot_messages, dialog_summaries (the bot's); relay_outbox (of a migration).
-- Effect:    rows in relay_outbox, in the transaction of the change; NOTIFY pomni_relay with no payload.
-- Promise:   nothing here makes a statement fail, or wait for longer than the lock_timeout below. Whatever goes wrong is
--            caught and warned of, with its SQLSTATE and nothing else; the caches then follow by their own TTL.
-- Cost:      a row trigger with WHEN costs next to nothing where no column that matters has changed. Where one has, its
--            function puts a note into a variable of the transaction; at the end of the statement the notes become rows
--            under one subtransaction, or under one for each 4 kB of them. A subtransaction for each row would be the
--            plain way, and a bulk UPDATE would then leave a hundred thousand of them to every snapshot there is.
-- Note:      `kind,user_id,tg_id,level;` with the level in hexadecimal, and the Telegram id where users has it no longer.
--            Functions that only these call go by the search_path of their callers.

CREATE OR REPLACE FUNCTION pomni_relay_wake() RETURNS void
LANGUAGE plpgsql
AS $relay$
BEGIN
    -- A queue that a listener asleep in a transaction has filled would make the COMMIT fail, where nobody can catch it.
    IF pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify('pomni_relay', '');
    END IF;
END
$relay$;

CREATE OR REPLACE FUNCTION pomni_relay_write(notes text) RETURNS void
LANGUAGE plpgsql
SET lock_timeout = '50ms'
AS $relay$
BEGIN
    INSERT INTO relay_outbox (kind, user_id, tg_id, level)
    SELECT split_part(note, ',', 1),
           split_part(note, ',', 2)::bigint,
           nullif(split_part(note, ',', 3), '')::bigint,
           convert_from(decode(nullif(split_part(note, ',', 4), ''), 'hex'), 'UTF8')
    FROM string_to_table(rtrim(notes, ';'), ';') AS note;
    PERFORM pomni_relay_wake();
END
$relay$;

CREATE OR REPLACE FUNCTION pomni_relay_person() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $relay$
DECLARE
    held text := current_setting('pomni_relay.held', true);
BEGIN
    IF held = 'failed' THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF OLD.id <> NEW.id THEN
            held := concat(held, 'delete,', OLD.id, ',', OLD.tg_id, ',;');
        END IF;
        IF OLD.privacy_level IS DISTINCT FROM NEW.privacy_level THEN
            held := concat(
                held, 'privacy,', NEW.id, ',', nullif(OLD.tg_id, NEW.tg_id), ',',
                encode(convert_to(left(NEW.privacy_level, 32), 'UTF8'), 'hex'), ';'
            );
        ELSE
            held := concat(held, 'rows,', NEW.id, ',', nullif(OLD.tg_id, NEW.tg_id), ',;');
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        held := concat(held, 'rows,', NEW.id, ',,;');
    ELSE
        held := concat(held, 'delete,', OLD.id, ',', OLD.tg_id, ',;');
    END IF;
    IF length(held) > 4000 THEN
        PERFORM pomni_relay_write(held);
        held := '';
    END IF;
    PERFORM set_config('pomni_relay.held', held, true);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pomni relay: a change was not noted (%), caches follow it by their TTL', SQLSTATE;
    PERFORM set_config('pomni_relay.held', 'failed', true); -- the rest of the statement does not wait as well
    RETURN NULL;
END
$relay$;

CREATE OR REPLACE FUNCTION pomni_relay_subscription() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $relay$
DECLARE
    held text := current_setting('pomni_relay.held', true);
BEGIN
    IF held = 'failed' THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        held := concat(held, 'rows,', NEW.user_id, ',,;');
    ELSE
        held := concat(held, 'rows,', OLD.user_id, ',,;');
        IF TG_OP = 'UPDATE' THEN
            IF OLD.user_id <> NEW.user_id THEN
                held := concat(held, 'rows,', NEW.user_id, ',,;');
            END IF;
        END IF;
    END IF;
    IF length(held) > 4000 THEN
        PERFORM pomni_relay_write(held);
        held := '';
    END IF;
    PERFORM set_config('pomni_relay.held', held, true);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pomni relay: a change was not noted (%), caches follow it by their TTL', SQLSTATE;
    PERFORM set_config('pomni_relay.held', 'failed', true);
    RETURN NULL;
END
$relay$;

CREATE OR REPLACE FUNCTION pomni_relay_pass_on() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $relay$
DECLARE
    notes text := current_setting('pomni_relay.held', true);
BEGIN
    IF coalesce(notes, '') = '' THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('pomni_relay.held', '', true);
    IF notes <> 'failed' THEN
        BEGIN
            PERFORM pomni_relay_write(notes);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'pomni relay: a change was not noted (%), caches follow it by their TTL', SQLSTATE;
        END;
    END IF;
    RETURN NULL;
END
$relay$;

CREATE OR REPLACE FUNCTION pomni_relay_purged() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
SET lock_timeout = '50ms'
AS $relay$
BEGIN
    INSERT INTO relay_outbox (kind, user_id) SELECT DISTINCT 'purge', user_id FROM gone;
    IF FOUND THEN
        PERFORM pomni_relay_wake();
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pomni relay: a change was not noted (%), caches follow it by their TTL', SQLSTATE;
    RETURN NULL;
END
$relay$;

CREATE OR REPLACE FUNCTION pomni_relay_emptied() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
SET lock_timeout = '50ms'
AS $relay$
BEGIN
    IF TG_TABLE_NAME = 'users' THEN
        INSERT INTO relay_outbox (kind, user_id, tg_id) SELECT 'delete', id, tg_id FROM users;
    ELSIF TG_TABLE_NAME = 'subscriptions' THEN
        INSERT INTO relay_outbox (kind, user_id) SELECT 'rows', user_id FROM subscriptions;
    ELSIF TG_TABLE_NAME = 'bot_messages' THEN
        INSERT INTO relay_outbox (kind, user_id) SELECT DISTINCT 'purge', user_id FROM bot_messages;
    ELSE
        INSERT INTO relay_outbox (kind, user_id) SELECT DISTINCT 'purge', user_id FROM dialog_summaries;
    END IF;
    PERFORM pomni_relay_wake();
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pomni relay: a change was not noted (%), caches follow it by their TTL', SQLSTATE;
    RETURN NULL;
END
$relay$;

-- A trigger function that anybody may attach to a table of their own would write with its owner's rights.
REVOKE EXECUTE ON FUNCTION
    pomni_relay_wake(), pomni_relay_write(text), pomni_relay_person(),
    pomni_relay_subscription(), pomni_relay_pass_on(), pomni_relay_purged(), pomni_relay_emptied()
FROM PUBLIC;

CREATE OR REPLACE TRIGGER pomni_relay_come_or_gone AFTER INSERT OR DELETE ON users
FOR EACH ROW EXECUTE FUNCTION pomni_relay_person();

-- What `access_state` and `identity` are made of, and who it is. `trial_until` and `subscription_status` are read by the
-- bot alone so far.
CREATE OR REPLACE TRIGGER pomni_relay_changed AFTER UPDATE ON users
FOR EACH ROW WHEN (
    OLD.id IS DISTINCT FROM NEW.id
    OR OLD.tg_id IS DISTINCT FROM NEW.tg_id
    OR OLD.privacy_level IS DISTINCT FROM NEW.privacy_level
    OR OLD.trial_until IS DISTINCT FROM NEW.trial_until
    OR OLD.trial_started_at IS DISTINCT FROM NEW.trial_started_at
    OR OLD.trial_expires_at IS DISTINCT FROM NEW.trial_expires_at
    OR OLD.policy_accepted_at IS DISTINCT FROM NEW.policy_accepted_at
    OR OLD.subscription_status IS DISTINCT FROM NEW.subscription_status
    OR OLD.tg_is_blocked IS DISTINCT FROM NEW.tg_is_blocked
) EXECUTE FUNCTION pomni_relay_person();

CREATE OR REPLACE TRIGGER pomni_relay_pass_on AFTER INSERT OR UPDATE OR DELETE ON users
FOR EACH STATEMENT EXECUTE FUNCTION pomni_relay_pass_on();

CREATE OR REPLACE TRIGGER pomni_relay_emptied BEFORE TRUNCATE ON users
FOR EACH STATEMENT EXECUTE FUNCTION pomni_relay_emptied();

CREATE OR REPLACE TRIGGER pomni_relay_come_or_gone AFTER INSERT OR DELETE ON subscriptions
FOR EACH ROW EXECUTE FUNCTION pomni_relay_subscription();

-- What `access_state` is made of.
CREATE OR REPLACE TRIGGER pomni_relay_changed AFTER UPDATE ON subscriptions
FOR EACH ROW WHEN (
    OLD.user_id IS DISTINCT FROM NEW.user_id
    OR OLD.status IS DISTINCT FROM NEW.status
    OR OLD.subscription_until IS DISTINCT FROM NEW.subscription_until
    OR OLD.plan IS DISTINCT FROM NEW.plan
    OR OLD.is_auto_renew IS DISTINCT FROM NEW.is_auto_renew
) EXECUTE FUNCTION pomni_relay_subscription();

CREATE OR REPLACE TRIGGER pomni_relay_pass_on AFTER INSERT OR UPDATE OR DELETE ON subscriptions
FOR EACH STATEMENT EXECUTE FUNCTION pomni_relay_pass_on();

CREATE OR REPLACE TRIGGER pomni_relay_emptied BEFORE TRUNCATE ON subscriptions
FOR EACH STATEMENT EXECUTE FUNCTION pomni_relay_emptied();

CREATE OR REPLACE TRIGGER pomni_relay_purged AFTER DELETE ON bot_messages
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION pomni_relay_purged();

CREATE OR REPLACE TRIGGER pomni_relay_emptied BEFORE TRUNCATE ON bot_messages
FOR EACH STATEMENT EXECUTE FUNCTION pomni_relay_emptied();

CREATE OR REPLACE TRIGGER pomni_relay_purged AFTER DELETE ON dialog_summaries
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION pomni_relay_purged();

CREATE OR REPLACE TRIGGER pomni_relay_emptied BEFORE TRUNCATE ON dialog_summaries
FOR EACH STATEMENT EXECUTE FUNCTION pomni_relay_emptied();
