"""The relay: triggers, outbox, process, command."""
