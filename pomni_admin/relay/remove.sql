-- Takes the triggers of triggers.sql away again, and then their functions. What is still in relay_outbox stays.
--
-- Run by: `manage.py relay remove`, each table's triggers in a transaction of its own under a lock_timeout. By hand:
--         any way at all; DROP TRIGGER waits for those who use the table, and everybody else waits behind it.

DROP TRIGGER IF EXISTS pomni_relay_come_or_gone ON users;
DROP TRIGGER IF EXISTS pomni_relay_changed ON users;
DROP TRIGGER IF EXISTS pomni_relay_pass_on ON users;
DROP TRIGGER IF EXISTS pomni_relay_emptied ON users;

DROP TRIGGER IF EXISTS pomni_relay_come_or_gone ON subscriptions;
DROP TRIGGER IF EXISTS pomni_relay_changed ON subscriptions;
DROP TRIGGER IF EXISTS pomni_relay_pass_on ON subscriptions;
DROP TRIGGER IF EXISTS pomni_relay_emptied ON subscriptions;

DROP TRIGGER IF EXISTS pomni_relay_purged ON bot_messages;
DROP TRIGGER IF EXISTS pomni_relay_emptied ON bot_messages;

DROP TRIGGER IF EXISTS pomni_relay_purged ON dialog_summaries;
DROP TRIGGER IF EXISTS pomni_relay_emptied ON dialog_summaries;

DROP FUNCTION IF EXISTS
    pomni_relay_person(), pomni_relay_subscription(), pomni_relay_pass_on(), pomni_relay_purged(),
    pomni_relay_emptied(), pomni_relay_write(text), pomni_relay_wake();
