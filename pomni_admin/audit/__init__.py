"""The append-only record of who did what, to which handle, why, when, and with what result (G11)."""
